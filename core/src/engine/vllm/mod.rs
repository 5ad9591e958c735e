//! vLLM 0.33.0: what its V1 engine reserves.
//!
//! Every layer becomes a spec (a class and the bytes of a page of so many tokens, [`layers`]); the block size follows
//! from attention backends and recurrent states ([`block_size`]); layers are dealt into groups that draw block ids
//! from one pool ([`grouping`], [`packing`]); a request needs blocks of every group ([`demand`]); and the pool is
//! what the memory holds of the widest group's blocks ([`pool`]). All figures are one rank's.

mod attention;
mod backend;
mod block_size;
mod deepseek_v4;
mod demand;
mod dtype;
mod explain;
mod grouping;
mod layers;
mod lines;
mod log;
mod options;
mod packing;
mod pool;
mod prefix;
mod refusals;
mod spec;
mod state;

pub use backend::Platform;
pub use dtype::{KvCacheDtype, MambaDtype};
pub use log::{LogFigures, LogFormula, LogInput};
pub use options::Options;
pub(crate) use prefix::PREFIXES;

use super::{Common, Pool, Report as AnyReport, Reservation, Room, Scenario};
use crate::error::PlanError;
use crate::spec::ModelSpec;
use crate::unit::{Bytes, Overflow, Tokens};
use demand::{Load, batches_in_flight};
use grouping::Group;
use options::Setup;
use prefix::Prefix;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

/// The figures vLLM itself prints or keeps in its cache configuration.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// Tokens per block.
    pub block_size: u64,
    /// Bytes a block id costs on one rank.
    pub bytes_per_block: u64,
    /// Blocks of the pool, the null block among them; absent where the memory is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_gpu_blocks: Option<u64>,
    /// Bytes of the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// The printed `GPU KV cache size`, tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_cache_tokens: Option<u64>,
    /// The printed maximum concurrency, unrounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<f64>,
    /// Blocks of one request of the full length; where the pool is not sized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks_per_sequence: Option<u64>,
    /// Layers by block table.
    pub groups: Vec<GroupReport>,
}

/// Layers under one block table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GroupReport {
    /// vLLM's class.
    pub kind: &'static str,
    /// Layers on this rank.
    pub n_layers: u64,
    /// Tokens per block.
    pub block_size: u64,
    /// Bytes of a page: one layer's, or of all layers where each has its own.
    pub page_size_bytes: u64,
}

/// What vLLM reserves.
///
/// # Errors
/// `engine-refuses` in vLLM's words; `unsupported` for what is not modelled; `missing-field` without a length.
pub fn reserve(model: &ModelSpec, scenario: &Scenario, options: &Options) -> Result<Reservation, PlanError> {
    let mut assumptions: Vec<Cow<'static, str>> = Vec::new();
    let setup = Setup::new(options, model, scenario, &mut assumptions)?;
    let draft = scenario.draft.as_deref().map(|draft| setup.of_draft(draft, scenario)).transpose()?;
    let understood = layers::understand(&setup, draft.as_ref())?;
    if understood.layers.is_empty() {
        return Err(PlanError::unsupported(
            "model",
            "vLLM keeps no cache for a model without attention or state",
        ));
    }
    let blocks = understood.blocks;
    let stages = usize::try_from(setup.pp).map_err(|_| Overflow)?;
    let groups = grouping::group(
        understood.layers,
        stages,
        understood.packed,
        options.disable_hybrid_kv_cache_manager,
    )?;
    let load = Load {
        context: setup.context,
        in_flight: batches_in_flight(setup.pp).checked_mul(options.max_num_batched_tokens).ok_or(Overflow)?,
        dcp: setup.dcp,
        encoder: options.max_num_batched_tokens,
    };
    let sized = pool::size(&setup, &groups, &load)?;
    let load = Load { context: sized.context, ..load };
    let sequences = scenario.sequences.unwrap_or(1);
    let prefix = Prefix::of(&setup, &groups, &load, scenario.shared.get())?;
    // The null block is every pool's first.
    let before = prefix.once.checked_add(1).ok_or(Overflow)?;
    let holds = sized.blocks.map(|blocks| blocks.saturating_sub(before) / prefix.each.max(1));
    note(&setup, &sized, (sequences, holds), scenario.draft.is_some(), &mut assumptions);
    if let Some(draft) = &scenario.draft {
        assumptions.push(Cow::Owned(format!(
            "the {} layers of the draft model keep their cache in the model's pool: every block has a page in them too",
            draft.layer_count()
        )));
    }
    let wanted = sequences.checked_mul(prefix.each).and_then(|b| b.checked_add(before)).ok_or(Overflow)?;
    let (total, held, resident) = match sized.blocks {
        None => (wanted, wanted, sequences),
        Some(blocks) if wanted <= blocks => (blocks, wanted, sequences),
        // The pool holds fewer at full length: all of it is in use.
        Some(blocks) => (blocks, blocks, holds.unwrap_or(0)),
    };
    let total_blocks = total;
    let bytes = |blocks: u64| Bytes::new(blocks).times(sized.bytes_per_block);
    let (total, held) = (bytes(total)?, bytes(held)?);
    let (lines, growth) =
        lines::lines(&groups, &load, &prefix, scenario.encoder_tokens, (sequences, resident))?;
    let mut attributed = Bytes::ZERO;
    for line in &lines {
        attributed = attributed.plus(line.allocated)?;
    }
    // What is in flight of a prompt is no matter of a request that generates; one prompt is read at any time.
    let generating = batches_in_flight(setup.pp).saturating_mul(setup.drafted.saturating_add(1));
    let settled = prefix::after(&Load { in_flight: generating, ..load }, prefix.tokens);
    let settled = pool::per_sequence(&groups, &settled)?.max(1);
    let reading = prefix.each.saturating_sub(settled);
    let calm = sized
        .blocks
        .filter(|_| reading > 0)
        .map(|blocks| blocks.saturating_sub(before).saturating_sub(reading) / settled);
    let room = Room { pool: holds, slots: Some(options.max_num_seqs), settled: calm };
    let common = Common { tokens: prefix.tokens, once: bytes(prefix.once)?, each: bytes(prefix.each)? };
    let pool = match sized.blocks {
        Some(_) => Some(Pool { total, free: total.minus(held)? }),
        None => None,
    };
    let stages = if stages > 1 {
        (0..stages)
            .map(|s| Ok(Bytes::new(pool::bytes_per_block(&groups, s)?).times(total_blocks)?))
            .collect::<Result<_, PlanError>>()?
    } else {
        Vec::new()
    };
    let terms = if scenario.explain {
        explain::terms(&setup, blocks.size, &groups, &load, &sized)?
    } else {
        Vec::new()
    };
    Ok(Reservation {
        context: Tokens::new(sized.context),
        sequences,
        lines,
        pool,
        room,
        common: Some(common),
        overhead: held.minus(attributed)?,
        report: AnyReport::Vllm(Box::new(report(blocks.size, &groups, &sized)?)),
        growth: Some(growth),
        stages,
        assumptions,
        terms,
    })
}

fn report(block_size: u64, groups: &[Group], sized: &pool::Sized) -> Result<Report, PlanError> {
    let concurrency = sized.blocks.map(|blocks| pool::concurrency(blocks, sized.per_sequence));
    let total = match sized.blocks {
        Some(blocks) => Some(blocks.checked_mul(sized.bytes_per_block).ok_or(Overflow)?),
        None => None,
    };
    let mut shown = Vec::with_capacity(groups.len());
    for group in groups {
        shown.push(GroupReport {
            kind: group.kind(),
            n_layers: group.layers_on(0),
            block_size: group.block_size(),
            page_size_bytes: group.page_on(0)?,
        });
    }
    Ok(Report {
        block_size,
        bytes_per_block: sized.bytes_per_block,
        num_gpu_blocks: sized.blocks,
        total_bytes: total,
        kv_cache_tokens: concurrency.map(|c| pool::tokens(c, sized.context)),
        max_concurrency: concurrency,
        blocks_per_sequence: sized.blocks.is_none().then_some(sized.per_sequence),
        groups: shown,
    })
}

/// What the reader should know about the figures.
fn note(
    setup: &Setup<'_>,
    sized: &pool::Sized,
    (sequences, holds): (u64, Option<u64>),
    drafts: bool,
    assumptions: &mut Vec<Cow<'static, str>>,
) {
    let options = setup.options;
    if let Some(trained) = options::longer_than_trained(setup.model, sized.context) {
        assumptions.push(Cow::Owned(format!(
            "vLLM takes max_model_len {} of a model trained on {trained} only with RoPE scaling in its config or \
             VLLM_ALLOW_LONG_MAX_MODEL_LEN=1: computed as with either",
            sized.context
        )));
    }
    match holds {
        None => assumptions.push(Cow::Owned(format!(
            "without kv_cache_memory_bytes the pool is not sized (gpu_memory_utilization {} becomes bytes only on the \
             GPU, after loading): reserved is what {sequences} × {} tokens need",
            options.gpu_memory_utilization, sized.context
        ))),
        Some(resident) => {
            if sequences > resident {
                assumptions.push(Cow::Owned(format!(
                    "the pool holds {resident} of {sequences} sequences at the full {} tokens; vLLM queues or preempts \
                     the rest",
                    sized.context
                )));
            }
        }
    }
    if sequences > options.max_num_seqs {
        assumptions.push(Cow::Owned(format!(
            "vLLM runs at most {} of {sequences} sequences at once (max_num_seqs)",
            options.max_num_seqs
        )));
    }
    if setup.pp > 1 {
        assumptions.push(Cow::Borrowed(
            "figures are those of a rank of the first pipeline stage; block counts are the smallest of all stages",
        ));
    }
    if setup.drafted > 0 && setup.mtp == 0 && !drafts {
        assumptions.push(Cow::Borrowed(
            "speculation without draft layers: set mtp to count the cache of multi-token-prediction layers",
        ));
    }
}
