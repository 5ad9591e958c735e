//! What each kind of layer is allocated.

use crate::cache::{Knob, Retention, Role};
use crate::codec::{Codec, Side};
use crate::engine::codec_error;
use crate::engine::ledger::{Held, Ledger, plain_row};
use crate::error::PlanError;
use crate::explain::{Basis, Rule};
use crate::spec::Mixer;
use crate::unit::{Bytes, Overflow, Tokens};

/// Tokens per page.
pub(super) const PAGE: u64 = 256;
/// Tokens a ring holds beyond its window: a page of history to roll back, and a page to write.
const RING_SLACK: u64 = 512;

pub(super) static PAGES: Rule = Rule {
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

/// A packed or plain row; packing runs over all heads of a token.
fn row(codec: Codec, side: Side, heads: u64, dim: u64) -> Result<Bytes, PlanError> {
    let knob = if side == Side::Key { Knob::K } else { Knob::V };
    codec.row_bytes(side, heads, dim).map_err(|e| codec_error(knob, codec, &e))
}

/// What the layers are allocated with.
pub(super) struct Cache {
    pub(super) ledger: Ledger,
    pub(super) k: Codec,
    pub(super) v: Codec,
    /// Tokens of the page pool.
    pub(super) pool: u64,
    pub(super) slots: u64,
    pub(super) history: u64,
    /// Bytes of one page in all layers.
    pub(super) page: Bytes,
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

    pub(super) fn layer(&mut self, mixer: &Mixer, layers: u64, rings: bool) -> Result<(), PlanError> {
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
                if a.is_sparse() {
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
