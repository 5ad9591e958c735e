//! From a model's layers to vLLM's specs: what each mixer caches on one rank.

use super::backend::{Backend, Wanted, select};
use super::block_size::{self, Blocks, Needs};
use super::dtype::KvCacheDtype;
use super::grouping::Layers;
use super::options::Setup;
use super::spec::{Class, Local, Part, Spec};
use super::state::{self, State};
use crate::cache::{Knob, Retention, Role};
use crate::codec::{Codec, Side};
use crate::engine::codec_error;
use crate::error::PlanError;
use crate::spec::{Mixer, layer};
use crate::unit::Overflow;

/// Layers TurboQuant leaves unquantized at either end of a model without recurrent states.
const BOUNDARY: usize = 2;

/// What a model's layers come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Understood {
    /// Layers by spec, in order of first appearance.
    pub layers: Vec<Layers>,
    pub blocks: Blocks,
    /// Pages of several sizes lie side by side in a block.
    pub packed: bool,
}

/// Equal layers that are treated alike.
struct Sort<'a> {
    kind: u16,
    mixers: &'a [Mixer],
    dtype: KvCacheDtype,
}

/// Reads the layers of a model.
///
/// # Errors
/// `engine-refuses` where vLLM 0.33.0 has no implementation or no backend, `unsupported` where it is not modelled.
pub(super) fn understand(setup: &Setup<'_>) -> Result<Understood, PlanError> {
    refuse_what_vllm_lacks(setup)?;
    let (sorts, order) = sort(setup)?;
    let (needs, packed) = needs(setup, &sorts)?;
    let blocks = block_size::choose(setup, &needs)?;
    let mut layers: Vec<Layers> = Vec::new();
    let mut specs_of: Vec<Vec<usize>> = Vec::with_capacity(sorts.len());
    for sort in &sorts {
        let mut specs = Vec::new();
        // Attention registers before the state beside it (Falcon-H1's rows list it first).
        let attention = |m: &&Mixer| state::of(setup, m).is_none();
        let in_order =
            sort.mixers.iter().filter(attention).chain(sort.mixers.iter().filter(|m| !attention(m)));
        for mixer in in_order {
            for spec in specs_of_mixer(setup, &blocks, sort.dtype, mixer)? {
                let known = layers.iter().position(|l| l.spec == spec);
                specs.push(known.unwrap_or(layers.len()));
                if known.is_none() {
                    layers.push(Layers { spec, stages: Vec::new() });
                }
            }
        }
        specs_of.push(specs);
    }
    for &(sort, stage) in &order {
        for &spec in specs_of.get(sort).into_iter().flatten() {
            if let Some(l) = layers.get_mut(spec) {
                l.stages.push(stage);
            }
        }
    }
    Ok(Understood { layers, blocks, packed })
}

/// The sorts of layer, and each layer's sort and pipeline stage, in order. Drafting layers follow on the last stage.
fn sort<'a>(setup: &Setup<'a>) -> Result<(Vec<Sort<'a>>, Vec<(usize, u16)>), PlanError> {
    let model = setup.model;
    let count = model.layer_count();
    let stages = usize::try_from(setup.pp).map_err(|_| Overflow)?;
    let recurrent = model.kinds().iter().any(|k| k.mixers().iter().any(|m| state::of(setup, m).is_some()));
    let skipping = setup.kv.is_turboquant() && !recurrent;
    let edge = BOUNDARY.min(count / 2);
    let starts = stage_starts(count, stages);
    let mut sorts: Vec<Sort<'a>> = Vec::new();
    let mut order = Vec::with_capacity(count);
    let drafted = usize::try_from(setup.mtp).map_err(|_| Overflow)?;
    let trunk =
        model.order().iter().zip(model.layers()).enumerate().map(|(i, (&kind, k))| (Some(i), kind, k));
    let mtp = model.mtp_layers().take(drafted).map(|k| {
        let kind = model.kinds().iter().position(|other| std::ptr::eq(other, k)).unwrap_or(usize::MAX);
        (None, u16::try_from(kind).unwrap_or(u16::MAX), k)
    });
    let mut stage = 0usize;
    for (at, kind, k) in trunk.chain(mtp) {
        if let Some(at) = at {
            while starts.get(stage + 1).is_some_and(|&next| at >= next) {
                stage += 1;
            }
        }
        let skip = skipping && at.is_some_and(|at| at < edge || at + edge >= count);
        let dtype = if skip { KvCacheDtype::Auto } else { setup.kv };
        let known = sorts.iter().position(|s| s.kind == kind && s.dtype == dtype);
        let index = known.unwrap_or(sorts.len());
        if known.is_none() {
            sorts.push(Sort { kind, mixers: k.mixers(), dtype });
        }
        order.push((index, u16::try_from(stage).map_err(|_| Overflow)?));
    }
    Ok((sorts, order))
}

/// The first layer of each pipeline stage (`get_pp_indices`): equal shares, what is left over going to the stages
/// before the last.
fn stage_starts(layers: usize, stages: usize) -> Vec<usize> {
    let stages = stages.max(1);
    let (share, rest) = (layers / stages, layers % stages);
    let mut starts = Vec::with_capacity(stages);
    let mut next = 0;
    for stage in 0..stages {
        starts.push(next);
        // The last stage takes none of the rest, the one before it the first.
        let from_end = stages - stage;
        next += share + usize::from(from_end >= 2 && from_end < rest + 2);
    }
    starts
}

/// What the block size depends on, and whether pages are packed.
fn needs(setup: &Setup<'_>, sorts: &[Sort<'_>]) -> Result<(Needs, bool), PlanError> {
    let mut needs = Needs::default();
    let mut packed = false;
    let mut checkpoints: Option<Vec<Option<u64>>> = None;
    let widest = sorts.iter().flat_map(|s| s.mixers).filter_map(head_size).max().unwrap_or(0);
    for sort in sorts {
        for mixer in sort.mixers {
            if let Some(state) = state::of(setup, mixer) {
                let State { parts, checkpoint, .. } = state?;
                let bytes = parts.iter().try_fold(0u64, |sum, p| sum.checked_add(p.held)).ok_or(Overflow)?;
                needs.state = needs.state.max(bytes);
                checkpoints.get_or_insert_default().push(checkpoint);
                continue;
            }
            if matches!(mixer, Mixer::Compressed(_)) {
                packed = true;
                push(&mut needs.backends, Backend::DeepseekV4);
                continue;
            }
            let Some(wanted) = wanted(setup, mixer, sort.dtype) else { continue };
            let backend = backend_of(setup, &wanted)?;
            let first = needs.backends.is_empty();
            push(&mut needs.backends, block_size::widen_for_fp8(setup, &wanted, widest, backend));
            if indexer_dim(mixer).is_some() {
                push(&mut needs.backends, if wanted.mla { Backend::Indexer } else { Backend::BlockSparse });
            }
            if first {
                needs.mla = wanted.mla;
            }
            // The primary layers' token as the first layer's backend packs it: a first layer left unquantized
            // packs quantized elements one byte each.
            if needs.token == 0 || (needs.unquantized_token.is_none() && sort.dtype != setup.kv) {
                needs.token = token_bytes(
                    setup,
                    mixer,
                    if sort.dtype == setup.kv { setup.kv } else { KvCacheDtype::Fp8 },
                )?;
                if sort.dtype != setup.kv {
                    needs.unquantized_token = Some(token_bytes(setup, mixer, sort.dtype)?);
                }
            }
        }
    }
    needs.checkpoint =
        checkpoints.and_then(|all| all.into_iter().try_fold(1u64, |step, c| block_size::lcm(step, c?).ok()));
    Ok((needs, packed))
}

fn push(backends: &mut Vec<Backend>, backend: Backend) {
    if !backends.contains(&backend) {
        backends.push(backend);
    }
}

fn backend_of(setup: &Setup<'_>, wanted: &Wanted) -> Result<Backend, PlanError> {
    let platform = setup.options.platform;
    select(platform, wanted).ok_or_else(|| {
        let block = wanted.block_size.map_or_else(String::new, |b| format!(", block_size={b}"));
        let message = format!(
            "No valid attention backend found for cuda with head_size={}, kv_cache_dtype={}, use_mla={}, \
             has_sink={}, use_sparse={}, has_sliding_window={}{block} on {}",
            wanted.head_size,
            wanted.dtype.as_str(),
            wanted.mla,
            wanted.sink,
            wanted.sparse,
            wanted.window,
            platform.as_str()
        );
        PlanError::refused("engine.kv_cache_dtype", message).with_value(wanted.dtype.as_str())
    })
}

const fn indexer_dim(mixer: &Mixer) -> Option<u64> {
    match mixer {
        Mixer::Full(a) => a.indexer_dim,
        Mixer::Mla(a) => a.indexer_dim,
        _ => None,
    }
}

fn head_size(mixer: &Mixer) -> Option<u64> {
    heads_and_widths(mixer).map(|(_, k, _)| k)
}

/// KV heads, key and value widths of a layer with separate keys and values.
fn heads_and_widths(mixer: &Mixer) -> Option<(u64, u64, u64)> {
    match mixer {
        Mixer::Full(a) => Some((a.kv_heads, a.k_dim, a.v_dim)),
        Mixer::Window(a) => Some((a.kv_heads, a.k_dim, a.v_dim)),
        Mixer::Chunk(a) => Some((a.kv_heads, a.k_dim, a.v_dim)),
        Mixer::Cross(a) => Some((a.kv_heads, a.k_dim, a.v_dim)),
        Mixer::Mla(_)
        | Mixer::Compressed(_)
        | Mixer::Mamba1(_)
        | Mixer::Mamba2(_)
        | Mixer::GatedDelta(_)
        | Mixer::Kda(_)
        | Mixer::Lightning(_)
        | Mixer::ShortConv(_)
        | Mixer::Rwkv(_)
        | Mixer::RgLru(_)
        | Mixer::Mlstm(_)
        | Mixer::Shared(_) => None,
    }
}

/// What a layer asks of a backend; `None` for layers without attention of their own.
fn wanted(setup: &Setup<'_>, mixer: &Mixer, dtype: KvCacheDtype) -> Option<Wanted> {
    let common = Wanted {
        head_size: 0,
        square: true,
        mla: false,
        sparse: false,
        nope_dim: None,
        sink: setup.is_family(&["gpt_oss"]),
        window: matches!(mixer, Mixer::Window(_)),
        dtype,
        dcp: setup.dcp > 1,
        block_size: setup.options.block_size,
    };
    if let Mixer::Mla(a) = mixer {
        return Some(Wanted {
            head_size: a.latent_dim.saturating_add(a.rope_dim),
            mla: true,
            sparse: a.indexer_dim.is_some() || a.indexer_shared,
            nope_dim: a.nope_dim,
            ..common
        });
    }
    let (_, k_dim, v_dim) = heads_and_widths(mixer)?;
    // A merged projection (v_dim 0) is a hypothesis; it keeps the backend of the real model.
    Some(Wanted { head_size: k_dim, square: k_dim == v_dim || v_dim == 0, ..common })
}

/// Bytes one token of an attention layer takes on this rank.
fn token_bytes(setup: &Setup<'_>, mixer: &Mixer, dtype: KvCacheDtype) -> Result<u64, PlanError> {
    let parts = attention_parts(setup, mixer, dtype)?;
    let own = parts.iter().filter(|p| p.role != Role::Indexer);
    own.map(|p| p.held).try_fold(0u64, u64::checked_add).ok_or_else(|| Overflow.into())
}

/// Bytes of one vector under a codec.
fn vector(codec: Codec, side: Side, dim: u64) -> Result<u64, PlanError> {
    let knob = match side {
        Side::Key => Knob::K,
        Side::Value => Knob::V,
    };
    Ok(codec.row_bytes(side, 1, dim).map_err(|e| codec_error(knob, codec, &e))?.get())
}

fn codec_of(setup: &Setup<'_>, dtype: KvCacheDtype) -> Result<Codec, PlanError> {
    dtype.codec(setup.dtype).ok_or_else(|| {
        let message =
            format!("No valid attention backend found for cuda with kv_cache_dtype={}", dtype.as_str());
        PlanError::refused("engine.kv_cache_dtype", message).with_value(dtype.as_str())
    })
}

/// The stores of an attention layer on this rank.
fn attention_parts(setup: &Setup<'_>, mixer: &Mixer, dtype: KvCacheDtype) -> Result<Vec<Part>, PlanError> {
    let (cache, retention, roles) = match mixer {
        Mixer::Window(a) => ("window", Retention::Window(a.window), [Role::K, Role::V]),
        Mixer::Chunk(a) => ("chunk", Retention::Chunk(a.chunk), [Role::K, Role::V]),
        Mixer::Cross(_) => ("cross", Retention::Encoder, [Role::CrossK, Role::CrossV]),
        _ => ("full", Retention::All, [Role::K, Role::V]),
    };
    if let Mixer::Mla(a) = mixer {
        let dim = a.latent_dim.checked_add(a.rope_dim).ok_or(Overflow)?;
        let codec = codec_of(setup, latent_dtype(setup, mixer, dtype)?)?;
        let entry = vector(codec, Side::Key, dim)?;
        let role = Role::Latent;
        return Ok(vec![Part { cache: "mla", role, heads: 1, dim, retention, codec, entry, held: entry }]);
    }
    let Some((heads, k_dim, v_dim)) = heads_and_widths(mixer) else { return Ok(Vec::new()) };
    let heads = setup.heads_per_rank(heads)?;
    let codec = codec_of(setup, dtype)?;
    let mut parts = Vec::with_capacity(2);
    for (role, dim) in roles.into_iter().zip([k_dim, v_dim]) {
        if dim == 0 {
            continue;
        }
        let entry = vector(codec, role.side(), dim)?.checked_mul(heads).ok_or(Overflow)?;
        parts.push(Part { cache, role, heads, dim, retention, codec, entry, held: entry });
    }
    Ok(parts)
}

/// A sparse backend may keep another format than the one asked for: FlashMLA's is DeepSeek's packed row.
fn latent_dtype(setup: &Setup<'_>, mixer: &Mixer, dtype: KvCacheDtype) -> Result<KvCacheDtype, PlanError> {
    let Some(wanted) = wanted(setup, mixer, dtype) else { return Ok(dtype) };
    let packs = match backend_of(setup, &wanted)? {
        Backend::FlashMlaSparse => !dtype.is_plain() && dtype != KvCacheDtype::Nvfp4DsMla,
        Backend::FlashInferMlaSparseSm120 => true,
        _ => false,
    };
    Ok(if packs { KvCacheDtype::Fp8DsMla } else { dtype })
}

/// The specs of one mixer.
fn specs_of_mixer(
    setup: &Setup<'_>,
    blocks: &Blocks,
    dtype: KvCacheDtype,
    mixer: &Mixer,
) -> Result<Vec<Spec>, PlanError> {
    if let Some(state) = state::of(setup, mixer) {
        return Ok(vec![state?.spec(setup, blocks)]);
    }
    if let Mixer::Compressed(a) = mixer {
        return super::deepseek_v4::specs(setup, a, blocks.size);
    }
    let parts = attention_parts(setup, mixer, dtype)?;
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let plain = |class, parts| Spec {
        class,
        block_size: blocks.size,
        tokens_per_state: 1,
        align: 1,
        padded: None,
        parts,
    };
    Ok(match mixer {
        Mixer::Window(a) => {
            let token = parts.iter().map(|p| p.held).try_fold(0u64, u64::checked_add).ok_or(Overflow)?;
            let wanted = wanted(setup, mixer, dtype);
            let block = match wanted {
                Some(w) => block_size::window_block(backend_of(setup, &w)?, token, blocks)?,
                None => blocks.size,
            };
            let window = plain(Class::Window { window: a.window }, parts);
            vec![Spec { block_size: block, padded: blocks.window_page, ..window }]
        }
        Mixer::Chunk(a) => vec![plain(Class::Chunk { chunk: a.chunk }, parts)],
        Mixer::Cross(_) => vec![plain(Class::Cross, parts)],
        Mixer::Mla(a) => {
            let mut specs = vec![plain(Class::Mla, parts)];
            if let Some(dim) = a.indexer_dim {
                specs.push(plain(Class::Mla, vec![index_keys(dim)?]));
            }
            specs
        }
        Mixer::Full(layer::Full { indexer_dim, .. }) => {
            let mut specs = vec![plain(Class::Full(Local::All), parts)];
            if let Some(dim) = *indexer_dim {
                let entry = dim.checked_mul(2).ok_or(Overflow)?;
                specs.push(plain(Class::Mla, vec![index_part(dim, Codec::Bf16, entry, Retention::All)]));
            }
            specs
        }
        _ => Vec::new(),
    })
}

/// DeepSeek-V3.2's index key: FP8 elements and an f32 scale per 128.
fn index_keys(dim: u64) -> Result<Part, PlanError> {
    let entry = vector(Codec::Fp8Block128, Side::Key, dim)?;
    Ok(index_part(dim, Codec::Fp8Block128, entry, Retention::All))
}

pub(super) const fn index_part(dim: u64, codec: Codec, entry: u64, retention: Retention) -> Part {
    Part { cache: "indexer", role: Role::Indexer, heads: 1, dim, retention, codec, entry, held: entry }
}

/// Models vLLM 0.33.0 does not run, and layers it does not have.
fn refuse_what_vllm_lacks(setup: &Setup<'_>) -> Result<(), PlanError> {
    let no = |what: &str| PlanError::refused("model", format!("vLLM 0.33.0 has no implementation of {what}"));
    let family = setup.model.family().unwrap_or_default();
    if setup.is_family(&["minimax_m1", "minimax", "minimax_text_01", "bamba", "plamo2", "mllama"]) {
        return Err(no(&format!("{family}: it was removed in an earlier release")).with_value(family));
    }
    if setup.model.record().bidirectional {
        let message = "vLLM's block-diffusion models are not modelled";
        return Err(PlanError::unsupported("model", message).with_value(family));
    }
    let mut latent = false;
    for mixer in setup.model.kinds().iter().flat_map(|k| k.mixers()) {
        match mixer {
            Mixer::Rwkv(_) => return Err(no("RWKV")),
            Mixer::RgLru(_) => return Err(no("RecurrentGemma's recurrent unit")),
            Mixer::Mlstm(_) => return Err(no("xLSTM")),
            Mixer::Mla(a) => {
                latent = true;
                if a.indexer_stride.is_some_and(|s| s > 1) {
                    let message = "pooled index keys (index_kpool) have a layout of their own, not modelled";
                    return Err(PlanError::unsupported("model", message));
                }
            }
            Mixer::Full(_)
            | Mixer::Window(_)
            | Mixer::Chunk(_)
            | Mixer::Compressed(_)
            | Mixer::Mamba1(_)
            | Mixer::Mamba2(_)
            | Mixer::GatedDelta(_)
            | Mixer::Kda(_)
            | Mixer::Lightning(_)
            | Mixer::ShortConv(_)
            | Mixer::Cross(_)
            | Mixer::Shared(_) => {}
        }
    }
    if latent && matches!(setup.kv, KvCacheDtype::Nvfp4 | KvCacheDtype::Nvfp44over6) {
        let message = "nvfp4 KV cache is not supported with MLA (Multi-head Latent Attention) backends. Please use a \
                       different --kv-cache-dtype (e.g., 'fp8', 'auto', or 'nvfp4_ds_mla' with a sparse MLA backend) \
                       for MLA models such as DeepSeek.";
        return Err(PlanError::refused("engine.kv_cache_dtype", message).with_value(setup.kv.as_str()));
    }
    check_dcp(setup, latent)
}

/// Decode-context parallelism for grouped queries wants more ranks than KV heads (`config/model.py`).
fn check_dcp(setup: &Setup<'_>, latent: bool) -> Result<(), PlanError> {
    let (tp, dcp) = (setup.tp, setup.dcp);
    if dcp == 1 || latent {
        return Ok(());
    }
    let refuse = |message: String| {
        Err(PlanError::refused("engine.decode_context_parallel_size", message).with_value(dcp))
    };
    let heads =
        setup.model.kinds().iter().flat_map(|k| k.mixers()).find_map(heads_and_widths).map(|(h, _, _)| h);
    let Some(heads) = heads else { return Ok(()) };
    if tp <= heads {
        return refuse(format!(
            "Decode context parallelism for GQA/MQA requires `--tensor-parallel-size` ({tp}) to be greater than the \
             model's total number of KV heads ({heads}). Increase `--tensor-parallel-size` or set \
             `--decode-context-parallel-size 1`."
        ));
    }
    if dcp > tp / heads {
        return refuse(format!(
            "`--decode-context-parallel-size` ({dcp}) exceeds the maximum supported value ({}) for \
             `--tensor-parallel-size` ({tp}) and {heads} model KV heads.",
            tp / heads
        ));
    }
    if let Some(queries) = setup.model.record().heads
        && !(queries / heads).is_multiple_of(dcp)
    {
        return refuse(format!(
            "The model's number of query heads per KV head ({}) must be divisible by \
             `--decode-context-parallel-size` ({dcp}) for GQA/MQA.",
            queries / heads
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_over_layers_go_to_the_stages_before_the_last() {
        // vLLM's documented examples: 61 layers over 2 stages are 31 + 30, 62 over 4 are 15, 16, 16, 15.
        assert_eq!(stage_starts(61, 2), [0, 31]);
        assert_eq!(stage_starts(62, 4), [0, 15, 31, 47]);
        assert_eq!(stage_starts(32, 1), [0]);
    }
}
