//! Engines × their cache types: bytes reserved for the same tokens.

use super::{Mark, Row, Table, alike, brief, cache_types, cell, codec_is, engine_name, with_cache};
use crate::engine::EngineName;
use crate::plan::{EngineRequest, Request, plan_model};
use crate::planner::state::View;
use crate::planner::view::text::short;
use crate::spec::ModelSpec;
use strum::IntoEnumIterator as _;

pub(super) fn table(model: &ModelSpec, request: &Request, view: View) -> Table {
    let rows = EngineName::iter()
        .map(|name| {
            let own = engine_name(request) == name;
            let cells = cache_types(name)
                .iter()
                .map(|codec| {
                    let mut other = with_cache(request, codec);
                    if !own {
                        other.engine = Some(EngineRequest::default_of(name));
                    }
                    // Reserved bytes are the engine's alone: no machine is needed, and none can refuse.
                    let bare = Request { hardware: Vec::new(), weights: None, ..other.clone() };
                    let answer = plan_model(model, &bare);
                    let mut cell =
                        cell::of(&answer, other, |plan| (short(plan.kv.allocated_bytes, view), Mark::Plain));
                    cell.current = own && codec_is(request, codec);
                    cell.text = match cell.request {
                        Some(_) => format!("{} {}", brief(codec), cell.text),
                        None => format!("{} no", brief(codec)),
                    };
                    cell
                })
                .collect();
            Row { label: name.to_string(), detail: String::new(), cells: alike(cells) }
        })
        .collect();
    Table {
        title: "RESERVED",
        rows_are: "engines",
        columns: Vec::new(),
        rows,
        quality: None,
        caption: Some(format!("{} for the same tokens; every engine with its own defaults.", view.units)),
    }
}
