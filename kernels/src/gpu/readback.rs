//! Bringing a buffer's bytes back.

use super::signal::Signal;
use super::{Buffer, Gpu, GpuError};

impl Gpu {
    /// The buffer's bytes, as many as were asked for when it was made.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`] for the staging buffer, [`GpuError::DeviceLost`] when the device is gone.
    pub async fn read(&self, buffer: &Buffer) -> Result<Vec<u8>, GpuError> {
        let size = buffer.inner.size();
        let label = buffer.label();
        let staging = self
            .scoped(label, || {
                let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("readback"),
                    size,
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                });
                let mut encoder =
                    self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                encoder.copy_buffer_to_buffer(&buffer.inner, 0, &staging, 0, size);
                self.queue.submit([encoder.finish()]);
                staging
            })
            .await?;
        let mut bytes = self.map(label, &staging).await?;
        bytes.truncate(usize::try_from(buffer.bytes()).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    /// The buffer's bytes as little-endian words; a part of a word at the end is left out.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub async fn read_words(&self, buffer: &Buffer) -> Result<Vec<u32>, GpuError> {
        Ok(self.read(buffer).await?.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// The buffer's words as f32.
    ///
    /// # Errors
    /// As [`Gpu::read`].
    pub async fn read_values(&self, buffer: &Buffer) -> Result<Vec<f32>, GpuError> {
        Ok(self.read(buffer).await?.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect())
    }

    /// Maps a staging buffer and copies it out.
    pub(super) async fn map(&self, label: &str, staging: &wgpu::Buffer) -> Result<Vec<u8>, GpuError> {
        let (mapped, send) = Signal::new();
        staging.slice(..).map_async(wgpu::MapMode::Read, send);
        self.wait()?;
        let refused = |message: String| GpuError::Validation { label: label.to_owned(), message };
        mapped.await.map_err(|error| self.lost().unwrap_or_else(|| refused(error.to_string())))?;
        let view = staging.slice(..).get_mapped_range().map_err(|error| refused(error.to_string()))?;
        Ok(view.to_vec())
    }
}
