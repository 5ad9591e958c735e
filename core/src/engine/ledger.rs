//! What the answers of engines without a block table add up: stores whose payload is entries × bytes of an entry.

use super::{Carriers, Growth, Scenario, StoreLine};
use crate::cache::{Keeps, Reach, Retention, Role};
use crate::codec::{Codec, Side};
use crate::error::PlanError;
use crate::explain::{Basis, Rule};
use crate::plan::gcd;
use crate::spec::{Mixer, ModelSpec};
use crate::unit::{Bytes, Overflow, Tokens};
use std::borrow::Cow;

/// Equal stores of equal layers, and what an engine reserves for all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// The cache, in the engine's words.
    pub cache: &'static str,
    /// What is stored.
    pub role: Role,
    /// Layers of this kind.
    pub layers: u64,
    /// Vectors per entry.
    pub heads: u64,
    /// Elements per vector.
    pub dim: u64,
    /// Entries the tokens need.
    pub retention: Retention,
    /// The codec.
    pub codec: Codec,
    /// Bytes an entry needs.
    pub row: Bytes,
    /// Bytes reserved for all layers and sequences.
    pub allocated: Bytes,
    /// Why.
    pub rule: &'static Rule,
    /// How sure.
    pub basis: Basis,
}

/// The stores of an answer, collected.
#[derive(Debug)]
pub(crate) struct Ledger {
    context: Tokens,
    encoder: Tokens,
    sequences: u64,
    held: Vec<Held>,
}

impl Ledger {
    /// An empty ledger for sequences of `context` tokens.
    pub(crate) fn new(context: Tokens, encoder: Tokens, sequences: u64) -> Self {
        Self { context, encoder, sequences, held: Vec::with_capacity(8) }
    }

    /// Adds a line; lines that differ in the number of layers only become one.
    pub(crate) fn hold(&mut self, new: Held) -> Result<(), PlanError> {
        if new.heads == 0 || new.dim == 0 || new.layers == 0 {
            return Ok(());
        }
        let same = |h: &&mut Held| {
            (h.cache, h.role, h.heads, h.dim, h.retention, h.codec, h.row)
                == (new.cache, new.role, new.heads, new.dim, new.retention, new.codec, new.row)
                && h.rule.id == new.rule.id
                && h.basis == new.basis
        };
        match self.held.iter_mut().find(same) {
            Some(line) => {
                line.layers = line.layers.checked_add(new.layers).ok_or(Overflow)?;
                line.allocated = line.allocated.plus(new.allocated)?;
            }
            None => self.held.push(new),
        }
        Ok(())
    }

    /// The lines, and how the payload of one sequence grows.
    pub(crate) fn close(self) -> Result<(Vec<StoreLine>, Growth), PlanError> {
        let mut period = 1u64;
        for held in &self.held {
            let stride = held.retention.stride().max(1);
            period = (period / gcd(period, stride)).checked_mul(stride).ok_or(Overflow)?;
        }
        let later = self.context.plus(Tokens::new(period))?;
        let mut grown = Bytes::ZERO;
        let mut lines = Vec::with_capacity(self.held.len());
        for held in self.held {
            let entries = held.retention.entries(self.context, self.encoder)?;
            let more = held.retention.entries(later, self.encoder)?.minus(entries).unwrap_or_default();
            let row = held.row.times(held.layers)?;
            grown = grown.plus(row.times(more.get())?)?;
            lines.push(StoreLine {
                cache: held.cache,
                role: held.role,
                layers: held.layers,
                carriers: Carriers::Any,
                heads: held.heads,
                dim: held.dim,
                entries,
                sequences: self.sequences,
                codec: held.codec,
                payload: row.times(entries.get())?.times(self.sequences)?,
                allocated: held.allocated,
                rule: held.rule,
                basis: held.basis,
            });
        }
        Ok((lines, Growth { bytes: grown, tokens: period }))
    }
}

/// `heads × dim` elements of an unquantized type.
pub(crate) fn plain_row(codec: Codec, heads: u64, dim: u64) -> Result<Bytes, PlanError> {
    codec.row_bytes(Side::Key, heads, dim).map_err(|e| super::codec_error(crate::cache::Knob::K, codec, &e))
}

/// The type an engine keeps unquantized keys and values in when it follows the model: what the request says, else the
/// checkpoint's, else bfloat16 (named as an assumption).
pub(crate) fn model_type(
    engine: &str,
    model: &ModelSpec,
    scenario: &Scenario,
    assumptions: &mut Vec<Cow<'static, str>>,
) -> Result<Codec, PlanError> {
    for (field, asked) in [("cache.k", scenario.cache.k), ("cache.v", scenario.cache.v)] {
        let asked = asked.unwrap_or(Codec::Bf16);
        if !matches!(asked, Codec::F32 | Codec::F16 | Codec::Bf16) {
            let message = format!(
                "{engine} keeps keys and values in the model's type (f32, f16 or bf16); quantization is an option of its own"
            );
            return Err(PlanError::invalid(field, message).with_value(asked.name()));
        }
    }
    match (scenario.cache.k, scenario.cache.v) {
        (Some(k), Some(v)) if k != v => {
            let message = format!("{engine} keeps keys and values in one type; cache.k is {}", k.name());
            Err(PlanError::invalid("cache.v", message).with_value(v.name()))
        }
        (Some(k), _) | (None, Some(k)) => Ok(k),
        (None, None) => Ok(model.dtype().unwrap_or_else(|| {
            assumptions.push(Cow::Borrowed("the model's own type is not known: bfloat16 is assumed"));
            Codec::Bf16
        })),
    }
}

/// The trunk's mixers in layer order, a layer that reads another's cache standing as the layer it reads: for engines
/// that give every layer memory of its own.
pub(crate) fn with_borrowed(model: &ModelSpec) -> Result<Vec<&Mixer>, PlanError> {
    let (mut full, mut window) = (None, None);
    let mut mixers = Vec::with_capacity(model.layer_count());
    for mixer in model.layers().flat_map(|kind| kind.mixers()) {
        let stands = match mixer.keeps() {
            Keeps::Borrowed(a) => {
                let lender = if a.window.is_some() { window } else { full };
                lender.ok_or_else(|| {
                    let message = "a layer shares the cache of a kind of layer that is not seen before it";
                    PlanError::unsupported("model", message)
                })?
            }
            Keeps::Heads(a) => {
                match a.reach {
                    Reach::All => full = Some(mixer),
                    Reach::Window(_) => window = Some(mixer),
                    Reach::Chunk(_) => {}
                }
                mixer
            }
            Keeps::Latent(_) | Keeps::Compressed(_) | Keeps::State | Keeps::Encoder(_) => mixer,
        };
        mixers.push(stands);
    }
    Ok(mixers)
}

/// Python's `a // b` of floats.
pub(crate) fn floor_div(a: f64, b: f64) -> f64 {
    let quotient = (a - a % b) / b;
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

/// A prompt and the tokens generated after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Tokens generated one by one.
    pub generated: u64,
}

impl Turn {
    /// From an engine's options and the request's context; what is not said is the prompt.
    pub(crate) fn resolve(
        prompt: Option<u64>,
        generated: Option<u64>,
        context: Option<Tokens>,
    ) -> Result<Self, PlanError> {
        let rest = |field: &str, context: Tokens, part: u64| {
            context.get().checked_sub(part).ok_or_else(|| {
                let message = format!("{part} tokens are more than the context of {}", context.get());
                PlanError::invalid(field, message).with_value(part)
            })
        };
        Ok(match (prompt, generated, context) {
            (Some(prompt), Some(generated), _) => Self { prompt, generated },
            (Some(prompt), None, None) => Self { prompt, generated: 0 },
            (Some(prompt), None, Some(context)) => {
                Self { prompt, generated: rest("engine.prompt_tokens", context, prompt)? }
            }
            (None, generated, Some(context)) => {
                let generated = generated.unwrap_or(0);
                Self { prompt: rest("engine.generated_tokens", context, generated)?, generated }
            }
            (None, _, None) => {
                let message = "how many tokens does a sequence hold? `context` or `prompt_tokens` is needed";
                return Err(PlanError::missing("context", message));
            }
        })
    }

    /// All of its tokens.
    pub(crate) fn tokens(self) -> Result<Tokens, Overflow> {
        Tokens::new(self.prompt).plus(Tokens::new(self.generated))
    }
}

/// Whether a publisher's `model_type` is one of these, parts of it (`gemma3_text`) included.
pub(crate) fn is_one_of(family: &str, known: &[&str]) -> bool {
    let part =
        |name: &&str| family.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    known.iter().any(part)
}

/// The first of these options that is zero, refused.
pub(crate) fn positive(options: &[(&str, Option<u64>)]) -> Result<(), PlanError> {
    match options.iter().find(|(_, value)| *value == Some(0)) {
        Some((name, _)) => {
            let message = format!("`{name}` must be positive");
            Err(PlanError::invalid(format!("engine.{name}"), message).with_value(0))
        }
        None => Ok(()),
    }
}
