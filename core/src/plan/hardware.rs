//! The request's machine: devices by catalogue id or described, parallelism over them, what is not the plan's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One device, or several equal ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HardwareEntry {
    /// A catalogued id or alias; any name where `memory_bytes` describes it; `CPU` for host memory.
    pub device: String,
    /// How many.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
    /// Memory of one that programs get, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Its bandwidth, bytes per second; without one no speed is estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_bytes_per_s: Option<u64>,
}

const fn one() -> u64 {
    1
}

fn is_one<T: From<u8> + PartialEq>(n: &T) -> bool {
    *n == T::from(1)
}

/// Parallelism across devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Placement {
    /// Tensor parallel ranks.
    pub tp: u64,
    /// Pipeline stages.
    pub pp: u64,
    /// Data parallel replicas.
    pub dp: u64,
    /// Expert parallel ranks.
    pub ep: u64,
    /// Decode-context parallel ranks.
    pub dcp: u64,
}

impl Default for Placement {
    fn default() -> Self {
        Self { tp: 1, pp: 1, dp: 1, ep: 1, dcp: 1 }
    }
}

/// Memory that is not the model's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reserve {
    /// Held by other programs.
    pub in_use_bytes: u64,
    /// A margin to keep free.
    pub keep_free_bytes: u64,
    /// llama.cpp's graph buffers on each device; estimated where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute_bytes: Option<u64>,
    /// The peak of a step of vLLM or TensorRT-LLM on each device; estimated where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_bytes: Option<u64>,
    /// Their captured graphs on each device; a default where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cuda_graph_bytes: Option<u64>,
    /// What torch does not see (context, collectives) on each device; a default where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_torch_bytes: Option<u64>,
}

/// What sequences hold when they are served; 0 where it is not asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    /// Tokens a sequence typically holds.
    pub typical_context: u64,
    /// Tokens that 19 of 20 sequences stay below.
    #[serde(skip_serializing_if = "is_none")]
    pub p95_context: u64,
    /// Tokens at the start that are the same in all sequences.
    pub shared_prefix: u64,
    /// Sequences to be held at once, by as many copies of the placement as that takes.
    #[serde(skip_serializing_if = "is_none")]
    pub sessions: u64,
    /// Bytes of a tier behind the cache in host memory, all ranks together.
    #[serde(skip_serializing_if = "is_none")]
    pub host_tier_bytes: u64,
    /// Bytes of a tier behind the cache on disks, all ranks together.
    #[serde(skip_serializing_if = "is_none")]
    pub disk_tier_bytes: u64,
}

fn is_none(n: &u64) -> bool {
    *n == 0
}
