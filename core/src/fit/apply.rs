//! An answer, written into the request that asked for it: options of the engine that would win over it are taken out.

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
