//! What no codec's case runs: rows turned, latent rows attended to, caches copied, appended to and moved between host
//! and device. Once for each run, at one size.

use super::case::{CaseShape, synthetic};
use super::compare;
use super::record::{Exact, OtherRecord, Within, clock_name};
use super::rig::last_queries;
use super::side::Store;
use crate::cpu::oracle::{self, Oracle};
use crate::cpu::rotate;
use crate::gpu::{Clock, Dispatch, Gpu, GpuError, Timing};
use crate::op::{
    Cache, CodecKernels, Latent, Placement, Segment, Shape, append, copy, hadamard, hadamard_params,
};
use kvplan_core::codec::{Codec, Side};

/// Tokens of what is moved and turned: 8 heads of 128 each.
const TOKENS: u32 = 512;
const HEADS: u32 = 8;
const HEAD_DIM: u32 = 128;
/// Tokens per page of the block table.
const PAGE: u32 = 16;

/// All of it. What a device refuses is a record too.
///
/// # Errors
/// [`GpuError::DeviceLost`].
pub(super) async fn run(gpu: &Gpu) -> Result<Vec<OtherRecord>, GpuError> {
    match all(gpu).await {
        Err(error @ GpuError::DeviceLost { .. }) => Err(error),
        Err(error) => {
            let refused = Some(error.to_string());
            Ok(vec![OtherRecord { refused, ..record("others", String::new(), 0, 0.0, Clock::Wall) }])
        }
        Ok(records) => Ok(records),
    }
}

async fn all(gpu: &Gpu) -> Result<Vec<OtherRecord>, GpuError> {
    let mut records = vec![turned(gpu).await?];
    if let Some(f16) = CodecKernels::of(Codec::F16) {
        records.push(latent(gpu, f16).await?);
    }
    if let Some(q8_0) = CodecKernels::of(Codec::Q8_0) {
        let store = Store::new(q8_0, &plain_shape(), Side::Key);
        let packed = store.pack(&synthetic(&plain_shape()).k)?;
        records.extend(moved(gpu, &packed).await?);
    }
    Ok(records)
}

fn plain_shape() -> CaseShape {
    shape(TOKENS, 1, HEADS, HEAD_DIM, HEAD_DIM)
}

fn shape(tokens: u32, heads: u32, kv_heads: u32, k_dim: u32, v_dim: u32) -> CaseShape {
    let label = String::new();
    CaseShape { label, tokens, heads, kv_heads, k_dim, v_dim, window: 0, queries: 1, layers: 1 }
}

/// The fastest of some runs.
async fn fastest(gpu: &Gpu, launches: &[Dispatch<'_>]) -> Result<Timing, GpuError> {
    let mut best = gpu.run(launches).await?;
    for _ in 0..3 {
        let next = gpu.run(launches).await?;
        if next.seconds < best.seconds {
            best = next;
        }
    }
    Ok(best)
}

fn record(kernel: &str, shape: String, bytes: u64, seconds: f64, clock: Clock) -> OtherRecord {
    let (kernel, clock) = (kernel.to_owned(), clock_name(clock));
    OtherRecord { kernel, shape, exact: None, within: None, refused: None, bytes, seconds, clock }
}

fn exactly(record: OtherRecord, exact: Exact) -> OtherRecord {
    OtherRecord { exact: Some(exact), ..record }
}

fn in_bounds(record: OtherRecord, within: Within) -> OtherRecord {
    OtherRecord { within: Some(within), ..record }
}

/// Every bit of the turned rows against the twin's.
async fn turned(gpu: &Gpu) -> Result<OtherRecord, GpuError> {
    let values = synthetic(&plain_shape()).k;
    let buffer = gpu.upload_values("rows to turn", &values).await?;
    let launch = hadamard(HEAD_DIM, &buffer)?;
    gpu.run(std::slice::from_ref(&launch)).await?;
    let found = gpu.read(&buffer).await?;
    let mut bits: Vec<u32> = values.iter().map(|x| x.to_bits()).collect();
    rotate::hadamard(&hadamard_params(HEAD_DIM, buffer.bytes())?, &mut bits);
    let expected: Vec<u8> = bits.iter().flat_map(|word| word.to_le_bytes()).collect();
    let timing = fastest(gpu, &[launch]).await?;
    let of = format!("{TOKENS} tokens of {HEADS} heads of {HEAD_DIM}, Hadamard transform");
    let record = record("rotate", of, 2 * buffer.bytes(), timing.seconds, timing.clock);
    Ok(exactly(record, compare::bytes(&found, &expected)))
}

/// One query under 16 heads over latent rows in f16, as DeepSeek V2 and V3 keep them, against f64.
async fn latent(gpu: &Gpu, kernels: &'static CodecKernels) -> Result<OtherRecord, GpuError> {
    let (tokens, heads, width, value_width) = (131, 16, 576, 512);
    let case = shape(tokens, heads, 1, width, value_width);
    let tensors = synthetic(&case);
    let store = Store::new(kernels, &case, Side::Key);
    let packed = store.pack(&tensors.k)?;
    let decoded = store.unpack(&packed)?;
    let asked = last_queries(&case, &tensors.q, 1);
    let scale = 1.0 / 192f32.sqrt();
    let latent = Latent { sequences: 1, heads, width, value_width, queries: 1, capacity: tokens, scale };
    let q = gpu.upload_values("Q of latent rows", asked).await?;
    let rows = gpu.upload("latent rows", &packed).await?;
    let lengths = gpu.upload_words("lengths", &[tokens]).await?;
    let out = gpu.buffer("output over latent rows", u64::from(heads * value_width) * 4).await?;
    let segments = [Segment::whole(Cache::new(&rows, &rows, &lengths), tokens)];
    let parts = gpu.buffer("parts of latent rows", latent.parts_bytes(&segments)).await?;
    let launches = latent.attend(kernels, &q, &segments, &parts, &out)?;
    let timing = fastest(gpu, &launches).await?;
    // A row is key and value at once; of each head's output only the first elements are the latent form's.
    let whole = Shape {
        sequences: 1,
        heads,
        kv_heads: 1,
        head_dim: width,
        queries: 1,
        window: 0,
        capacity: tokens,
        scale,
        sinks: false,
    };
    let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let all = oracle::attention(&whole, wide(tokens), asked, &decoded, &decoded, &[tokens], &[]);
    let first = |values: &[f64]| -> Vec<f64> {
        values.chunks(wide(width)).flat_map(|head| head.iter().take(wide(value_width)).copied()).collect()
    };
    let expected = Oracle { output: first(&all.output), bound: first(&all.bound) };
    let of = format!("{heads} heads over {tokens} f16 rows of {width}");
    let bytes = rows.bytes() + q.bytes() + out.bytes();
    let record = record("latent", of, bytes, timing.seconds, timing.clock);
    Ok(in_bounds(record, compare::within(&gpu.read_values(&out).await?, &expected)))
}

/// A packed cache copied, appended page by page, sent to the device and fetched back: every byte.
async fn moved(gpu: &Gpu, packed: &[u8]) -> Result<Vec<OtherRecord>, GpuError> {
    let bytes = packed.len() as u64;
    let what = |how: &str| format!("{TOKENS} tokens of q8_0, {bytes} bytes, {how}");
    let src = gpu.upload("rows to move", packed).await?;

    let copied = gpu.buffer("a copy", bytes).await?;
    let timing = fastest(gpu, &[copy(&src, &copied)?]).await?;
    let on_device = record("copy", what("on the device"), 2 * bytes, timing.seconds, timing.clock);
    let on_device = exactly(on_device, compare::bytes(&gpu.read(&copied).await?, packed));

    // Pages from the last to the first.
    let pages: Vec<u32> = (0..TOKENS / PAGE).rev().collect();
    let table = gpu.upload_words("block table", &pages).await?;
    let cache = gpu.buffer("a paged cache", bytes).await?;
    let row_bytes = u32::try_from(bytes).unwrap_or(u32::MAX) / TOKENS;
    let placement = Placement::Paged { table: &table, page_size: PAGE };
    let timing = fastest(gpu, &[append(&src, &cache, placement, 0, TOKENS, row_bytes)?]).await?;
    let page_bytes = usize::try_from(row_bytes * PAGE).unwrap_or(usize::MAX);
    let expected: Vec<u8> = packed.chunks(page_bytes).rev().flatten().copied().collect();
    let how = format!("into pages of {PAGE} through a block table");
    let appended = record("append", what(&how), 2 * bytes, timing.seconds, timing.clock);
    let appended = exactly(appended, compare::bytes(&gpu.read(&cache).await?, &expected));

    let there = gpu.buffer("a cache brought back", bytes).await?;
    let sent = gpu.send(&there, 0, packed).await?;
    let (fetched, back) = gpu.fetch(&there, 0..bytes).await?;
    let exact = compare::bytes(&fetched, packed);
    let to_device = record("to_device", what("from the host"), sent.bytes, sent.link, Clock::Wall);
    let to_host = record("to_host", what("to the host"), back.bytes, back.link, Clock::Wall);
    Ok(vec![on_device, appended, exactly(to_device, exact.clone()), exactly(to_host, exact)])
}
