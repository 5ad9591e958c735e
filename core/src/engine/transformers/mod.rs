//! Hugging Face transformers 5.23.0: `DynamicCache`, `StaticCache` and `QuantizedCache`, layer by layer.

mod options;
mod quantized;

pub use options::{Backend, CacheKind, Options};

use super::ledger::{Held, Ledger, Turn, model_type, plain_row, positive, with_borrowed};
use super::{Carriers, Growth, Reservation, Scenario, StoreLine};
use crate::cache::{Keeps, Reach, Retention, Role};
use crate::codec::Codec;
use crate::error::PlanError;
use crate::explain::{Basis, Rule};
use crate::spec::{Mixer, ModelSpec};
use crate::unit::{Bytes, Overflow, Tokens};
use quantized::{Packing, Shape};
use std::borrow::Cow;

static DYNAMIC: Rule = Rule {
    id: "transformers/dynamic",
    says: "every token, exactly",
    source: "transformers 5.23.0 cache_utils.py DynamicLayer",
};
static SLIDING: Rule = Rule {
    id: "transformers/dynamic-sliding",
    says: "the last window − 1 tokens: the next token completes the window",
    source: "transformers 5.23.0 cache_utils.py DynamicSlidingWindowLayer",
};
static STATIC: Rule = Rule {
    id: "transformers/static",
    says: "max_cache_len tokens, or the window where that is shorter",
    source: "transformers 5.23.0 cache_utils.py StaticLayer, StaticSlidingWindowLayer",
};
static QUANTIZED: Rule = Rule {
    id: "transformers/quantized",
    says: "everything packed in groups with a scale and a shift, but generated mod residual_length tokens in full precision",
    source: "transformers 5.23.0 cache_utils.py QuantizedLayer, with optimum-quanto 0.2.7 or hqq 0.2.8",
};
static LINEAR: Rule = Rule {
    id: "transformers/linear",
    says: "kernel convolution columns in the model's type and a recurrent state in f32",
    source: "transformers 5.23.0 cache_utils.py LinearAttentionLayer",
};

struct Cache {
    ledger: Ledger,
    kind: CacheKind,
    dtype: Codec,
    sequences: u64,
    tokens: u64,
    encoder: u64,
    max_cache_len: u64,
}

impl Cache {
    /// Slots of a layer that attends to its last `window` tokens, or to all.
    fn slots(&self, window: Option<u64>) -> (u64, &'static Rule) {
        match (self.kind, window) {
            (CacheKind::Static, window) => {
                (window.map_or(self.max_cache_len, |w| w.min(self.max_cache_len)), &STATIC)
            }
            // The slice `[-window + 1:]` of a window of one is all.
            (CacheKind::Dynamic, Some(window)) if window > 1 => (self.tokens.min(window - 1), &SLIDING),
            (CacheKind::Dynamic | CacheKind::DynamicNoConfig | CacheKind::Quantized, _) => {
                (self.tokens, &DYNAMIC)
            }
        }
    }

    fn store(
        &mut self,
        layers: u64,
        role: Role,
        (heads, dim): (u64, u64),
        retention: Retention,
        (slots, rule): (u64, &'static Rule),
    ) -> Result<(), PlanError> {
        let (codec, basis) = (self.dtype, Basis::Exact);
        let row = plain_row(codec, heads, dim)?;
        let allocated = row.times(slots)?.times(layers)?.times(self.sequences)?;
        let cache = match retention {
            Retention::Window(_) => "sliding",
            Retention::Chunk(_) => "chunked",
            Retention::Encoder => "cross",
            Retention::All | Retention::Strided(_) | Retention::Fixed(_) | Retention::Evicted(_) => "full",
        };
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

    /// The convolution columns the tokens need and those kept, and a matrix state.
    fn state(
        &mut self,
        layers: u64,
        (channels, kernel): (u64, u64),
        (heads, dim): (u64, u64),
    ) -> Result<(), PlanError> {
        let copies = layers.checked_mul(self.sequences).ok_or(Overflow)?;
        let (cache, retention, rule, basis) = ("linear", Retention::Fixed(1), &LINEAR, Basis::Derived);
        let needed = kernel.saturating_sub(1);
        let conv = self.dtype;
        self.ledger.hold(Held {
            cache,
            role: Role::ConvState,
            layers,
            heads: channels,
            dim: needed,
            retention,
            codec: conv,
            row: plain_row(conv, channels, needed)?,
            allocated: plain_row(conv, channels, kernel)?.times(copies)?,
            rule,
            basis,
        })?;
        let (role, codec) = (Role::RecurrentState, Codec::F32);
        let row = plain_row(codec, heads, dim)?;
        let allocated = row.times(copies)?;
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

    fn layer(&mut self, mixer: &Mixer, layers: u64) -> Result<(), PlanError> {
        let product = |a: u64, b: u64| a.checked_mul(b).ok_or(Overflow);
        let sum = |a: u64, b: u64| a.checked_add(b).ok_or(Overflow);
        match mixer {
            Mixer::Full(a) => {
                let slots = self.slots(None);
                self.store(layers, Role::K, (a.kv_heads, a.k_dim), Retention::All, slots)?;
                self.store(layers, Role::V, (a.kv_heads, a.v_dim), Retention::All, slots)?;
                self.store(layers, Role::Indexer, (1, a.indexer_dim.unwrap_or(0)), Retention::All, slots)
            }
            Mixer::Window(a) => {
                let (slots, law) = (self.slots(Some(a.window)), Retention::Window(a.window));
                self.store(layers, Role::K, (a.kv_heads, a.k_dim), law, slots)?;
                self.store(layers, Role::V, (a.kv_heads, a.v_dim), law, slots)
            }
            Mixer::Chunk(a) => {
                let (slots, law) = (self.slots(Some(a.chunk)), Retention::Chunk(a.chunk));
                self.store(layers, Role::K, (a.kv_heads, a.k_dim), law, slots)?;
                self.store(layers, Role::V, (a.kv_heads, a.v_dim), law, slots)
            }
            Mixer::Mla(a) => {
                let slots = self.slots(None);
                let row = (1, sum(a.latent_dim, a.rope_dim)?);
                self.store(layers, Role::Latent, row, Retention::All, slots)?;
                if a.indexer_stride.is_some_and(|stride| stride > 1) {
                    return Err(not_modelled("a pooled sparse-attention indexer"));
                }
                self.store(layers, Role::Indexer, (1, a.indexer_dim.unwrap_or(0)), Retention::All, slots)
            }
            Mixer::Cross(a) => {
                let slots = (self.encoder, &DYNAMIC);
                self.store(layers, Role::CrossK, (a.kv_heads, a.k_dim), Retention::Encoder, slots)?;
                self.store(layers, Role::CrossV, (a.kv_heads, a.v_dim), Retention::Encoder, slots)
            }
            Mixer::Mamba1(a) => self.state(layers, (a.inner, a.conv_kernel), (a.inner, a.state)),
            Mixer::Mamba2(a) => {
                let inner = product(a.heads, a.head_dim)?;
                let channels = sum(inner, product(2, product(a.groups, a.state)?)?)?;
                self.state(layers, (channels, a.conv_kernel), (inner, a.state))
            }
            Mixer::GatedDelta(a) => {
                let keys = product(2, product(a.k_heads, a.k_dim)?)?;
                let channels = sum(keys, product(a.v_heads, a.v_dim)?)?;
                self.state(layers, (channels, a.conv_kernel), (a.v_heads, product(a.k_dim, a.v_dim)?))
            }
            Mixer::ShortConv(a) => self.state(layers, (a.width, a.conv_kernel), (0, 0)),
            Mixer::Shared(_) => Ok(()),
            Mixer::Compressed(_)
            | Mixer::Kda(_)
            | Mixer::Lightning(_)
            | Mixer::Rwkv(_)
            | Mixer::RgLru(_)
            | Mixer::Mlstm(_) => Err(not_modelled(&format!("a layer of kind {}", mixer.kind()))),
        }
    }
}

fn not_modelled(what: &str) -> PlanError {
    PlanError::unsupported("model", format!("{what} is not modelled for transformers"))
}

/// What transformers holds after the last token.
///
/// # Errors
/// `engine-refuses` in its own words; `unsupported` for layers not modelled; `missing-field` without a length.
pub fn reserve(model: &ModelSpec, scenario: &Scenario, options: &Options) -> Result<Reservation, PlanError> {
    positive(&[("q_group_size", options.q_group_size), ("max_cache_len", options.max_cache_len)])?;
    misplaced(options)?;
    let mut assumptions: Vec<Cow<'static, str>> = Vec::new();
    let turn = Turn::resolve(options.prompt_tokens, options.generated_tokens, scenario.context)?;
    let context: Tokens = turn.tokens()?;
    let sequences = scenario.sequences.unwrap_or(1);
    let dtype = model_type("transformers", model, scenario, &mut assumptions)?;
    let (lines, growth) = if options.cache == CacheKind::Quantized {
        quantized_lines(model, scenario, options, turn, sequences, dtype)?
    } else {
        let mut cache = Cache {
            ledger: Ledger::new(context, scenario.encoder_tokens, sequences),
            kind: options.cache,
            dtype,
            sequences,
            tokens: context.get(),
            encoder: scenario.encoder_tokens.get(),
            max_cache_len: options.max_cache_len.unwrap_or(context.get()),
        };
        if options.cache == CacheKind::Static && cache.max_cache_len < context.get() {
            let message =
                format!("a static cache of {} tokens does not hold {}", cache.max_cache_len, context.get());
            return Err(PlanError::refused("engine.max_cache_len", message).with_value(cache.max_cache_len));
        }
        if options.cache == CacheKind::DynamicNoConfig {
            // Without a config no layer is a dummy: one that reads another's cache gets keys and values of its own.
            for mixer in with_borrowed(model)? {
                cache.layer(mixer, 1)?;
            }
        } else {
            for (kind, layers) in model.kept(scenario.mtp) {
                for mixer in kind.mixers() {
                    cache.layer(mixer, layers)?;
                }
            }
        }
        cache.ledger.close()?
    };
    Ok(Reservation { context, sequences, lines, growth: Some(growth), assumptions, ..Reservation::default() })
}

/// Options of another cache class are a mistake, not a wish.
fn misplaced(options: &Options) -> Result<(), PlanError> {
    let quantized = [
        ("backend", options.backend.is_some()),
        ("nbits", options.nbits.is_some()),
        ("q_group_size", options.q_group_size.is_some()),
        ("residual_length", options.residual_length.is_some()),
        ("axis", options.axis.is_some()),
    ];
    let of_static = [("max_cache_len", options.max_cache_len.is_some())];
    let found = match options.cache {
        CacheKind::Quantized => of_static.iter().find(|(_, given)| *given),
        CacheKind::Static => quantized.iter().find(|(_, given)| *given),
        CacheKind::Dynamic | CacheKind::DynamicNoConfig => {
            quantized.iter().chain(&of_static).find(|(_, given)| *given)
        }
    };
    match found {
        None => Ok(()),
        Some((name, _)) => {
            let message = format!("`{name}` belongs to another kind of cache");
            Err(PlanError::invalid(format!("engine.{name}"), message))
        }
    }
}

/// The two tensors of every layer, packed.
fn quantized_lines(
    model: &ModelSpec,
    scenario: &Scenario,
    options: &Options,
    turn: Turn,
    sequences: u64,
    dtype: Codec,
) -> Result<(Vec<StoreLine>, Growth), PlanError> {
    let packing = Packing::of(options)?;
    let scalar = plain_row(dtype, 1, 1)?;
    let mut lines: Vec<StoreLine> = Vec::with_capacity(4);
    let period = packing.period();
    let later = Turn { generated: turn.generated.checked_add(period).ok_or(Overflow)?, prompt: turn.prompt };
    let mut grown = Bytes::ZERO;
    for (kind, layers) in model.kept(scenario.mtp) {
        for mixer in kind.mixers() {
            let tensors = match mixer.keeps() {
                Keeps::Heads(a) if a.reach == Reach::All && a.indexer_dim.is_none() => {
                    [(Role::K, a.kv_heads, a.k_dim), (Role::V, a.kv_heads, a.v_dim)]
                }
                // The latent is cached as keys of one head, the rotary part as values.
                Keeps::Latent(a) if !a.is_sparse() => {
                    [(Role::Latent, 1, a.latent_dim), (Role::Latent, 1, a.rope_dim)]
                }
                Keeps::Heads(_)
                | Keeps::Latent(_)
                | Keeps::Compressed(_)
                | Keeps::State
                | Keeps::Encoder(_)
                | Keeps::Borrowed(_) => {
                    let message = format!(
                        "ValueError: `QuantizedCache` is only supported for models with only full attention layers. We found the following invalid layer types: {}",
                        mixer.kind()
                    );
                    return Err(PlanError::refused("engine.cache", message).with_value("quantized"));
                }
            };
            for (role, heads, dim) in tensors.into_iter().filter(|(_, _, dim)| *dim > 0) {
                let shape = Shape { sequences, heads, dim };
                packing.check(shape, turn)?;
                let (payload, allocated) = packing.bytes(shape, turn, scalar)?;
                let one = Shape { sequences: 1, ..shape };
                let (now, then) = (packing.bytes(one, turn, scalar)?.0, packing.bytes(one, later, scalar)?.0);
                grown = grown.plus(then.minus(now).unwrap_or_default().times(layers)?)?;
                lines.push(StoreLine {
                    cache: "quantized",
                    role,
                    layers,
                    carriers: Carriers::Any,
                    heads,
                    dim,
                    entries: turn.tokens()?,
                    sequences,
                    codec: packing.codec(),
                    payload: payload.times(layers)?,
                    allocated: allocated.times(layers)?,
                    rule: &QUANTIZED,
                    basis: Basis::Exact,
                });
            }
        }
    }
    Ok((lines, Growth { bytes: grown, tokens: period }))
}
