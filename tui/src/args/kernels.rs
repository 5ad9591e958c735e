//! What runs codecs on their own: the proof, and packing a file.

use clap::Args;
use kvplan_core::codec::{Codec, Side, StaticScale};
use kvplan_core::unit::{Tokens, parse_tokens};
use kvplan_kernels::validate::BLOCK_GTQ;
use std::path::PathBuf;

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
    #[arg(long, value_delimiter = ',', value_name = "CODEC", value_parser = reported)]
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

fn codec(text: &str) -> Result<Codec, String> {
    Codec::parse(text).ok_or_else(|| format!("no codec `{text}`; `kvplan codecs` lists them"))
}

/// A codec by its name, or by the one it has in the report.
fn reported(text: &str) -> Result<Codec, String> {
    if text == BLOCK_GTQ { Ok(Codec::BlockGtqK3v3) } else { codec(text) }
}

fn scale(text: &str) -> Result<StaticScale, String> {
    let number: f32 = text.parse().map_err(|_| "a scale is a number".to_owned())?;
    StaticScale::new(number).map_err(|error| error.to_string())
}
