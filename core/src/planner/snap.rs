//! Where a moving number stops, and what it stops at: a step of a key, a drag of a slider.

use super::field::{Field, Unit};
use crate::cache::Retention;
use crate::placement::BoundBy;
use crate::plan::Plan;
use crate::spec::ModelSpec;
use crate::unit::grouped;

/// A value worth stopping at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The value.
    pub value: u64,
    /// What it is, to be said when it is hit.
    pub name: String,
}

/// No number is offered beyond this by a step; typing may.
const FURTHEST: u64 = 1 << 40;

/// The values worth stopping at, in order, each once. `plan` is the plan of what is set.
#[must_use]
pub fn stops(field: Field, model: &ModelSpec, plan: Option<&Plan>) -> Vec<Stop> {
    let mut stops: Vec<Stop> = named(field, model, plan);
    let most = stops.iter().map(|stop| stop.value).max().unwrap_or(0);
    let round = match field.unit() {
        Unit::Tokens => (10..40).map(|power| 1u64 << power).take_while(|n| *n < most.max(1 << 20)).collect(),
        Unit::Bytes => (0..=64).map(|n| n << 30).collect::<Vec<u64>>(),
        Unit::Count => (0..12).map(|power| 1u64 << power).collect(),
    };
    for value in round {
        if !stops.iter().any(|stop| stop.value == value) {
            let name = match field.unit() {
                Unit::Tokens => format!("{}k", grouped(value >> 10)),
                Unit::Bytes => format!("{} GiB", value >> 30),
                Unit::Count => grouped(value),
            };
            stops.push(Stop { value, name });
        }
    }
    crate::order::by_key(&mut stops, |stop| stop.value);
    stops
}

/// Values that have a name of their own, the weightiest first.
fn named(field: Field, model: &ModelSpec, plan: Option<&Plan>) -> Vec<Stop> {
    let mut found: Vec<Stop> = Vec::new();
    let mut put = |value: u64, name: &str| {
        if value > 0 && !found.iter().any(|stop| stop.value == value) {
            found.push(Stop { value, name: name.to_owned() });
        }
    };
    let layers = || u64::try_from(model.layer_count()).unwrap_or(0);
    match field {
        Field::Context | Field::TypicalContext | Field::P95Context | Field::SharedPrefix => {
            let fit = plan.map(|plan| &plan.fit).filter(|fit| fit.bound_by == Some(BoundBy::Memory));
            if let Some(most) = fit.and_then(|fit| fit.max_context) {
                put(most, "where memory runs out");
            }
            if let Some(limit) = model.scaled_context() {
                put(limit.get(), "the model's own limit");
            }
            if let Some(trained) = model.trained_context() {
                put(trained.get(), "the trained length");
            }
            for store in model.kinds().iter().flat_map(|kind| kind.stores()) {
                match store.retention {
                    Retention::Window(window) | Retention::Chunk(window) => {
                        put(window, "the end of the window");
                    }
                    Retention::All
                    | Retention::Strided(_)
                    | Retention::Fixed(_)
                    | Retention::Encoder
                    | Retention::Evicted(_) => {}
                }
            }
        }
        Field::GpuLayers => put(layers().saturating_add(1), "all layers and the output"),
        Field::ExpertLayersOnHost => put(layers(), "all layers"),
        Field::Mtp => put(u64::try_from(model.mtp_count()).unwrap_or(0), "all draft layers"),
        Field::Sequences
        | Field::Sessions
        | Field::EncoderTokens
        | Field::InUse
        | Field::KeepFree
        | Field::TensorParallel
        | Field::PipelineParallel
        | Field::DataParallel
        | Field::ExpertParallel
        | Field::DecodeContextParallel
        | Field::Projector
        | Field::Adapters => {}
    }
    found
}

/// The stop that a pointer means: within a fiftieth of it.
#[must_use]
pub fn near(stops: &[Stop], value: u64) -> Option<&Stop> {
    stops.iter().find(|stop| stop.value.abs_diff(value) <= stop.value / 50)
}

/// The next stop above or below.
#[must_use]
pub fn next(stops: &[Stop], from: u64, up: bool) -> Option<&Stop> {
    if up {
        stops.iter().find(|stop| stop.value > from)
    } else {
        stops.iter().rev().find(|stop| stop.value < from)
    }
}

/// A small step: about a sixteenth of the number, on a round value, and onto a named stop that it would pass.
#[must_use]
pub fn step(field: Field, stops: &[Stop], from: u64, up: bool) -> Stop {
    let size = match field.unit() {
        Unit::Count => 1,
        Unit::Bytes => 128 << 20,
        Unit::Tokens => (from.max(1).ilog2()).checked_sub(4).map_or(1, |power| 1u64 << power).max(256),
    };
    let to = if up { (from / size + 1).saturating_mul(size) } else { from.saturating_sub(1) / size * size };
    let floor = match field.unit() {
        Unit::Count => u64::from(matches!(field, Field::Sequences)),
        Unit::Bytes => 0,
        Unit::Tokens => size.min(256),
    };
    let to = to.clamp(floor, FURTHEST);
    let between = |stop: &&Stop| {
        if up { stop.value > from && stop.value <= to } else { stop.value < from && stop.value >= to }
    };
    let hit = if up { stops.iter().find(between) } else { stops.iter().rev().find(between) };
    hit.cloned().unwrap_or(Stop { value: to, name: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ModelRef, resolve_model};

    fn stops_of(id: &str) -> Vec<Stop> {
        let model = resolve_model(&ModelRef::Id(id.into())).unwrap();
        stops(Field::Context, &model, None)
    }

    #[test]
    fn paging_names_the_window_and_the_models_limit() {
        let stops = stops_of("gemma-3-27b");
        assert_eq!(next(&stops, 1000, true).unwrap().name, "the end of the window");
        let last = next(&stops, 100_000, true).unwrap();
        assert_eq!((last.value, last.name.as_str()), (131_072, "the model's own limit"));
    }

    #[test]
    fn a_step_never_passes_a_stop_and_comes_back() {
        let stops = stops_of("qwen3-8b");
        let mut at = 1024;
        for _ in 0..200 {
            let up = step(Field::Context, &stops, at, true);
            assert!(up.value > at);
            assert!(next(&stops, at, true).is_none_or(|stop| up.value <= stop.value));
            at = up.value;
        }
        for _ in 0..500 {
            at = step(Field::Context, &stops, at, false).value;
        }
        assert_eq!(at, 256);
    }

    #[test]
    fn a_count_moves_by_one_and_never_below_what_makes_sense() {
        assert_eq!(step(Field::Sequences, &[], 1, false).value, 1);
        assert_eq!(step(Field::Sequences, &[], 1, true).value, 2);
        assert_eq!(step(Field::GpuLayers, &[], 0, false).value, 0);
        assert_eq!(step(Field::KeepFree, &[], 1 << 30, false).value, 7 << 27);
    }
}
