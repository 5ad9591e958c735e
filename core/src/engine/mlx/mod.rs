//! MLX-LM 0.32.2: caches that grow in steps of 256 tokens, rings for sliding windows, and group-quantized copies.
//!
//! [`growth`] says how many slots a conversation ends with, [`quantized`] what a slot of packed codes takes.

mod growth;
mod options;
mod quantized;

pub use options::{CacheKind, Options};

use super::ledger::{Held, Ledger, Turn, is_one_of, model_type, plain_row, positive};
use super::{Reservation, Scenario};
use crate::cache::{Keeps, Reach, Retention, Role};
use crate::codec::Codec;
use crate::error::PlanError;
use crate::explain::{Basis, Rule, Term};
use crate::spec::{Mixer, ModelSpec};
use crate::unit::{Overflow, Tokens};
use growth::Updates;
use quantized::Quantized;
use std::borrow::Cow;

static STEPS: Rule = Rule {
    id: "mlx/steps",
    says: "slots are added in steps of 256; what is unused behind the tokens is cut off before more are added",
    source: "mlx-lm 0.32.2 models/cache.py KVCache.update_and_fetch",
};
static GROUPS: Rule = Rule {
    id: "mlx/quantized",
    says: "codes in 32-bit words, a scale and a bias per group in the model's type, in slots that grow by 256",
    source: "mlx-lm 0.32.2 models/cache.py QuantizedKVCache.update_and_fetch",
};
static RING: Rule = Rule {
    id: "mlx/rotating",
    says: "prompt chunks are appended whole; single tokens cut the cache to max_size and go round in it",
    source: "mlx-lm 0.32.2 models/cache.py RotatingKVCache",
};
static STATE: Rule = Rule {
    id: "mlx/arrays",
    says: "kernel − 1 convolution columns in the model's type and a recurrent state in f32",
    source: "mlx-lm 0.32.2 models/qwen3_next.py, models/gated_delta.py, models/ssm.py, models/lfm2.py",
};

/// Model types whose `make_cache` gives sliding layers a ring; elsewhere they keep every token.
const ROTATING: &[&str] = &[
    "afmoe",
    "cohere2",
    "exaone4",
    "exaone_moe",
    "gemma3",
    "gemma3n",
    "gemma4",
    "gpt_oss",
    "laguna",
    "llama",
    "mellum",
    "mimo_v2",
    "ministral3",
    "olmo3",
    "plamo3",
    "recurrent_gemma",
    "step3p5",
];

fn rotates(family: &str) -> bool {
    is_one_of(family, ROTATING)
}

/// What one cache class gives a store.
#[derive(Debug, Clone, Copy)]
enum Class {
    Grown,
    Quantized(Quantized),
    Ring { max_size: u64, keep: u64 },
}

struct Cache {
    ledger: Ledger,
    dtype: Codec,
    updates: Updates,
    sequences: u64,
    /// The class of layers that attend to all tokens.
    full: Class,
    terms: Vec<Term>,
    explain: bool,
}

impl Cache {
    fn store(
        &mut self,
        layers: u64,
        class: Class,
        role: Role,
        (heads, dim): (u64, u64),
        retention: Retention,
    ) -> Result<(), PlanError> {
        let (row, codec) = match class {
            Class::Grown | Class::Ring { .. } => (plain_row(self.dtype, heads, dim)?, self.dtype),
            Class::Quantized(q) => {
                let scalar = plain_row(self.dtype, 1, 1)?;
                let vector = q.vector((self.sequences, heads, dim), self.updates.first(), scalar)?;
                (vector.times(heads)?, q.codec)
            }
        };
        let (slots, cache, rule) = match class {
            Class::Grown => (self.updates.grown()?, "kv", &STEPS),
            Class::Quantized(_) => (self.updates.grown()?, "quantized", &GROUPS),
            Class::Ring { max_size, keep } => (self.updates.rotated(max_size, keep)?, "rotating", &RING),
        };
        if self.explain {
            let term = Term::new(format!("{cache} slots"), rule.says, slots.get(), "tokens", rule);
            if !self.terms.contains(&term) {
                self.terms.push(term);
            }
        }
        let allocated = row.times(slots.get())?.times(layers)?.times(self.sequences)?;
        let basis = Basis::Exact;
        self.ledger.hold(Held {
            cache,
            role,
            layers,
            heads,
            dim,
            retention,
            codec,
            row,
            allocated,
            rule,
            basis,
        })
    }

    fn pair(
        &mut self,
        layers: u64,
        class: Class,
        (heads, k_dim, v_dim): (u64, u64, u64),
        retention: Retention,
    ) -> Result<(), PlanError> {
        if let Class::Quantized(q) = class {
            // Both are packed before either is stored.
            for dim in [k_dim, v_dim] {
                q.divides((self.sequences, heads, dim), self.updates.first())?;
            }
        }
        self.store(layers, class, Role::K, (heads, k_dim), retention)?;
        self.store(layers, class, Role::V, (heads, v_dim), retention)
    }

    fn state(
        &mut self,
        layers: u64,
        role: Role,
        (heads, dim): (u64, u64),
        codec: Codec,
    ) -> Result<(), PlanError> {
        let row = plain_row(codec, heads, dim)?;
        let allocated = row.times(layers)?.times(self.sequences)?;
        let (cache, retention, rule, basis) = ("arrays", Retention::Fixed(1), &STATE, Basis::Derived);
        self.ledger.hold(Held {
            cache,
            role,
            layers,
            heads,
            dim,
            retention,
            codec,
            row,
            allocated,
            rule,
            basis,
        })
    }

    fn layer(&mut self, mixer: &Mixer, layers: u64, rings: bool) -> Result<(), PlanError> {
        let full = self.full;
        // A rotating cache keeps its last max_size tokens, whatever the layer could attend to.
        let all = match full {
            Class::Grown | Class::Quantized(_) => Retention::All,
            Class::Ring { max_size, .. } => Retention::Window(max_size),
        };
        match mixer {
            Mixer::Full(a) if a.indexer_dim.is_none() => {
                self.pair(layers, full, (a.kv_heads, a.k_dim, a.v_dim), all)
            }
            Mixer::Window(a) if rings => {
                if let Class::Quantized(_) = full {
                    let message = "NotImplementedError: RotatingKVCache Quantization NYI";
                    return Err(PlanError::refused("engine.cache", message).with_value("quantized"));
                }
                let class = Class::Ring { max_size: a.window, keep: 0 };
                self.pair(layers, class, (a.kv_heads, a.k_dim, a.v_dim), Retention::Window(a.window))
            }
            Mixer::Window(a) => {
                self.pair(layers, full, (a.kv_heads, a.k_dim, a.v_dim), Retention::Window(a.window))
            }
            Mixer::Mla(a) if !a.is_sparse() => {
                if let Class::Quantized(_) = full {
                    let message = "AttributeError: 'tuple' object has no attribute 'swapaxes' (latent attention reads an unquantized cache)";
                    return Err(PlanError::refused("engine.cache", message).with_value("quantized"));
                }
                self.store(
                    layers,
                    full,
                    Role::Latent,
                    (1, a.latent_dim.checked_add(a.rope_dim).ok_or(Overflow)?),
                    all,
                )
            }
            Mixer::Mamba2(a) => {
                let product = |a: u64, b: u64| a.checked_mul(b).ok_or(Overflow);
                let inner = product(a.heads, a.head_dim)?;
                let channels = inner.checked_add(product(2, product(a.groups, a.state)?)?).ok_or(Overflow)?;
                self.state(layers, Role::ConvState, (channels, a.conv_kernel.saturating_sub(1)), self.dtype)?;
                // Time steps are f32, and so is the state they make.
                self.state(layers, Role::RecurrentState, (inner, a.state), Codec::F32)
            }
            Mixer::GatedDelta(a) => {
                let product = |a: u64, b: u64| a.checked_mul(b).ok_or(Overflow);
                let keys = product(2, product(a.k_heads, a.k_dim)?)?;
                let channels = keys.checked_add(product(a.v_heads, a.v_dim)?).ok_or(Overflow)?;
                let columns = (channels, a.conv_kernel.saturating_sub(1));
                self.state(layers, Role::ConvState, columns, self.dtype)?;
                self.state(layers, Role::RecurrentState, (a.v_heads, product(a.k_dim, a.v_dim)?), Codec::F32)
            }
            Mixer::ShortConv(a) => {
                self.state(layers, Role::ConvState, (a.width, a.conv_kernel.saturating_sub(1)), self.dtype)
            }
            Mixer::Shared(_) => Ok(()),
            Mixer::Full(_) | Mixer::Mla(_) => {
                Err(PlanError::unsupported("model", "a sparse-attention indexer is not modelled for mlx"))
            }
            Mixer::Chunk(_)
            | Mixer::Compressed(_)
            | Mixer::Mamba1(_)
            | Mixer::Kda(_)
            | Mixer::Lightning(_)
            | Mixer::Rwkv(_)
            | Mixer::RgLru(_)
            | Mixer::Mlstm(_)
            | Mixer::Cross(_) => {
                let message = format!("a layer of kind {} is not modelled for mlx", mixer.kind());
                Err(PlanError::unsupported("model", message))
            }
        }
    }
}

/// The class of layers that attend to all tokens.
fn full_class(
    model: &ModelSpec,
    options: &Options,
    rings: bool,
    assumptions: &mut Vec<Cow<'static, str>>,
) -> Result<Class, PlanError> {
    let misplaced = match options.cache {
        CacheKind::Kv => [
            ("bits", options.bits),
            ("group_size", options.group_size),
            ("max_size", options.max_size),
            ("keep", options.keep),
        ],
        CacheKind::Quantized => {
            [("max_size", options.max_size), ("keep", options.keep), ("", None), ("", None)]
        }
        CacheKind::Rotating => {
            [("bits", options.bits), ("group_size", options.group_size), ("", None), ("", None)]
        }
    };
    if let Some((name, Some(value))) = misplaced.into_iter().find(|(_, value)| value.is_some()) {
        let message = format!("`{name}` belongs to another kind of cache");
        return Err(PlanError::invalid(format!("engine.{name}"), message).with_value(value));
    }
    match options.cache {
        CacheKind::Kv => Ok(Class::Grown),
        CacheKind::Quantized => Quantized::of(options).map(Class::Quantized),
        CacheKind::Rotating => {
            let max_size = options.max_size.ok_or_else(|| {
                PlanError::missing(
                    "engine.max_size",
                    "a rotating cache holds `max_size` tokens; say how many",
                )
            })?;
            let keep = options.keep.unwrap_or(4);
            if keep >= max_size {
                let message = format!("a cache of {max_size} tokens cannot keep its first {keep} for good");
                return Err(PlanError::invalid("engine.keep", message).with_value(keep));
            }
            // Such a model makes its caches itself (`make_cache`).
            let own = |m: &Mixer| match m.keeps() {
                Keeps::Heads(a) => match a.reach {
                    Reach::All => false,
                    Reach::Window(_) => rings,
                    Reach::Chunk(_) => true,
                },
                Keeps::Latent(_) => false,
                Keeps::Compressed(_) | Keeps::State | Keeps::Encoder(_) | Keeps::Borrowed(_) => true,
            };
            if model.kinds().iter().flat_map(|kind| kind.mixers()).any(own) {
                assumptions.push(Cow::Borrowed(
                    "mlx-lm ignores max_kv_size for a model that makes its own caches: layers without a window keep all tokens",
                ));
                return Ok(Class::Grown);
            }
            Ok(Class::Ring { max_size, keep })
        }
    }
}

/// What MLX-LM holds after the last token.
///
/// # Errors
/// `engine-refuses` in its own words; `unsupported` for layers not modelled; `missing-field` without a length.
pub fn reserve(model: &ModelSpec, scenario: &Scenario, options: &Options) -> Result<Reservation, PlanError> {
    positive(&[("prefill_step_size", Some(options.prefill_step_size)), ("max_size", options.max_size)])?;
    let mut assumptions: Vec<Cow<'static, str>> = Vec::new();
    let turn = Turn::resolve(options.prompt_tokens, options.generated_tokens, scenario.context)?;
    if turn.prompt == 0 {
        let message = "ValueError: Either input_embeddings or prompt (or both) must be provided.";
        return Err(PlanError::refused("engine.prompt_tokens", message).with_value(0));
    }
    let context: Tokens = turn.tokens()?;
    let sequences = scenario.sequences.unwrap_or(1);
    let rings = model.family().is_none_or(rotates);
    let full = full_class(model, options, rings, &mut assumptions)?;
    let dtype = model_type("mlx", model, scenario, &mut assumptions)?;
    let mut cache = Cache {
        ledger: Ledger::new(context, scenario.encoder_tokens, sequences),
        dtype,
        updates: Updates::of(turn, options.prefill_step_size)?,
        sequences,
        full,
        terms: Vec::new(),
        explain: scenario.explain,
    };
    for (kind, layers) in model.kept(scenario.mtp) {
        for mixer in kind.mixers() {
            cache.layer(mixer, layers, rings)?;
        }
    }
    let (lines, growth) = cache.ledger.close()?;
    Ok(Reservation {
        context,
        sequences,
        lines,
        growth: Some(growth),
        assumptions,
        terms: cache.terms,
        ..Reservation::default()
    })
}
