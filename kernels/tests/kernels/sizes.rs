//! The planner's bytes of whole models' caches against what kernels fill: real models' layers, every codec, odd lengths.

use crate::common::{Random, fresh, gpu, values};
use kvplan_core::cache::Role;
use kvplan_core::codec::Codec;
use kvplan_core::plan::{CacheRequest, ModelRef, Request, plan_model};
use kvplan_core::spec::{Mixer, ModelSpec, catalog};
use kvplan_kernels::gpu::{POISON, block_on};
use kvplan_kernels::op::{Beside, CODECS, CodecKernels, SideKernels, Tensor};

/// Grouped, multi-query and full heads; widths 64 to 256; windows, chunks, hybrids.
const MODELS: [&str; 14] = [
    "qwen3-8b",
    "llama-3.1-8b",
    "llama-2-7b",
    "gemma-3-27b",
    "gemma-2b",
    "gpt-oss-20b",
    "mistral-7b-v0.1",
    "phi-3-mini-128k",
    "falcon-7b",
    "qwen2.5-0.5b",
    "qwen3.6-27b",
    "llama-4-scout-17b-16e",
    "olmo-2-1124-7b",
    "command-r7b-12-2024",
];

/// Odd lengths that are run, and odd lengths of which sizes alone are compared.
const RUN: [u32; 2] = [1, 37];
const SIZED: [u32; 3] = [131, 4_097, 131_071];

/// K and V of one layer of a kind, and how many layers there are of it.
fn tensors(model: &ModelSpec, context: u32) -> Vec<(u64, [Tensor; 2])> {
    let narrow = |n: u64| u32::try_from(n).unwrap();
    let kinds = model.kept(0).flat_map(|(kind, layers)| kind.mixers().iter().map(move |m| (m, layers)));
    kinds
        .filter_map(|(mixer, layers)| {
            // What a layer keeps, by its definition: all tokens, the last of a window, those of the current chunk.
            let (heads, k, v, tokens) = match mixer {
                Mixer::Full(a) => (a.kv_heads, a.k_dim, a.v_dim, context),
                Mixer::Window(a) => (a.kv_heads, a.k_dim, a.v_dim, context.min(narrow(a.window))),
                Mixer::Chunk(a) => (a.kv_heads, a.k_dim, a.v_dim, context.min(narrow(a.chunk))),
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
                | Mixer::Cross(_)
                | Mixer::Shared(_) => return None,
            };
            let side = |dim| Tensor { tokens, heads: narrow(heads), head_dim: narrow(dim) };
            Some((layers, [side(k), side(v)]))
        })
        .collect()
}

/// The plan's bytes of K and V; nothing where the codec does not take the model.
fn planned(model: &ModelSpec, context: u32, codec: Codec) -> Option<u64> {
    let request = Request {
        context: Some(u64::from(context)),
        cache: CacheRequest { kv: Some(codec.name().to_owned()), ..CacheRequest::default() },
        ..Request::of(ModelRef::Id(model.id().to_owned()))
    };
    let plan = plan_model(model, &request).ok()?;
    let kv = plan.kv.stores.iter().filter(|store| matches!(store.role, Role::K | Role::V));
    Some(kv.map(|store| store.payload_bytes.get()).sum())
}

/// Sums `bytes` over K and V of every layer; nothing where a side does not take the shape.
fn total(
    kernels: &CodecKernels,
    kinds: &[(u64, [Tensor; 2])],
    bytes: impl Fn(&SideKernels, Tensor) -> Option<u64>,
) -> Option<u64> {
    let bytes = &bytes;
    let layers = kinds.iter().flat_map(|(layers, tensors)| {
        kernels
            .sides()
            .into_iter()
            .zip(tensors)
            .map(move |(side, tensor)| Some(layers * bytes(side, *tensor)?))
    });
    layers.sum()
}

/// Where the quantize kernel stopped in a poisoned buffer with room to spare, to the word: every word before must be
/// written, none after. Nothing for the one refusal there is: a format that turns a whole vector at once takes powers of
/// two only.
fn filled(side: &SideKernels, tensor: Tensor) -> Option<u64> {
    let bytes = side.bytes(tensor).unwrap();
    let src = values(&Random::new(tensor.tokens).normals(tensor.elements() as usize));
    let dst = fresh(bytes + 64);
    let launches = match side.quantize(tensor, &src, Beside::NOTHING, &dst) {
        Ok(launches) => launches,
        Err(refusal) => {
            assert!(!tensor.head_dim.is_power_of_two(), "{refusal}");
            assert!(refusal.to_string().contains("powers of two"), "{refusal}");
            return None;
        }
    };
    block_on(gpu().run(&launches)).unwrap();
    let words = block_on(gpu().read_words(&dst)).unwrap();
    let end = words.iter().rposition(|word| *word != POISON).map_or(0, |at| at + 1);
    assert_eq!(words[..end].iter().filter(|word| **word == POISON).count(), 0, "a word left out");
    // Kernels write whole words.
    assert_eq!(end as u64, bytes.div_ceil(4), "{:?} of {} at {tensor:?}", side.side, side.codec);
    Some(bytes)
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn kernels_fill_exactly_what_the_planner_says_of_a_models_cache() {
    let mut compared = 0;
    for model in MODELS.map(|id| catalog::find(id).unwrap()) {
        for kernels in CODECS {
            for context in RUN {
                let Some(planned) = planned(model, context, kernels.codec) else { continue };
                let Some(found) = total(kernels, &tensors(model, context), filled) else { continue };
                assert_eq!(found, planned, "{} in {} at {context}", model.id(), kernels.codec);
                compared += 1;
            }
        }
    }
    assert!(compared > CODECS.len() * 10, "only {compared} were compared");
}

#[test]
fn buffers_for_long_contexts_are_as_large_as_the_planner_says() {
    let mut compared = 0;
    for model in MODELS.map(|id| catalog::find(id).unwrap()) {
        for kernels in CODECS {
            for context in SIZED {
                let planned = planned(model, context, kernels.codec);
                let found = total(kernels, &tensors(model, context), |side, tensor| side.bytes(tensor).ok());
                assert_eq!(found, planned, "{} in {} at {context}", model.id(), kernels.codec);
                compared += usize::from(planned.is_some());
            }
        }
    }
    assert!(compared > CODECS.len() * 20, "only {compared} were compared");
}

/// What the adapter's allocator says it took for a large cache is what was asked for, up to its alignment.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_allocator_takes_a_large_cache_and_little_more() {
    // One layer of Qwen3-8B's keys in q8_0 at 32,767 tokens: 8 heads of 128.
    let bytes = 32_767 * 8 * 128 * 34 / 32;
    let buffer = block_on(gpu().buffer("a large cache of keys", bytes)).unwrap();
    if let Some(taken) = gpu().allocator_bytes(&buffer) {
        assert!((bytes..bytes + (64 << 10)).contains(&taken), "{taken} for {bytes}");
    }
}
