//! What llama.cpp refuses (`llama_init_from_model`, in its order and words), and what it aborts on.

use super::context::{Chosen, Context};
use super::rows::Rows;
use crate::error::PlanError;
use crate::spec::gguf::Arch;
use crate::spec::gguf::arch::{Indexer, Sharing};
use crate::spec::{Mixer, ModelSpec};

/// Why a context is not built.
pub(super) fn refuse(
    model: &ModelSpec,
    arch: &Arch,
    cx: &Context,
    rows: &[(u64, Rows)],
) -> Result<(), PlanError> {
    let (k, v) = (cx.type_k, cx.type_v);
    let compressed = compressed_dims(model);
    let one_tensor = rows.iter().any(|(_, rows)| rows.v.is_none() && rows.head_v > 0) || compressed.is_some();
    if one_tensor && k.ty != v.ty {
        let message = format!(
            "llama_init_from_model: model does not support different K ({}) and V ({}) cache types",
            k.ty.name(),
            v.ty.name()
        );
        return Err(refused(if v.given { v } else { k }, message));
    }
    if v.ty.is_quantized() && !cx.flash_attn {
        let message = "llama_init_from_model: quantized V cache requires flash_attn to be enabled";
        return Err(refused(v, message.to_owned()));
    }
    if cx.flash_attn {
        let widths = || {
            let bare = fallback_head_dim(model, rows).filter(|_| compressed.is_none());
            let bare = bare.map(|dim| (dim, dim));
            let compressed = compressed.map(|(dim, _)| (dim, dim));
            rows.iter().map(|(_, rows)| (rows.k.dim, rows.head_v)).chain(compressed).chain(bare)
        };
        blocks_divide(k, "K", widths().map(|(k, _)| k))?;
        blocks_divide(v, "V", widths().map(|(_, v)| v))?;
    }
    abort(model, arch, cx, compressed)
}

fn refused(chosen: Chosen, message: String) -> PlanError {
    PlanError::refused(chosen.field, message).with_value(chosen.ty.name())
}

fn blocks_divide(chosen: Chosen, side: &str, widths: impl Iterator<Item = u64>) -> Result<(), PlanError> {
    let block = chosen.ty.block();
    for width in widths {
        if !width.is_multiple_of(block) {
            let message = format!(
                "llama_init_from_model: {side} cache type {} with block size {block} does not divide n_embd_head_{}={width}",
                chosen.ty.name(),
                side.to_ascii_lowercase()
            );
            return Err(refused(chosen, message));
        }
    }
    Ok(())
}

/// A model without attention rows (an encoder, a recurrent model with heads) is still checked by its head width.
fn fallback_head_dim(model: &ModelSpec, rows: &[(u64, Rows)]) -> Option<u64> {
    let record = model.record();
    record.hidden_size?.checked_div(record.heads?).filter(|_| rows.is_empty())
}

/// Row width and indexer width of DeepSeek-V4's layers.
fn compressed_dims(model: &ModelSpec) -> Option<(u64, Option<u64>)> {
    let mut dims: Option<(u64, Option<u64>)> = None;
    for mixer in model.kinds().iter().flat_map(crate::spec::Kind::mixers) {
        if let Mixer::Compressed(a) = mixer {
            let indexer = dims.and_then(|(_, indexer)| indexer).or(a.indexer_dim);
            dims = Some((a.dim, indexer));
        }
    }
    dims
}

/// Combinations that pass the checks above and end the process.
fn abort(
    model: &ModelSpec,
    arch: &Arch,
    cx: &Context,
    compressed: Option<(u64, Option<u64>)>,
) -> Result<(), PlanError> {
    if let Some((_, Some(dim))) = compressed
        && arch.indexer == Indexer::Compressed
        && !dim.is_multiple_of(cx.type_k.ty.block())
    {
        let message = format!(
            "llama.cpp aborts: {} stores blocks of {}, which do not divide the indexer's key_length {dim}",
            cx.type_k.ty.name(),
            cx.type_k.ty.block()
        );
        return Err(refused(cx.type_k, message));
    }
    if !reuse_is_cached(model, arch) {
        let message = "llama.cpp aborts: src/llama-kv-cache.cpp:268: GGML_ASSERT(map_layer_ids.find(il_reuse) != map_layer_ids.end()) failed [process aborted, signal 6]: a sharing layer would reuse a layer of the other cache";
        return Err(PlanError::refused("model", message));
    }
    let tokens = cx.n_ctx.min(cx.n_ubatch);
    if arch.even_batch && !cx.unified && !cx.mtp && !tokens.is_multiple_of(cx.n_seq_max) {
        let message = format!(
            "llama.cpp aborts: src/ggml.c:2072: GGML_ASSERT(ggml_can_repeat(b, a)) failed [process aborted, signal 6]: {tokens} tokens of a batch do not split evenly over {} sequences",
            cx.n_seq_max
        );
        return Err(PlanError::refused("engine.n_seq_max", message).with_value(cx.n_seq_max));
    }
    Ok(())
}

/// Sharing layers reuse the last owner that is full, or the last but one where they are windowed; it must be of the
/// same cache.
fn reuse_is_cached(model: &ModelSpec, arch: &Arch) -> bool {
    if arch.sharing == Sharing::None {
        return true;
    }
    let first = |index: u16| model.kinds().get(usize::from(index)).and_then(|kind| kind.mixers().first());
    let owners = model.order().iter().take_while(|i| !matches!(first(**i), Some(Mixer::Shared(_)))).count();
    let windowed = |back: usize| {
        let at = owners.checked_sub(back).and_then(|at| model.order().get(at));
        at.map(|i| matches!(first(*i), Some(Mixer::Window(_) | Mixer::Chunk(_))))
    };
    model.order().iter().skip(owners).all(|i| match first(*i) {
        Some(Mixer::Shared(shared)) if shared.window.is_some() => windowed(2) == Some(true),
        Some(Mixer::Shared(_)) => windowed(1) == Some(false),
        Some(_) | None => true,
    })
}
