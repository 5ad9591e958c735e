//! An answer, written into the request that asked for it: options of the engine that would win over it are taken out.

use crate::cache::Knob;
use crate::codec::Codec;
use crate::engine::EngineName;
use crate::plan::Request;
use crate::unit::Tokens;

/// Options that fix how long a sequence is, those that [`crate::engine::Engine`] forgets at another length.
const fn length_options(engine: EngineName) -> &'static [&'static str] {
    match engine {
        EngineName::Payload | EngineName::TensorRtLlm => &[],
        EngineName::LlamaCpp => &["n_ctx"],
        EngineName::Vllm => &["max_model_len"],
        EngineName::Sglang => &["context_length"],
        EngineName::Transformers | EngineName::Mlx => &["prompt_tokens"],
        EngineName::ExllamaV3 => &["max_num_tokens"],
    }
}

/// Options that fix how many sequences there are.
const fn sequences_options(engine: EngineName) -> &'static [&'static str] {
    match engine {
        EngineName::LlamaCpp => &["n_seq_max"],
        EngineName::Payload
        | EngineName::Vllm
        | EngineName::Sglang
        | EngineName::TensorRtLlm
        | EngineName::Transformers
        | EngineName::Mlx
        | EngineName::ExllamaV3 => &[],
    }
}

fn without(request: &mut Request, options: impl Fn(EngineName) -> &'static [&'static str]) {
    if let Some(engine) = &mut request.engine {
        for option in options(engine.name) {
            engine.options.remove(*option);
        }
    }
}

/// Sequences of so many tokens.
pub(super) fn context(request: &mut Request, tokens: u64) {
    request.context = Some(tokens);
    without(request, length_options);
}

/// So many sequences, of the length they were weighed at.
pub(super) fn sequences(request: &mut Request, n: u64, length: Option<Tokens>) {
    request.sequences = Some(n);
    request.context = length.map(Tokens::get).or(request.context);
    without(request, sequences_options);
}

/// Options that fix the types of keys and values.
const fn cache_options(engine: EngineName) -> &'static [&'static str] {
    match engine {
        EngineName::LlamaCpp => &["type_k", "type_v"],
        EngineName::Vllm | EngineName::Sglang => &["kv_cache_dtype"],
        EngineName::TensorRtLlm => &["dtype"],
        EngineName::ExllamaV3 => &["k_bits", "v_bits"],
        EngineName::Payload | EngineName::Transformers | EngineName::Mlx => &[],
    }
}

/// Options that fix how ranks share the model.
const fn rank_options(engine: EngineName) -> &'static [&'static str] {
    match engine {
        EngineName::Vllm => &["tensor_parallel_size", "pipeline_parallel_size"],
        EngineName::Sglang => &["tp_size"],
        EngineName::Payload
        | EngineName::LlamaCpp
        | EngineName::TensorRtLlm
        | EngineName::Transformers
        | EngineName::Mlx
        | EngineName::ExllamaV3 => &[],
    }
}

/// Keys and values of these types, or of the engine's own.
pub(super) fn cache(request: &mut Request, pair: Option<(Codec, Codec)>) {
    let name = |codec: Codec| Some(codec.name().to_owned());
    request.cache.set(Knob::K, pair.and_then(|(k, _)| name(k)));
    request.cache.set(Knob::V, pair.and_then(|(_, v)| name(v)));
    without(request, cache_options);
}

/// So many ranks along these axes; the others stay.
pub(super) fn ranks(request: &mut Request, tp: u64, pp: u64) {
    request.placement.tp = tp;
    request.placement.pp = pp;
    without(request, rank_options);
}

/// One of llama.cpp's options.
pub(super) fn llama_cpp_option(request: &mut Request, option: &str, n: u64) {
    if let Some(engine) = &mut request.engine {
        engine.options.insert(option.to_owned(), n.into());
    }
}

/// llama.cpp's layers of each device.
pub(super) fn tensor_split(request: &mut Request, layers: &[u16]) {
    if let Some(engine) = &mut request.engine {
        let text: Vec<String> = layers.iter().map(u16::to_string).collect();
        engine.options.insert("tensor_split".to_owned(), text.join(",").into());
    }
}
