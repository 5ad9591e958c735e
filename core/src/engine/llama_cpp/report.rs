//! The figures llama.cpp prints or derives on the way, under its own names.

use super::rotation::RotationReport;
use schemars::JsonSchema;
use serde::Serialize;

/// What llama.cpp says about a context (`llama_context`, `llama_kv_cache`, `llama_memory_recurrent` log lines).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    /// Cells over all sequences, padded.
    pub n_ctx: u64,
    /// Cells per stream.
    pub n_ctx_seq: u64,
    /// Logical batch, clipped.
    pub n_batch: u64,
    /// Physical batch, clipped.
    pub n_ubatch: u64,
    /// Sequences.
    pub n_seq_max: u64,
    /// One buffer for all sequences.
    pub kv_unified: bool,
    /// Whether flash attention runs: `on` or `off`.
    pub flash_attn: &'static str,
    /// The attention caches, in the order they are created.
    pub caches: Vec<CacheReport>,
    /// Which caches are rotated before they are quantized; caches without attention layers are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attn_rot: Vec<RotationReport>,
    /// The recurrent memory, where the model has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurrent: Option<RecurrentReport>,
    /// DeepSeek-V4's compressor states.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<StateReport>,
    /// The device of each layer, the output layer last; where hardware was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layer_device: Vec<String>,
    /// Host memory for logits and embeddings, not part of the cache; absent where the vocabulary is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_buffer_bytes: Option<u64>,
}

/// One attention cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CacheReport {
    /// `kv`; `base` and `swa`; `main` and `indexer`; `raw_base`, `raw_swa`, `csa`, `hca`, `lid`.
    pub name: &'static str,
    /// Cells per stream.
    pub cells: u64,
    /// Streams.
    pub streams: u64,
    /// Layers, those without KV heads included.
    pub layers: u64,
    /// Bytes of all K tensors.
    pub k_bytes: u64,
    /// Bytes of all V tensors.
    pub v_bytes: u64,
    /// The same by device; where hardware was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bufs: Vec<BufferReport>,
}

/// What one device holds of a cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BufferReport {
    /// The device, `CPU` for host memory.
    pub buft: String,
    /// Bytes.
    pub bytes: u64,
}

/// The recurrent memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecurrentReport {
    /// One a sequence.
    pub cells: u64,
    /// Sequences.
    pub n_seq_max: u64,
    /// Rollback snapshots per cell.
    pub n_rs_seq: u64,
    /// Recurrent layers.
    pub layers: u64,
    /// Elements of R per layer and row.
    pub n_embd_r: u64,
    /// Elements of S per layer and row.
    pub n_embd_s: u64,
    /// Type of R.
    pub type_r: &'static str,
    /// Type of S.
    pub type_s: &'static str,
    /// Bytes of all R tensors.
    pub r_bytes: u64,
    /// Bytes of all S tensors.
    pub s_bytes: u64,
    /// The same by device; where hardware was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bufs: Vec<BufferReport>,
}

/// The state of one of DeepSeek-V4's compressors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StateReport {
    /// `csa`, `hca` or `lid`.
    pub name: &'static str,
    /// Tokens per compressed entry.
    pub ratio: u64,
    /// Rows of the state.
    pub state_size: u64,
    /// Elements per row.
    pub n_embd_state: u64,
    /// Sequences.
    pub streams: u64,
    /// Rollback snapshots per stream.
    pub n_rs_seq: u64,
    /// Layers.
    pub n_layers: u64,
    /// Bytes, f32.
    pub bytes: u64,
}
