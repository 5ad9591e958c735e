//! TensorRT-LLM, PyTorch backend, main@001541bad83b: blocks of tokens bought with a fraction of the free memory.
//!
//! Its rules were read in its source and not run: there is no wheel for this revision.

use super::ledger::{Held, Ledger, floor_div, positive};
use super::{Common, Pool, Report as AnyReport, Reservation, Room, Scenario, codec_error};
use crate::cache::{Keeps, Knob, Retention, Role};
use crate::codec::Codec;
use crate::error::PlanError;
use crate::explain::{Basis, Rule, Term};
use crate::spec::{Mixer, ModelSpec};
use crate::unit::{Bytes, Overflow, Tokens};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

static BLOCKS: Rule = Rule {
    id: "tensorrt-llm/blocks",
    says: "blocks of tokens_per_block tokens in all layers, as many as a fraction of the free memory holds",
    source: "tensorrt_llm/_torch/pyexecutor/resource_manager.py KVCacheManager.calculate_max_num_blocks at 001541bad83b",
};
pub(crate) static PREFIXES: Rule = Rule {
    id: "tensorrt-llm/block-reuse",
    says: "whole blocks of an equal beginning are kept once (enable_block_reuse, the default); beside attention windows nothing is counted as shared",
    source: "nvidia.github.io/TensorRT-LLM features/kvcache.html, llm-api/reference/KvCacheConfig.html (enable_block_reuse = True)",
};
static WINDOWS: Rule = Rule {
    id: "tensorrt-llm/window-shares",
    says: "an equal share of the memory per distinct attention window, in blocks of the layers of that window",
    source: "tensorrt_llm/_torch/pyexecutor/resource_manager.py KVCacheManager (VSWA) at 001541bad83b",
};

/// `kv_cache_config.dtype`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// The model's own type.
    #[default]
    Auto,
    /// bfloat16.
    Bf16,
    /// bfloat16.
    Bfloat16,
    /// IEEE binary16.
    Fp16,
    /// IEEE binary16.
    Float16,
    /// FP8 E4M3.
    Fp8,
    /// E2M1 with an E4M3 scale per 16 elements.
    Nvfp4,
}

/// TensorRT-LLM's options, those of `kv_cache_config`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The cache's type.
    pub dtype: Option<Dtype>,
    /// Tokens per block.
    pub tokens_per_block: u64,
    /// Share of the free memory for the cache.
    pub free_gpu_memory_fraction: f64,
    /// Free memory after the weights, before the fraction.
    pub free_memory_bytes: Option<u64>,
    /// Attention windows by layer, repeated over the layers; every layer keeps every token where absent.
    pub max_attention_window: Option<Vec<u64>>,
    /// Bytes of the secondary pool in host memory.
    pub host_cache_size: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dtype: None,
            tokens_per_block: 32,
            free_gpu_memory_fraction: 0.9,
            free_memory_bytes: None,
            max_attention_window: None,
            host_cache_size: 0,
        }
    }
}

/// The figures TensorRT-LLM itself prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    /// Bytes a token costs in all layers.
    pub cache_bytes_per_token: u64,
    /// Blocks in GPU memory; with several attention windows the sum over them.
    pub blocks_in_primary_pool: u64,
    /// Blocks in host memory; likewise.
    pub blocks_in_secondary_pool: u64,
}

/// Layers under one attention window.
struct Window {
    /// Tokens; absent: all.
    tokens: Option<u64>,
    rows: Vec<Row>,
    /// Bytes a token costs in these layers.
    cell: u64,
    /// The same, as this window's blocks are budgeted.
    budgeted: u64,
}

/// One store of one layer.
#[derive(Clone, Copy)]
struct Row {
    role: Role,
    heads: u64,
    dim: u64,
    law: Retention,
    bytes: Bytes,
}

/// The stores of one layer.
fn rows(mixer: &Mixer, codec: Codec) -> Result<Vec<Row>, PlanError> {
    let row = |role: Role, knob, heads, dim, law| {
        let bytes = codec.row_bytes(role.side(), heads, dim).map_err(|e| codec_error(knob, codec, &e))?;
        Ok::<_, PlanError>(Row { role, heads, dim, law, bytes })
    };
    let pair = |heads: u64, k_dim: u64, v_dim: u64, law| {
        if k_dim != v_dim {
            let message = format!(
                "TensorRT-LLM keeps keys and values of one width; this model has {k_dim} and {v_dim}"
            );
            return Err(PlanError::unsupported("model", message));
        }
        Ok(vec![row(Role::K, Knob::K, heads, k_dim, law)?, row(Role::V, Knob::V, heads, v_dim, law)?])
    };
    match mixer.keeps() {
        Keeps::Heads(a) if a.indexer_dim.is_none() => pair(a.kv_heads, a.k_dim, a.v_dim, a.reach.law()),
        Keeps::Latent(a) if !a.is_sparse() => {
            let width = a.latent_dim.checked_add(a.rope_dim).ok_or(Overflow)?;
            Ok(vec![row(Role::Latent, Knob::K, 1, width, Retention::All)?])
        }
        Keeps::Heads(_)
        | Keeps::Latent(_)
        | Keeps::Compressed(_)
        | Keeps::State
        | Keeps::Encoder(_)
        | Keeps::Borrowed(_) => {
            let message =
                format!("a layer of kind {} (or its indexer) is not modelled for tensorrt-llm", mixer.kind());
            Err(PlanError::unsupported("model", message))
        }
    }
}

/// The cache's type: the option, else what the request's `cache` says, else the model's.
fn codec(
    options: &Options,
    model: &ModelSpec,
    scenario: &Scenario,
    assumptions: &mut Vec<Cow<'static, str>>,
) -> Result<Codec, PlanError> {
    let dtype = match (options.dtype, scenario.cache.k, scenario.cache.v) {
        (Some(dtype), _, _) => dtype,
        (None, Some(k), Some(v)) if k != v => {
            let message = "TensorRT-LLM keeps keys and values in one type";
            return Err(PlanError::invalid("cache.v", message).with_value(v.name()));
        }
        (None, k, v) => match k.or(v) {
            None => Dtype::Auto,
            Some(Codec::Bf16) => Dtype::Bf16,
            Some(Codec::F16) => Dtype::Fp16,
            Some(Codec::Fp8E4m3) => Dtype::Fp8,
            Some(Codec::Nvfp4) => Dtype::Nvfp4,
            Some(other) => {
                let message = "TensorRT-LLM keeps bf16, f16, fp8_e4m3 or nvfp4";
                return Err(PlanError::invalid("cache.k", message).with_value(other.name()));
            }
        },
    };
    Ok(match dtype {
        Dtype::Auto => model.dtype().unwrap_or_else(|| {
            assumptions.push(Cow::Borrowed("the model's own type is not known: bfloat16 is assumed"));
            Codec::Bf16
        }),
        Dtype::Bf16 | Dtype::Bfloat16 => Codec::Bf16,
        Dtype::Fp16 | Dtype::Float16 => Codec::F16,
        Dtype::Fp8 => Codec::Fp8E4m3,
        Dtype::Nvfp4 => Codec::Nvfp4,
    })
}

/// Layers by attention window, in order of first appearance.
fn windows(model: &ModelSpec, options: &Options, codec: Codec) -> Result<Vec<Window>, PlanError> {
    let pattern = options.max_attention_window.as_deref().unwrap_or_default();
    if options.max_attention_window.is_some() && (pattern.is_empty() || pattern.contains(&0)) {
        let message = "a list of at least one window, each of at least one token";
        return Err(PlanError::invalid("engine.max_attention_window", message));
    }
    let mut found: Vec<Window> = Vec::new();
    let mut layer = 0usize;
    for kind in model.layers() {
        for mixer in kind.mixers() {
            let tokens = if pattern.is_empty() { None } else { pattern.get(layer % pattern.len()).copied() };
            layer += 1;
            let rows = rows(mixer, codec)?;
            let (mut cell, mut budgeted) = (0u64, 0u64);
            for row in &rows {
                let elements = row.heads.checked_mul(row.dim).ok_or(Overflow)?;
                // Several windows are budgeted without the scales of NVFP4.
                let plain = if codec == Codec::Nvfp4 { elements / 2 } else { row.bytes.get() };
                cell = cell.checked_add(row.bytes.get()).ok_or(Overflow)?;
                budgeted = budgeted.checked_add(plain).ok_or(Overflow)?;
            }
            match found.iter_mut().find(|w| w.tokens == tokens) {
                Some(window) => {
                    window.rows.extend(rows);
                    window.cell = window.cell.checked_add(cell).ok_or(Overflow)?;
                    window.budgeted = window.budgeted.checked_add(budgeted).ok_or(Overflow)?;
                }
                None => found.push(Window { tokens, rows, cell, budgeted }),
            }
        }
    }
    if found.is_empty() {
        return Err(PlanError::unsupported("model", "no layer of this model keeps keys and values"));
    }
    Ok(found)
}

/// `int(fraction * free / share / bytes_per_token // tokens_per_block)`, in double precision.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "TensorRT-LLM divides these integers as doubles; the quotient is not negative"
)]
fn primary(options: &Options, free: u64, windows: usize, cell: u64) -> u64 {
    let bytes = options.free_gpu_memory_fraction * free as f64;
    let share = if windows > 1 { bytes * (1.0 / windows as f64) } else { bytes };
    floor_div(share / cell as f64, options.tokens_per_block as f64) as u64
}

/// What TensorRT-LLM reserves.
///
/// # Errors
/// `unsupported` for layers not modelled, `missing-field` without memory or length, `engine-refuses` where no block fits.
pub fn reserve(model: &ModelSpec, scenario: &Scenario, options: &Options) -> Result<Reservation, PlanError> {
    positive(&[("tokens_per_block", Some(options.tokens_per_block))])?;
    let fraction = options.free_gpu_memory_fraction;
    if !(fraction > 0.0 && fraction <= 1.0) {
        let message = "`free_gpu_memory_fraction` is a share of the free memory, above 0 and at most 1";
        return Err(PlanError::invalid("engine.free_gpu_memory_fraction", message).with_value(fraction));
    }
    if scenario.mtp > 0 {
        let message = "TensorRT-LLM's cache of draft layers is not modelled";
        return Err(PlanError::unsupported("mtp", message).with_value(scenario.mtp));
    }
    let mut assumptions: Vec<Cow<'static, str>> =
        vec![Cow::Borrowed("TensorRT-LLM's rules were read in its source, not checked against it running")];
    let codec = codec(options, model, scenario, &mut assumptions)?;
    let windows = windows(model, options, codec)?;
    let (sequences, block) = (scenario.sequences.unwrap_or(1), options.tokens_per_block);
    let several = windows.len() > 1;
    if several {
        assumptions.push(Cow::Borrowed(
            "several attention windows: the memory is shared equally between them, blocks are the sum over them",
        ));
    }
    let context = scenario.context.or_else(|| model.trained_context());
    let prefix = match windows.as_slice() {
        [Window { tokens: None, .. }] => {
            // The last token is always computed.
            let least = context.map_or(0, |c| c.get().saturating_sub(1));
            scenario.shared.get().min(least) / block * block
        }
        _ => 0,
    };
    let mut pools: Vec<(u64, u64)> = Vec::with_capacity(windows.len());
    for window in &windows {
        let cell = if several { window.budgeted } else { window.cell };
        let blocks = match (options.free_memory_bytes, scenario.context) {
            (Some(free), _) => primary(options, free, windows.len(), cell),
            (None, Some(context)) => {
                let kept = (context.get() - prefix).min(window.tokens.unwrap_or(u64::MAX));
                let own = kept.div_ceil(block).checked_mul(sequences).ok_or(Overflow)?;
                own.checked_add(prefix / block).ok_or(Overflow)?
            }
            (None, None) => {
                let message =
                    "how much memory or how many tokens? `free_memory_bytes` or `context` is needed";
                return Err(PlanError::missing("context", message));
            }
        };
        let share = options.host_cache_size / u64::try_from(windows.len()).map_err(|_| Overflow)?;
        pools.push((blocks, share / cell.max(1) / block));
    }
    if options.free_memory_bytes.is_none() {
        assumptions.push(Cow::Borrowed(
            "without free_memory_bytes the pool is not sized: reserved is what the sequences need",
        ));
    } else if pools.iter().any(|(blocks, _)| *blocks == 0) {
        let message = "RuntimeError: the free memory does not hold one block of the KV cache";
        return Err(
            PlanError::refused("engine.free_memory_bytes", message).with_value(options.free_memory_bytes)
        );
    }
    let longest = pools.iter().map(|(blocks, _)| *blocks).min().unwrap_or(0);
    let longest = longest.checked_mul(block).ok_or(Overflow)?;
    let context = context.unwrap_or_else(|| {
        assumptions.push(Cow::Borrowed("no context given: one sequence that fills the pool"));
        Tokens::new(longest / sequences.max(1))
    });
    if options.host_cache_size > 0 {
        assumptions.push(Cow::Owned(format!(
            "the secondary pool of {} bytes is host memory, on top of what is reserved here",
            options.host_cache_size
        )));
    }
    compose(scenario, options, codec, &windows, &pools, (context, sequences, prefix), assumptions)
}

fn compose(
    scenario: &Scenario,
    options: &Options,
    codec: Codec,
    windows: &[Window],
    pools: &[(u64, u64)],
    (context, sequences, prefix): (Tokens, u64, u64),
    assumptions: Vec<Cow<'static, str>>,
) -> Result<Reservation, PlanError> {
    let block = options.tokens_per_block;
    let mut ledger = Ledger::new(context, scenario.encoder_tokens, sequences);
    let (mut total, mut free) = (Bytes::ZERO, Bytes::ZERO);
    let (mut cells, mut first, mut second) = (0u64, 0u64, 0u64);
    let mut room = None;
    let mut common = Common { tokens: prefix, once: Bytes::ZERO, each: Bytes::ZERO };
    let mut terms = Vec::new();
    for (window, (blocks, host)) in windows.iter().zip(pools) {
        let rule = if windows.len() > 1 { &WINDOWS } else { &BLOCKS };
        let tokens = blocks.checked_mul(block).ok_or(Overflow)?;
        let kept = context.get().saturating_sub(prefix).min(window.tokens.unwrap_or(u64::MAX));
        let (own, once) = (kept.div_ceil(block), prefix / block);
        let used = own.checked_mul(sequences).and_then(|n| n.checked_add(once)).ok_or(Overflow)?.min(*blocks);
        let held = blocks.saturating_sub(once) / own.max(1);
        room = Some(room.map_or(held, |least: u64| least.min(held)));
        let bytes = Bytes::new(window.cell).times(block)?;
        common.once = common.once.plus(bytes.times(once)?)?;
        common.each = common.each.plus(bytes.times(own)?)?;
        total = total.plus(bytes.times(*blocks)?)?;
        free = free.plus(bytes.times(blocks - used)?)?;
        for row in &window.rows {
            let (cache, law) = match (window.tokens, row.law) {
                (Some(w), Retention::All) => ("window", Retention::Window(w)),
                (Some(_), law) => ("window", law),
                (None, law) => ("full", law),
            };
            ledger.hold(Held {
                cache,
                role: row.role,
                layers: 1,
                heads: row.heads,
                dim: row.dim,
                retention: law,
                codec,
                row: row.bytes,
                allocated: row.bytes.times(tokens)?,
                rule,
                basis: Basis::Derived,
            })?;
        }
        cells = cells.checked_add(window.cell).ok_or(Overflow)?;
        first = first.checked_add(*blocks).ok_or(Overflow)?;
        second = second.checked_add(*host).ok_or(Overflow)?;
        if scenario.explain {
            let cell = Term::new("bytes per token", "sum over layers", window.cell, "bytes", rule);
            let formula = match options.free_memory_bytes {
                Some(memory) => format!(
                    "⌊{} × {memory} / {} windows / {} / {block}⌋",
                    options.free_gpu_memory_fraction,
                    windows.len(),
                    window.cell
                ),
                None => format!("⌈{kept} / {block}⌉ × {sequences} sequences"),
            };
            terms.push(Term::new("blocks", formula, *blocks, "blocks", rule).made_of(vec![cell]));
        }
    }
    let (lines, growth) = ledger.close()?;
    Ok(Reservation {
        context,
        sequences,
        lines,
        pool: options.free_memory_bytes.map(|_| Pool { total, free }),
        common: Some(common),
        room: Room { pool: room.filter(|_| options.free_memory_bytes.is_some()), ..Room::default() },
        report: AnyReport::TensorRtLlm(Report {
            cache_bytes_per_token: cells,
            blocks_in_primary_pool: first,
            blocks_in_secondary_pool: second,
        }),
        growth: Some(growth),
        assumptions,
        terms,
        ..Reservation::default()
    })
}
