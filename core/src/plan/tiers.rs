//! Tiers behind the cache, in host memory and on disks: how many conversations' beginnings they keep, by the rule of whoever
//! keeps them.

use super::hardware::Workload;
use crate::codec::Codec;
use crate::engine::lmcache::{CHUNKS, Chunk, DEFAULT_CHUNK_SIZE};
use crate::engine::{Engine, Report};
use crate::error::PlanError;
use crate::explain::Rule;
use crate::placement::Case;
use crate::unit::{Bytes, Overflow};
use schemars::JsonSchema;
use serde::Serialize;

static OFFLOADING: Rule = Rule {
    id: "vllm/kv-offloading",
    says: "the tier's bytes, all ranks together, in blocks of all ranks: as many as are whole",
    source: "vLLM 0.33.0 v1/kv_offload/cpu/spec.py (--kv-offloading-size)",
};
static HICACHE: Rule = Rule {
    id: "sglang/hicache",
    says: "a rank's bytes in tokens of the full pool's layers",
    source: "SGLang 0.5.23 mem_cache/pool_host/base.py (--hicache-size, decimal GB a rank)",
};
static SECONDARY: Rule = Rule {
    id: "tensorrt-llm/secondary-pool",
    says: "a rank's bytes in whole blocks",
    source: "TensorRT-LLM main@001541bad83b _torch/pyexecutor/resource_manager.py (host_cache_size)",
};
static IDEAL: Rule = Rule {
    id: "payload/tier",
    says: "what the tokens need and nothing else",
    source: "the cache algebra of this project",
};

/// What one tier keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TierShown {
    /// `host` or `disk`.
    pub name: &'static str,
    /// Its bytes, all ranks together.
    pub bytes: Bytes,
    /// Objects it keeps whole: blocks, pages, chunks, or tokens.
    pub objects: u64,
    /// Bytes of one, all ranks together.
    pub object_bytes: Bytes,
    /// Objects of one conversation of the full length, as far as another finds it again.
    pub objects_each: u64,
    /// Conversations kept whole.
    pub conversations: u64,
    /// Whose rule.
    pub rule: &'static str,
}

/// How a keeper divides a tier.
struct Keeper {
    rule: &'static Rule,
    /// Bytes of an object on one rank.
    object: Bytes,
    /// Objects of one conversation.
    each: u64,
    /// Whether it keeps on disks too.
    disks: bool,
}

/// The tiers asked for, by each keeper that is modelled for the engine.
///
/// # Errors
/// What the engine cannot answer; `unsupported` where none keeps such a tier.
pub(super) fn tiers(case: &Case<'_>, context: u64, workload: &Workload) -> Result<Vec<TierShown>, PlanError> {
    let asked = [("host", workload.host_tier_bytes), ("disk", workload.disk_tier_bytes)];
    let mut shown = Vec::new();
    if asked.iter().all(|(_, bytes)| *bytes == 0) {
        return Ok(shown);
    }
    let keepers = keepers(case, context)?;
    let ranks = case.ranks().world().ok_or(Overflow)?;
    for (name, bytes) in asked.into_iter().filter(|(_, bytes)| *bytes > 0) {
        for keeper in keepers.iter().filter(|keeper| keeper.disks || name == "host") {
            let object_bytes = keeper.object.times(ranks)?;
            let objects = bytes.checked_div(object_bytes.get()).unwrap_or(0);
            shown.push(TierShown {
                name,
                bytes: Bytes::new(bytes),
                objects,
                object_bytes,
                objects_each: keeper.each,
                conversations: objects.checked_div(keeper.each).unwrap_or(0),
                rule: keeper.rule.id,
            });
        }
    }
    if shown.is_empty() {
        let message = format!("which tier {} keeps on disks is not modelled", case.engine().name());
        return Err(PlanError::unsupported("workload.disk_tier_bytes", message));
    }
    Ok(shown)
}

fn keepers(case: &Case<'_>, context: u64) -> Result<Vec<Keeper>, PlanError> {
    // A beginning as long as the conversation: what stays for the next request to find.
    let whole = case.without_pool().with_context(context).with_shared(context).with_sequences(1);
    let reservation = whole.reserve()?;
    let kept = reservation.common.map_or(Bytes::ZERO, |common| common.once);
    let objects = |object: Bytes| kept.get().checked_div(object.get()).unwrap_or(0);
    let none = || {
        let message = format!("tiers behind {}'s cache are not modelled", case.engine().name());
        Err(PlanError::unsupported("workload.host_tier_bytes", message))
    };
    Ok(match (case.engine(), &reservation.report) {
        (Engine::Vllm(options), Report::Vllm(report)) => {
            let object = Bytes::new(report.bytes_per_block);
            let own = Keeper { rule: &OFFLOADING, object, each: objects(object), disks: false };
            let codec = case.scenario().cache.k.or_else(|| case.model().dtype()).unwrap_or(Codec::Bf16);
            let chunk = Chunk::of(case.model(), options.tensor_parallel_size, codec, DEFAULT_CHUNK_SIZE);
            // LMCache's chunks are modelled for layers of one kind.
            let lmcache = chunk.ok().map(|chunk| -> Result<Keeper, Overflow> {
                let each = context / DEFAULT_CHUNK_SIZE;
                Ok(Keeper { rule: &CHUNKS, object: chunk.aligned()?, each, disks: true })
            });
            std::iter::once(Ok(own)).chain(lmcache).collect::<Result<_, _>>()?
        }
        (Engine::Sglang(_), _) => {
            let each = reservation.common.map_or(0, |common| common.tokens);
            let object = Bytes::new(kept.get().checked_div(each).unwrap_or(0));
            vec![Keeper { rule: &HICACHE, object, each, disks: false }]
        }
        (Engine::TensorRtLlm(options), _) => {
            let tokens = reservation.common.map_or(0, |common| common.tokens);
            let each = tokens / options.tokens_per_block.max(1);
            let object = Bytes::new(kept.get().checked_div(each).unwrap_or(0));
            vec![Keeper { rule: &SECONDARY, object, each, disks: false }]
        }
        (Engine::Payload, _) => {
            vec![Keeper { rule: &IDEAL, object: reservation.allocated()?, each: 1, disks: true }]
        }
        (
            Engine::Vllm(_)
            | Engine::LlamaCpp(_)
            | Engine::Transformers(_)
            | Engine::Mlx(_)
            | Engine::ExllamaV3(_),
            _,
        ) => return none(),
    })
}
