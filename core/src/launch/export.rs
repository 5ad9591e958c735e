//! From a request to what starts the engine it asks for: a command, files, and the defaults that would bite.

use super::read::canonical;
use super::{
    cluster, exllamav3, llama_cpp, lm_studio, lmcache, mlx, model, ollama, sglang, tensorrt_llm, vllm, words,
};
use crate::engine::{CacheTypes, Engine, EngineName};
use crate::error::PlanError;
use crate::placement::Ranks;
use crate::plan::{EngineRequest, ModelRef, Plan, Request, plan_model};
use crate::spec::ModelSpec;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// What a plan can be written for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum Target {
    /// `llama-server`.
    #[serde(rename = "llama.cpp")]
    #[strum(serialize = "llama.cpp")]
    LlamaCpp,
    /// `vllm serve`.
    #[serde(rename = "vllm")]
    #[strum(serialize = "vllm")]
    Vllm,
    /// `python -m sglang.launch_server`.
    #[serde(rename = "sglang")]
    #[strum(serialize = "sglang")]
    Sglang,
    /// A Modelfile, and the variables of `ollama serve`.
    #[serde(rename = "ollama")]
    #[strum(serialize = "ollama")]
    Ollama,
    /// A load call of LM Studio's SDK.
    #[serde(rename = "lm-studio")]
    #[strum(serialize = "lm-studio")]
    LmStudio,
    /// `trtllm-serve` and its YAML file.
    #[serde(rename = "tensorrt-llm")]
    #[strum(serialize = "tensorrt-llm")]
    TensorRtLlm,
    /// `mlx_lm.generate`.
    #[serde(rename = "mlx")]
    #[strum(serialize = "mlx")]
    Mlx,
    /// TabbyAPI's `config.yml`.
    #[serde(rename = "exllamav3")]
    #[strum(serialize = "exllamav3")]
    ExllamaV3,
    /// `vllm serve` with a tier of LMCache behind it.
    #[serde(rename = "lmcache")]
    #[strum(serialize = "lmcache")]
    Lmcache,
    /// A Ray Serve LLM application that runs vLLM.
    #[serde(rename = "ray-serve")]
    #[strum(serialize = "ray-serve")]
    RayServe,
    /// A Kubernetes Deployment and Service that run vLLM.
    #[serde(rename = "kubernetes")]
    #[strum(serialize = "kubernetes")]
    Kubernetes,
}

impl Target {
    /// The target's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The version that is written for.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            // The revision whose launcher was read; it starts a stock llama-server.
            Self::Ollama => "fb307609",
            // Of the SDK whose load configuration was read.
            Self::LmStudio => "sdk 1.5",
            Self::LlamaCpp
            | Self::Vllm
            | Self::Sglang
            | Self::TensorRtLlm
            | Self::Mlx
            | Self::ExllamaV3
            | Self::Lmcache
            | Self::RayServe
            | Self::Kubernetes => match self.engine().modelled_version() {
                Some(version) => version,
                None => "",
            },
        }
    }

    /// The engine whose plan is written.
    #[must_use]
    pub const fn engine(self) -> EngineName {
        match self {
            Self::LlamaCpp | Self::Ollama | Self::LmStudio => EngineName::LlamaCpp,
            Self::Vllm | Self::Lmcache | Self::RayServe | Self::Kubernetes => EngineName::Vllm,
            Self::Sglang => EngineName::Sglang,
            Self::TensorRtLlm => EngineName::TensorRtLlm,
            Self::Mlx => EngineName::Mlx,
            Self::ExllamaV3 => EngineName::ExllamaV3,
        }
    }
}

/// A file an engine is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigFile {
    /// Its name.
    pub name: &'static str,
    /// Its content.
    pub text: String,
}

/// What starts an engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Launch {
    /// What it is written for.
    pub target: Target,
    /// The engine's version it was written for.
    pub version: &'static str,
    /// Variables in front of the command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<(&'static str, String)>,
    /// The command, word by word.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// A file it needs, and its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<ConfigFile>,
    /// What was written out and why, and what is beside the plan.
    pub notes: Vec<Cow<'static, str>>,
    /// The request that the command reads back as.
    pub request: Request,
}

impl Launch {
    pub(super) fn of(target: Target) -> Self {
        Self {
            target,
            version: target.version(),
            variables: Vec::new(),
            command: Vec::new(),
            file: None,
            notes: Vec::new(),
            request: Request::of(ModelRef::Id(String::new())),
        }
    }

    /// The command on one line, quoted for a shell.
    #[must_use]
    pub fn line(&self) -> String {
        self.words().collect::<Vec<_>>().join(" ")
    }

    fn words(&self) -> impl Iterator<Item = String> {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={}", words::quote(value)));
        variables.chain(self.command.iter().map(|word| words::quote(word)))
    }

    /// The command in lines of at most `width` columns where its words allow: on one, or with a flag a line.
    #[must_use]
    pub fn lines(&self, width: usize) -> Vec<String> {
        let whole = self.line();
        if whole.len() <= width {
            return vec![whole];
        }
        let mut lines: Vec<String> = Vec::new();
        for word in self.words() {
            match lines.last_mut() {
                Some(line) if !word.starts_with('-') => {
                    line.push(' ');
                    line.push_str(&word);
                }
                Some(line) => {
                    line.push_str(" \\");
                    lines.push(format!("  {word}"));
                }
                None => lines.push(word),
            }
        }
        lines
    }

    /// The whole as text to paste: the command, flags on lines of their own where it is long, the notes as comments.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("# {} {}\n", self.target, self.version);
        if let Some(file) = &self.file {
            let _ = write!(out, "cat > {} <<'END'\n{}END\n", file.name, file.text);
        }
        out.push_str(&self.lines(80).join("\n"));
        out.push('\n');
        for note in &self.notes {
            comment(&mut out, note);
        }
        out
    }
}

/// A note as comment lines of at most 80 columns.
fn comment(out: &mut String, note: &str) {
    let mut column = 1;
    out.push('#');
    for word in note.split_whitespace() {
        let width = word.chars().count() + 1;
        if column > 1 && column + width > 80 {
            out.push_str("\n#  ");
            column = 3;
        }
        let _ = write!(out, " {word}");
        column += width;
    }
    out.push('\n');
}

/// What a launch is written from.
pub(super) struct Source<'a> {
    pub model: &'a ModelSpec,
    pub request: &'a Request,
    pub cache: CacheTypes,
    /// The weights' own file, where one was given.
    pub file: Option<&'a str>,
    /// Whether the pool's size was chosen here, not asked for.
    pub chose_pool: bool,
}

impl Source<'_> {
    /// The model as engines that load repositories name it.
    pub(super) fn repository(&self) -> String {
        self.file.map_or_else(|| model::repository(self.model), str::to_owned)
    }

    /// What a GGUF of the model would be called.
    pub(super) fn gguf_file(&self) -> String {
        model::gguf_file(self.model, self.request.weights.as_ref())
    }
}

/// What starts `target` so that it reserves what `request` plans for `model`; `file` is where the weights are, if known.
///
/// # Errors
/// Those of the plan; `unsupported` for what no flag says.
pub fn export(
    target: Target,
    model: &ModelSpec,
    request: &Request,
    file: Option<&str>,
) -> Result<Launch, PlanError> {
    let asked = request.engine.as_ref().filter(|engine| engine.name != EngineName::Payload);
    if let Some(other) = asked.filter(|engine| engine.name != target.engine()) {
        let message = format!("{target} runs {}, not {}", target.engine(), other.name);
        return Err(PlanError::invalid("engine.name", message).with_value(other.name.as_str()));
    }
    let given = asked.map(|engine| engine.options.clone()).unwrap_or_default();
    let engine = EngineRequest {
        name: target.engine(),
        version: asked.and_then(|engine| engine.version.clone()),
        options: given.clone(),
    };
    let request = Request { engine: Some(engine), ..request.clone() };
    let plan = plan_model(model, &request)?;
    let mut parsed = Engine::parse(target.engine(), None, given)?;
    Ranks::resolve(&request.placement, &mut parsed)?;
    let mut options = canonical(&parsed)?;
    let cache = request.cache_types()?;
    let mut source = Source { model, request: &request, cache, file, chose_pool: false };
    let pool = |options: &Map<String, Value>| options.contains_key("kv_cache_memory_bytes");
    let had_pool = pool(&options);
    let launch = match target {
        Target::LlamaCpp => {
            llama_cpp::settle(&mut options, &plan, &source)?;
            llama_cpp::write(&options, &plan, &source)
        }
        Target::Ollama => {
            llama_cpp::settle(&mut options, &plan, &source)?;
            ollama::write(&options, &plan, &source)
        }
        Target::Sglang => {
            sglang::settle(&mut options, &plan, &source)?;
            sglang::write(&options, &plan, &source)
        }
        Target::TensorRtLlm => {
            tensorrt_llm::settle(&mut options, &source);
            tensorrt_llm::write(&options, &plan, &source)
        }
        Target::Mlx => mlx::write(&options, &source),
        Target::ExllamaV3 => exllamav3::write(&options, &plan, &source),
        Target::LmStudio => {
            llama_cpp::settle(&mut options, &plan, &source)?;
            lm_studio::write(&options, &plan, &source)
        }
        Target::Vllm | Target::Lmcache | Target::RayServe | Target::Kubernetes => {
            vllm::settle(&mut options, &plan, &source)?;
            source.chose_pool = !had_pool && pool(&options);
            let write = match target {
                Target::Lmcache => lmcache::write,
                Target::RayServe => cluster::ray_serve,
                Target::Kubernetes => cluster::kubernetes,
                Target::Vllm
                | Target::LlamaCpp
                | Target::Ollama
                | Target::LmStudio
                | Target::Sglang
                | Target::TensorRtLlm
                | Target::Mlx
                | Target::ExllamaV3 => vllm::write,
            };
            write(&options, &plan, &source)
        }
    }?;
    let length_said = options.contains_key("max_model_len")
        || options.contains_key("context_length")
        || target.engine() == EngineName::LlamaCpp;
    let read_back = Request {
        context: (!length_said).then_some(plan.context.get()),
        // vLLM and llama.cpp say them in options of their own.
        sequences: match target.engine() {
            EngineName::LlamaCpp | EngineName::Vllm => None,
            EngineName::Payload
            | EngineName::Sglang
            | EngineName::TensorRtLlm
            | EngineName::Transformers
            | EngineName::Mlx
            | EngineName::ExllamaV3 => request.sequences,
        },
        engine: Some(EngineRequest { name: target.engine(), version: None, options }),
        // llama.cpp loads all prediction layers or none.
        // llama.cpp and SGLang load all prediction layers or none.
        mtp: match target.engine() {
            EngineName::LlamaCpp | EngineName::Sglang if request.mtp > 0 => {
                u64::try_from(model.mtp_count()).unwrap_or(request.mtp)
            }
            EngineName::Payload
            | EngineName::LlamaCpp
            | EngineName::Vllm
            | EngineName::Sglang
            | EngineName::TensorRtLlm
            | EngineName::Transformers
            | EngineName::Mlx
            | EngineName::ExllamaV3 => request.mtp,
        },
        extras: match target.engine() {
            EngineName::LlamaCpp if target == Target::LlamaCpp => llama_cpp::said(&request)?,
            EngineName::Vllm | EngineName::Sglang => model::drafts(&request),
            EngineName::Payload
            | EngineName::LlamaCpp
            | EngineName::TensorRtLlm
            | EngineName::Transformers
            | EngineName::Mlx
            | EngineName::ExllamaV3 => None,
        },
        ..Request::of(ModelRef::Id(plan_name(&plan)))
    };
    Ok(Launch { request: read_back, ..launch })
}

fn plan_name(plan: &Plan) -> String {
    if plan.model.id.is_empty() { plan.model.name.clone() } else { plan.model.id.clone() }
}
