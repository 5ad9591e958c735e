//! From a pasted command line to a request: what was taken, what was left, and why.

use super::flags::{Arity, Flags, Found};
use super::program::{self, Program, Start};
use super::table::{Form, Row, Sets};
use super::{compose, llama_cpp, model, sglang, vllm, words};
use crate::engine::{Engine, EngineName};
use crate::error::PlanError;
use crate::plan::{EngineRequest, Extras, ModelRef, Request, resolve_model};
use crate::spec::Mixer;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A command line, understood.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reading {
    /// The program it starts.
    pub program: String,
    /// What it asks of which engine.
    pub request: Request,
    /// What was taken.
    pub taken: Vec<Taken>,
    /// What was left, and why.
    pub ignored: Vec<Ignored>,
    /// What the program does by itself, and what follows from flags together.
    pub notes: Vec<Cow<'static, str>>,
}

/// A flag that became part of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// As written.
    pub flag: String,
    /// Its value, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The request's field (`engine.n_ctx`, `model`).
    pub field: String,
}

/// A flag that did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ignored {
    /// As written.
    pub flag: String,
    /// Its value, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Why it was left.
    pub why: Why,
    /// The same in a sentence.
    pub says: Cow<'static, str>,
}

/// Why a flag was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Why {
    /// A flag of the engine that does not change the cache.
    NotTheCache,
    /// It takes memory that is not planned.
    NotModelled,
    /// No flag of this engine at the version modelled.
    Unknown,
}

/// An engine's command line, as data.
pub(super) struct Dialect {
    pub engine: EngineName,
    pub flags: &'static LazyLock<Flags>,
    pub rows: &'static [Row],
    /// Variables that matter and are no flag, and the field the dialect makes of them.
    pub variables: &'static [(&'static str, &'static str)],
    /// Whether the model is given without a flag.
    pub positional_model: bool,
    pub finish: fn(&mut Draft, Program) -> Result<(), PlanError>,
}

/// A request in the making.
#[derive(Default)]
pub(super) struct Draft {
    pub model: Option<String>,
    pub options: Map<String, Value>,
    pub context: Option<u64>,
    pub sequences: Option<u64>,
    pub mtp: u64,
    pub extras: Extras,
    /// Values of flags that are decided at the end, by the flag of their row.
    pub later: BTreeMap<&'static str, String>,
    pub taken: Vec<Taken>,
    pub ignored: Vec<Ignored>,
    pub notes: Vec<Cow<'static, str>>,
}

impl Draft {
    pub(super) fn note(&mut self, note: impl Into<Cow<'static, str>>) {
        self.notes.push(note.into());
    }

    /// A draft model by its repository's name; a head that drafts from the model's own hidden states is none.
    pub(super) fn drafter(&mut self, name: Option<&str>, whole: bool) {
        let Some(name) = name else { return };
        let named = model::named(name);
        if whole && resolve_model(&named).is_ok() {
            self.extras.draft = Some(named);
            self.note("the draft model's weights are not on the command line: `--draft-weights` plans them");
        } else {
            self.note(format!(
                "{name} has weights and a cache of its own, which are not planned: no draft model of that name is catalogued"
            ));
        }
    }

    /// A head that drafts from the model's own hidden states: a catalogued one, else a layer of the model's own attention.
    pub(super) fn head(&mut self, name: Option<&str>) {
        let Some(name) = name else { return };
        if resolve_model(&model::named(name)).is_ok() {
            return self.drafter(Some(name), true);
        }
        let target = self.model.as_deref().and_then(|target| resolve_model(&model::named(target)).ok());
        let attention = target.as_deref().and_then(|target| {
            let mixers = target.kinds().iter().flat_map(|kind| kind.mixers());
            mixers
                .into_iter()
                .find_map(|mixer| if let Mixer::Full(full) = mixer { Some(full.clone()) } else { None })
        });
        let Some(full) = attention else { return self.drafter(Some(name), false) };
        self.extras.draft = Some(ModelRef::Spec(json!({ "name": name, "layers": [
            { "count": 1, "kind": "full", "kv_heads": full.kv_heads, "k_dim": full.k_dim, "v_dim": full.v_dim }
        ]})));
        self.note(format!(
            "{name} is planned as what such heads are made of, one layer of the model's own attention: `--draft` plans another"
        ));
    }

    /// Leaves what was taken for a field that begins so.
    pub(super) fn give_back(&mut self, field: &str, says: &'static str) {
        let (left, kept) = self.taken.drain(..).partition(|taken| taken.field.starts_with(field));
        self.taken = kept;
        let left: Vec<Taken> = left;
        for taken in left {
            self.ignore(&taken.flag, taken.value, Why::NotModelled, says);
        }
    }

    fn ignore(&mut self, flag: &str, value: Option<String>, why: Why, says: impl Into<Cow<'static, str>>) {
        self.ignored.push(Ignored { flag: flag.to_owned(), value, why, says: says.into() });
    }
}

const fn dialect(program: Program) -> &'static Dialect {
    match program {
        Program::LlamaServer | Program::LlamaCli => &llama_cpp::DIALECT,
        Program::Vllm => &vllm::DIALECT,
        Program::Sglang => &sglang::DIALECT,
    }
}

/// The request that a pasted command line stands for: the first start of a known engine in `text`.
///
/// ```
/// # use kvplan_core::launch::read;
/// let reading = read("llama-server -m Qwen3-8B-Q4_K_M.gguf -c 32768 -np 1 --port 8080")?;
/// assert_eq!(reading.ignored.len(), 1);
/// assert_eq!(kvplan_core::plan::plan(&reading.request)?.kv.allocated_bytes.get(), 4_831_838_208);
/// # Ok::<(), kvplan_core::error::PlanError>(())
/// ```
///
/// # Errors
/// `invalid` where no known program is started, a quote is not closed, or a value is not of its flag's kind;
/// `missing-field` where no model is named.
pub fn read(text: &str) -> Result<Reading, PlanError> {
    // A service of a compose file has an image, which by itself would pass for a command.
    let service = compose::commands(text).iter().find_map(|line| program::find(words::commands(line).ok()?));
    let start = match service {
        Some(start) => Some(start),
        None => program::find(words::commands(text)?),
    };
    let start = start.ok_or_else(|| {
        PlanError::invalid(
            "",
            "no command line of a known engine: llama-server, llama-cli, vllm serve and sglang.launch_server are read",
        )
    })?;
    let dialect = dialect(start.program);
    let mut draft = Draft::default();
    before(&start, dialect, &mut draft)?;
    arguments(&start, dialect, &mut draft)?;
    (dialect.finish)(&mut draft, start.program)?;
    let named = draft.model.take().ok_or_else(|| {
        PlanError::missing("model", format!("{} is started without a model", start.program))
    })?;
    let options = canonical(&Engine::parse(dialect.engine, None, draft.options)?)?;
    let engine = EngineRequest { name: dialect.engine, version: None, options };
    let request = Request {
        engine: Some(engine),
        context: draft.context,
        sequences: draft.sequences,
        mtp: draft.mtp,
        extras: (draft.extras != Extras::default()).then_some(draft.extras),
        ..Request::of(model::named(&named))
    };
    Ok(Reading {
        program: start.program.to_string(),
        request,
        taken: draft.taken,
        ignored: draft.ignored,
        notes: draft.notes,
    })
}

/// An engine's options as its own type writes them, without those that say what is the default anyway.
pub(super) fn canonical(engine: &Engine) -> Result<Map<String, Value>, PlanError> {
    let of = |engine: &Engine| {
        let value = match engine {
            Engine::Payload => Ok(Value::Null),
            Engine::LlamaCpp(options) => serde_json::to_value(options),
            Engine::Vllm(options) => serde_json::to_value(options),
            Engine::Transformers(options) => serde_json::to_value(options),
            Engine::Mlx(options) => serde_json::to_value(options),
            Engine::ExllamaV3(options) => serde_json::to_value(options),
            Engine::Sglang(options) => serde_json::to_value(options),
            Engine::TensorRtLlm(options) => serde_json::to_value(options),
        };
        match value {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Ok(Map::new()),
            Err(e) => Err(PlanError::invalid("engine", e.to_string())),
        }
    };
    let default = of(&Engine::parse(engine.name(), None, Map::new())?)?;
    let mut all = of(engine)?;
    all.retain(|key, value| default.get(key) != Some(value));
    Ok(all)
}

/// Wrappers and variables in front of the program. A variable that stands for a flag is read as one.
fn before(start: &Start, dialect: &'static Dialect, draft: &mut Draft) -> Result<(), PlanError> {
    for word in start.before.iter().filter(|word| word.starts_with('-')) {
        draft.ignore(word, None, Why::NotTheCache, "an option of what starts the program");
    }
    for (name, value) in &start.variables {
        let own = dialect.variables.iter().find(|(known, _)| known == name);
        match (own, dialect.flags.of_variable(name)) {
            (Some((name, field)), _) => {
                let taken = Taken {
                    flag: (*name).to_owned(),
                    value: Some(value.clone()),
                    field: (*field).to_owned(),
                };
                draft.taken.push(taken);
                draft.later.insert(name, value.clone());
            }
            (None, Some(flag)) => {
                take(dialect, Found { flag, off: false }, name, Some(value.clone()), draft)?;
            }
            (None, None) => {
                // Its value may be a secret, and says nothing here.
                draft.ignore(name, None, Why::NotTheCache, "a variable that sets no flag");
            }
        }
    }
    Ok(())
}

fn arguments(start: &Start, dialect: &'static Dialect, draft: &mut Draft) -> Result<(), PlanError> {
    let mut rest = start.arguments.iter().map(String::as_str).peekable();
    while let Some(word) = rest.next() {
        if !is_flag(word) {
            if dialect.positional_model && draft.model.is_none() {
                draft.taken.push(Taken {
                    flag: String::new(),
                    value: Some(word.to_owned()),
                    field: "model".into(),
                });
                draft.model = Some(word.to_owned());
            } else {
                draft.ignore(word, None, Why::Unknown, "a word that belongs to no flag");
            }
            continue;
        }
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word, None),
        };
        // vLLM takes keys of a JSON value one by one: `--speculative-config.method mtp`.
        let (name, key) = name.split_once('.').map_or((name, None), |(name, key)| (name, Some(key)));
        let Some(found) = dialect.flags.find(name) else {
            let value = inline.or_else(|| rest.next_if(|next| !is_flag(next)).map(str::to_owned));
            let version = dialect.engine.modelled_version().unwrap_or_default();
            let says = format!("no flag of {} {version}", dialect.engine);
            draft.ignore(name, value, Why::Unknown, says);
            continue;
        };
        let value = match found.flag.arity {
            Arity::Switch | Arity::Toggle => inline,
            // Before it took a word, `-fa` alone meant on.
            Arity::One if found.flag.names.contains(&"-fa") => inline
                .or_else(|| rest.next_if(|next| !is_flag(next)).map(str::to_owned))
                .or_else(|| Some("on".to_owned())),
            Arity::One => Some(
                inline
                    .or_else(|| rest.next().map(str::to_owned))
                    .ok_or_else(|| PlanError::invalid(name, format!("{name} needs a value")))?,
            ),
            Arity::Two => {
                let pair: Vec<&str> = rest.by_ref().take(2).collect();
                Some(pair.join(" "))
            }
            Arity::Optional => inline.or_else(|| rest.next_if(|next| !is_flag(next)).map(str::to_owned)),
            Arity::Many => {
                let mut values: Vec<String> = inline.into_iter().collect();
                while let Some(next) = rest.next_if(|next| !is_flag(next)) {
                    values.push(next.to_owned());
                }
                Some(values.join(" "))
            }
        };
        let value = match (key, value) {
            (Some(key), Some(value)) => Some(one_key(key, &value)),
            (_, value) => value,
        };
        take(dialect, found, name, value, draft)?;
    }
    Ok(())
}

/// `{"key": value}`, the value as JSON where it is JSON.
fn one_key(key: &str, value: &str) -> String {
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Value::Object(Map::from_iter([(key.to_owned(), value)])).to_string()
}

/// A word that begins a flag: a dash, and not a negative number.
fn is_flag(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-') && word.parse::<f64>().is_err()
}

/// One flag with its value.
fn take(
    dialect: &Dialect,
    found: Found,
    written: &str,
    value: Option<String>,
    draft: &mut Draft,
) -> Result<(), PlanError> {
    let row = dialect.rows.iter().find(|row| found.flag.names.contains(&row.flag));
    let mut taken = |field: String| {
        draft.taken.push(Taken { flag: written.to_owned(), value: value.clone(), field });
    };
    match row.map(|row| (&row.sets, row.flag)) {
        None => {
            let secret = ["key", "token", "password"].iter().any(|word| written.contains(word));
            let value = value.map(|value| if secret { "…".to_owned() } else { value });
            draft.ignore(written, value, Why::NotTheCache, "does not change the cache");
        }
        Some((Sets::NotModelled(why), _)) => draft.ignore(written, value, Why::NotModelled, *why),
        Some((Sets::Model, _)) => {
            taken("model".to_owned());
            draft.model = value;
        }
        Some((Sets::Option(option, form), _)) => {
            taken(format!("engine.{option}"));
            let read = form.read(value.as_deref(), found.off);
            let read = read.map_err(|why| PlanError::invalid(written, why).with_value(value))?;
            let entry = draft.options.entry((*option).to_owned());
            match (form, entry) {
                (Form::List, serde_json::map::Entry::Occupied(mut known)) => {
                    let more = read.as_array().cloned().unwrap_or_default();
                    if let Some(list) = known.get_mut().as_array_mut() {
                        list.extend(more);
                    }
                }
                (_, entry) => {
                    let slot = entry.or_insert(Value::Null);
                    *slot = read;
                }
            }
        }
        Some((Sets::Later(field), flag)) => {
            taken((*field).to_owned());
            let value = value.unwrap_or_default();
            let known = draft.later.entry(flag).or_default();
            *known = merged(known, value);
        }
    }
    Ok(())
}

/// Two JSON objects become one (keys given one by one); otherwise the later value counts.
fn merged(known: &str, value: String) -> String {
    let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok();
    match (object(known), object(&value)) {
        (Some(mut all), Some(more)) => {
            all.extend(more);
            Value::Object(all).to_string()
        }
        _ => value,
    }
}
