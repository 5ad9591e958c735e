//! Bytes over the link between host and device, and how long they took: what moving a cache out and back costs.
//!
//! Both directions go through a staging buffer, which is where a device's copy engine reads and writes. Two durations
//! come back: the device's copy, which is the link, and the whole, which adds the host's copy into or out of staging.

use std::ops::Range;

use web_time::Instant;

use super::signal::Signal;
use super::{Buffer, Gpu, GpuError, POISON};

/// What a WebGPU copy begins and ends on.
const WORD: u64 = 4;

/// How long bytes took from one side to the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transfer {
    /// Bytes that crossed: whole words.
    pub bytes: u64,
    /// Seconds from submission of the device's copy to its completion, by the host's clock: the link.
    pub link: f64,
    /// Seconds in all, with the host's copy into or out of the staging buffer.
    pub total: f64,
}

impl Gpu {
    /// Writes `bytes` into `to` from byte `offset` on.
    ///
    /// The offset is on a word. So is the end, unless it is the buffer's: a partial last word is filled with [`POISON`].
    ///
    /// # Errors
    /// [`GpuError::Range`] for bytes outside the buffer, [`GpuError::Unaligned`] for a part of a word inside it,
    /// [`GpuError::OutOfMemory`] for the staging buffer, [`GpuError::DeviceLost`].
    pub async fn send(&self, to: &Buffer, offset: u64, bytes: &[u8]) -> Result<Transfer, GpuError> {
        let label = to.label();
        let end = inside(to, &(offset..offset.saturating_add(bytes.len() as u64)))?;
        if !offset.is_multiple_of(WORD) || (!end.is_multiple_of(WORD) && end != to.bytes()) {
            return Err(GpuError::Unaligned { label: label.to_owned(), offset, end });
        }
        let size = (bytes.len() as u64).next_multiple_of(WORD);
        if size == 0 {
            return Ok(Transfer { bytes: 0, link: 0.0, total: 0.0 });
        }
        let start = Instant::now();
        let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        let staging = self.staging(label, size, usage, true).await?;
        {
            let refused = |error: wgpu::MapRangeError| GpuError::Validation {
                label: label.to_owned(),
                message: error.to_string(),
            };
            let mut view = staging.slice(..).get_mapped_range_mut().map_err(refused)?;
            let (mut whole, mut tail) = view.slice(..).split_at(bytes.len());
            whole.copy_from_slice(bytes);
            let poison = POISON.to_le_bytes();
            let filled = poison.get(bytes.len() % poison.len()..).filter(|_| !tail.is_empty());
            tail.copy_from_slice(filled.unwrap_or_default());
        }
        staging.unmap();
        let link = self.copy(label, (&staging, 0), (&to.inner, offset), size).await?;
        Ok(Transfer { bytes: size, link, total: start.elapsed().as_secs_f64() })
    }

    /// The bytes of `from` in `range`, wherever it begins and ends.
    ///
    /// # Errors
    /// [`GpuError::Range`] for bytes outside the buffer, [`GpuError::OutOfMemory`] for the staging buffer,
    /// [`GpuError::DeviceLost`].
    pub async fn fetch(&self, from: &Buffer, range: Range<u64>) -> Result<(Vec<u8>, Transfer), GpuError> {
        let label = from.label();
        let end = inside(from, &range)?;
        let first = range.start / WORD * WORD;
        let size = end.next_multiple_of(WORD).saturating_sub(first);
        if range.is_empty() {
            return Ok((Vec::new(), Transfer { bytes: 0, link: 0.0, total: 0.0 }));
        }
        let start = Instant::now();
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.staging(label, size, usage, false).await?;
        let link = self.copy(label, (&from.inner, first), (&staging, 0), size).await?;
        let mut bytes = self.map(label, &staging).await?;
        let total = start.elapsed().as_secs_f64();
        bytes.truncate(usize::try_from(end - first).unwrap_or(usize::MAX));
        bytes.drain(..usize::try_from(range.start - first).unwrap_or_default());
        Ok((bytes, Transfer { bytes: size, link, total }))
    }

    async fn staging(
        &self,
        label: &str,
        size: u64,
        usage: wgpu::BufferUsages,
        mapped_at_creation: bool,
    ) -> Result<wgpu::Buffer, GpuError> {
        let descriptor = wgpu::BufferDescriptor { label: Some("staging"), size, usage, mapped_at_creation };
        self.scoped(label, || self.device.create_buffer(&descriptor)).await
    }

    /// Copies on the device and waits; seconds by the host's clock.
    async fn copy(
        &self,
        label: &str,
        (from, at): (&wgpu::Buffer, u64),
        (to, offset): (&wgpu::Buffer, u64),
        size: u64,
    ) -> Result<f64, GpuError> {
        let (done, send) = Signal::new();
        let start = Instant::now();
        self.scoped(label, || {
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(from, at, to, offset, size);
            self.queue.submit([encoder.finish()]);
            self.queue.on_submitted_work_done(move || send(()));
        })
        .await?;
        self.wait()?;
        done.await;
        let seconds = start.elapsed().as_secs_f64();
        self.lost().map_or(Ok(seconds), Err)
    }
}

/// The range's end, where all of it lies in the buffer.
fn inside(buffer: &Buffer, range: &Range<u64>) -> Result<u64, GpuError> {
    if range.start <= range.end && range.end <= buffer.bytes() {
        return Ok(range.end);
    }
    Err(GpuError::Range {
        label: buffer.label().to_owned(),
        start: range.start,
        end: range.end,
        bytes: buffer.bytes(),
    })
}
