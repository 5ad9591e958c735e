//! What is packed and decoded: one side of a cache, of noise.

use kvplan_kernels::gpu::{Buffer, Gpu, GpuError};
use kvplan_kernels::op::{Beside, CodecKernels, SideKernels, Tensor};
use std::sync::OnceLock;

/// One side of a cache as models have it: 8 heads of 128.
pub(super) const SIDE: Tensor = Tensor { tokens: 4096, heads: 8, head_dim: 128 };
/// Sequences that the same cache is decoded as against the baseline.
pub(super) const SEQUENCES: u32 = 8;

/// A packed cache of noise.
pub(super) async fn packed(gpu: &Gpu, side: &SideKernels, tensor: Tensor) -> Result<Buffer, GpuError> {
    let src = gpu.upload_values("values", noise(tensor.elements())).await?;
    let packed = gpu.buffer("cache", side.bytes(tensor)?).await?;
    gpu.run(&side.quantize(tensor, &src, Beside::NOTHING, &packed)?).await?;
    Ok(packed)
}

/// Both sides of a cache.
pub(super) async fn packed_sides(
    gpu: &Gpu,
    kernels: &CodecKernels,
    tensor: Tensor,
) -> Result<[Buffer; 2], GpuError> {
    let key = packed(gpu, &kernels.key, tensor).await?;
    let alike = kernels.value.quantize == kernels.key.quantize;
    let value = if alike { key.clone() } else { packed(gpu, &kernels.value, tensor).await? };
    Ok([key, value])
}

/// Something like Gaussian values, the same every time: as many as the largest cache has, at most.
pub(super) fn noise(count: u64) -> &'static [f32] {
    static ALL: OnceLock<Vec<f32>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let mut state = 0x9e37_79b9u32;
        let mut unit = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).unwrap_or(0)) / 65536.0 - 0.5
        };
        (0..SIDE.elements()).map(|_| (0..4).map(|_| unit()).sum::<f32>()).collect()
    });
    usize::try_from(count).ok().and_then(|count| all.get(..count)).unwrap_or(all)
}
