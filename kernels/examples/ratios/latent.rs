//! Decoding over latent rows.

use super::caches::{noise, packed};
use super::race::race;
use kvplan_core::codec::Codec;
use kvplan_kernels::gpu::{Gpu, GpuError};
use kvplan_kernels::op::{Cache, CodecKernels, Latent, Segment, Tensor};

pub(super) async fn over(gpu: &Gpu) -> Result<(), GpuError> {
    let (width, capacity) = (576, 512);
    let latent = Latent {
        sequences: 1,
        heads: 128,
        width,
        value_width: 512,
        queries: 1,
        capacity,
        scale: 0.072_168_78,
    };
    let tensor = Tensor { tokens: capacity, heads: 1, head_dim: width };
    let q = gpu.upload_values("q", noise(128 * u64::from(width))).await?;
    let lengths = gpu.upload_words("lengths", &[capacity]).await?;
    let out = gpu.buffer("out", 128 * 512 * 4).await?;
    let mut f16 = None;
    for codec in [Codec::F16, Codec::Bf16, Codec::Fp8E4m3, Codec::Q8_0, Codec::Q4_0] {
        let Some(kernels) = CodecKernels::of(codec) else { continue };
        let rows = packed(gpu, &kernels.key, tensor).await?;
        let segments = [Segment::whole(Cache::new(&rows, &rows, &lengths), capacity)];
        let parts = gpu.buffer("parts", latent.parts_bytes(&segments)).await?;
        let launches = latent.attend(kernels, &q, &segments, &parts, &out)?;
        let seconds = race(gpu, &[&launches]).await?.first().copied().unwrap_or(f64::NAN);
        println!("| {codec} | {:.2} |", *f16.get_or_insert(seconds) / seconds);
    }
    Ok(())
}
