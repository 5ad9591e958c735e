//! An answer as a row of a table: the columns are the same for every line, engine and sweep.

use kvplan_core::error::PlanError;
use kvplan_core::placement::{BoundBy, State};
use kvplan_core::plan::Plan;
use serde_json::Value;

/// An answer and what it answers.
pub(super) struct Answer {
    /// The request's `id`.
    pub(super) id: Option<Value>,
    /// The values of a sweep's axes, as JSON.
    pub(super) point: Option<String>,
    /// The plan, or why there is none.
    pub(super) plan: Result<Plan, PlanError>,
}

/// A value of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// Words; `None` for none.
    Text(Option<String>),
    /// A whole number.
    Whole(Option<i64>),
    /// A number.
    Real(Option<f64>),
}

/// The kinds of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Words.
    Text,
    /// Whole numbers.
    Whole,
    /// Numbers.
    Real,
}

/// The columns, in order.
pub(super) const COLUMNS: [(&str, Kind); 28] = [
    ("id", Kind::Text),
    ("point", Kind::Text),
    ("model", Kind::Text),
    ("engine", Kind::Text),
    ("engine_version", Kind::Text),
    ("context", Kind::Whole),
    ("sequences", Kind::Whole),
    ("cache_k", Kind::Text),
    ("cache_v", Kind::Text),
    ("payload_bytes", Kind::Whole),
    ("allocated_bytes", Kind::Whole),
    ("waste_bytes", Kind::Whole),
    ("pool_free_bytes", Kind::Whole),
    ("bytes_per_token", Kind::Real),
    ("weights_bytes", Kind::Whole),
    ("active_weights_bytes", Kind::Whole),
    ("fit", Kind::Text),
    ("spare_bytes", Kind::Whole),
    ("doubt_bytes", Kind::Whole),
    ("device", Kind::Text),
    ("max_context", Kind::Whole),
    ("bound_by", Kind::Text),
    ("compute_bytes", Kind::Whole),
    ("decode_tokens_per_s", Kind::Real),
    ("prefill_tokens_per_s", Kind::Real),
    ("error_kind", Kind::Text),
    ("error_field", Kind::Text),
    ("error_message", Kind::Text),
];

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row(pub(super) Vec<Cell>);

/// A figure beyond the signed 64 bits of table formats is left empty rather than wrapped.
fn whole(n: u64) -> Cell {
    Cell::Whole(i64::try_from(n).ok())
}

fn text(text: &str) -> Cell {
    Cell::Text((!text.is_empty()).then(|| text.to_owned()))
}

impl Row {
    /// The row of an answer.
    pub(super) fn of(answer: Answer) -> Self {
        let id = match answer.id {
            None => Cell::Text(None),
            Some(Value::String(text)) => Cell::Text(Some(text)),
            Some(other) => Cell::Text(Some(other.to_string())),
        };
        let mut cells = Vec::with_capacity(COLUMNS.len());
        cells.extend([id, Cell::Text(answer.point)]);
        match answer.plan {
            Ok(plan) => {
                planned(&plan, &mut cells);
                cells.extend([Cell::Text(None), Cell::Text(None), Cell::Text(None)]);
            }
            Err(error) => {
                let blank = COLUMNS.len() - 3;
                cells.extend(COLUMNS[cells.len()..blank].iter().map(|(_, kind)| match kind {
                    Kind::Text => Cell::Text(None),
                    Kind::Whole => Cell::Whole(None),
                    Kind::Real => Cell::Real(None),
                }));
                let kind: &str = error.kind.into();
                cells.extend([text(kind), text(&error.field), text(&error.message)]);
            }
        }
        Self(cells)
    }

    /// Appends it as a line of CSV.
    pub(super) fn csv_into(&self, out: &mut Vec<u8>) {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(out);
        let cells = self.0.iter().map(|cell| match cell {
            Cell::Text(text) => text.clone().unwrap_or_default(),
            Cell::Whole(n) => n.map(|n| n.to_string()).unwrap_or_default(),
            Cell::Real(x) => x.map(|x| x.to_string()).unwrap_or_default(),
        });
        // Writing to memory does not fail, and every row has as many cells.
        let _ = writer.write_record(cells);
    }
}

fn planned(plan: &Plan, cells: &mut Vec<Cell>) {
    let codec = |of_keys: bool| {
        let mut stores = plan.kv.stores.iter().filter(|s| s.role.knob_is_cache());
        let is_value = |s: &&kvplan_core::plan::StoreShown| s.role.name().ends_with('v');
        let found = stores.clone().find(|s| is_value(s) != of_keys).or_else(|| stores.next());
        Cell::Text(found.map(|s| s.codec.to_owned()))
    };
    let weights = plan.weights.as_ref();
    let state: &str = plan.fit.state.into();
    let kv = &plan.kv;
    cells.extend([
        text(&plan.model.id),
        text(plan.engine.name),
        text(plan.engine.version),
        whole(plan.context.get()),
        whole(plan.sequences),
        codec(true),
        codec(false),
        whole(kv.payload_bytes.get()),
        whole(kv.allocated_bytes.get()),
        whole(kv.waste_bytes.get()),
        kv.pool_free_bytes.map_or(Cell::Whole(None), |bytes| whole(bytes.get())),
        Cell::Real(kv.bytes_per_token.to_string().parse().ok()),
        weights.map_or(Cell::Whole(None), |w| whole(w.bytes.get())),
        weights.and_then(|w| w.active_bytes).map_or(Cell::Whole(None), |bytes| whole(bytes.get())),
        if plan.fit.state == State::Unknown { Cell::Text(None) } else { text(state) },
        Cell::Whole(plan.fit.spare_bytes),
        plan.fit.doubt_bytes.map_or(Cell::Whole(None), |bytes| whole(bytes.get())),
        Cell::Text(plan.fit.device.clone()),
        plan.fit.max_context.map_or(Cell::Whole(None), whole),
        Cell::Text(plan.fit.bound_by.map(|bound: BoundBy| {
            let word: &str = bound.into();
            word.to_owned()
        })),
        plan.compute.as_ref().map_or(Cell::Whole(None), |compute| whole(compute.bytes.get())),
        Cell::Real(plan.speed.as_ref().map(|speed| speed.decode_tokens_per_s)),
        Cell::Real(plan.speed.as_ref().and_then(|speed| speed.prefill_tokens_per_s)),
    ]);
}
