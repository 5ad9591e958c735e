//! Buffers, poisoned before use: a kernel that writes nothing is told from one that writes zeros.

use super::{Gpu, GpuError};

/// What every fresh buffer holds, in every word.
pub const POISON: u32 = 0xDEAD_BEEF;

/// Bytes written at once while poisoning.
const CHUNK: usize = 1 << 20;

/// Bytes on the device.
#[derive(Debug, Clone)]
pub struct Buffer {
    pub(super) inner: wgpu::Buffer,
    label: String,
    bytes: u64,
}

impl Buffer {
    /// Bytes asked for.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes allocated: whole words.
    #[must_use]
    pub fn allocated(&self) -> u64 {
        self.inner.size()
    }

    /// What it is for.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }
}

impl Gpu {
    /// A buffer of `bytes`, every word of which is [`POISON`].
    ///
    /// # Errors
    /// [`GpuError::BindingTooLarge`] past the device's limit, [`GpuError::OutOfMemory`] when it is full.
    pub async fn buffer(&self, label: &str, bytes: u64) -> Result<Buffer, GpuError> {
        let buffer = self.allocate(label, bytes).await?;
        let poison = POISON.to_le_bytes().repeat(CHUNK / 4);
        let mut at = 0;
        while at < buffer.inner.size() {
            let left = usize::try_from(buffer.inner.size() - at).unwrap_or(CHUNK).min(CHUNK);
            self.queue.write_buffer(&buffer.inner, at, poison.get(..left).unwrap_or(&poison));
            at += left as u64;
        }
        Ok(buffer)
    }

    /// A buffer holding `bytes`, the last word filled with [`POISON`]'s bytes.
    ///
    /// # Errors
    /// As [`Gpu::buffer`].
    pub async fn upload(&self, label: &str, bytes: &[u8]) -> Result<Buffer, GpuError> {
        let buffer = self.allocate(label, bytes.len() as u64).await?;
        let whole = bytes.len() / 4 * 4;
        let (words, tail) = bytes.split_at(whole);
        self.queue.write_buffer(&buffer.inner, 0, words);
        if !tail.is_empty() || bytes.is_empty() {
            let mut last = POISON.to_le_bytes();
            last.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
            self.queue.write_buffer(&buffer.inner, whole as u64, &last);
        }
        Ok(buffer)
    }

    /// A buffer holding `words`.
    ///
    /// # Errors
    /// As [`Gpu::buffer`].
    pub async fn upload_words(&self, label: &str, words: &[u32]) -> Result<Buffer, GpuError> {
        self.upload(label, bytemuck::cast_slice(words)).await
    }

    /// A buffer holding `values`, all of which are finite.
    ///
    /// # Errors
    /// [`GpuError::NonFinite`] for infinities and NaN, before anything is uploaded; else as [`Gpu::buffer`].
    pub async fn upload_values(&self, label: &str, values: &[f32]) -> Result<Buffer, GpuError> {
        if let Some((element, value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(GpuError::NonFinite { label: label.to_owned(), element, value: *value });
        }
        self.upload(label, bytemuck::cast_slice(values)).await
    }

    /// Bytes the adapter's allocator took for this buffer, its alignment included; nothing where the backend does not tell
    /// (Vulkan and DirectX do), or where several buffers have the same label and different sizes.
    #[must_use]
    pub fn allocator_bytes(&self, buffer: &Buffer) -> Option<u64> {
        let report = self.device.generate_allocator_report()?;
        let mut taken = report
            .allocations
            .iter()
            .filter(|allocation| allocation.name == buffer.label && allocation.size >= buffer.allocated())
            .map(|allocation| allocation.size);
        let first = taken.next()?;
        taken.all(|size| size == first).then_some(first)
    }

    async fn allocate(&self, label: &str, bytes: u64) -> Result<Buffer, GpuError> {
        let limit = self.limits.max_storage_buffer_binding_size;
        if bytes > limit {
            return Err(GpuError::BindingTooLarge { label: label.to_owned(), bytes, limit });
        }
        let descriptor = wgpu::BufferDescriptor {
            label: Some(label),
            // WebGPU binds whole words, and no empty buffer.
            size: bytes.next_multiple_of(4).max(4),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        };
        let inner = self.scoped(label, || self.device.create_buffer(&descriptor)).await?;
        Ok(Buffer { inner, label: label.to_owned(), bytes })
    }
}
