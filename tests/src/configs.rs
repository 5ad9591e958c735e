//! The collected configs of `data/configs`: file texts as published, where each comes from, and what an independent
//! analysis says each one caches.

use serde_json::Value;
use std::io::Read as _;

/// A collected config.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Config {
    /// The file's name, `publisher__repository.json`.
    pub file: String,
    /// Its text, verbatim; only RedPajama's `_name_or_path` lost the folder of the machine it was trained on.
    pub text: String,
}

impl Config {
    /// The text, parsed as the request path parses it.
    ///
    /// # Errors
    /// The parser's, with the file's name.
    pub fn parse(&self) -> Result<Value, String> {
        kvplan_core::spec::json::parse(self.text.as_bytes()).map_err(|e| format!("{}: {e}", self.file))
    }
}

/// What an independent analysis gives for a config, with two bytes an element throughout.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Expected {
    /// The file's name.
    pub file: String,
    /// Layers by kind.
    pub layer_kinds: std::collections::BTreeMap<String, u64>,
    /// Unbounded growth without indexers.
    pub growing_bytes_per_token: f64,
    /// Bytes a token of everything that stops growing at `window`.
    pub window_bytes_per_token: u64,
    /// Where it stops.
    pub window: Option<u64>,
    /// Growth of indexers.
    pub indexer_bytes_per_token: f64,
    /// Layers with a state.
    pub state_layers: Option<u64>,
    /// Elements of a convolution state.
    #[serde(default)]
    pub conv_elems_per_layer: u64,
    /// Elements of a recurrent state.
    #[serde(default)]
    pub recurrent_elems_per_layer: u64,
    /// Growth a token of the encoder.
    #[serde(default)]
    pub cross_bytes_per_encoder_token: u64,
    /// Multi-token-prediction layers.
    #[serde(default)]
    pub mtp_layers: u64,
    /// Their growth.
    #[serde(default)]
    pub mtp_bytes_per_token: u64,
}

fn unpack(data: &[u8]) -> Result<String, String> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(data).read_to_string(&mut text).map_err(|e| e.to_string())?;
    Ok(text)
}

fn lines<T: serde::de::DeserializeOwned>(data: &[u8]) -> Result<Vec<T>, String> {
    unpack(data)?.lines().map(|line| serde_json::from_str(line).map_err(|e| e.to_string())).collect()
}

/// Every config, by file name.
///
/// # Errors
/// When the embedded data cannot be read.
pub fn configs() -> Result<Vec<Config>, String> {
    lines(include_bytes!("../data/configs/configs.jsonl.gz"))
}

/// Every row of the independent analysis.
///
/// # Errors
/// When the embedded data cannot be read.
pub fn expected() -> Result<Vec<Expected>, String> {
    lines(include_bytes!("../data/configs/expected.jsonl.gz"))
}

/// Further configs that carry their own source: those given to vLLM 0.33.0's own planner when the truth rows were made
/// (fewer fields than the publishers' files, all that decide a cache among them), and a text config found in another
/// model's file.
///
/// # Errors
/// When the embedded data cannot be read.
pub fn more() -> Result<Vec<More>, String> {
    lines(include_bytes!("../data/configs/more.jsonl.gz"))
}

/// A config that names its repository itself.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct More {
    /// `publisher/repository`.
    pub model: String,
    /// Where the config was found.
    pub source: String,
    /// The config.
    #[serde(flatten)]
    pub config: Config,
}

/// Where each config comes from, as CSV.
///
/// # Errors
/// When the embedded data cannot be read.
pub fn manifest() -> Result<String, String> {
    unpack(include_bytes!("../data/configs/MANIFEST.csv.gz"))
}
