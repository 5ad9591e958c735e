//! ExLlamaV3's options, and the types of keys and values they come to.

use crate::codec::Codec;
use crate::engine::Scenario;
use crate::error::PlanError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// ExLlamaV3's options, as its cache takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Tokens of the page pool, all jobs together; a multiple of 256. Where absent: what the sequences need.
    pub max_num_tokens: Option<u64>,
    /// Bits of packed keys, 2 to 8; f16 where absent.
    pub k_bits: Option<u64>,
    /// Bits of packed values, 2 to 8; those of the keys where absent.
    pub v_bits: Option<u64>,
    /// Slots for rings and recurrent states.
    pub max_batch_size: u64,
    /// Earlier recurrent states kept per slot.
    pub max_history: u64,
    /// Keep every token in sliding layers too.
    pub swa_full: Option<bool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_num_tokens: None,
            k_bits: None,
            v_bits: None,
            max_batch_size: 16,
            max_history: 0,
            swa_full: None,
        }
    }
}

/// The packed codec of so many bits.
const fn packed(bits: u64) -> Option<Codec> {
    match bits {
        2 => Some(Codec::Exl3_2),
        3 => Some(Codec::Exl3_3),
        4 => Some(Codec::Exl3_4),
        5 => Some(Codec::Exl3_5),
        6 => Some(Codec::Exl3_6),
        7 => Some(Codec::Exl3_7),
        8 => Some(Codec::Exl3_8),
        _ => None,
    }
}

/// The key and value types: the options, else what the request's `cache` says, else f16.
pub(super) fn types(options: &Options, scenario: &Scenario) -> Result<(Codec, Codec), PlanError> {
    let from_bits = |field: &str, bits: u64| {
        packed(bits).ok_or_else(|| {
            let message = "AssertionError: quantized cache must be from 2 to 8 bits";
            PlanError::refused(format!("engine.{field}"), message).with_value(bits)
        })
    };
    let asked = |field: &str, codec: Option<Codec>| match codec {
        None => Ok(Codec::F16),
        Some(codec) if codec == Codec::F16 || (2..=8).any(|bits| packed(bits) == Some(codec)) => Ok(codec),
        Some(codec) => {
            let message = "exllamav3 keeps f16, or exl3_2 to exl3_8 (k_bits, v_bits)";
            Err(PlanError::invalid(format!("cache.{field}"), message).with_value(codec.name()))
        }
    };
    let (k, v) = match (options.k_bits, options.v_bits) {
        (Some(k), v) => (from_bits("k_bits", k)?, from_bits("v_bits", v.unwrap_or(k))?),
        (None, Some(v)) => {
            let message = "v_bits needs k_bits: a packed cache packs both";
            return Err(PlanError::missing("engine.k_bits", message).with_value(v));
        }
        (None, None) => (asked("k", scenario.cache.k)?, asked("v", scenario.cache.v)?),
    };
    if (k == Codec::F16) != (v == Codec::F16) {
        let message = "exllamav3 packs keys and values both or neither";
        return Err(PlanError::invalid("cache.v", message).with_value(v.name()));
    }
    Ok((k, v))
}
