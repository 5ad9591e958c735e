//! Runs over the link between host and device, for [`crate::model::fit`].

use crate::gpu::{Buffer, Gpu, GpuError};
use crate::model::Sample;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the host's memory to the device's: a cache brought back.
    ToDevice,
    /// From the device's memory to the host's: a cache put aside.
    ToHost,
}

/// One sample per size: the fastest of `runs` transfers of so many bytes (up to a whole word), by the link's share of
/// the time alone. Fit the two directions apart, they differ; what else the host is doing only ever slows a transfer,
/// hence the fastest.
///
/// # Errors
/// [`GpuError::BindingTooLarge`] and [`GpuError::OutOfMemory`] for a size that the device does not take.
pub async fn link_samples(
    gpu: &Gpu,
    direction: Direction,
    sizes: &[u64],
    runs: u32,
) -> Result<Vec<Sample>, GpuError> {
    let mut samples = Vec::with_capacity(sizes.len());
    for size in sizes {
        let buffer = gpu.buffer("link", *size).await?;
        let bytes = vec![0x5a; usize::try_from(*size).unwrap_or_default()];
        // One more that is not counted: a first touch allocates.
        let mut best = transfer(gpu, direction, &buffer, &bytes).await?;
        for run in 0..runs.max(1) {
            let sample = transfer(gpu, direction, &buffer, &bytes).await?;
            if run == 0 || sample.seconds < best.seconds {
                best = sample;
            }
        }
        samples.push(best);
    }
    Ok(samples)
}

async fn transfer(
    gpu: &Gpu,
    direction: Direction,
    buffer: &Buffer,
    bytes: &[u8],
) -> Result<Sample, GpuError> {
    let transfer = match direction {
        Direction::ToDevice => gpu.send(buffer, 0, bytes).await?,
        Direction::ToHost => gpu.fetch(buffer, 0..buffer.bytes()).await?.1,
    };
    Ok(Sample { bytes: transfer.bytes, flops: 0, launches: 1, seconds: transfer.link })
}
