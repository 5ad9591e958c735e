//! From mixers to stores: the one place that says what a kind of layer keeps.

use super::{Retention, Role, Store};
use crate::spec::layer::Mixer;
use crate::unit::Overflow;

/// The stores of one mixer.
///
/// | mixer | stores |
/// |---|---|
/// | full, window, chunk | k and v of `kv_heads × dim`; MSA adds an indexer key |
/// | MLA | one latent row of `latent_dim + rope_dim`, and the indexer's key where the layer stores one |
/// | compressed | one row of `dim` for the last `window` tokens; every `ratio` tokens one more, with an indexer key for CSA |
/// | recurrent mixers | a convolution state of `kernel − 1` inputs and a recurrent state, both fixed |
/// | cross | k and v of the encoder's tokens |
/// | shared | nothing |
///
/// # Errors
/// [`Overflow`] when a width exceeds 64 bits.
pub fn stores_of(mixer: &Mixer) -> Result<Vec<Store>, Overflow> {
    let store = |role, heads, dim, retention| Store { role, heads, dim, retention };
    let pair = |kv_heads, k_dim, v_dim, law| {
        vec![store(Role::K, kv_heads, k_dim, law), store(Role::V, kv_heads, v_dim, law)]
    };
    let conv = |channels: u64, kernel: u64| {
        store(Role::ConvState, channels, kernel.saturating_sub(1), Retention::Fixed(1))
    };
    let state = |heads, dim| store(Role::RecurrentState, heads, dim, Retention::Fixed(1));
    let mut stores = match mixer {
        Mixer::Full(a) => {
            let mut stores = pair(a.kv_heads, a.k_dim, a.v_dim, Retention::All);
            stores.extend(a.indexer_dim.map(|dim| store(Role::Indexer, 1, dim, Retention::All)));
            stores
        }
        Mixer::Window(a) => pair(a.kv_heads, a.k_dim, a.v_dim, Retention::Window(a.window)),
        Mixer::Chunk(a) => pair(a.kv_heads, a.k_dim, a.v_dim, Retention::Chunk(a.chunk)),
        Mixer::Mla(a) => {
            let mut stores = vec![store(Role::Latent, 1, sum(a.latent_dim, a.rope_dim)?, Retention::All)];
            let law = match a.indexer_stride {
                None | Some(1) => Retention::All,
                Some(stride) => Retention::Strided(stride),
            };
            stores.extend(a.indexer_dim.map(|dim| store(Role::Indexer, 1, dim, law)));
            stores
        }
        Mixer::Compressed(a) => {
            let mut stores = vec![store(Role::Compressed, 1, a.dim, Retention::Window(a.window))];
            if a.ratio > 0 {
                stores.push(store(Role::Compressed, 1, a.dim, Retention::Strided(a.ratio)));
                stores.extend(
                    a.indexer_dim.map(|dim| store(Role::Indexer, 1, dim, Retention::Strided(a.ratio))),
                );
                stores.extend(compressor(a.ratio, a.dim, a.indexer_dim)?);
            }
            stores
        }
        Mixer::Mamba1(a) => vec![conv(a.inner, a.conv_kernel), state(a.inner, a.state)],
        Mixer::Mamba2(a) => {
            let inner = product(a.heads, a.head_dim)?;
            let channels = sum(inner, product(2, product(a.groups, a.state)?)?)?;
            vec![conv(channels, a.conv_kernel), state(inner, a.state)]
        }
        Mixer::GatedDelta(a) => {
            let channels = sum(product(2, product(a.k_heads, a.k_dim)?)?, product(a.v_heads, a.v_dim)?)?;
            vec![conv(channels, a.conv_kernel), state(a.v_heads, product(a.k_dim, a.v_dim)?)]
        }
        Mixer::Kda(a) => {
            let channels = product(3, product(a.heads, a.head_dim)?)?;
            vec![conv(channels, a.conv_kernel), state(a.heads, product(a.head_dim, a.head_dim)?)]
        }
        Mixer::Lightning(a) => vec![state(a.heads, product(a.head_dim, a.head_dim)?)],
        Mixer::ShortConv(a) => vec![conv(a.width, a.conv_kernel)],
        // Token shift: the previous token's input to time mixing and to channel mixing, counted as convolution state.
        Mixer::Rwkv(a) => {
            let shifted = store(Role::ConvState, a.hidden, a.token_shift.unwrap_or(2), Retention::Fixed(1));
            vec![shifted, state(a.hidden, a.head_size)]
        }
        Mixer::RgLru(a) => vec![conv(a.width, a.conv_kernel), state(a.width, 1)],
        Mixer::Mlstm(a) => {
            let matrix = product(a.qk_dim, a.v_dim)?;
            vec![state(a.heads, sum(sum(matrix, a.qk_dim)?, 1)?)]
        }
        Mixer::Cross(a) => vec![
            store(Role::CrossK, a.kv_heads, a.k_dim, Retention::Encoder),
            store(Role::CrossV, a.kv_heads, a.v_dim, Retention::Encoder),
        ],
        Mixer::Shared(_) => Vec::new(),
    };
    stores.retain(|s| s.heads > 0 && s.dim > 0);
    Ok(stores)
}

/// Compressor working memory: the projected kv and gate of tokens not yet compressed. A compressor with an indexer
/// (CSA) overlaps blocks, so it keeps twice the tokens at twice the width; the indexer compresses the same way.
fn compressor(ratio: u64, dim: u64, indexer_dim: Option<u64>) -> Result<Vec<Store>, Overflow> {
    let (tokens, widths): (u64, Vec<u64>) = match indexer_dim {
        Some(indexer) => (product(2, ratio)?, vec![product(2, dim)?, product(2, indexer)?]),
        None => (ratio, vec![dim]),
    };
    Ok(widths
        .into_iter()
        // kv and gate side by side: two vectors per pending token.
        .map(|width| Store {
            role: Role::CompressorState,
            heads: 2,
            dim: width,
            retention: Retention::Fixed(tokens),
        })
        .collect())
}

fn product(a: u64, b: u64) -> Result<u64, Overflow> {
    a.checked_mul(b).ok_or(Overflow)
}

fn sum(a: u64, b: u64) -> Result<u64, Overflow> {
    a.checked_add(b).ok_or(Overflow)
}
