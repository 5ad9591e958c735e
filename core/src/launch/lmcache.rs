//! LMCache: a tier in host memory behind vLLM's own cache, sized to hold the planned conversations once more.

use super::export::{ConfigFile, Launch, Source, Target};
use super::vllm;
use super::yaml::Yaml;
use crate::codec::Codec;
use crate::engine::lmcache::{Chunk, DEFAULT_CHUNK_SIZE, VERSION};
use crate::error::PlanError;
use crate::plan::Plan;
use crate::unit::Overflow;
use serde_json::{Map, Value};

const FILE: &str = "lmcache.yaml";
const GIB: u64 = 1 << 30;

/// vLLM with LMCache's connector, and LMCache's file.
pub(super) fn write(
    options: &Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<Launch, PlanError> {
    let inner = vllm::write(options, plan, source)?;
    let tp = options.get("tensor_parallel_size").and_then(Value::as_u64).unwrap_or(1);
    let codec = source.cache.k.or_else(|| source.model.dtype()).unwrap_or(Codec::Bf16);
    let chunk = Chunk::of(source.model, tp, codec, DEFAULT_CHUNK_SIZE)?;
    let sequences = source.request.sequences.unwrap_or(1);
    let chunks = plan.context.get().div_ceil(DEFAULT_CHUNK_SIZE).checked_mul(sequences).ok_or(Overflow)?;
    let bytes = chunk.aligned()?.times(chunks)?;
    let gigabytes = bytes.get().div_ceil(GIB);
    let file = Yaml::map([
        ("chunk_size", DEFAULT_CHUNK_SIZE.into()),
        ("local_cpu", true.into()),
        ("max_local_cpu_size", gigabytes.into()),
    ]);
    let mut launch = Launch::of(Target::Lmcache);
    launch.file = Some(ConfigFile { name: FILE, text: file.text() });
    launch.variables = inner.variables;
    launch.variables.push(("LMCACHE_CONFIG_FILE", FILE.to_owned()));
    launch.command = inner.command;
    let connector = r#"{"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}"#;
    launch.command.extend(["--kv-transfer-config".to_owned(), connector.to_owned()]);
    launch.notes.push(
        format!(
            "LMCache {VERSION}: {chunks} chunks of {} bytes, {} bytes of host memory for each of {tp} rank(s); max_local_cpu_size counts in GiB",
            chunk.aligned()?.get(),
            bytes.get()
        )
        .into(),
    );
    launch.notes.extend(inner.notes);
    Ok(launch)
}
