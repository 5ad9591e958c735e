//! llama.cpp: caches in cells of padded contexts, f32 recurrent states, and what it refuses.
//!
//! The road of a plan: `options` and the request become a `context` (sizes, batches, types); `rows` reads each kind of
//! layer by its architecture's row ([`Arch`](crate::spec::gguf::Arch)); `refusals` says no in llama.cpp's words;
//! `attention`, `deepseek` and `recurrent` allocate what its caches, states and compressors hold; `report` is what it
//! would print. `rules` holds the sentences and sources that the lines cite. Version: commit 0c1e57098.

mod attention;
mod context;
mod deepseek;
mod options;
mod recurrent;
mod refusals;
mod report;
mod rotation;
mod rows;
mod rules;
mod types;

pub(crate) use context::MAX_SEQUENCES;
pub use options::{ContextType, FlashAttn, GpuLayers, GpuLayersWord, Options, Override, TensorSplit};
pub(crate) use recurrent::RECURRENT;
pub use report::{BufferReport, CacheReport, RecurrentReport, Report, StateReport};
pub use rotation::RotationReport;
pub use types::CacheType;

use super::{Reservation, Scenario};
use crate::cache::{Knob, Role};
use crate::error::PlanError;
use crate::explain::{Basis, Term};
use crate::spec::gguf::Arch;
use crate::spec::gguf::arch::Memory;
use crate::spec::{Mixer, ModelSpec};
use crate::unit::Bytes;
use attention::Caches;
use context::Context;
use rotation::HeadWidth;
use rows::Rows;
use std::borrow::Cow;

/// Architectures whose prediction layers it loads where they draft (`load_mtp`, src/models/*.cpp); of all others it
/// skips them.
const LOADS_MTP: &[&str] = &[
    "bailingmoe3",
    "cohere2moe",
    "deepseek2",
    "deepseek32",
    "deepseek4",
    "glm-dsa",
    "glm4moe",
    "glm5-next",
    "hy_v3",
    "mimo2",
    "nemotron_h",
    "nemotron_h_moe",
    "qwen35",
    "qwen35moe",
    "qwen3next",
    "qwen4exp",
    "step35",
];

/// What llama.cpp reserves.
///
/// # Errors
/// `engine-refuses` for what it refuses or aborts on, `unsupported` for an architecture or layer it does not have,
/// `missing-field` without any context, `overflow` past 64 bits.
pub fn reserve(model: &ModelSpec, scenario: &Scenario, options: &Options) -> Result<Reservation, PlanError> {
    let arch = rows::arch_of(model)?;
    let mut assumptions = Vec::new();
    let cx = Context::resolve(options, scenario, model, arch, &mut assumptions)?;
    if cx.mtp && model.mtp_count() == 0 {
        let message = "this model has no multi-token-prediction layers for a context of type mtp";
        return Err(PlanError::invalid("engine.ctx_type", message).with_value("mtp"));
    }
    if scenario.mtp > 0 && !LOADS_MTP.contains(&arch.name) {
        let message = format!("llama.cpp does not load the prediction layers of `{}`", arch.name);
        return Err(PlanError::unsupported("mtp", message).with_value(scenario.mtp));
    }
    let rows = rows(model, arch, &cx)?;
    refusals::refuse(model, arch, &cx, &rows)?;
    note(model, arch, scenario, &cx, &mut assumptions);
    let mut caches = Caches {
        cx: &cx,
        scenario,
        basis: if arch.source_only { Basis::Derived } else { Basis::Exact },
        lines: Vec::with_capacity(8),
        reports: Vec::with_capacity(2),
        rotations: [(HeadWidth::None, HeadWidth::None); 2],
        terms: if scenario.explain { cx.terms() } else { Vec::new() },
        laws: Vec::with_capacity(8),
    };
    let kept = arch.memory == Memory::Kept;
    let (mut recurrent, mut states) = (None, Vec::new());
    if kept {
        states = deepseek::reserve(&mut caches, model)?;
        if caches.reports.is_empty() {
            caches.attention(model, arch, &rows)?;
        } else if rows.iter().any(|(layers, _)| *layers > 0) {
            let message = "compressed layers beside ordinary attention are not modelled for llama.cpp";
            return Err(PlanError::unsupported("model", message));
        }
        recurrent = recurrent::reserve(&mut caches, model)?;
    }
    let growth = caches.growth()?;
    let output_buffer_bytes = output_buffer(model, &cx)?;
    if let Some(bytes) = output_buffer_bytes.filter(|_| scenario.explain) {
        let formula = format!("f32 rows of {} sequences, not part of the cache", cx.n_seq_max);
        caches.terms.push(Term::new("output buffer", formula, bytes, "bytes", &rules::OUTPUT));
    }
    let Caches { lines, reports, rotations, terms, .. } = caches;
    let report = Report {
        n_ctx: cx.n_ctx,
        n_ctx_seq: cx.n_ctx_seq,
        n_batch: cx.n_batch,
        n_ubatch: cx.n_ubatch,
        n_seq_max: cx.n_seq_max,
        kv_unified: cx.unified,
        flash_attn: if cx.flash_attn { "on" } else { "off" },
        attn_rot: caches_rotated(&reports, &rotations, &cx),
        caches: reports,
        recurrent,
        states,
        layer_device: Vec::new(),
        output_buffer_bytes,
    };
    Ok(Reservation {
        context: cx.tokens,
        sequences: cx.sequences,
        lines,
        report: super::Report::LlamaCpp(Box::new(report)),
        growth: Some(growth),
        assumptions,
        terms,
        ..Reservation::default()
    })
}

/// The rows of every kind that keeps some, with the layers of this context; kinds of the other context are listed
/// with none, because checks and widths look at all of a model.
fn rows(model: &ModelSpec, arch: &Arch, cx: &Context) -> Result<Vec<(u64, Rows)>, PlanError> {
    let blocks = model.layer_count() + model.mtp_count();
    let windows = arch.honours_windows(u64::try_from(blocks).unwrap_or(u64::MAX));
    let mut found = Vec::with_capacity(4);
    for (index, kind) in model.numbered_kinds() {
        let layers = if cx.mtp { kind.mtp_layers() } else { kind.layers() };
        for mixer in kind.mixers() {
            if let Some(rows) = rows::rows_of(index, mixer, arch, windows)? {
                found.push((layers, rows));
            }
        }
    }
    Ok(found)
}

/// `output_reserve`: logits of one token per sequence, and its embedding where embeddings are on.
fn output_buffer(model: &ModelSpec, cx: &Context) -> Result<Option<u64>, PlanError> {
    let record = model.record();
    let Some(vocab) = record.vocab_size else { return Ok(None) };
    let width = match (cx.embeddings, record.embedding_size.or(record.hidden_size)) {
        (false, _) => 0,
        (true, Some(width)) => width,
        (true, None) => return Ok(None),
    };
    let floats = Bytes::new(vocab).plus(Bytes::new(width))?.times(cx.n_seq_max)?;
    Ok(Some(floats.times(recurrent::F32)?.get()))
}

/// What was assumed, and what a request asked for that llama.cpp decides by itself.
fn note(
    model: &ModelSpec,
    arch: &Arch,
    scenario: &Scenario,
    cx: &Context,
    assumptions: &mut Vec<Cow<'static, str>>,
) {
    if arch.name.is_empty() {
        assumptions.push(Cow::Borrowed(
            "no llama.cpp architecture is named: planned by the layers' own stores, windows kept as windows",
        ));
    }
    if arch.source_only {
        assumptions.push(Cow::Borrowed(
            "this architecture's rules were read in llama.cpp's source, not checked against it running",
        ));
    }
    match arch.memory {
        Memory::Kept => {}
        Memory::Encoder => assumptions.push(Cow::Borrowed("llama.cpp runs this encoder without a cache")),
        Memory::Diffusion => {
            assumptions.push(Cow::Borrowed("llama.cpp runs this diffusion model without a cache"));
        }
    }
    for ty in [cx.type_k, cx.type_v] {
        if !ty.ty.is_offered() {
            assumptions.push(Cow::Owned(format!(
                "{} is no type of -ctk and -ctv; the C API takes it",
                ty.ty.name()
            )));
        }
    }
    let kinds = || model.kinds().iter();
    let has = |role| kinds().flat_map(|kind| kind.stores()).any(|store| store.role == role);
    for (knob, role, name, own) in [
        (Knob::Indexer, Role::Indexer, "cache.indexer", cx.type_k.ty.codec()),
        (Knob::State, Role::RecurrentState, "cache.state", crate::codec::Codec::F32),
        (Knob::Conv, Role::ConvState, "cache.conv", crate::codec::Codec::F32),
    ] {
        if scenario.cache.get(knob).is_some_and(|asked| asked != own) && has(role) {
            assumptions
                .push(Cow::Owned(format!("{name} is not llama.cpp's to choose: it keeps {}", own.name())));
        }
    }
    if kinds().flat_map(|kind| kind.mixers()).any(|mixer| matches!(mixer, Mixer::Cross(_))) {
        assumptions.push(Cow::Borrowed("llama.cpp keeps the encoder's output and no cross-attention cache"));
    }
}

/// What the caches' log lines say of rotation.
fn caches_rotated(
    caches: &[CacheReport],
    widths: &[(HeadWidth, HeadWidth)],
    cx: &Context,
) -> Vec<RotationReport> {
    let (type_k, type_v) = (cx.type_k.ty, cx.type_v.ty);
    let kept = caches.iter().zip(widths).filter(|(_, (k, _))| *k != HeadWidth::None);
    kept.map(|(cache, (k, v))| RotationReport {
        cache: cache.name,
        k: k.rotated(type_k),
        v: v.rotated(type_v),
    })
    .collect()
}
