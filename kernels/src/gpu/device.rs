//! One open device and what is shared by everything that runs on it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::GpuError;
use super::adapter::{self, AdapterInfo, Choice};
use super::pipeline::{Key, Prepared};

/// An open device.
///
/// It is asked for no more than every WebGPU browser gives (bindings of at most 128 MiB, 8 storage buffers, 256
/// invocations, 16 KiB of workgroup memory), so that what runs here runs there; the one option taken where it exists is
/// the timestamp query.
#[derive(Debug)]
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) limits: wgpu::Limits,
    pub(super) timestamps: bool,
    pub(super) pipelines: Mutex<HashMap<Key, Prepared>>,
    info: AdapterInfo,
    trouble: Arc<Mutex<Option<GpuError>>>,
}

impl Gpu {
    /// Opens an adapter.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`], [`GpuError::NoSuchAdapter`], or [`GpuError::MissingFeature`] when the adapter has less
    /// than every WebGPU device must.
    pub async fn open(choice: &Choice) -> Result<Self, GpuError> {
        Self::open_with(choice, wgpu::Limits::default()).await
    }

    /// Opens an adapter as if no kernel could be given more than `bytes` in one buffer: how a cache larger than a
    /// device's limit behaves can be seen on a small one.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub async fn open_limited(choice: &Choice, bytes: u64) -> Result<Self, GpuError> {
        let all = wgpu::Limits::default();
        let max_storage_buffer_binding_size = all.max_storage_buffer_binding_size.min(bytes);
        Self::open_with(choice, wgpu::Limits { max_storage_buffer_binding_size, ..all }).await
    }

    async fn open_with(choice: &Choice, limits: wgpu::Limits) -> Result<Self, GpuError> {
        let adapter = adapter::choose(choice).await?;
        let info = AdapterInfo::of(&adapter);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("kvplan"),
            required_features: adapter.features() & wgpu::Features::TIMESTAMP_QUERY,
            required_limits: limits.clone(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|error| {
            GpuError::MissingFeature { adapter: info.name.clone(), feature: error.to_string() }
        })?;
        let trouble = Arc::new(Mutex::new(None));
        let lost = Arc::clone(&trouble);
        device.set_device_lost_callback(move |reason, message| {
            note(&lost, GpuError::DeviceLost { reason: format!("{reason:?}: {message}") });
        });
        // Without a handler wgpu panics on errors outside a scope.
        let uncaptured = Arc::clone(&trouble);
        device.on_uncaptured_error(Arc::new(move |error| {
            note(&uncaptured, GpuError::from_scope("a request outside any scope", error));
        }));
        let timestamps = descriptor.required_features.contains(wgpu::Features::TIMESTAMP_QUERY);
        Ok(Self { device, queue, limits, timestamps, pipelines: Mutex::default(), info, trouble })
    }

    /// The adapter.
    #[must_use]
    pub fn info(&self) -> &AdapterInfo {
        &self.info
    }

    /// The largest buffer a kernel can be given, in bytes.
    #[must_use]
    pub fn largest_binding(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size
    }

    /// Rounds, of all loops of an invocation together, after which the driver leaves them without an error: Mesa's
    /// llvmpipe, `LP_MAX_TGSI_LOOP_ITERATIONS`. What needs more comes out wrong.
    #[must_use]
    pub fn loop_rounds(&self) -> Option<u64> {
        self.info.name.to_lowercase().starts_with("llvmpipe").then_some(65_535)
    }

    /// Why loops of so many rounds in all come out wrong here; nothing where they do not.
    #[must_use]
    pub fn leaves(&self, rounds: u64) -> Option<String> {
        let most = self.loop_rounds().filter(|most| rounds > *most)?;
        let name = &self.info.name;
        Some(format!("its loops make {rounds} rounds; {name} leaves them after {most}, without an error"))
    }

    /// Gives the device back. Whatever is asked of it afterwards is [`GpuError::DeviceLost`].
    pub fn close(&self) {
        // Noted here too: the driver's own report comes later, if at all.
        note(&self.trouble, GpuError::DeviceLost { reason: "closed".into() });
        self.device.destroy();
    }

    /// Does `work` and turns what the API refuses of it into an error.
    pub(super) async fn scoped<T>(&self, label: &str, work: impl FnOnce() -> T) -> Result<T, GpuError> {
        let [validation, memory, internal] =
            [wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal]
                .map(|filter| self.device.push_error_scope(filter));
        let value = work();
        let internal = internal.pop();
        let memory = memory.pop();
        let validation = validation.pop();
        let refused = memory.await.or(internal.await).or(validation.await);
        if let Some(error) = self.lost() {
            return Err(error);
        }
        refused.map_or(Ok(value), |error| Err(GpuError::from_scope(label, error)))
    }

    /// What ended the device, or was reported outside any scope.
    pub(super) fn lost(&self) -> Option<GpuError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits, where waiting is needed for callbacks to come; in a browser the event loop calls them.
    pub(super) fn wait(&self) -> Result<(), GpuError> {
        let polled = self.device.poll(wgpu::PollType::wait_indefinitely());
        let lost = |error: wgpu::PollError| GpuError::DeviceLost { reason: error.to_string() };
        polled.map(|_| ()).map_err(|error| self.lost().unwrap_or_else(|| lost(error)))
    }
}

/// Keeps the first trouble: what follows is its consequence.
fn note(trouble: &Mutex<Option<GpuError>>, error: GpuError) {
    trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
}
