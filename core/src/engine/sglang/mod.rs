//! SGLang 0.5.23: pools of tokens in pages, a second pool for sliding layers, and slots for recurrent states.
//!
//! [`layers`] prices a token in every layer of a rank; [`pool`] turns memory into tokens as the pool configurators do.
//! Every pool has one page (or slot) more than it counts: the padding that page 0 is. All figures are one rank's.

mod layers;
mod options;
mod plan;
mod pool;

pub use options::{KvCacheDtype, Options};

use super::ledger::positive;
use super::{Reservation, Scenario};
use crate::error::PlanError;
use crate::explain::Rule;
use crate::spec::ModelSpec;
use plan::Plan;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

static PADDING: Rule = Rule {
    id: "sglang/page-padding",
    says: "the pool's tokens and one page of padding, in every layer",
    source: "sglang 0.5.23 mem_cache/memory_pool.py, model_executor/pool_configurator.py DefaultPoolConfigurator",
};
static SLIDING: Rule = Rule {
    id: "sglang/swa-pool",
    says: "swa_full_tokens_ratio tokens per full token, whole pages, and one page of padding, in every sliding layer",
    source: "sglang 0.5.23 model_executor/pool_configurator.py HybridSWAPoolConfigurator",
};
static SLOTS: Rule = Rule {
    id: "sglang/mamba-slots",
    says: "a state per slot and one of padding; 0.9 parts of the memory to one of keys and values",
    source: "sglang 0.5.23 configs/mamba_utils.py, mem_cache/kv_cache_configurator.py",
};

pub(crate) static PREFIXES: Rule = Rule {
    id: "sglang/radix-cache",
    says: "whole pages of an equal beginning are kept once in the full layers; of the sliding ones the window before its end, and one slot of states there, stay for the next request to start from",
    source: "sglang 0.5.23 mem_cache/radix_cache.py, swa_radix_cache.py, mamba_radix_cache.py",
};

/// The figures SGLang itself prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    /// Tokens of the pool (of the full pool where there are two).
    pub max_total_num_tokens: u64,
    /// Tokens of the full pool, where sliding layers have their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_tokens: Option<u64>,
    /// Tokens of the sliding pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swa_tokens: Option<u64>,
    /// Bytes of all pools, padding included.
    pub allocated_bytes: u64,
}

/// What SGLang reserves.
///
/// # Errors
/// `engine-refuses` in its own words; `unsupported` for layers not modelled; `missing-field` without memory or length.
pub fn reserve(model: &ModelSpec, scenario: &Scenario, options: &Options) -> Result<Reservation, PlanError> {
    positive(&[
        ("page_size", options.page_size),
        ("context_length", options.context_length),
        ("tp_size", Some(options.tp_size)),
    ])?;
    let shares = [
        ("swa_full_tokens_ratio", Some(options.swa_full_tokens_ratio)),
        ("mem_fraction_static", options.mem_fraction_static),
    ];
    if let Some((name, Some(share))) =
        shares.into_iter().find(|(_, share)| share.is_some_and(|s| !(s > 0.0 && s <= 1.0)))
    {
        let message = format!("`{name}` is a share, above 0 and at most 1");
        return Err(PlanError::invalid(format!("engine.{name}"), message).with_value(share));
    }
    let mut assumptions: Vec<Cow<'static, str>> = Vec::new();
    let plan = Plan::of(model, scenario, options, &mut assumptions)?;
    let sized = plan.size(model, scenario, &mut assumptions)?;
    plan.reservation(scenario, &sized, assumptions)
}
