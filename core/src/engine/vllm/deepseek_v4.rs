//! DeepSeek-V4: window rows, compressed rows, index keys and the compressors' states, each with pages of its own size
//! (`models/deepseek_v4/attention.py`, `compressor.py`). Nothing is shared out over tensor-parallel ranks.

use super::attention::index_part;
use super::dtype::KvCacheDtype;
use super::options::Setup;
use super::spec::{Class, Part, Spec};
use crate::cache::{Knob, Retention, Role};
use crate::codec::{Codec, Side};
use crate::engine::codec_error;
use crate::error::PlanError;
use crate::spec::layer;
use crate::unit::Overflow;

/// Tokens per block of the window rows.
const WINDOW_BLOCK: u64 = 64;
/// What pages are a multiple of: the decode kernel's stride.
const ALIGN: u64 = 576;

/// The specs of one layer; `block` is the block of the compressed rows, in tokens.
pub(super) fn specs(setup: &Setup<'_>, a: &layer::Compressed, block: u64) -> Result<Vec<Spec>, PlanError> {
    use KvCacheDtype as D;
    if !matches!(
        setup.kv,
        D::Auto | D::Fp8 | D::Fp8E4m3 | D::Fp8E5m2 | D::Fp8Inc | D::Fp8DsMla | D::Fp8PerTokenHead
    ) {
        let dtype = setup.kv.as_str();
        let message = format!(
            "DeepseekV4 fp8_ds_mla layout only supports fp8 kv-cache, got {dtype}. Please set `--kv-cache-dtype fp8` \
             or select a backend that supports bfloat16 KV cache."
        );
        return Err(PlanError::refused("engine.kv_cache_dtype", message).with_value(dtype));
    }
    if !block.is_multiple_of(256) {
        let message = "DeepSeek-V4's kernels take blocks of 256 tokens";
        return Err(PlanError::refused("engine.block_size", message).with_value(block));
    }
    let row = |codec: Codec, dim| {
        codec.row_bytes(Side::Key, 1, dim).map(|b| b.get()).map_err(|e| codec_error(Knob::K, codec, &e))
    };
    let entry = row(Codec::Fp8DsV4, a.dim)?;
    let rows = |cache, retention| Part {
        cache,
        role: Role::Compressed,
        heads: 1,
        dim: a.dim,
        retention,
        codec: Codec::Fp8DsV4,
        entry,
        held: entry,
    };
    let spec = |class, block_size, tokens_per_state, part| Spec {
        class,
        block_size,
        tokens_per_state,
        align: ALIGN,
        padded: None,
        parts: vec![part],
    };
    let window = Class::WindowMla { window: a.window };
    let mut specs = vec![spec(window, WINDOW_BLOCK, 1, rows("window", Retention::Window(a.window)))];
    if a.ratio == 0 {
        return Ok(specs);
    }
    // A ratio of 4 overlaps two groups of tokens, so its compressor keeps twice the tokens at twice the width.
    let (overlap, state_block) = match a.ratio {
        4 => (2u64, 4),
        128 => (1, 8),
        ratio => {
            let message = "vLLM compresses 4 or 128 tokens into one entry";
            return Err(PlanError::refused("model", message).with_value(ratio));
        }
    };
    specs.push(spec(Class::Mla, block, a.ratio, rows("compressed", Retention::Strided(a.ratio))));
    let kept = overlap * a.ratio;
    let state = |dim: u64| -> Result<Spec, PlanError> {
        // The projected kv and its score, in f32.
        let width = dim.checked_mul(2 * overlap).ok_or(Overflow)?;
        let held = width.checked_mul(4).ok_or(Overflow)?;
        let part = Part {
            cache: "compressor",
            role: Role::CompressorState,
            heads: 2,
            dim: dim.checked_mul(overlap).ok_or(Overflow)?,
            retention: Retention::Fixed(kept),
            codec: Codec::F32,
            entry: held,
            held,
        };
        Ok(spec(Class::WindowMla { window: kept }, state_block, 1, part))
    };
    specs.push(state(a.dim)?);
    if let Some(dim) = a.indexer_dim {
        let key = row(Codec::Fp8Block128, dim)?;
        let part = index_part(dim, Codec::Fp8Block128, key, Retention::Strided(a.ratio));
        specs.push(spec(Class::Mla, block, a.ratio, part));
        specs.push(state(dim)?);
    }
    Ok(specs)
}
