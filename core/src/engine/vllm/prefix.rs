//! Equal beginnings: which blocks requests have in common (`v1/core/kv_cache_coordinator.py`,
//! `single_type_kv_cache_manager.py`).

use super::demand::Load;
use super::grouping::Group;
use super::options::Setup;
use crate::error::PlanError;
use crate::explain::Rule;
use crate::unit::Overflow;

pub(crate) static PREFIXES: Rule = Rule {
    id: "vllm/prefix-blocks",
    says: "an equal beginning is found in whole blocks, of all groups at once: its blocks are kept once in full layers; of windows and chunks what reaches back from its end stays, and of states the one after it",
    source: "vllm 0.33.0 v1/core/kv_cache_coordinator.py find_longest_cache_hit, v1/core/single_type_kv_cache_manager.py",
};

/// Blocks of requests that begin with the same tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    /// Tokens at the start that are found again.
    pub tokens: u64,
    /// Blocks kept once.
    pub once: u64,
    /// Blocks of each request beside them.
    pub each: u64,
}

impl Prefix {
    /// What requests of the load's length have in common where the first `shared` tokens are the same.
    pub(super) fn of(
        setup: &Setup<'_>,
        groups: &[Group],
        load: &Load,
        shared: u64,
    ) -> Result<Self, PlanError> {
        let tokens = match setup.options.enable_prefix_caching && shared > 0 {
            true => found(setup, groups, load, shared)?,
            false => 0,
        };
        let mut once = 0u64;
        for group in groups {
            once = once.checked_add(group.kept(tokens, load.dcp)).ok_or(Overflow)?;
        }
        Ok(Self { tokens, once, each: super::pool::per_sequence(groups, &after(load, tokens))? })
    }
}

/// How many of the first `shared` tokens are found: whole blocks of every group.
fn found(setup: &Setup<'_>, groups: &[Group], load: &Load, shared: u64) -> Result<u64, Overflow> {
    let mut step = 1;
    for group in groups {
        step = super::block_size::lcm(step, group.span(load.dcp))?;
    }
    // The last token is always computed.
    let tokens = shared.min(load.context.saturating_sub(1)) / step.max(1) * step;
    // A draft needs what precedes its first token: the last block found is computed again.
    Ok(if setup.drafted > 0 { tokens.saturating_sub(step) } else { tokens })
}

/// A request whose first `tokens` are found.
pub(super) const fn after(load: &Load, tokens: u64) -> Load {
    Load { context: load.context.saturating_sub(tokens), ..*load }
}
