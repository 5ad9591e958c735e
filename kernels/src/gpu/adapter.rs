//! Which adapters there are and which one to use.

use super::GpuError;

/// Which adapter to open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// The fastest kind there is: discrete, then integrated, virtual, CPU.
    #[default]
    Fastest,
    /// The first one whose name contains this, letter case aside.
    Named(String),
}

/// An adapter, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterInfo {
    /// The device's name, as the driver gives it.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `cpu` or `other`.
    pub kind: &'static str,
    /// `vulkan`, `metal`, `dx12` or `webgpu`.
    pub backend: String,
    /// The driver's name and version.
    pub driver: String,
    /// Whether it can time a kernel by itself.
    pub timestamps: bool,
}

impl AdapterInfo {
    pub(super) fn of(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        Self {
            name: info.name,
            kind: kind(info.device_type).1,
            backend: info.backend.to_str().to_owned(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            timestamps: adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY),
        }
    }
}

/// Order of preference and name.
const fn kind(device: wgpu::DeviceType) -> (u8, &'static str) {
    match device {
        wgpu::DeviceType::DiscreteGpu => (0, "discrete"),
        wgpu::DeviceType::IntegratedGpu => (1, "integrated"),
        wgpu::DeviceType::VirtualGpu => (2, "virtual"),
        wgpu::DeviceType::Cpu => (3, "cpu"),
        wgpu::DeviceType::Other => (4, "other"),
    }
}

/// The adapters of this machine or browser, in the order in which [`Choice::Fastest`] prefers them.
pub async fn adapters() -> Vec<AdapterInfo> {
    all().await.iter().map(AdapterInfo::of).collect()
}

async fn all() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let mut found = instance.enumerate_adapters(wgpu::Backends::all()).await;
    found.sort_by_key(|adapter| kind(adapter.get_info().device_type).0);
    found
}

pub(super) async fn choose(choice: &Choice) -> Result<wgpu::Adapter, GpuError> {
    let all = all().await;
    let names: Vec<String> = all.iter().map(|adapter| adapter.get_info().name).collect();
    match choice {
        Choice::Fastest => all.into_iter().next().ok_or(GpuError::NoAdapter),
        Choice::Named(_) if all.is_empty() => Err(GpuError::NoAdapter),
        Choice::Named(wanted) => {
            let lower = wanted.to_lowercase();
            let mut matching =
                all.into_iter().zip(&names).filter(|(_, name)| name.to_lowercase().contains(&lower));
            let found = matching.next().map(|(adapter, _)| adapter);
            found.ok_or_else(|| GpuError::NoSuchAdapter { wanted: wanted.clone(), found: names.clone() })
        }
    }
}
