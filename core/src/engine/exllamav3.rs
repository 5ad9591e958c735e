//! ExLlamaV3 1.4.1: pages of 256 tokens shared by all jobs, and a slot per job for rings and recurrent states.
//!
//! Attention over all tokens is paged: `max_num_tokens` tokens in every layer, f16 or packed per 32 elements. Sliding
//! layers of some architectures keep a ring per slot instead, always f16; recurrent layers keep their state per slot,
//! with `max_history` earlier ones for speculative decoding.

use super::ledger::{Held, Ledger, is_one_of, plain_row, positive};
use super::{Pool, Reservation, Scenario, codec_error};
use crate::cache::{Knob, Retention, Role};
use crate::codec::{Codec, Side};
use crate::error::PlanError;
use crate::explain::{Basis, Rule, Term};
use crate::spec::{Mixer, ModelSpec};
use crate::unit::{Bytes, Overflow, Tokens};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Tokens per page.
const PAGE: u64 = 256;
/// Tokens a ring holds beyond its window: a page of history to roll back, and a page to write.
const RING_SLACK: u64 = 512;

static PAGES: Rule = Rule {
    id: "exllamav3/pages",
    says: "pages of 256 tokens for max_num_tokens tokens in every layer, shared by all jobs",
    source: "exllamav3 1.4.1 cache/fp16.py, cache/quant.py, cache/mla.py",
};
static RING: Rule = Rule {
    id: "exllamav3/ring",
    says: "a ring of the window and 512 tokens, in whole pages, for each of max_batch_size slots, always f16",
    source: "exllamav3 1.4.1 modules/sliding_attn.py SWALayerState",
};
static STATE: Rule = Rule {
    id: "exllamav3/recurrent-state",
    says: "per slot: kernel + max_history convolution columns, and max_history + 1 recurrent states in f32",
    source: "exllamav3 1.4.1 modules/gated_delta_net.py GDNLayerState, modules/short_conv.py",
};

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

/// Architectures whose sliding layers are rings (`SlidingAttention`); elsewhere they are paged like the rest.
const RINGS: &[&str] = &["gpt_oss", "gemma4", "afmoe", "laguna", "step3p5", "step3p7"];

/// The key and value types: the options, else what the request's `cache` says, else f16.
fn types(options: &Options, scenario: &Scenario) -> Result<(Codec, Codec), PlanError> {
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

/// A packed or plain row; packing runs over all heads of a token.
fn row(codec: Codec, side: Side, heads: u64, dim: u64) -> Result<Bytes, PlanError> {
    let knob = if side == Side::Key { Knob::K } else { Knob::V };
    codec.row_bytes(side, heads, dim).map_err(|e| codec_error(knob, codec, &e))
}

/// What the layers are allocated with.
struct Cache {
    ledger: Ledger,
    k: Codec,
    v: Codec,
    /// Tokens of the page pool.
    pool: u64,
    slots: u64,
    history: u64,
    /// Bytes of one page in all layers.
    page: Bytes,
}

impl Cache {
    fn paged(
        &mut self,
        layers: u64,
        cache: &'static str,
        role: Role,
        (heads, dim): (u64, u64),
        retention: Retention,
        codec: Codec,
    ) -> Result<(), PlanError> {
        let row = row(codec, role.side(), heads, dim)?;
        self.paged_row(layers, cache, role, (heads, dim), retention, codec, row)
    }

    #[expect(clippy::too_many_arguments, reason = "a line's own fields")]
    fn paged_row(
        &mut self,
        layers: u64,
        cache: &'static str,
        role: Role,
        (heads, dim): (u64, u64),
        retention: Retention,
        codec: Codec,
        row: Bytes,
    ) -> Result<(), PlanError> {
        let per_token = row.times(layers)?;
        self.page = self.page.plus(per_token.times(PAGE)?)?;
        let allocated = per_token.times(self.pool)?;
        let (rule, basis) = (&PAGES, Basis::Exact);
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

    fn ring(&mut self, layers: u64, heads: u64, dim: u64, window: u64) -> Result<(), PlanError> {
        let entries = Tokens::new(window).plus(Tokens::new(RING_SLACK))?.round_up(PAGE)?;
        for role in [Role::K, Role::V] {
            let row = plain_row(Codec::F16, heads, dim)?;
            let allocated = row.times(entries.get())?.times(self.slots)?.times(layers)?;
            let (retention, codec) = (Retention::Window(window), Codec::F16);
            let (cache, rule, basis) = ("swa", &RING, Basis::Exact);
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
            })?;
        }
        Ok(())
    }

    /// Convolution columns and a matrix state (absent for a short convolution).
    fn state(
        &mut self,
        layers: u64,
        (channels, kernel, conv): (u64, u64, Codec),
        (heads, dim): (u64, u64),
    ) -> Result<(), PlanError> {
        let slots = layers.checked_mul(self.slots).ok_or(Overflow)?;
        let columns = kernel.checked_add(self.history).ok_or(Overflow)?;
        let needed = kernel.saturating_sub(1);
        let (cache, rule, basis, retention) = ("recurrent", &STATE, Basis::Exact, Retention::Fixed(1));
        self.ledger.hold(Held {
            cache,
            role: Role::ConvState,
            layers,
            heads: channels,
            dim: needed,
            retention,
            codec: conv,
            row: plain_row(conv, channels, needed)?,
            allocated: plain_row(conv, channels, columns)?.times(slots)?,
            rule,
            basis,
        })?;
        let state = plain_row(Codec::F32, heads, dim)?;
        let states = self.history.checked_add(1).ok_or(Overflow)?;
        self.ledger.hold(Held {
            cache,
            role: Role::RecurrentState,
            layers,
            heads,
            dim,
            retention,
            codec: Codec::F32,
            row: state,
            allocated: state.times(states)?.times(slots)?,
            rule,
            basis,
        })
    }

    fn layer(&mut self, mixer: &Mixer, layers: u64, rings: bool) -> Result<(), PlanError> {
        let product = |a: u64, b: u64| a.checked_mul(b).ok_or(Overflow);
        let (k, v) = (self.k, self.v);
        match mixer {
            Mixer::Full(a) => {
                same_width(a.k_dim, a.v_dim)?;
                if a.indexer_dim.is_some() {
                    return Err(not_modelled("a sparse-attention indexer"));
                }
                self.paged(layers, "full", Role::K, (a.kv_heads, a.k_dim), Retention::All, k)?;
                self.paged(layers, "full", Role::V, (a.kv_heads, a.v_dim), Retention::All, v)
            }
            Mixer::Window(a) => {
                same_width(a.k_dim, a.v_dim)?;
                if rings {
                    return self.ring(layers, a.kv_heads, a.k_dim, a.window);
                }
                let law = Retention::Window(a.window);
                self.paged(layers, "swa", Role::K, (a.kv_heads, a.k_dim), law, k)?;
                self.paged(layers, "swa", Role::V, (a.kv_heads, a.v_dim), law, v)
            }
            Mixer::Mla(a) => {
                if a.indexer_dim.is_some() || a.indexer_shared {
                    return Err(not_modelled("a sparse-attention indexer"));
                }
                let width = a.latent_dim.checked_add(a.rope_dim).ok_or(Overflow)?;
                // The latent is packed; the rotary key stays f16.
                let row = row(k, Side::Key, 1, a.latent_dim)?.plus(plain_row(Codec::F16, 1, a.rope_dim)?)?;
                self.paged_row(layers, "mla", Role::Latent, (1, width), Retention::All, k, row)
            }
            Mixer::GatedDelta(a) => {
                let keys = product(2, product(a.k_heads, a.k_dim)?)?;
                let channels = keys.checked_add(product(a.v_heads, a.v_dim)?).ok_or(Overflow)?;
                let state = (a.v_heads, product(a.k_dim, a.v_dim)?);
                self.state(layers, (channels, a.conv_kernel, Codec::Bf16), state)
            }
            Mixer::Mamba2(a) => {
                let keys = product(2, product(a.groups, a.state)?)?;
                let channels = keys.checked_add(product(a.heads, a.head_dim)?).ok_or(Overflow)?;
                let state = (a.heads, product(a.head_dim, a.state)?);
                self.state(layers, (channels, a.conv_kernel, Codec::Bf16), state)
            }
            Mixer::ShortConv(a) => self.state(layers, (a.width, a.conv_kernel, Codec::F16), (0, 0)),
            Mixer::Shared(_) => Ok(()),
            Mixer::Chunk(_)
            | Mixer::Compressed(_)
            | Mixer::Mamba1(_)
            | Mixer::Kda(_)
            | Mixer::Lightning(_)
            | Mixer::Rwkv(_)
            | Mixer::RgLru(_)
            | Mixer::Mlstm(_)
            | Mixer::Cross(_) => Err(not_modelled(&format!("a layer of kind {}", mixer.kind()))),
        }
    }
}

fn not_modelled(what: &str) -> PlanError {
    PlanError::unsupported("model", format!("{what} is not modelled for exllamav3"))
}

fn same_width(k_dim: u64, v_dim: u64) -> Result<(), PlanError> {
    if k_dim == v_dim {
        return Ok(());
    }
    let message = format!("exllamav3 keeps keys and values of one width; this model has {k_dim} and {v_dim}");
    Err(PlanError::unsupported("model", message))
}

/// Whether sliding layers are rings here.
fn rings(
    model: &ModelSpec,
    options: &Options,
    assumptions: &mut Vec<Cow<'static, str>>,
) -> Result<bool, PlanError> {
    let sliding = model.kinds().iter().flat_map(|k| k.mixers()).any(|m| matches!(m, Mixer::Window(_)));
    if !sliding {
        return Ok(false);
    }
    match (model.family(), options.swa_full) {
        (_, Some(true)) => Ok(false),
        (Some(family), _) => Ok(is_one_of(family, RINGS)),
        (None, Some(false)) => {
            assumptions.push(Cow::Borrowed(
                "no architecture is named: sliding layers are rings, as for gpt-oss, Gemma 4, AFMoE, Laguna and Step 3.5",
            ));
            Ok(true)
        }
        (None, None) => {
            let message = "whether sliding layers are rings depends on the architecture, which is not named; say swa_full";
            Err(PlanError::missing("engine.swa_full", message))
        }
    }
}

/// What ExLlamaV3 reserves.
///
/// # Errors
/// `engine-refuses` in its own words; `unsupported` for layers it does not have; `missing-field` without a length.
pub fn reserve(model: &ModelSpec, scenario: &Scenario, options: &Options) -> Result<Reservation, PlanError> {
    positive(&[
        ("max_num_tokens", options.max_num_tokens),
        ("max_batch_size", Some(options.max_batch_size)),
    ])?;
    let mut assumptions: Vec<Cow<'static, str>> = Vec::new();
    let (k, v) = types(options, scenario)?;
    let rings = rings(model, options, &mut assumptions)?;
    let kept = || model.kept(scenario.mtp).flat_map(|(kind, _)| kind.mixers());
    let per_slot = |m: &Mixer| {
        matches!(m, Mixer::GatedDelta(_) | Mixer::Mamba2(_) | Mixer::ShortConv(_) | Mixer::Shared(_))
            || (rings && matches!(m, Mixer::Window(_)))
    };
    let sequences = scenario.sequences.unwrap_or(1);
    let context = match (scenario.context, options.max_num_tokens) {
        (Some(context), _) => context,
        (None, Some(tokens)) => Tokens::new(tokens),
        (None, None) if kept().all(per_slot) => {
            assumptions.push(Cow::Borrowed("no context given: every ring counts as full"));
            let windows = kept().map(|m| if let Mixer::Window(a) = m { a.window } else { 0 });
            Tokens::new(windows.max().unwrap_or(0))
        }
        (None, None) => {
            let message = "how many tokens does a sequence hold? `context` or `max_num_tokens` is needed";
            return Err(PlanError::missing("context", message));
        }
    };
    let each = context.round_up(PAGE)?;
    let needed = each.times(sequences)?.get();
    let pool = options.max_num_tokens.unwrap_or(needed);
    if !pool.is_multiple_of(PAGE) {
        let message = "AssertionError: max_num_tokens must be a multiple of 256.";
        return Err(PlanError::refused("engine.max_num_tokens", message).with_value(pool));
    }
    if each.get() > pool {
        let (asked, there) = (each.get() / PAGE, pool / PAGE);
        let message = format!("Job requires {asked} pages (only {there} available) and cannot be enqueued");
        return Err(PlanError::refused("context", message).with_value(context.get()));
    }
    let ledger = Ledger::new(context, scenario.encoder_tokens, sequences);
    let (slots, history) = (options.max_batch_size, options.max_history);
    let mut cache = Cache { ledger, k, v, pool, slots, history, page: Bytes::ZERO };
    for (kind, layers) in model.kept(scenario.mtp) {
        for mixer in kind.mixers() {
            cache.layer(mixer, layers, rings)?;
        }
    }
    if sequences > slots && kept().any(per_slot) {
        assumptions.push(Cow::Owned(format!(
            "exllamav3 runs at most {slots} of {sequences} sequences at once (max_batch_size)"
        )));
    }
    let resident = sequences.min(pool / each.get().max(1));
    if resident < sequences {
        assumptions.push(Cow::Owned(format!(
            "the pool holds {resident} of {sequences} sequences of {} tokens; the rest wait",
            context.get()
        )));
    }
    let free = cache.page.times((pool - needed.min(pool)) / PAGE)?;
    let page = cache.page;
    let (lines, growth) = cache.ledger.close()?;
    let mut total = Bytes::ZERO;
    for line in &lines {
        total = total.plus(line.allocated)?;
    }
    let terms = if scenario.explain && page > Bytes::ZERO {
        let formula = format!("{pool} tokens / {PAGE} per page");
        let pages = Term::new("pages", formula, pool / PAGE, "blocks", &PAGES);
        let formula = format!("bytes of {PAGE} tokens in all paged layers");
        vec![pages, Term::new("page", formula, page.get(), "bytes", &PAGES)]
    } else {
        Vec::new()
    };
    Ok(Reservation {
        context,
        sequences,
        lines,
        pool: options.max_num_tokens.map(|_| Pool { total, free }),
        growth: Some(growth),
        assumptions,
        terms,
        ..Reservation::default()
    })
}
