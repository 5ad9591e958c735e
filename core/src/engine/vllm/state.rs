//! Recurrent states: one page a state, whatever the block size (`layers/mamba/mamba_utils.py`).

use super::block_size::{Blocks, delta_checkpoint};
use super::options::Setup;
use super::spec::{Class, Part, Spec};
use crate::cache::{Retention, Role};
use crate::codec::{Codec, Side};
use crate::error::PlanError;
use crate::spec::Mixer;
use crate::unit::Overflow;

/// A recurrent layer's state.
pub(super) struct State {
    pub parts: Vec<Part>,
    /// Blocks for checkpoints taken inside a prefill, when states are kept at block boundaries.
    checkpoints: u64,
    /// What the tokens of such a checkpoint are a multiple of, where that moves the block size.
    pub checkpoint: Option<u64>,
}

impl State {
    /// The spec vLLM makes of it.
    pub(super) fn spec(self, setup: &Setup<'_>, blocks: &Blocks) -> Spec {
        let (block_size, base) = if setup.aligned_states() {
            (blocks.size, 2 + self.checkpoints)
        } else {
            // Kept once a request, as if its block were the whole of it.
            (setup.context, 1)
        };
        Spec {
            class: Class::Mamba { per_request: base.saturating_add(setup.drafted) },
            block_size,
            tokens_per_state: 1,
            align: 1,
            padded: blocks.state_page,
            parts: self.parts,
        }
    }
}

/// The state of a recurrent mixer on one rank; `None` for attention.
pub(super) fn of(setup: &Setup<'_>, mixer: &Mixer) -> Option<Result<State, PlanError>> {
    let wide = |parts, checkpoints, checkpoint| Ok(State { parts, checkpoints, checkpoint });
    Some(match mixer {
        Mixer::Mamba1(a) => (|| {
            let inner = setup.share(a.inner)?;
            // Mamba-1 keeps no columns for drafted tokens.
            let conv = conv(setup, inner, a.conv_kernel, 0)?;
            wide(vec![conv, recurrent(ssm_dtype(setup, None), inner, a.state)?], 0, None)
        })(),
        Mixer::Mamba2(a) => (|| {
            let inner = product(a.heads, a.head_dim)?;
            // Groups that do not divide are extended until every rank has the groups of its heads.
            let groups = if a.groups.is_multiple_of(setup.tp) { a.groups } else { setup.tp };
            let channels = sum(inner, product(2, product(groups, a.state)?)?)?;
            let conv = conv(setup, setup.share(channels)?, a.conv_kernel, setup.drafted)?;
            let state =
                recurrent(ssm_dtype(setup, None), setup.share(a.heads)?, product(a.head_dim, a.state)?)?;
            wide(vec![conv, state], 1, None)
        })(),
        Mixer::GatedDelta(a) => (|| {
            let channels = sum(product(2, product(a.k_heads, a.k_dim)?)?, product(a.v_heads, a.v_dim)?)?;
            let conv = conv(setup, setup.share(channels)?, a.conv_kernel, setup.drafted)?;
            let state =
                recurrent(ssm_dtype(setup, None), setup.share(a.v_heads)?, product(a.v_dim, a.k_dim)?)?;
            let family = setup.options.platform.family();
            let checkpoint =
                if setup.is_family(&["olmo_hybrid"]) { None } else { delta_checkpoint(family, a.k_dim) };
            wide(vec![conv, state], u64::from(checkpoint.is_some()), checkpoint)
        })(),
        Mixer::Kda(a) => (|| {
            let channels = product(3, product(a.heads, a.head_dim)?)?;
            let conv = conv(setup, setup.share(channels)?, a.conv_kernel, setup.drafted)?;
            let dtype = ssm_dtype(setup, Some(Codec::F32));
            let state = recurrent(dtype, setup.share(a.heads)?, product(a.head_dim, a.head_dim)?)?;
            wide(vec![conv, state], 0, None)
        })(),
        Mixer::Lightning(a) => (|| {
            let state = recurrent(setup.dtype, setup.share(a.heads)?, product(a.head_dim, a.head_dim)?)?;
            wide(vec![state], 0, None)
        })(),
        Mixer::ShortConv(a) => {
            (|| wide(vec![conv(setup, setup.share(a.width)?, a.conv_kernel, setup.drafted)?], 0, None))()
        }
        Mixer::Full(_)
        | Mixer::Window(_)
        | Mixer::Chunk(_)
        | Mixer::Mla(_)
        | Mixer::Compressed(_)
        | Mixer::Rwkv(_)
        | Mixer::RgLru(_)
        | Mixer::Mlstm(_)
        | Mixer::Cross(_)
        | Mixer::Shared(_) => return None,
    })
}

/// The type of a recurrent state: the option; else what the families that read it from their configuration say;
/// else `unless`; else the model's own.
fn ssm_dtype(setup: &Setup<'_>, unless: Option<Codec>) -> Codec {
    if let Some(asked) = setup.options.mamba_ssm_cache_dtype.codec() {
        return asked;
    }
    let stated = setup.model.state_dtype();
    if setup.is_family(&["nemotron_h", "nemotron_h_puzzle"]) {
        return stated.unwrap_or(Codec::F32);
    }
    let reads = setup.model.family().is_none_or(|f| f.starts_with("qwen3_5") || f.starts_with("qwen3_6"));
    stated.filter(|_| reads).or(unless).unwrap_or(setup.dtype)
}

fn conv(setup: &Setup<'_>, channels: u64, kernel: u64, drafted: u64) -> Result<Part, PlanError> {
    let columns = kernel.saturating_sub(1);
    let bytes = |columns: u64| element(setup.dtype, product(channels, columns)?);
    Ok(Part {
        cache: "mamba",
        role: Role::ConvState,
        heads: channels,
        dim: columns,
        retention: Retention::Fixed(1),
        codec: setup.dtype,
        entry: bytes(columns)?,
        held: bytes(sum(columns, drafted)?)?,
    })
}

fn recurrent(codec: Codec, heads: u64, dim: u64) -> Result<Part, PlanError> {
    let entry = element(codec, product(heads, dim)?)?;
    Ok(Part {
        cache: "mamba",
        role: Role::RecurrentState,
        heads,
        dim,
        retention: Retention::Fixed(1),
        codec,
        entry,
        held: entry,
    })
}

fn element(codec: Codec, count: u64) -> Result<u64, PlanError> {
    let knob = crate::cache::Knob::State;
    Ok(codec.row_bytes(Side::Key, count, 1).map_err(|e| crate::engine::codec_error(knob, codec, &e))?.get())
}

fn product(a: u64, b: u64) -> Result<u64, Overflow> {
    a.checked_mul(b).ok_or(Overflow)
}

fn sum(a: u64, b: u64) -> Result<u64, Overflow> {
    a.checked_add(b).ok_or(Overflow)
}
