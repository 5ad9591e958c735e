//! vLLM's rules, and its steps with the numbers put in.

use super::demand::Load;
use super::grouping::Group;
use super::options::Setup;
use super::pool::Sized;
use crate::error::PlanError;
use crate::explain::{Rule, Term};
use crate::unit::Overflow;

/// Pages.
pub(super) static PAGES: Rule = Rule {
    id: "vllm/page-size",
    says: "blocks of the group × states per page × bytes per state; what a page holds beyond that is overhead",
    source: "vLLM 0.33.0 v1/kv_cache_interface.py",
};

/// Block size.
pub(super) static BLOCK: Rule = Rule {
    id: "vllm/block-size",
    says: "the backend's preferred size; beside recurrent states, tokens until an attention page holds a state",
    source: "vLLM 0.33.0 platforms/interface.py update_block_size_for_backend",
};

/// Groups.
pub(super) static GROUPS: Rule = Rule {
    id: "vllm/groups",
    says: "layers with equal pages are dealt into groups of equal length; a block costs the bytes of the widest",
    source: "vLLM 0.33.0 v1/core/kv_cache_planning.py get_kv_cache_groups",
};

/// Blocks per request.
pub(super) static DEMAND: Rule = Rule {
    id: "vllm/demand",
    says: "every group's blocks for one request: all tokens, or a window and the tokens in flight, or states",
    source: "vLLM 0.33.0 v1/kv_cache_interface.py max_memory_usage_bytes",
};

/// The pool.
pub(super) static POOL: Rule = Rule {
    id: "vllm/pool",
    says: "available bytes ÷ bytes per block, rounded down; block 0 is never given out",
    source: "vLLM 0.33.0 v1/core/kv_cache_planning.py get_kv_cache_configs",
};

/// The steps of a reservation.
pub(super) fn terms(
    setup: &Setup<'_>,
    block_size: u64,
    groups: &[Group],
    load: &Load,
    sized: &Sized,
) -> Result<Vec<Term>, PlanError> {
    let mut parts = Vec::with_capacity(groups.len());
    let mut demand = Vec::with_capacity(groups.len());
    for group in groups {
        let (kind, layers) = (group.kind(), group.layers_on(0));
        let bytes = group.bytes_on(0)?;
        let formula = format!("{layers} layers, {} tokens per block", group.block_size());
        parts.push(Term::new(kind, formula, bytes, "bytes", &GROUPS));
        let blocks = group.blocks(load)?;
        let formula = format!(
            "{} tokens, up to {} in flight, blocks of {}",
            load.context,
            load.in_flight,
            group.block_size()
        );
        demand.push(Term::new(kind, formula, blocks, "blocks", &DEMAND));
    }
    let platform = setup.options.platform.as_str();
    let mut terms = vec![
        Term::new("block size", format!("on {platform}"), block_size, "tokens", &BLOCK),
        Term::new("bytes per block", "the widest group's", sized.bytes_per_block, "bytes", &GROUPS)
            .made_of(parts),
        Term::new("blocks per sequence", "Σ groups", sized.per_sequence, "blocks", &DEMAND).made_of(demand),
    ];
    if let Some(blocks) = sized.blocks {
        let total = blocks.checked_mul(sized.bytes_per_block).ok_or(Overflow)?;
        let formula = format!("{blocks} blocks × {} bytes, the null block included", sized.bytes_per_block);
        terms.push(Term::new("pool", formula, total, "bytes", &POOL));
    }
    Ok(terms)
}
