//! What is left to say and to do where a model is not understood: its weights alone, a spec to be written by hand, a report.

use super::text::bytes;
use crate::cache::Knob;
use crate::error::PlanError;
use crate::explain::Basis;
use crate::plan::{ModelRef, Request};
use crate::planner::Planner;
use crate::unit::Bytes;
use serde_json::Value;
use std::fmt::Write as _;

/// What can be done about a model that is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter)]
pub enum Way {
    /// Write a spec that says by hand what its layers keep.
    Describe,
    /// Copy what somebody who can mend it has to know.
    Report,
}

impl Way {
    /// Its words on a button.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Describe => "describe it",
            Self::Report => "report",
        }
    }
}

/// `Weights alone: 15.5 GiB, exact.`: what is known of the weights where no cache can be computed.
#[must_use]
pub fn weights_alone(planner: &Planner) -> Option<String> {
    let state = planner.state();
    let (weights, basis) = match (planner.unread_weights(), planner.model()) {
        (Some(weights), _) => (weights, Basis::Exact),
        (None, Ok(model)) => {
            let map = state.request.weight_map(model).ok()??;
            (map.total().ok()?, map.basis)
        }
        (None, Err(_)) => match state.request.weights {
            Some(crate::plan::WeightsRequest::Bytes(given)) => (Bytes::new(given), Basis::Assumed),
            Some(crate::plan::WeightsRequest::Format(_)) | None => return None,
        },
    };
    let basis = match basis {
        Basis::Exact => "exact",
        Basis::Derived => "by the format",
        Basis::Measured => "measured",
        Basis::Assumed => "as given",
    };
    Some(format!("Weights alone: {}, {basis}.", bytes(weights, state.view)))
}

/// How to write the rest.
const HOW: &str = r#"# What stands below is what its file says by usual names, or what follows from them in most models: check it.
# Every "?" has to become a kind:
#   "full"    every token is kept: kv_heads, k_dim, v_dim
#   "window"  the last tokens are kept: the same, and window
#   "mla"     one latent row a token: latent_dim, rope_dim
#   "none"    nothing is kept
# `kvplan schema spec` lists all of them with their fields."#;

/// The beginning of a spec in TOML, without a family, for engines refuse one that they do not know: what the file says by
/// names that every publisher uses is filled in, and what is not understood is left open, so that it is no model before
/// somebody has said what it is.
#[must_use]
pub fn describe(asked: &ModelRef, error: &PlanError) -> String {
    let found = Found::of(asked);
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line("# A model described by hand. Not understood:".to_owned());
    for said in error.message.lines() {
        line(format!("#   {said}"));
    }
    HOW.lines().for_each(|how| line(how.to_owned()));
    line(format!("name = {}", quoted(found.name.as_deref().unwrap_or("my-model"))));
    for (name, value) in [
        ("trained_context", found.context),
        ("hidden_size", found.hidden),
        ("vocab_size", found.vocab),
        ("heads", found.heads),
    ] {
        if let Some(value) = value {
            line(format!("{name} = {value}"));
        }
    }
    for (kind, count) in &found.runs {
        line(String::new());
        line("[[layers]]".to_owned());
        line(match count {
            Some(count) => format!("count = {count}"),
            None => "count = 0  # how many".to_owned(),
        });
        let (name, windowed) = match kind.as_deref() {
            Some("full_attention") => ("full", false),
            Some("sliding_attention") => ("window", true),
            Some(_) | None => ("?", false),
        };
        line(match kind {
            Some(kind) if name == "?" => format!("kind = \"?\"  # the file says {}", quoted(kind)),
            Some(_) | None => format!("kind = \"{name}\""),
        });
        let dim =
            |value: Option<u64>| value.map_or_else(|| "0  # fill in".to_owned(), |value| value.to_string());
        for (name, value) in [("kv_heads", found.kv_heads), ("k_dim", found.k_dim), ("v_dim", found.v_dim)] {
            line(format!("{name} = {}", dim(value)));
        }
        if windowed {
            line(format!("window = {}", dim(found.window)));
        }
    }
    out
}

/// A report for whoever keeps the rules: what was asked, what was not understood, and the file's own words.
#[must_use]
pub fn report(request: &Request, error: &PlanError) -> String {
    let engine = request.engine.as_ref().map_or_else(Default::default, |engine| engine.name);
    let version = engine.modelled_version().unwrap_or("of no version");
    let kind: &str = error.kind.into();
    let field = if error.field.is_empty() { "none" } else { &error.field };
    let mut out = format!(
        "kvplan {} does not understand a model\n\nsays: {}\nkind: {kind}\nfield: {field}\nvalue: {}\nengine: {engine} {version}\n\
         data: {}\n",
        env!("CARGO_PKG_VERSION"),
        error.message,
        error.value,
        kvplan_model_specs::catalogue().date,
    );
    for (name, knob) in [("cache K", Knob::K), ("cache V", Knob::V)] {
        if let Some(codec) = request.cache.side(knob) {
            let _ = writeln!(out, "{name}: {codec}");
        }
    }
    let (title, text) = match &request.model {
        ModelRef::Id(id) => ("model", id.clone()),
        ModelRef::Hf(config) => ("config.json", config.to_string()),
        ModelRef::Gguf(map) => ("GGUF metadata", Value::Object(map.clone()).to_string()),
        ModelRef::Spec(spec) => ("spec", spec.to_string()),
    };
    let _ = write!(out, "\n{title}:\n{text}\n");
    out
}

/// What a file says of its model by usual names.
#[derive(Default)]
struct Found {
    name: Option<String>,
    context: Option<u64>,
    hidden: Option<u64>,
    vocab: Option<u64>,
    heads: Option<u64>,
    kv_heads: Option<u64>,
    k_dim: Option<u64>,
    v_dim: Option<u64>,
    window: Option<u64>,
    /// Equal layers in a row, as the file calls them.
    runs: Vec<(Option<String>, Option<u64>)>,
}

impl Found {
    fn of(asked: &ModelRef) -> Self {
        let open = vec![(None, None)];
        match asked {
            ModelRef::Id(id) => Self { name: Some(id.clone()), runs: open, ..Self::default() },
            ModelRef::Spec(_) => Self { runs: open, ..Self::default() },
            ModelRef::Hf(config) => {
                let inner = ["text_config", "llm_config", "language_config"];
                let text = inner.into_iter().find_map(|name| config.get(name)).unwrap_or(config);
                Self::by_names(|name| text.get(name).or_else(|| config.get(name)), &HF)
            }
            ModelRef::Gguf(map) => {
                let architecture =
                    map.get("general.architecture").and_then(Value::as_str).unwrap_or_default();
                Self::by_names(
                    |name| match name.starts_with("general.") {
                        true => map.get(name),
                        false => map.get(&format!("{architecture}.{name}")),
                    },
                    &GGUF,
                )
            }
        }
    }

    fn by_names<'a>(get: impl Fn(&str) -> Option<&'a Value>, names: &Names) -> Self {
        let number = |name: &str| get(name).and_then(Value::as_u64).filter(|n| *n > 0);
        let text = |name: &str| get(name).and_then(Value::as_str).map(str::to_owned);
        let (hidden, heads) = (number(names.hidden), number(names.heads));
        let even = hidden.zip(heads).filter(|(hidden, heads)| hidden.is_multiple_of(*heads));
        let k_dim = number(names.k_dim).or_else(|| even.map(|(hidden, heads)| hidden / heads));
        let mut runs: Vec<(Option<String>, Option<u64>)> = Vec::new();
        for kind in get("layer_types").and_then(Value::as_array).into_iter().flatten() {
            let kind = kind.as_str().map(str::to_owned);
            match runs.last_mut() {
                Some((last, Some(count))) if *last == kind => *count += 1,
                Some(_) | None => runs.push((kind, Some(1))),
            }
        }
        if runs.is_empty() {
            runs.push((None, number(names.layers)));
        }
        Self {
            name: text(names.name),
            context: number(names.context),
            hidden,
            vocab: number(names.vocab),
            heads,
            kv_heads: number(names.kv_heads).or(heads),
            k_dim,
            v_dim: number(names.v_dim).or(k_dim),
            window: number(names.window),
            runs,
        }
    }
}

/// What a form of file calls what is looked for.
struct Names {
    name: &'static str,
    context: &'static str,
    hidden: &'static str,
    vocab: &'static str,
    heads: &'static str,
    kv_heads: &'static str,
    k_dim: &'static str,
    v_dim: &'static str,
    window: &'static str,
    layers: &'static str,
}

const HF: Names = Names {
    name: "_name_or_path",
    context: "max_position_embeddings",
    hidden: "hidden_size",
    vocab: "vocab_size",
    heads: "num_attention_heads",
    kv_heads: "num_key_value_heads",
    k_dim: "head_dim",
    v_dim: "v_head_dim",
    window: "sliding_window",
    layers: "num_hidden_layers",
};

const GGUF: Names = Names {
    name: "general.name",
    context: "context_length",
    hidden: "embedding_length",
    vocab: "vocab_size",
    heads: "attention.head_count",
    kv_heads: "attention.head_count_kv",
    k_dim: "attention.key_length",
    v_dim: "attention.value_length",
    window: "attention.sliding_window",
    layers: "block_count",
};

/// A text as TOML quotes it, which is as JSON does.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{ModelSpec, SpecFile};
    use serde_json::json;

    fn unknown() -> (ModelRef, PlanError) {
        let config = json!({ "model_type": "nobody_knows", "num_hidden_layers": 4, "hidden_size": 512,
            "num_attention_heads": 8, "num_key_value_heads": 2, "max_position_embeddings": 4096,
            "layer_types": ["full_attention", "full_attention", "foo_attention", "full_attention"] });
        let asked = ModelRef::Hf(config);
        let error = crate::plan::resolve_model(&asked).unwrap_err();
        (asked, error)
    }

    #[test]
    fn a_spec_to_be_described_is_no_model_before_and_one_after() {
        let (asked, error) = unknown();
        let open = describe(&asked, &error);
        assert!(
            open.contains("nobody_knows") && open.contains("# the file says \"foo_attention\""),
            "{open}"
        );
        let refused = toml::from_str::<SpecFile>(&open).unwrap_err();
        assert!(refused.to_string().contains('?'), "{refused}");
        let model =
            ModelSpec::try_from(toml::from_str::<SpecFile>(&open.replace("\"?\"", "\"full\"")).unwrap());
        let model = model.unwrap();
        assert_eq!(model.layer_count(), 4);
        let asked = Request { context: Some(1000), ..Request::of(asked) };
        let plan = crate::plan::plan_model(&model, &asked).unwrap();
        // 4 layers × 1,000 tokens × 2 heads × 64 × 2 bytes, of keys and of values.
        assert_eq!(plan.kv.allocated_bytes.get(), 4 * 1000 * 2 * 64 * 2 * 2);
    }

    #[test]
    fn what_a_file_does_not_say_is_left_to_be_filled_in_and_is_no_model() {
        let error = PlanError::invalid("", "x");
        for asked in
            [ModelRef::Id("mine".into()), ModelRef::Hf(json!({})), ModelRef::Gguf(serde_json::Map::new())]
        {
            let open = describe(&asked, &error).replace("\"?\"", "\"full\"");
            let record: SpecFile = toml::from_str(&open).unwrap();
            assert!(ModelSpec::try_from(record).is_err(), "{open}");
        }
    }

    #[test]
    fn a_report_says_what_was_not_understood_and_carries_the_file() {
        let (asked, error) = unknown();
        let text = report(&Request::of(asked), &error);
        for word in
            ["nobody_knows", "unsupported", "\"num_hidden_layers\":4", kvplan_model_specs::catalogue().date]
        {
            assert!(text.contains(word), "{word} is not in\n{text}");
        }
    }
}
