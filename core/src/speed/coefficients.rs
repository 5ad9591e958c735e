//! The fitted figures, embedded: `model-specs/speed/efficiencies.toml`.

use crate::error::PlanError;
use crate::read;
use kvplan_model_specs::catalogue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Fitted efficiencies with their origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Coefficients {
    /// Date of the newest measurement, `YYYY-MM-DD` or less.
    pub date: String,
    /// What they were fitted from.
    pub source: String,
    /// Measurements of decoding used.
    pub decode_rows: u64,
    /// Measurements of prefill used.
    pub prefill_rows: u64,
    /// Where every figure starts.
    pub priors: Priors,
    /// Tenth and ninetieth percentile of `ln(measured / estimated rate)` on rows the fit did not see; under
    /// `unmeasured/`, on devices it did not see.
    pub spread: BTreeMap<String, Interval>,
    /// Natural logarithms, by name; `decode` first.
    pub decode: BTreeMap<String, f64>,
    /// The same of prefill.
    pub prefill: BTreeMap<String, f64>,
}

/// The figures effects are relative to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Priors {
    /// Fraction of peak bandwidth at which weights are read.
    pub weight_efficiency: f64,
    /// Fraction of peak bandwidth at which the cache is read.
    pub kv_efficiency: f64,
    /// Fraction of peak arithmetic in batched decoding.
    pub compute_efficiency: f64,
    /// Fraction of peak arithmetic in prefill.
    pub prefill_efficiency: f64,
    /// Fixed cost of a layer, seconds.
    pub layer_seconds: f64,
    /// How much longer the cache takes without flash attention.
    pub without_flash_attention: f64,
    /// Fraction of a link's peak reached.
    pub link_efficiency: f64,
    /// What a streaming reader gets from a disk at most, bytes per second.
    pub disk_bytes_per_s: f64,
}

/// An error's middle four fifths.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Tenth percentile.
    pub p10: f64,
    /// Ninetieth percentile.
    pub p90: f64,
    /// Measurements behind it.
    pub rows: u64,
}

impl Coefficients {
    /// Reads the file that the fit writes, TOML.
    ///
    /// # Errors
    /// `invalid`, with the line in the message.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        toml::from_str(text).map_err(|e| PlanError::invalid("speed", e.to_string()))
    }

    /// The spread under the first of `keys` that has one.
    #[must_use]
    pub fn spread(&self, keys: &[String]) -> Option<Interval> {
        keys.iter().find_map(|key| self.spread.get(key)).copied()
    }
}

/// The figures shipped with the program.
///
/// # Errors
/// `invalid` if the shipped file is broken.
pub fn coefficients() -> Result<&'static Coefficients, PlanError> {
    static PARSED: OnceLock<Coefficients> = OnceLock::new();
    if let Some(parsed) = PARSED.get() {
        return Ok(parsed);
    }
    let value: Value = serde_json::from_str(catalogue().efficiencies)
        .map_err(|e| PlanError::invalid("speed", e.to_string()))?;
    let parsed: Coefficients = read::value("speed", &value)?;
    Ok(PARSED.get_or_init(|| parsed))
}
