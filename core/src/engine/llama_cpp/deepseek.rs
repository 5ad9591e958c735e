//! DeepSeek-V4: window rows, entries compressed by 4 and by 128, indexer keys, and the compressors' f32 states.

use super::attention::{Caches, Tensor};
use super::context::PAD;
use super::recurrent::F32;
use super::report::StateReport;
use super::rows::Row;
use super::rules;
use crate::cache::{Retention, Role};
use crate::codec::Codec;
use crate::engine::{Carriers, StoreLine};
use crate::error::PlanError;
use crate::explain::Term;
use crate::spec::layer::Compressed;
use crate::spec::{Mixer, ModelSpec};
use crate::unit::{Bytes, Tokens};

/// Tokens per entry of compressed sparse attention, whose layers have an indexer.
const CSA: u64 = 4;
/// Tokens per entry of heavily compressed attention.
const HCA: u64 = 128;

/// The caches of compressed layers; nothing for a model without them.
pub(super) fn reserve(caches: &mut Caches<'_>, model: &ModelSpec) -> Result<Vec<StateReport>, PlanError> {
    let cx = caches.cx;
    let mtp = cx.mtp;
    let mut layers: Vec<(u16, u64, &Compressed)> = Vec::new();
    for (index, kind) in model.numbered_kinds() {
        for mixer in kind.mixers() {
            if let Mixer::Compressed(a) = mixer {
                layers.push((index, if mtp { kind.mtp_layers() } else { kind.layers() }, a));
            }
        }
    }
    let Some((_, _, first)) = layers.first() else { return Ok(Vec::new()) };
    let window = first.window;
    if let Some((_, _, other)) = layers.iter().find(|(_, _, a)| a.window != window) {
        let message =
            format!("llama.cpp has one window per model; this one has {window} and {}", other.window);
        return Err(PlanError::unsupported("model", message).with_value(other.window));
    }
    // Streams are per sequence whatever kv_unified says.
    let streams = cx.n_seq_max;
    let swa = cx.swa_cells(window, false)?;
    let compressed = |ratio: u64| Tokens::new(cx.n_ctx_seq.div_ceil(ratio)).round_up(PAD);
    let (csa_cells, hca_cells) = (compressed(CSA)?.get(), compressed(HCA)?.get());
    caches.open("raw_base", cx.n_ctx_seq, streams);
    let raw = caches.open("raw_swa", swa, streams);
    let csa = caches.open("csa", csa_cells, streams);
    let hca = caches.open("hca", hca_cells, streams);
    let lid = caches.open("lid", csa_cells, streams);
    let ty = cx.type_k.ty;
    let mut states = States { known: Vec::new() };
    for (kind, layers, a) in layers.iter().filter(|(_, layers, _)| *layers > 0) {
        let carriers = Carriers::Kind(*kind);
        let rows = |role, dim, law, rule| Tensor {
            role,
            ty,
            layers: *layers,
            carriers,
            needed: Row { heads: 1, dim },
            kept: dim,
            law,
            rule,
        };
        caches.layers(raw, *layers);
        let law = Retention::Window(a.window);
        caches.tensor(raw, false, &rows(Role::Compressed, a.dim, law, &rules::SWA_CELLS))?;
        let law = Retention::Strided(a.ratio);
        let entries = rows(Role::Compressed, a.dim, law, &rules::COMPRESSED);
        match (a.ratio, a.indexer_dim) {
            (0, _) => {}
            (CSA, Some(indexer)) => {
                caches.layers(csa, *layers);
                caches.tensor(csa, false, &entries)?;
                caches.layers(lid, *layers);
                caches.tensor(lid, false, &rows(Role::Indexer, indexer, law, &rules::COMPRESSED))?;
                let state =
                    |name, dim: u64| State { name, ratio: CSA, rows: 2 * CSA, width: dim.checked_mul(2) };
                states.add(caches, (carriers, *layers), &state("csa", a.dim))?;
                states.add(caches, (carriers, *layers), &state("lid", indexer))?;
            }
            (HCA, None) => {
                caches.layers(hca, *layers);
                caches.tensor(hca, false, &entries)?;
                let state = State { name: "hca", ratio: HCA, rows: HCA, width: Some(a.dim) };
                states.add(caches, (carriers, *layers), &state)?;
            }
            (ratio, _) => {
                let message = "llama.cpp compresses by 4 with an indexer, or by 128 without";
                return Err(PlanError::unsupported("model", message).with_value(ratio));
            }
        }
    }
    caches.explain_swa(window, swa);
    Ok(states.in_order())
}

/// A compressor's state.
struct State {
    name: &'static str,
    ratio: u64,
    rows: u64,
    width: Option<u64>,
}

struct States {
    known: Vec<StateReport>,
}

impl States {
    fn add(
        &mut self,
        caches: &mut Caches<'_>,
        (carriers, layers): (Carriers, u64),
        state: &State,
    ) -> Result<(), PlanError> {
        let cx = caches.cx;
        let width = state.width.ok_or(crate::unit::Overflow)?;
        // Key/value and score rows.
        let elements = Bytes::new(2).times(state.rows)?.times(width)?;
        let allocated = elements.times(F32)?.times(layers)?.times(cx.rows()?)?;
        if caches.scenario.explain {
            let formula = format!(
                "2 × {} × {width} elements × {F32} bytes × {} rows × {layers} layers",
                state.rows,
                cx.rows()?
            );
            let term = Term::new(
                format!("{} state", state.name),
                formula,
                allocated.get(),
                "bytes",
                &rules::COMPRESSOR,
            );
            caches.terms.push(term.on(caches.basis));
        }
        match self.known.iter_mut().find(|it| it.name == state.name) {
            Some(known) => {
                known.n_layers += layers;
                known.bytes = Bytes::new(known.bytes).plus(allocated)?.get();
            }
            None => self.known.push(StateReport {
                name: state.name,
                ratio: state.ratio,
                state_size: state.rows,
                n_embd_state: width,
                streams: cx.n_seq_max,
                n_rs_seq: cx.n_rs_seq,
                n_layers: layers,
                bytes: allocated.get(),
            }),
        }
        caches.lines.push(StoreLine {
            cache: state.name,
            role: Role::CompressorState,
            layers,
            carriers,
            heads: 2,
            dim: width,
            entries: Tokens::new(state.rows),
            sequences: cx.sequences,
            codec: Codec::F32,
            payload: Bytes::ZERO,
            allocated,
            rule: &rules::COMPRESSOR,
            basis: caches.basis,
        });
        Ok(())
    }

    /// `csa`, `hca`, `lid`.
    fn in_order(mut self) -> Vec<StateReport> {
        crate::order::by_key(&mut self.known, |state| state.name);
        self.known
    }
}
