//! Decoding over each codec: against f16, against a copy, and against one invocation per query head.

use super::caches::{SEQUENCES, SIDE, noise, packed_sides};
use super::race::{Moved, baseline, race};
use kvplan_kernels::gpu::{Buffer, Dispatch, Gpu, GpuError};
use kvplan_kernels::op::{Addressing, Cache, CodecKernels, Shape, Tensor, launch};
use kvplan_kernels::shader::{Attention, Shader};

/// Decoding by 8 KV heads of 128.
pub(super) const fn shape(sequences: u32, tokens: u32, per_kv: u32) -> Shape {
    let Tensor { heads: kv_heads, head_dim, .. } = SIDE;
    Shape {
        sequences,
        heads: kv_heads * per_kv,
        kv_heads,
        head_dim,
        queries: 1,
        window: 0,
        capacity: tokens,
        scale: 0.088_388_35,
        sinks: false,
    }
}

/// A codec and its cache of noise.
pub(super) type Cached<'a> = (&'a CodecKernels, &'a [Buffer; 2]);

/// What an attention launch is given besides the cache.
pub(super) struct Asked {
    pub(super) shape: Shape,
    pub(super) q: Buffer,
    pub(super) lengths: Buffer,
    pub(super) parts: Buffer,
    pub(super) out: Buffer,
}

impl Asked {
    pub(super) async fn new(gpu: &Gpu, sequences: u32, tokens: u32, per_kv: u32) -> Result<Self, GpuError> {
        let shape = shape(sequences, tokens, per_kv);
        let count = u64::from(shape.sequences * shape.heads * shape.head_dim);
        let q = gpu.upload_values("q", noise(count)).await?;
        let lengths = gpu.upload_words("lengths", &vec![tokens; sequences as usize]).await?;
        let parts = gpu.buffer("parts", shape.parts_bytes()).await?;
        let out = gpu.buffer("out", q.bytes()).await?;
        Ok(Self { shape, q, lengths, parts, out })
    }
}

pub(super) async fn over(gpu: &Gpu, per_kv: u32, f16: Cached<'_>, own: Cached<'_>) -> Result<(), GpuError> {
    let asked = Asked::new(gpu, 1, SIDE.tokens, per_kv).await?;
    let (kernels, [k, v]) = own;
    let Asked { shape, q, lengths, parts, out } = &asked;
    let ours = shape.decode(kernels, q, Cache::new(k, v, lengths), parts, out)?;
    let by_head = against_by_head(gpu, own, per_kv).await?;
    let moved = Moved::new(gpu, k.bytes() + v.bytes()).await?;
    report(gpu, kernels.codec.name(), &asked, f16, &moved, &ours, &by_head).await
}

/// A row of the table.
pub(super) async fn report(
    gpu: &Gpu,
    name: &str,
    Asked { shape, q, lengths, parts, out }: &Asked,
    (f16, [k, v]): Cached<'_>,
    moved: &Moved,
    ours: &[Dispatch<'_>],
    by_head: &str,
) -> Result<(), GpuError> {
    let (copying, f16) = ([moved.copying()?], shape.decode(f16, q, Cache::new(k, v, lengths), parts, out)?);
    let seconds = race(gpu, &[&copying, &f16, ours]).await?;
    if let [copy, f16, ours] = seconds.as_slice() {
        let (per_kv, rate) = (shape.heads / shape.kv_heads, moved.rate(*copy, *ours));
        println!("| {name} | {per_kv} | {:.2} | {rate:.2} | {by_head} |", f16 / ours);
    }
    Ok(())
}

/// Times as fast as one invocation per query head. The same bytes in sequences of 512 tokens: invocations enough for two
/// processors, and no loop of more than 65 535 rounds in all, after which Mesa's CPU driver leaves it.
async fn against_by_head(gpu: &Gpu, (kernels, [k, v]): Cached<'_>, per_kv: u32) -> Result<String, GpuError> {
    // A window in 16 bits follows the tokens of one sequence.
    let windowed = kernels.sides().iter().any(|side| side.layout().residual.window() > 0);
    let (sequences, tokens) = if windowed { (1, 960) } else { (SEQUENCES, SIDE.tokens / SEQUENCES) };
    let [k, v] = if windowed {
        packed_sides(gpu, kernels, Tensor { tokens, ..SIDE }).await?
    } else {
        [k.clone(), v.clone()]
    };
    let asked = Asked::new(gpu, sequences, tokens, per_kv).await?;
    let Asked { shape, q, lengths, parts, out } = &asked;
    let ours = shape.decode(kernels, q, Cache::new(&k, &v, lengths), parts, out)?;
    let params = shape.params(kernels, &Addressing::default())?;
    let shader = baseline("decode", kernels.decode);
    by_head(gpu, &asked, shader, &params, [&k, &v, lengths], &ours).await
}

/// Times as fast as the baseline over K, V and what lies beside them, both giving the same.
pub(super) async fn by_head(
    gpu: &Gpu,
    Asked { shape, q, lengths, out, .. }: &Asked,
    shader: Option<&'static Shader>,
    params: &Attention,
    [k, v, beside]: [&Buffer; 3],
    ours: &[Dispatch<'_>],
) -> Result<String, GpuError> {
    let Some(shader) = shader else { return Ok("(none)".into()) };
    let want = gpu.buffer("want", q.bytes()).await?;
    let by_head = [launch(shader, params)
        .buffers([q, k, v, lengths, lengths, beside, &want])
        .invocations(u64::from(shape.sequences * shape.heads))];
    let seconds = race(gpu, &[ours, &by_head]).await?;
    let (out, want) = (gpu.read_values(out).await?, gpu.read_values(&want).await?);
    let same = out.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-4);
    Ok(match seconds.as_slice() {
        [ours, by_head] if same => format!("{:.2}", by_head / ours),
        _ => "(another output)".into(),
    })
}
