//! What can go wrong between us and a GPU, each with a way on.

/// A GPU that is absent, unfit, full or gone, or a request it cannot take.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GpuError {
    /// No adapter at all.
    #[error("no GPU adapter found; {}", WAY_ON)]
    NoAdapter,
    /// No adapter of that name.
    #[error("no adapter's name contains `{wanted}`; found: {}", found.join(", "))]
    NoSuchAdapter {
        /// The name asked for.
        wanted: String,
        /// The names there are.
        found: Vec<String>,
    },
    /// The adapter cannot give what every kernel needs.
    #[error("adapter `{adapter}` lacks {feature}; try another with --adapter (--list-adapters names them)")]
    MissingFeature {
        /// The adapter.
        adapter: String,
        /// What it lacks.
        feature: String,
    },
    /// The device has no room.
    #[error("the device has no room for `{label}`: try a shorter context or a smaller model")]
    OutOfMemory {
        /// What was being made.
        label: String,
    },
    /// The device went away: reset, unplugged, or a kernel that ran too long for the driver's patience.
    #[error("the device was lost ({reason}); open it again, with smaller shapes if a kernel ran for seconds")]
    DeviceLost {
        /// The driver's words.
        reason: String,
    },
    /// One buffer would be larger than a kernel can bind.
    #[error(
        "`{label}` needs {bytes} bytes in one buffer and this device binds at most {limit}: split it by layer or by head"
    )]
    BindingTooLarge {
        /// What was being made.
        label: String,
        /// Bytes asked for.
        bytes: u64,
        /// Bytes a binding may have.
        limit: u64,
    },
    /// Bytes that do not lie in a buffer.
    #[error("bytes {start} to {end} of `{label}`, which holds {bytes}")]
    Range {
        /// The buffer.
        label: String,
        /// The first byte.
        start: u64,
        /// One past the last.
        end: u64,
        /// Bytes it holds.
        bytes: u64,
    },
    /// Bytes to be written that begin or end inside a word of a buffer: the word's others would change with them.
    #[error(
        "bytes {offset} to {end} of `{label}` begin or end inside a word: write whole words of 4 bytes, or up to the buffer's end"
    )]
    Unaligned {
        /// The buffer.
        label: String,
        /// The first byte.
        offset: u64,
        /// One past the last.
        end: u64,
    },
    /// The API refused a request: a bug here, not in the caller's data.
    #[error("`{label}` was refused: {message}")]
    Validation {
        /// What was being made or run.
        label: String,
        /// The API's words.
        message: String,
    },
    /// A dispatch that does not fit its shader.
    #[error("`{shader}`: {message}")]
    Arguments {
        /// The shader.
        shader: &'static str,
        /// What does not fit.
        message: String,
    },
    /// A value that kernels do not take. One infinity would spoil its whole block, and WGSL lets a compiler assume that
    /// there is none.
    #[error("`{label}`: element {element} is {value}; kernels take finite numbers only")]
    NonFinite {
        /// What was being uploaded.
        label: String,
        /// The element, from 0.
        element: usize,
        /// The value.
        value: f32,
    },
}

#[cfg(not(target_arch = "wasm32"))]
const WAY_ON: &str =
    "install a Vulkan driver (without a GPU: Debian's mesa-vulkan-drivers and libvulkan1 run on the CPU)";
#[cfg(target_arch = "wasm32")]
const WAY_ON: &str = "this browser offers no WebGPU adapter: try a recent Chrome, Edge, Safari or Firefox with hardware acceleration on";

impl GpuError {
    pub(super) fn from_scope(label: &str, error: wgpu::Error) -> Self {
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::OutOfMemory { label: label.to_owned() },
            wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
                Self::Validation { label: label.to_owned(), message: description }
            }
        }
    }

    pub(super) fn arguments(shader: &'static str, message: impl Into<String>) -> Self {
        Self::Arguments { shader, message: message.into() }
    }
}
