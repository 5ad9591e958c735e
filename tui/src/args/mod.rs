//! What can be typed: commands, and in `machine` what a plan is held against.

mod machine;

pub(crate) use machine::MachineArgs;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use kvplan_core::codec::{Codec, Side, StaticScale};
use kvplan_core::engine::EngineName;
use kvplan_core::fit::Unknown;
use kvplan_core::launch::Target;
use kvplan_core::plan::{CacheRequest, EngineRequest, ModelRef, Projections, Request, WhatIf, Workload};
use kvplan_core::unit::{Tokens, parse_bytes, parse_tokens};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Plan a model's KV cache to the byte before loading it.
#[derive(Debug, Parser)]
#[command(name = "kvplan", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Open the planner (kvplan alone does) on a copied state or a link's tail
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What an engine reserves for a model's cache, and why
    Plan(PlanArgs),
    /// Answer JSON requests, one a line, as JSON lines
    Batch(BatchArgs),
    /// The longest context, the most sequences, the best cache type that fits
    Fit(FitArgs),
    /// Engines and cache types side by side
    Compare(CompareArgs),
    /// The launch command that realises a plan
    Export(ExportArgs),
    /// An engine's start-up log, or the line that starts it, set beside the plan
    Reconcile(ReconcileArgs),
    /// The model spec a file is understood as
    Import(ImportArgs),
    /// The catalogued models
    Models(ModelsArgs),
    /// The catalogued devices, hosts, disks and links
    Hardware(HardwareArgs),
    /// The cache formats
    Codecs(ListArgs),
    /// The engines, their options and cache types
    Engines(ListArgs),
    /// Encode rows of little-endian f32 into a codec's bytes
    Encode(CodecArgs),
    /// Decode a codec's bytes into rows of little-endian f32
    Decode(CodecArgs),
    /// Prove the planner's numbers with real kernels on this machine's GPU
    Validate(ValidateArgs),
    /// JSON Schema of what kvplan reads and writes
    Schema(SchemaArgs),
    /// Shell completions
    Completions(CompletionsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// A catalogued id, or a config.json, .gguf or spec file
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Plan for this engine alone; without it payload, llama.cpp and vllm are summed up
    #[arg(short, long, value_parser = engine_name)]
    pub(crate) engine: Option<EngineName>,
    /// The engine's version; only the modelled one is answered
    #[arg(long, requires = "engine")]
    pub(crate) engine_version: Option<String>,
    /// One of the engine's own options, as NAME=VALUE (`-o n_ubatch=256`); may be repeated
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", requires = "engine", value_parser = engine_option)]
    pub(crate) options: Vec<(String, Value)>,
    /// Print why each figure is what it is
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print the plan object instead
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FitArgs {
    /// A catalogued id, or a config.json, .gguf or spec file
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// For this engine; the ideal one where absent
    #[arg(short, long, value_parser = engine_name)]
    pub(crate) engine: Option<EngineName>,
    /// One of the engine's own options, as NAME=VALUE (`-o n_ubatch=256`); may be repeated
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", requires = "engine", value_parser = engine_option)]
    pub(crate) options: Vec<(String, Value)>,
    /// What to find: context, sequences, cache, gpu-layers, host-experts, devices or split; where absent the context, or
    /// the sequences where a context is given, or the cache types where both are
    #[arg(short, long, value_name = "WHAT", value_parser = unknown)]
    pub(crate) largest: Option<Unknown>,
    /// Print JSON instead
    #[arg(long)]
    pub(crate) json: bool,
}

/// The part of a request that is the same for every engine.
#[derive(Debug, Clone, Args)]
pub(crate) struct ScenarioArgs {
    /// Tokens per sequence, prompt and generated (128k = 131072)
    #[arg(short, long, value_parser = parse_tokens)]
    pub(crate) context: Option<Tokens>,
    /// Sequences resident at once
    #[arg(short, long, value_parser = parse_tokens)]
    pub(crate) sequences: Option<Tokens>,
    /// Encoder or image tokens per sequence
    #[arg(long, value_parser = parse_tokens)]
    pub(crate) encoder_tokens: Option<Tokens>,
    /// Codec of keys and values
    #[arg(long, value_name = "CODEC")]
    pub(crate) cache: Option<String>,
    /// Codec of keys
    #[arg(short, long, value_name = "CODEC")]
    pub(crate) k: Option<String>,
    /// Codec of values
    #[arg(short, long, value_name = "CODEC")]
    pub(crate) v: Option<String>,
    /// Codec of sparse-attention indexer keys
    #[arg(long, value_name = "CODEC")]
    pub(crate) indexer: Option<String>,
    /// Codec of recurrent states
    #[arg(long, value_name = "CODEC")]
    pub(crate) state: Option<String>,
    /// Codec of convolution states
    #[arg(long, value_name = "CODEC")]
    pub(crate) conv: Option<String>,
    /// Multi-token-prediction layers kept in the cache
    #[arg(long, default_value_t = 0)]
    pub(crate) mtp: u64,
    /// Tokens a sequence typically holds, where conversations are served: how many the pool holds of that length
    #[arg(long, value_name = "TOKENS", value_parser = parse_tokens)]
    pub(crate) typical: Option<Tokens>,
    /// Tokens that 19 of 20 sequences stay below
    #[arg(long, value_name = "TOKENS", value_parser = parse_tokens)]
    pub(crate) p95: Option<Tokens>,
    /// Tokens at the start that are the same in all sequences
    #[arg(long, value_name = "TOKENS", value_parser = parse_tokens)]
    pub(crate) shared_prefix: Option<Tokens>,
    /// Sequences to serve: how many copies of the machine hold them
    #[arg(long, value_name = "N", value_parser = parse_tokens)]
    pub(crate) sessions: Option<Tokens>,
    /// What if projections were one tensor: `k=v` or `q=k=v`
    #[arg(long, value_name = "PROJECTIONS", value_parser = projections)]
    pub(crate) what_if: Option<Projections>,
}

#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// JSON Lines; standard input where absent
    pub(crate) file: Option<PathBuf>,
    /// Threads that answer, in the order of the requests all the same; 0: one a core
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    pub(crate) jobs: usize,
    /// The form of the answers
    #[arg(short, long, value_enum, default_value = "jsonl")]
    pub(crate) format: BatchFormat,
    /// File to write; standard output where absent
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Leave out the largest context, which costs some ten plans where hardware is given
    #[arg(long)]
    pub(crate) no_max_context: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BatchFormat {
    /// Plan objects, one a line
    Jsonl,
    /// A row a plan, the same columns for all
    Csv,
    /// The same columns, as a Parquet file
    Parquet,
}

#[derive(Debug, Args)]
#[command(
    after_help = "With --device the longest context is compared; every --device is a machine of its own."
)]
pub(crate) struct CompareArgs {
    /// A catalogued id, or a config.json, .gguf or spec file
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Engines, separated by commas
    #[arg(short, long, value_delimiter = ',', value_parser = engine_name, default_value = "payload,llama.cpp,vllm")]
    pub(crate) engines: Vec<EngineName>,
    /// Cache types, separated by commas; `K/V` for a pair (`q8_0/q4_0`)
    #[arg(short, long, value_delimiter = ',')]
    pub(crate) types: Vec<String>,
    /// Print JSON instead
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// What to write for: llama.cpp, ollama, lm-studio, vllm, lmcache, ray-serve, kubernetes, sglang, tensorrt-llm, mlx,
    /// exllamav3
    #[arg(value_parser = target)]
    pub(crate) target: Target,
    /// A catalogued id, or a config.json, .gguf or spec file
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    /// One of the engine's own options, as NAME=VALUE (`-o n_ubatch=256`); may be repeated
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = engine_option)]
    pub(crate) options: Vec<(String, Value)>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Where the engine finds the weights: a file, a folder or a repository
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<String>,
    /// Print JSON instead: the command word by word, the notes, the request
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReconcileArgs {
    /// The log, or a file with a command line; standard input where absent or `-`
    pub(crate) log: Option<PathBuf>,
    /// The model, where the log does not tell: a catalogued id, or a config.json, .gguf or spec file
    #[arg(short, long)]
    pub(crate) model: Option<String>,
    /// One of the engine's own options, as NAME=VALUE, over what the log says; may be repeated
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = engine_option)]
    pub(crate) options: Vec<(String, Value)>,
    /// Multi-token-prediction layers kept in the cache
    #[arg(long, default_value_t = 0)]
    pub(crate) mtp: u64,
    /// Print JSON instead
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// config.json, .gguf (any part of a split one), .safetensors or its index, or a model spec
    pub(crate) file: PathBuf,
    /// Print JSON instead of TOML
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    /// Show only entries whose id, name or alias contains every word
    pub(crate) query: Vec<String>,
    /// Print JSON instead
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HardwareArgs {
    /// Show only entries whose id, name or alias contains every word
    pub(crate) query: Vec<String>,
    /// Show what is found on this machine instead
    #[arg(long, conflicts_with = "query")]
    pub(crate) detected: bool,
    /// Print JSON instead
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print JSON instead
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CodecArgs {
    /// Which codec
    #[arg(long, value_parser = codec)]
    pub(crate) codec: Codec,
    /// Elements per row
    #[arg(long)]
    pub(crate) dim: usize,
    /// Keys or values, where the codec stores them differently
    #[arg(long, value_enum, default_value = "v")]
    pub(crate) side: SideArg,
    /// A scale outside the cache, for codecs that have one: x/scale is encoded
    #[arg(long, value_parser = scale)]
    pub(crate) scale: Option<StaticScale>,
    /// The reference arithmetic, or what llama.cpp's cache path stores on x86 (encoding only)
    #[arg(long, value_enum, default_value = "reference")]
    pub(crate) route: RouteArg,
    /// Where the arithmetic runs
    #[arg(long, value_enum, default_value = "cpu")]
    pub(crate) on: Processor,
    /// With `--on gpu`, the adapter whose name contains this
    #[arg(long, value_name = "NAME")]
    pub(crate) adapter: Option<String>,
    /// File to read
    pub(crate) input: PathBuf,
    /// File to write
    pub(crate) output: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RouteArg {
    /// The published scalar reference
    #[value(alias = "ref")]
    Reference,
    /// llama.cpp's cache path
    Kv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Processor {
    /// The reference arithmetic on the CPU
    Cpu,
    /// The kernels, on this machine's GPU
    Gpu,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SideArg {
    /// Keys
    K,
    /// Values
    V,
}

impl From<SideArg> for Side {
    fn from(side: SideArg) -> Self {
        match side {
            SideArg::K => Self::Key,
            SideArg::V => Self::Value,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Take the shapes from this model's layers: a catalogued id, or a config.json, .gguf or spec file
    #[arg(short, long, conflicts_with = "capture")]
    pub(crate) model: Option<String>,
    /// Tokens in the cache of every layer of the model (4k = 4096)
    #[arg(short, long, value_parser = parse_tokens, requires = "model", default_value = "1k")]
    pub(crate) context: Tokens,
    /// Your own Q, K and V: `layer.<number>.q|k|v`, [tokens, heads, width] after rotary embedding
    #[arg(long, value_name = "FILE.safetensors")]
    pub(crate) capture: Option<PathBuf>,
    /// More shapes, and all tokens of a capture
    #[arg(long)]
    pub(crate) full: bool,
    /// Only these codecs, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "CODEC", value_parser = codec)]
    pub(crate) codec: Vec<Codec>,
    /// Do not time the kernels at several sizes
    #[arg(long)]
    pub(crate) no_timing: bool,
    /// The adapter whose name contains this
    #[arg(long, value_name = "NAME")]
    pub(crate) adapter: Option<String>,
    /// List the adapters of this machine and stop
    #[arg(long)]
    pub(crate) list_adapters: bool,
    /// No GPU: the kernels' twins on the CPU, against the reference encoders
    #[arg(long, conflicts_with_all = ["adapter", "list_adapters"])]
    pub(crate) cpu: bool,
    /// Write a page with tables and plots
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Print JSON instead
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Which form
    #[arg(default_value = "request")]
    pub(crate) form: SchemaForm,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum SchemaForm {
    /// What `kvplan batch` reads
    Request,
    /// What `kvplan plan --json` prints
    Plan,
    /// A model spec
    Spec,
    /// A hardware record
    Hardware,
    /// What `kvplan fit --json` prints
    Fit,
    /// What `kvplan validate --json` prints
    Validate,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    pub(crate) shell: Shell,
}

impl ScenarioArgs {
    /// The request these arguments stand for.
    pub(crate) fn request(&self, model: ModelRef) -> Request {
        Request {
            context: self.context.map(Tokens::get),
            sequences: self.sequences.map(Tokens::get),
            encoder_tokens: self.encoder_tokens.map(Tokens::get),
            cache: CacheRequest {
                kv: self.cache.clone(),
                k: self.k.clone(),
                v: self.v.clone(),
                indexer: self.indexer.clone(),
                state: self.state.clone(),
                conv: self.conv.clone(),
            },
            mtp: self.mtp,
            workload: Workload {
                typical_context: self.typical.map_or(0, Tokens::get),
                p95_context: self.p95.map_or(0, Tokens::get),
                shared_prefix: self.shared_prefix.map_or(0, Tokens::get),
                sessions: self.sessions.map_or(0, Tokens::get),
            },
            what_if: self.what_if.map(|projections| WhatIf { projections }),
            ..Request::of(model)
        }
    }
}

impl PlanArgs {
    /// The engine asked for, with its options.
    pub(crate) fn engine_request(&self) -> Option<EngineRequest> {
        let name = self.engine?;
        let options: Map<String, Value> = self.options.iter().cloned().collect();
        Some(EngineRequest { name, version: self.engine_version.clone(), options })
    }
}

fn engine_name(text: &str) -> Result<EngineName, String> {
    use strum::IntoEnumIterator as _;
    text.parse().map_err(|_| {
        let known: Vec<&str> = EngineName::iter().map(EngineName::as_str).collect();
        format!("no engine `{text}`; known: {}", known.join(", "))
    })
}

fn unknown(text: &str) -> Result<Unknown, String> {
    use strum::IntoEnumIterator as _;
    text.parse().map_err(|_| {
        let known: Vec<&str> = Unknown::iter().map(Unknown::into).collect();
        format!("`{text}` cannot be asked for; known: {}", known.join(", "))
    })
}

fn target(text: &str) -> Result<Target, String> {
    use strum::IntoEnumIterator as _;
    text.parse().map_err(|_| {
        let known: Vec<&str> = Target::iter().map(Target::as_str).collect();
        format!("nothing to write for `{text}`; known: {}", known.join(", "))
    })
}

fn codec(text: &str) -> Result<Codec, String> {
    Codec::parse(text).ok_or_else(|| format!("no codec `{text}`; `kvplan codecs` lists them"))
}

fn scale(text: &str) -> Result<StaticScale, String> {
    let number: f32 = text.parse().map_err(|_| "a scale is a number".to_owned())?;
    StaticScale::new(number).map_err(|error| error.to_string())
}

fn projections(text: &str) -> Result<Projections, String> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|_| "use k=v or q=k=v".to_owned())
}

/// `NAME=VALUE`, the value as JSON where it is JSON, as a size where it is one (`16GiB`, `128k`), as text otherwise.
fn engine_option(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "write NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), option_value(value)))
}

/// The value of an option as it is typed: JSON, a number of tokens, a size, or a word.
pub(crate) fn option_value(text: &str) -> Value {
    serde_json::from_str(text)
        .ok()
        .or_else(|| parse_tokens(text).ok().map(|n| Value::from(n.get())))
        .or_else(|| parse_bytes(text).ok().map(|n| Value::from(n.get())))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn engine_options_read_as_json_sizes_or_text() {
        assert_eq!(engine_option("n_ubatch=256"), Ok(("n_ubatch".into(), Value::from(256))));
        assert_eq!(engine_option("kv_unified=true"), Ok(("kv_unified".into(), Value::from(true))));
        assert_eq!(
            engine_option("kv_cache_memory_bytes=16GiB"),
            Ok(("kv_cache_memory_bytes".into(), Value::from(16u64 << 30)))
        );
        assert_eq!(engine_option("type_k=q8_0"), Ok(("type_k".into(), Value::from("q8_0"))));
        assert!(engine_option("n_ubatch").is_err());
    }
}
