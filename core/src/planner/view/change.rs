//! The last change, and what it did to the figures.

use super::text::{difference, grouped, rate};
use crate::cache::Knob;
use crate::plan::{HardwareEntry, ModelRef, Plan, Request, WeightsRequest};
use crate::planner::field::{Field, Unit};
use crate::planner::state::View;
use crate::unit::{Binary, Bytes};
use strum::IntoEnumIterator as _;

/// What differs between two requests, in words: `context 65,536 → 131,072`.
#[must_use]
pub fn differences(before: &Request, now: &Request, view: View) -> Vec<String> {
    let mut out = Vec::new();
    let engine = |request: &Request| request.engine.as_ref().map_or_else(String::new, |e| e.name.to_string());
    let mut put = |name: &str, from: String, to: String| {
        if from != to {
            let or = |text: String| if text.is_empty() { "default".to_owned() } else { text };
            out.push(format!("{name} {} → {}", or(from), or(to)));
        }
    };
    if before.model != now.model {
        put("model", model(&before.model), model(&now.model));
    }
    put("engine", engine(before), engine(now));
    let text = |of: Codec, request: &Request| of(request).unwrap_or_default();
    let [(_, k), (_, v), rest @ ..] = CODECS;
    // Keys and values that change alike are one change.
    if (text(k, before), text(k, now)) == (text(v, before), text(v, now)) {
        put("cache", text(k, before), text(k, now));
    } else {
        put("cache K", text(k, before), text(k, now));
        put("cache V", text(v, before), text(v, now));
    }
    for (name, of) in rest {
        put(name, text(of, before), text(of, now));
    }
    for field in Field::iter() {
        let text = |request: &Request| field.get(request).map(|n| number(field, n, view)).unwrap_or_default();
        put(field.label(), text(before), text(now));
    }
    if before.hardware != now.hardware {
        put("devices", devices(&before.hardware), devices(&now.hardware));
    }
    put("weights", weights(before.weights.as_ref(), view), weights(now.weights.as_ref(), view));
    put("draft", draft(before, view), draft(now, view));
    let options = |request: &Request| request.engine.as_ref().map(|engine| engine.options.clone());
    if out.is_empty() && options(before) != options(now) {
        out.push("engine options".to_owned());
    }
    out
}

type Codec = fn(&Request) -> Option<String>;

const CODECS: [(&str, Codec); 5] = [
    ("cache K", |r| r.cache.side(Knob::K).map(str::to_owned)),
    ("cache V", |r| r.cache.side(Knob::V).map(str::to_owned)),
    ("index keys", |r| r.cache.indexer.clone()),
    ("state", |r| r.cache.state.clone()),
    ("conv state", |r| r.cache.conv.clone()),
];

/// A number as its field counts it.
#[must_use]
pub fn number(field: Field, n: u64, view: View) -> String {
    match field.unit() {
        Unit::Tokens | Unit::Count => grouped(n),
        Unit::Bytes => super::text::bytes(Bytes::new(n), view),
    }
}

/// A model's id, or that it was carried in a file.
fn model(asked: &ModelRef) -> String {
    match asked {
        ModelRef::Id(id) => id.clone(),
        ModelRef::Hf(_) => "a config.json".to_owned(),
        ModelRef::Gguf(_) => "a GGUF header".to_owned(),
        ModelRef::Spec(_) => "a model spec".to_owned(),
    }
}

/// `2 × RTX 5090 + 64.0 GiB RAM`, in order.
#[must_use]
pub fn devices(hardware: &[HardwareEntry]) -> String {
    let one = |entry: &HardwareEntry| match (entry.count, entry.memory_bytes) {
        (_, Some(bytes)) if entry.device.eq_ignore_ascii_case("cpu") => {
            format!("{} RAM", Binary(Bytes::new(bytes)))
        }
        (1, _) => super::words::device(&entry.device),
        (n, _) => format!("{n} × {}", super::words::device(&entry.device)),
    };
    hardware.iter().map(one).collect::<Vec<_>>().join(" + ")
}

/// What weights are: `Q4_K_M`, `15.5 GiB`; nothing for none.
#[must_use]
pub fn weights(weights: Option<&WeightsRequest>, view: View) -> String {
    match weights {
        None => String::new(),
        Some(WeightsRequest::Format(format)) => format.clone(),
        Some(WeightsRequest::Bytes(bytes)) => super::text::bytes(Bytes::new(*bytes), view),
    }
}

/// A request's draft model: `llama-3.2-1b Q8_0, K q8_0, V f16`; nothing where it has none.
#[must_use]
pub fn draft(request: &Request, view: View) -> String {
    let Some((extras, draft)) =
        request.extras.as_ref().and_then(|extras| Some((extras, extras.draft.as_ref()?)))
    else {
        return String::new();
    };
    let mut out = model(draft);
    let weights = weights(extras.draft_weights.as_ref(), view);
    for (before, word) in [
        (" ", if weights.is_empty() { "without weights" } else { &weights }),
        (", K ", extras.draft_cache.side(Knob::K).unwrap_or_default()),
        (", V ", extras.draft_cache.side(Knob::V).unwrap_or_default()),
    ] {
        if !word.is_empty() {
            out.push_str(before);
            out.push_str(word);
        }
    }
    out
}

/// The line: what changed, and how the reserved bytes did.
#[must_use]
pub fn line(before: (&Request, Option<&Plan>), now: (&Request, Option<&Plan>), view: View) -> String {
    let mut out = differences(before.0, now.0, view).join(", ");
    if let (Some(then), Some(now)) = (before.1, now.1)
        && then.kv.allocated_bytes != now.kv.allocated_bytes
    {
        out.push_str("    KV ");
        out.push_str(&difference(then.kv.allocated_bytes, now.kv.allocated_bytes, view));
    }
    if let Some((then, now)) = speeds(before.1, now.1) {
        let (sign, by) = if now < then { ("-", then - now) } else { ("+", now - then) };
        out.push_str(&format!("    speed {sign}{} tokens/s", rate(by).trim_start_matches('~')));
    }
    out
}

/// The decode rates of two plans, where both are estimated and differ by what is seen.
fn speeds(before: Option<&Plan>, now: Option<&Plan>) -> Option<(f64, f64)> {
    let of = |plan: Option<&Plan>| plan?.speed.as_ref().map(|speed| speed.decode_tokens_per_s);
    let (then, now) = (of(before)?, of(now)?);
    (rate(then) != rate(now)).then_some((then, now))
}
