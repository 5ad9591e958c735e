//! Codecs: stored bits against measured error, and what the cache would need in each.

use super::{Cell, Mark, Row, Table, cell, codec_is, engine_name, with_cache};
use crate::codec::Codec;
use crate::codec::measured::{MEASURED, MODEL};
use crate::engine::EngineName;
use crate::plan::{EngineRequest, Request, plan_model};
use crate::planner::state::View;
use crate::planner::view::text::short;
use crate::spec::ModelSpec;

/// Codecs by stored bits, the most first. A codec that this engine does not take is sized by the ideal one.
pub(super) fn table(model: &ModelSpec, request: &Request, view: View) -> Table {
    let mut rows: Vec<(f64, Row)> = MEASURED
        .iter()
        .map(|measured| {
            let codec = measured.codec;
            let bits = codec.layout().info().bits_per_element;
            let error = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), percent);
            let other = with_cache(request, codec.name());
            let bare = Request { hardware: Vec::new(), weights: None, ..other.clone() };
            let mut reserved = plan_model(model, &bare);
            let taken = reserved.is_ok();
            if !taken && engine_name(request) != EngineName::Payload {
                let ideal = Some(EngineRequest::default_of(EngineName::Payload));
                reserved = plan_model(model, &Request { engine: ideal, ..bare });
            }
            let mut size =
                cell::of(&reserved, other, |plan| (short(plan.kv.allocated_bytes, view), Mark::Plain));
            size.current = codec_is(request, codec.name());
            if !taken && size.mark == Mark::Plain {
                let name = engine_name(request);
                size.request = None;
                size.reason = Some(format!("{name} does not take it; the size is what the tokens need"));
                size.mark = Mark::Refused;
            }
            let mut cells = vec![
                word(format!("{bits:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()),
                word(error(measured.output)),
                word(measured.kl.map_or_else(|| "–".to_owned(), super::divergence)),
                size,
            ];
            let request = cells.last().and_then(|cell| cell.request.clone());
            let current = cells.last().is_some_and(|cell| cell.current);
            for cell in &mut cells {
                cell.request.clone_from(&request);
                cell.current = current;
            }
            let least = measured.output.is_some_and(|own| {
                let better = |other: f64| other < own;
                let smaller = |codec: Codec| codec.layout().info().bits_per_element <= bits;
                !MEASURED.iter().any(|row| smaller(row.codec) && row.output.is_some_and(better))
            });
            let detail = if least { "least" } else { "" };
            (bits, Row { label: codec.name().to_owned(), detail: detail.to_owned(), cells })
        })
        .collect();
    crate::order::by(&mut rows, |(a, _), (b, _)| b.total_cmp(a));
    Table {
        title: "BITS AGAINST ERROR",
        rows_are: "methods",
        columns: ["stored", "output", "KL", "size"].map(str::to_owned).to_vec(),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        quality: None,
        caption: Some(format!(
            "least: nothing as small errs less. Output error and KL on {MODEL}: order, not size, carries over"
        )),
    }
}

const fn word(text: String) -> Cell {
    Cell { text, mark: Mark::Plain, request: None, current: false, reason: None }
}

/// An error as it is read: `0.77 %`, `48 %`.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 10.0 { format!("{percent:.2} %") } else { format!("{percent:.0} %") }
}
