//! What can be typed: commands here, `question` a model with `scenario`, what is asked of it, and `machine`, what it is held against, `kernels` what runs
//! codecs on their own, `value` how single values are read.

mod kernels;
mod machine;
mod question;
mod scenario;
mod value;

pub(crate) use kernels::{CodecArgs, Processor, RouteArg, ValidateArgs};
pub(crate) use question::QuestionArgs;
pub(crate) use value::option_value;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use kvplan_core::engine::EngineName;
use kvplan_core::fit::Unknown;
use kvplan_core::launch::Target;
use kvplan_core::plan::EngineRequest;
use serde_json::{Map, Value};
use std::path::PathBuf;
use value::{engine_name, engine_option, target, unknown};

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
    #[command(flatten)]
    pub(crate) asked: QuestionArgs,
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
    #[command(flatten)]
    pub(crate) asked: QuestionArgs,
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
    #[command(flatten)]
    pub(crate) asked: QuestionArgs,
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
    #[command(flatten)]
    pub(crate) asked: QuestionArgs,
    /// One of the engine's own options, as NAME=VALUE (`-o n_ubatch=256`); may be repeated
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = engine_option)]
    pub(crate) options: Vec<(String, Value)>,
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

impl PlanArgs {
    /// The engine asked for, with its options.
    pub(crate) fn engine_request(&self) -> Option<EngineRequest> {
        let name = self.engine?;
        let options: Map<String, Value> = self.options.iter().cloned().collect();
        Some(EngineRequest { name, version: self.engine_version.clone(), options })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
