//! Fused prefill against the naive form.

use super::caches::{noise, packed};
use super::race::race;
use kvplan_core::codec::Codec;
use kvplan_kernels::gpu::{Gpu, GpuError};
use kvplan_kernels::op::{Cache, CodecKernels, Shape, Tensor};

pub(super) async fn over(gpu: &Gpu, codec: Codec, head_dim: u32, tokens: u32) -> Result<(), GpuError> {
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
    let q = gpu.upload_values("q", noise(u64::from(tokens * shape.heads * head_dim))).await?;
    let lengths = gpu.upload_words("lengths", &[tokens]).await?;
    let tensor = Tensor { tokens, heads: 1, head_dim };
    let (k, v) = (packed(gpu, &kernels.key, tensor).await?, packed(gpu, &kernels.value, tensor).await?);
    let cache = Cache::new(&k, &v, &lengths);
    let out = gpu.buffer("out", q.bytes()).await?;
    let scores = gpu.buffer("scores", shape.scores_bytes()).await?;
    let fused = [shape.prefill(kernels, &q, cache, &out)?];
    let naive = shape.naive(kernels, &q, cache, &scores, &out)?;
    let seconds = race(gpu, &[&fused, &naive]).await?;
    let [fused, naive] = seconds.as_slice() else { return Ok(()) };
    let bytes = (q.bytes() + k.bytes() + v.bytes() + out.bytes()) as f64;
    let all = bytes + scores.bytes() as f64;
    let mib = f64::from(1 << 20);
    println!(
        "| {codec} | {head_dim} | {tokens} | {:.2} | {:.1} | {:.1} | {:.1} |",
        naive / fused,
        bytes / mib,
        all / mib,
        all / bytes
    );
    Ok(())
}
