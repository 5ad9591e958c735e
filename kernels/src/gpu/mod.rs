//! The runner: opens an adapter, holds buffers and pipelines, launches kernels, times them, brings bytes back.
//!
//! One code for native drivers and for the browser: everything that may wait is `async`; natively [`block_on`] waits.
//! Nothing panics: what the API refuses is caught in error scopes and comes back as a [`GpuError`].

mod adapter;
mod buffer;
mod device;
mod error;
mod pipeline;
mod readback;
mod signal;
mod timing;
mod transfer;

pub use adapter::{AdapterInfo, Choice, adapters};
pub use buffer::{Buffer, POISON};
pub use device::Gpu;
pub use error::GpuError;
pub use pipeline::Dispatch;
pub use timing::{Clock, Timing};
pub use transfer::Transfer;

/// Waits for a future on this thread.
#[cfg(not(target_arch = "wasm32"))]
pub fn block_on<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}
