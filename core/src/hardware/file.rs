//! The hardware record, as `model-specs/hardware` holds it: integers, in bytes, bytes per second and FLOP per second.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One device on sale, one memory size.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HardwareFile {
    /// Catalogue id: the product's name in lower case, with its memory where several sizes are sold.
    pub id: String,
    /// The product's own name.
    pub name: String,
    /// Other names it is found under, lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Who makes it; `generic` for standards.
    pub vendor: String,
    /// What it is.
    pub class: Class,
    /// Which group of devices its measured efficiency is shared with; absent where none was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_class: Option<SpeedClass>,
    /// Memory fitted, bytes. Vendors' "GB" of memory is GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Memory the driver reports, bytes; absent where no report was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usable_bytes: Option<u64>,
    /// One pool shared by processor and GPU.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unified: bool,
    /// Peak memory bandwidth, bytes per second; for a disk or link its rate, one direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_bytes_per_s: Option<u64>,
    /// Peak rate to host memory, bytes per second, one direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_link_bytes_per_s: Option<u64>,
    /// Peak dense arithmetic.
    #[serde(default, skip_serializing_if = "Flops::is_empty")]
    pub flops: Flops,
    /// Where the figures were read.
    pub source: String,
    /// When, `YYYY-MM-DD`.
    pub date: String,
    /// What to know about the figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// Peak dense (not sparse) matrix arithmetic, FLOP per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flops {
    /// FP16 in, FP32 accumulate: the convention of every row. `GeForce` parts run it at half the rate of the same chip in
    /// a workstation card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fp16: Option<u64>,
    /// FP16 in, FP16 accumulate: the unit's full width, equal on `GeForce` and workstation parts of one chip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fp16_accumulate_fp16: Option<u64>,
    /// FP8 in, FP32 accumulate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fp8: Option<u64>,
    /// FP4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fp4: Option<u64>,
}

impl Flops {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a device is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Deserialize,
    Serialize,
    JsonSchema,
    strum::EnumIter,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Class {
    /// A consumer graphics card.
    ConsumerGpu,
    /// A workstation graphics card.
    WorkstationGpu,
    /// A data-centre GPU.
    DatacenterGpu,
    /// Processor and GPU on one memory.
    UnifiedSoc,
    /// A matrix processor that is no GPU.
    Accelerator,
    /// A phone's neural processor.
    MobileNpu,
    /// A computer's own memory.
    HostMemory,
    /// A disk.
    Disk,
    /// A link between devices or machines.
    Link,
}

/// Devices that were measured to behave alike: the group an efficiency is fitted for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Deserialize,
    Serialize,
    JsonSchema,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SpeedClass {
    /// NVIDIA cards with GDDR up to about 1.1 TB/s.
    NvidiaGddr,
    /// NVIDIA cards with GDDR beyond it (RTX 5090, RTX PRO 6000).
    NvidiaGddrWide,
    /// NVIDIA data-centre parts with HBM.
    NvidiaHbm,
    /// NVIDIA processors on shared LPDDR (GB10, Jetson).
    NvidiaSoc,
    /// AMD cards with GDDR.
    AmdGddr,
    /// AMD data-centre parts with HBM.
    AmdHbm,
    /// AMD Ryzen AI Max (Strix Halo).
    StrixHalo,
    /// Intel cards with GDDR.
    IntelGddr,
    /// Intel data-centre parts with HBM.
    IntelHbm,
    /// Apple M and M Pro.
    AppleBase,
    /// Apple M Max.
    AppleMax,
    /// Apple M Ultra.
    AppleUltra,
    /// A processor reading its own memory.
    Cpu,
}
