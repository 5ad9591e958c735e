//! What a person opens or pastes: understood by what it is, with what was taken and what was left.

use super::app::Page;
use crate::load;
use kvplan_core::error::PlanError;
use kvplan_core::launch::{Reading, named_model, read};
use kvplan_core::plan::{ModelRef, Request, WeightsRequest, plan, resolve_model};
use kvplan_core::planner::{Action, State, link};
use kvplan_core::reconcile::{Reconciliation, Verdict, reconcile_beside};
use kvplan_core::spec::ModelSpec;
use kvplan_core::unit::{Binary, Bytes, parse_bytes, parse_tokens};
use kvplan_core::weights::WeightFormat;
use std::io::Read as _;
use std::path::Path;

/// A log is kilobytes; what comes after its start is of no use.
const MOST: u64 = 64 << 20;

/// What was understood.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What it does to the planner.
    pub(crate) then: Then,
    /// What to say of it in a line.
    pub(crate) said: Option<String>,
    /// What there is to read.
    pub(crate) page: Option<Page>,
}

/// What opening does.
#[derive(Debug)]
pub(crate) enum Then {
    /// Another state.
    Open(Box<State>),
    /// An action.
    Do(Box<Action>),
    /// A model from a file, and where that is.
    Model(Box<ModelSpec>, String),
    /// A model that is not understood, and what its tensors weigh.
    Unread(ModelRef, Option<Bytes>),
    /// A number, for the field that is set.
    Set(u64),
}

/// Reads what was typed or pasted: a file where there is one of that name, the text itself otherwise.
///
/// # Errors
/// Whatever it is not, in the words of the nearest thing that it could be.
pub(crate) fn open(text: &str, set: &Request) -> Result<Opened, PlanError> {
    let path = Path::new(text.trim());
    let named = !text.trim().contains('\n') && (path.is_file() || path.join("config.json").is_file());
    if named { file(path, set) } else { understood(text, set) }
}

fn file(path: &Path, set: &Request) -> Result<Opened, PlanError> {
    let unreadable = |e: std::io::Error| PlanError::invalid("", format!("{}: {e}", path.display()));
    let mut head = [0u8; 4];
    let mut opened = match path.is_file() {
        true => std::fs::File::open(path).map_err(unreadable)?,
        false => return of_file(load::model(&path.display().to_string()), path, &path.join("config.json")),
    };
    let got = opened.read(&mut head).map_err(unreadable)?;
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    if head.get(..got) == Some(b"GGUF") || matches!(extension, "safetensors" | "toml" | "json" | "gguf") {
        return of_file(load::file(path), path, path);
    }
    let mut bytes = Vec::new();
    let again = std::fs::File::open(path).map_err(unreadable)?;
    again.take(MOST).read_to_end(&mut bytes).map_err(unreadable)?;
    understood(&String::from_utf8_lossy(&bytes), set)
}

/// A file that is a model's, understood or not.
fn of_file(model: load::Loaded, path: &Path, file: &Path) -> Result<Opened, PlanError> {
    match model {
        Ok(model) => Ok(of_model(&model, path)),
        Err(error) => match load::unread(file) {
            Some((asked, weights)) => Ok(not_understood(asked, weights, &error)),
            None => Err(error),
        },
    }
}

fn of_model(model: &ModelSpec, path: &Path) -> Opened {
    let record = model.record();
    let mut said = format!("opened {}: {}, {} layers", path.display(), model.name(), model.layer_count());
    if let Some(bytes) = model.own_weights().and_then(|own| own.loaded().ok()) {
        said.push_str(&format!(", its own weights {}", Binary(bytes)));
    }
    if let Some(first) = record.assumptions.first() {
        said.push_str(&format!("; assumed: {first}"));
    }
    let then = Then::Model(Box::new(model.clone()), path.display().to_string());
    Opened { then, said: Some(said), page: None }
}

/// A text that is no file's name.
///
/// # Errors
/// As [`open`].
pub(crate) fn understood(text: &str, set: &Request) -> Result<Opened, PlanError> {
    let trimmed = text.trim();
    let line = trimmed.rsplit_once(['?', '#']).map_or(trimmed, |(_, tail)| tail);
    if line.starts_with("v=") && !line.contains('\n') {
        let opened = link::read(line)?;
        let said =
            if opened.changes.is_empty() { "opened a state".to_owned() } else { opened.changes.join("; ") };
        return Ok(Opened { then: Then::Open(Box::new(opened.state)), said: Some(said), page: None });
    }
    if trimmed.starts_with('{') {
        return json(trimmed);
    }
    if let Ok(n) = parse_tokens(trimmed) {
        return Ok(Opened { then: Then::Set(n.get()), said: None, page: None });
    }
    if let Ok(n) = parse_bytes(trimmed) {
        return Ok(Opened { then: Then::Set(n.get()), said: None, page: None });
    }
    // A log whose model is not catalogued is one of the model that is set.
    if let Some(found) = reconcile_beside(text, &set.model) {
        return Ok(of_log(&found?, set));
    }
    match read(text) {
        Ok(reading) => Ok(of_command(reading, set)),
        Err(error)
            if trimmed.contains("llama-") || trimmed.contains("vllm") || trimmed.contains("sglang") =>
        {
            Err(error)
        }
        Err(_) => {
            let shown: String = trimmed.chars().take(40).collect();
            Err(PlanError::invalid(
                "",
                format!("`{shown}` is no file here, and no config, log, command line, state or number"),
            ))
        }
    }
}

fn json(text: &str) -> Result<Opened, PlanError> {
    let value = kvplan_core::spec::json::parse(text.as_bytes())?;
    if value.get("model").is_some() && value.get("model_type").is_none() {
        let request = Request::from_value(&value)?;
        request.check()?;
        return Ok(Opened {
            then: Then::Do(Box::new(Action::Adopt(Box::new(request)))),
            said: Some("opened a request".to_owned()),
            page: None,
        });
    }
    let asked = load::form_of(value);
    Ok(match resolve_model(&asked) {
        Ok(model) => of_model(&model, Path::new("what was pasted")),
        Err(error) => not_understood(asked, None, &error),
    })
}

/// A model that cannot be computed is a state whose headline says why, over the last plan in grey.
fn not_understood(asked: ModelRef, weights: Option<Bytes>, error: &PlanError) -> Opened {
    let said = format!("not understood: {}   u takes it back", error.message);
    Opened { then: Then::Unread(asked, weights), said: Some(said), page: None }
}

/// A command line's request on the machine that is set.
fn of_command(reading: Reading, set: &Request) -> Opened {
    let mut lines = vec!["taken".to_owned()];
    for taken in &reading.taken {
        let value = taken.value.as_ref().map(|value| format!(" {value}")).unwrap_or_default();
        lines.push(format!("  {}{value}  as {}", taken.flag, taken.field));
    }
    if !reading.ignored.is_empty() {
        lines.extend([String::new(), "left".to_owned()]);
    }
    for left in &reading.ignored {
        let value = left.value.as_ref().map(|value| format!(" {value}")).unwrap_or_default();
        lines.push(format!("  {}{value}: {}", left.flag, left.says));
    }
    if !reading.notes.is_empty() {
        lines.push(String::new());
        lines.extend(reading.notes.iter().map(ToString::to_string));
    }
    let said = format!("took {} flags, left {}", reading.taken.len(), reading.ignored.len());
    let request = on_machine(reading.request, set);
    Opened {
        then: Then::Do(Box::new(Action::Adopt(Box::new(request)))),
        said: Some(said),
        page: Some(Page { title: format!("what was understood of {}", reading.program), lines, top: 0 }),
    }
}

/// The machine and the weights that are set stay: a command line or a log does not say them.
fn on_machine(request: Request, set: &Request) -> Request {
    Request {
        hardware: set.hardware.clone(),
        reserve: set.reserve,
        weights: request.weights.clone().or_else(|| set.weights.clone()),
        ..request
    }
}

/// The set-up of a log on the machine that is set. A log names its model by a file, which may be catalogued under another
/// name; the weights that are set stay where they suit it.
fn of_set_up(request: Request, set: &Request) -> Request {
    let mut request = on_machine(request, set);
    let name = match &request.model {
        ModelRef::Id(name) => Some(name.clone()),
        ModelRef::Hf(_) | ModelRef::Gguf(_) | ModelRef::Spec(_) => None,
    };
    if let Some(name) = &name
        && resolve_model(&request.model).is_err()
    {
        // llama.cpp's own downloads are called `user_repository_file`.
        let file = name.rsplit('_').next().unwrap_or(name);
        let known = [named_model(name), named_model(file)].into_iter().find(|m| resolve_model(m).is_ok());
        request.model = known.unwrap_or_else(|| set.model.clone());
    }
    if let Some(format) = format_of(name.as_deref().unwrap_or_default()) {
        request.weights = Some(WeightsRequest::Format(format));
    }
    if plan(&request).is_err() {
        request.weights = None;
    }
    request
}

/// The weight format that a file's name ends with: `…-Q4_K_M.gguf`.
fn format_of(name: &str) -> Option<String> {
    let name = name.trim_end_matches(".gguf").to_ascii_lowercase();
    let ends = |format: &String| name.ends_with(&format!("-{}", format.to_ascii_lowercase()));
    WeightFormat::names().into_iter().filter(ends).max_by_key(String::len)
}

/// A log: its set-up becomes the request, its figures a page beside the plan's.
fn of_log(found: &Reconciliation, set: &Request) -> Opened {
    let width =
        |of: fn(&kvplan_core::reconcile::Line) -> usize| found.lines.iter().map(of).max().unwrap_or(0);
    let figure = width(|line| line.figure.chars().count()).max(6);
    let printed = width(|line| line.printed.chars().count()).max(7);
    let planned = width(|line| line.planned.as_deref().map_or(1, |p| p.chars().count())).max(7);
    let mut lines = vec![
        format!("planned by the rules of {} {}", found.engine, found.modelled),
        String::new(),
        format!("{:figure$}  {:>printed$}  {:>planned$}", "figure", "printed", "planned"),
    ];
    let mut said: Vec<&str> = Vec::new();
    for line in &found.lines {
        let mark = match line.verdict {
            Verdict::Equal => "equal",
            Verdict::Explained => "explained",
            Verdict::Differs => "DIFFERS",
            Verdict::NotPlanned => "",
        };
        let plan = line.planned.as_deref().unwrap_or("–");
        let row = format!("{:figure$}  {:>printed$}  {plan:>planned$}  {mark}", line.figure, line.printed);
        lines.push(row.trim_end().to_owned());
        if let Some(says) = line.says.as_deref().filter(|says| !said.contains(says)) {
            said.push(says);
        }
    }
    said.extend(found.notes.iter().map(AsRef::as_ref));
    if !said.is_empty() {
        lines.push(String::new());
        lines.extend(said.iter().map(|says| (*says).to_owned()));
    }
    let equal = found.lines.iter().filter(|line| line.verdict == Verdict::Equal).count();
    let inside = found.program.map(|program| format!(" inside {program}")).unwrap_or_default();
    let version = found.version.as_deref().unwrap_or("of an unknown version");
    Opened {
        then: Then::Do(Box::new(Action::Adopt(Box::new(of_set_up(found.request.clone(), set))))),
        said: Some(format!("{equal} of {} figures are equal to the plan's", found.lines.len())),
        page: Some(Page {
            title: format!("{}, log of {} {version}{inside}", found.model, found.engine),
            lines,
            top: 0,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> Request {
        Request::of(ModelRef::Id("qwen3-8b".into()))
    }

    #[test]
    fn a_pasted_text_is_known_by_what_it_is() {
        let then = |text: &str| understood(text, &set()).map(|opened| opened.then);
        assert!(matches!(then("128k"), Ok(Then::Set(131_072))));
        assert!(matches!(then("24 GB"), Ok(Then::Set(24_000_000_000))));
        assert!(matches!(then("llama-server -m Qwen3-8B-Q4_K_M.gguf -c 32768"), Ok(Then::Do(_))));
        assert!(matches!(then(r#"{"model": "qwen3-8b", "context": 10}"#), Ok(Then::Do(_))));
        assert!(matches!(then("https://example.org/#v=1&model=qwen3-8b&context=10"), Ok(Then::Open(_))));
        assert!(then("what is this").unwrap_err().message.contains("no file"));
        assert!(then("v=9&model=x").unwrap_err().message.contains("later kvplan"));
    }

    /// A published log of gpt-oss-120b, whose name stands in none of its lines.
    #[test]
    fn a_log_that_names_no_model_says_whose_plan_it_stands_beside() {
        let log = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/logs/llama.cpp-gpt-oss-120b.log");
        let opened = understood(&std::fs::read_to_string(log).unwrap(), &set()).unwrap();
        let lines = opened.page.unwrap().lines.join("\n");
        assert!(
            lines.contains("it does not name its model: beside it stands the one that is set, Qwen3-8B"),
            "{lines}"
        );
    }

    #[test]
    fn a_files_name_says_its_format() {
        assert_eq!(format_of("Qwen3-8B-Q4_K_M.gguf").as_deref(), Some("Q4_K_M"));
        assert_eq!(format_of("ggml-org_gpt-oss-20b-GGUF_gpt-oss-20b-mxfp4.gguf").as_deref(), Some("mxfp4"));
        assert_eq!(format_of("model.gguf"), None);
    }

    #[test]
    fn a_command_line_says_what_it_took_and_what_it_left() {
        let opened = understood("llama-server -m Qwen3-8B-Q4_K_M.gguf -c 32768 --port 8080", &set()).unwrap();
        let page = opened.page.unwrap().lines.join("\n");
        assert!(page.contains("-c 32768  as engine.n_ctx") && page.contains("--port 8080"), "{page}");
    }

    #[test]
    fn a_config_that_is_not_understood_is_a_model_that_cannot_be_computed() {
        let opened = understood(r#"{"model_type": "nobody_knows", "num_hidden_layers": 2}"#, &set()).unwrap();
        assert!(opened.said.unwrap().contains("nobody_knows"));
        assert!(matches!(opened.then, Then::Unread(ModelRef::Hf(_), None)));
    }
}
