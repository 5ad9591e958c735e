//! `cargo run --release -p kvplan-kernels --example ratios [ADAPTER]`: how fast each kernel is against a plain copy on the
//! same adapter, decode over each codec against f16, fused against naive prefill. Ratios only: absolute figures belong to
//! one machine.

#![expect(clippy::print_stdout, reason = "its purpose")]
#![expect(clippy::cast_precision_loss, reason = "byte counts as the numerator of a rate")]

use kvplan_core::codec::Codec;
use kvplan_kernels::gpu::{Buffer, Choice, Dispatch, Gpu, GpuError, block_on};
use kvplan_kernels::op::{Beside, CODECS, Cache, CodecKernels, Shape, SideKernels, Tensor, copy};

fn main() -> Result<(), GpuError> {
    let choice = std::env::args().nth(1).map_or(Choice::Fastest, Choice::Named);
    block_on(run(&choice))
}

async fn run(choice: &Choice) -> Result<(), GpuError> {
    let gpu = Gpu::open(choice).await?;
    let yardstick = copy_rate(&gpu).await?;
    println!("{}: bytes moved per second, a plain copy being 1", gpu.info().name);
    for kernels in CODECS {
        for side in kernels.sides() {
            codec(&gpu, side, yardstick).await?;
        }
    }
    println!(
        "\ndecode over f16 being 1 (8 KV heads of 128, 8192 tokens, 1 and 4 query heads each): tokens per second"
    );
    for per_kv in [1, 4] {
        decode(&gpu, yardstick, per_kv).await?;
    }
    println!(
        "\nfused prefill against naive (2 heads over 1, of 64 and 128): times as fast, and peak bytes of the naive form's scores per byte of K and V"
    );
    for (codec, head_dim) in [(Codec::F16, 64), (Codec::F16, 128), (Codec::Q8_0, 128)] {
        for tokens in [512, 1024, 2048, 4096] {
            prefill(&gpu, codec, head_dim, tokens).await?;
        }
    }
    Ok(())
}

/// The fastest of three runs, after one that compiles.
async fn fastest(gpu: &Gpu, launches: &[Dispatch<'_>]) -> Result<f64, GpuError> {
    gpu.run(launches).await?;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        best = best.min(gpu.run(launches).await?.seconds);
    }
    Ok(best)
}

/// Bytes read and written per second.
async fn copy_rate(gpu: &Gpu) -> Result<f64, GpuError> {
    let bytes = 64 << 20;
    let (src, dst) = (gpu.buffer("src", bytes).await?, gpu.buffer("dst", bytes).await?);
    Ok((2 * bytes) as f64 / fastest(gpu, &[copy(&src, &dst)?]).await?)
}

async fn codec(gpu: &Gpu, side: &SideKernels, yardstick: f64) -> Result<(), GpuError> {
    let tensor = Tensor { tokens: 8192, heads: 8, head_dim: 128 };
    let src = gpu.upload_values("values", &noise(tensor)).await?;
    let packed = gpu.buffer("packed", side.bytes(tensor)?).await?;
    let back = gpu.buffer("back", src.bytes()).await?;
    let moved = (src.bytes() + packed.bytes()) as f64;
    let encode = moved / fastest(gpu, &side.quantize(tensor, &src, Beside::NOTHING, &packed)?).await?;
    let decode = moved / fastest(gpu, &[side.dequantize(tensor, &packed, Beside::NOTHING, &back)?]).await?;
    println!(
        "{:20} {:5} quantize {:5.2}  dequantize {:5.2}",
        side.codec,
        format!("{:?}", side.side),
        encode / yardstick,
        decode / yardstick
    );
    Ok(())
}

/// A packed cache of noise.
async fn packed(gpu: &Gpu, side: &SideKernels, tensor: Tensor) -> Result<Buffer, GpuError> {
    let src = gpu.upload_values("values", &noise(tensor)).await?;
    let packed = gpu.buffer("cache", side.bytes(tensor)?).await?;
    gpu.run(&side.quantize(tensor, &src, Beside::NOTHING, &packed)?).await?;
    Ok(packed)
}

async fn decode(gpu: &Gpu, yardstick: f64, per_kv: u32) -> Result<(), GpuError> {
    let (kv_heads, head_dim, tokens) = (8, 128, 8192);
    let shape = Shape {
        sequences: 1,
        heads: kv_heads * per_kv,
        kv_heads,
        head_dim,
        queries: 1,
        window: 0,
        capacity: tokens,
        scale: 0.088_388_35,
        sinks: false,
    };
    let q = gpu.upload_values("q", &noise(Tensor { tokens: 1, heads: shape.heads, head_dim })).await?;
    let lengths = gpu.upload_words("lengths", &[tokens]).await?;
    let parts = gpu.buffer("parts", shape.parts_bytes()).await?;
    let out = gpu.buffer("out", q.bytes()).await?;
    let mut f16 = None;
    for kernels in CODECS {
        let tensor = Tensor { tokens, heads: kv_heads, head_dim };
        let k = packed(gpu, &kernels.key, tensor).await?;
        let v = packed(gpu, &kernels.value, tensor).await?;
        let cache = Cache::new(&k, &v, &lengths);
        let seconds = fastest(gpu, &shape.decode(kernels, &q, cache, &parts, &out)?).await?;
        let f16 = *f16.get_or_insert(seconds);
        let rate = (k.bytes() + v.bytes()) as f64 / seconds / yardstick;
        println!(
            "{:20} x{per_kv}  {:5.2}  ({rate:.2} of a copy's bytes per second)",
            kernels.codec,
            f16 / seconds
        );
    }
    Ok(())
}

async fn prefill(gpu: &Gpu, codec: Codec, head_dim: u32, tokens: u32) -> Result<(), GpuError> {
    let Some(kernels) = CodecKernels::of(codec) else { return Ok(()) };
    let shape = Shape {
        sequences: 1,
        heads: 2,
        kv_heads: 1,
        head_dim,
        queries: tokens,
        window: 0,
        capacity: tokens,
        scale: 0.1,
        sinks: false,
    };
    let bytes = shape.scores_bytes();
    if bytes > gpu.largest_binding() {
        println!(
            "{codec:10} {head_dim:3} S={tokens:4}  the naive form's scores need {bytes} bytes, more than one binding"
        );
        return Ok(());
    }
    let q = gpu.upload_values("q", &noise(Tensor { tokens, heads: shape.heads, head_dim })).await?;
    let lengths = gpu.upload_words("lengths", &[tokens]).await?;
    let tensor = Tensor { tokens, heads: 1, head_dim };
    let (k, v) = (packed(gpu, &kernels.key, tensor).await?, packed(gpu, &kernels.value, tensor).await?);
    let cache = Cache::new(&k, &v, &lengths);
    let out = gpu.buffer("out", q.bytes()).await?;
    let scores = gpu.buffer("scores", bytes).await?;
    let fused = fastest(gpu, &[shape.prefill(kernels, &q, cache, &out)?]).await?;
    let naive = fastest(gpu, &shape.naive(kernels, &q, cache, &scores, &out)?).await?;
    let memory = bytes as f64 / (k.bytes() + v.bytes()) as f64;
    println!("{codec:10} {head_dim:3} S={tokens:4}  {:5.2}  memory {memory:6.1}", naive / fused);
    Ok(())
}

/// Something like Gaussian values, the same every time.
fn noise(tensor: Tensor) -> Vec<f32> {
    let mut state = 0x9e37_79b9u32;
    let mut unit = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 16).unwrap_or(0)) / 65536.0 - 0.5
    };
    (0..tensor.elements()).map(|_| (0..4).map(|_| unit()).sum::<f32>()).collect()
}
