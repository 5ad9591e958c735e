//! Recurrent memory: R and S per recurrent layer, f32 (`llama_memory_recurrent`).

use super::attention::Caches;
use super::report::RecurrentReport;
use super::rules;
use crate::cache::{Role, Store};
use crate::codec::Codec;
use crate::engine::{Carriers, StoreLine};
use crate::error::PlanError;
use crate::explain::Term;
use crate::spec::ModelSpec;
use crate::unit::{Bytes, Tokens};

/// Bytes of an f32.
pub(super) const F32: u64 = 4;
pub(crate) const RECURRENT: &str = "recurrent";

/// The trunk's recurrent states, where it has any.
pub(super) fn reserve(
    caches: &mut Caches<'_>,
    model: &ModelSpec,
) -> Result<Option<RecurrentReport>, PlanError> {
    if caches.cx.mtp {
        return Ok(None);
    }
    let mut report: Option<RecurrentReport> = None;
    for (index, kind) in model.numbered_kinds().filter(|(_, kind)| kind.layers() > 0) {
        let mut found = false;
        for store in kind.stores() {
            match store.role {
                Role::ConvState | Role::RecurrentState => {
                    found = true;
                    let report = report.get_or_insert_with(|| empty(caches));
                    line(caches, report, store, (index, kind.layers()))?;
                }
                Role::K
                | Role::V
                | Role::Latent
                | Role::Indexer
                | Role::Compressed
                | Role::CompressorState
                | Role::CrossK
                | Role::CrossV => {}
            }
        }
        if let Some(report) = report.as_mut().filter(|_| found) {
            report.layers += kind.layers();
        }
    }
    if let Some(report) = report.as_ref().filter(|_| caches.scenario.explain) {
        let formula = format!("{} sequences × (1 + {} snapshots)", report.n_seq_max, report.n_rs_seq);
        let rows = caches.cx.rows()?;
        caches.terms.push(Term::new("recurrent rows", formula, rows, "rows", &rules::RECURRENT));
    }
    Ok(report)
}

fn empty(caches: &Caches<'_>) -> RecurrentReport {
    RecurrentReport {
        cells: caches.cx.n_seq_max,
        n_seq_max: caches.cx.n_seq_max,
        n_rs_seq: caches.cx.n_rs_seq,
        layers: 0,
        n_embd_r: 0,
        n_embd_s: 0,
        type_r: "f32",
        type_s: "f32",
        r_bytes: 0,
        s_bytes: 0,
        bufs: Vec::new(),
    }
}

fn line(
    caches: &mut Caches<'_>,
    report: &mut RecurrentReport,
    store: &Store,
    (kind, layers): (u16, u64),
) -> Result<(), PlanError> {
    let width = store.width()?.get();
    let row = Bytes::new(width).times(F32)?.times(layers)?;
    let allocated = row.times(caches.cx.rows()?)?;
    if caches.scenario.explain {
        let formula =
            format!("{width} elements × {F32} bytes × {} rows × {layers} layers", caches.cx.rows()?);
        let label = format!("{RECURRENT} {} tensors", store.role.name());
        let term = Term::new(label, formula, allocated.get(), "bytes", &rules::RECURRENT);
        caches.terms.push(term.on(caches.basis));
    }
    let (elements, bytes) = if store.role == Role::ConvState {
        (&mut report.n_embd_r, &mut report.r_bytes)
    } else {
        (&mut report.n_embd_s, &mut report.s_bytes)
    };
    *elements = width;
    *bytes = Bytes::new(*bytes).plus(allocated)?.get();
    caches.lines.push(StoreLine {
        cache: RECURRENT,
        role: store.role,
        layers,
        carriers: Carriers::Kind(kind),
        heads: store.heads,
        dim: store.dim,
        entries: Tokens::new(1),
        sequences: caches.cx.sequences,
        codec: Codec::F32,
        payload: row.times(caches.cx.sequences)?,
        allocated,
        rule: &rules::RECURRENT,
        basis: caches.basis,
    });
    Ok(())
}
