//! What each engine keeps once of sequences that begin with the same tokens.

use super::{Engine, exllamav3, sglang, tensorrt_llm, vllm};
use crate::explain::Rule;
use crate::unit::Bytes;

static IDEAL: Rule = Rule {
    id: "payload/common-beginning",
    says: "entries that the common tokens made are needed once; a state is of the whole sequence",
    source: "the cache algebra of this project",
};
static SLOTS: Rule = Rule {
    id: "llama.cpp/no-sharing",
    says: "every slot has cells of its own: nothing of an equal beginning is shared between conversations, and a shorter one frees nothing",
    source: "llama.cpp 0c1e57098 src/llama-kv-cache.cpp seq_cp (n_stream), tools/server/server-context.cpp",
};
static UNIFIED: Rule = Rule {
    id: "llama.cpp/unified-no-sharing",
    says: "slots draw cells from one pool; a cell can belong to several sequences, but the server makes it so only for the completions of one request, not for conversations",
    source: "llama.cpp 0c1e57098 src/llama-kv-cache.cpp seq_cp, tools/server/server-context.cpp; ggml-org/llama.cpp#27616",
};
static BATCH: Rule = Rule {
    id: "transformers/no-sharing",
    says: "a batch is one tensor a layer: nothing is shared between its rows",
    source: "transformers 5.23.0 cache_utils.py DynamicLayer, StaticLayer",
};
static COPIES: Rule = Rule {
    id: "mlx/no-sharing",
    says: "a prompt cache is copied for each sequence that starts from it: nothing is shared while they run",
    source: "mlx-lm 0.32.2 server.py, models/cache.py",
};

impl Engine {
    /// The rule by which it shares equal beginnings, or does not.
    #[must_use]
    pub(crate) fn sharing(&self) -> &'static Rule {
        match self {
            Self::Payload => &IDEAL,
            Self::LlamaCpp(options) if options.kv_unified == Some(true) => &UNIFIED,
            Self::LlamaCpp(_) => &SLOTS,
            Self::Vllm(_) => &vllm::PREFIXES,
            Self::Sglang(_) => &sglang::PREFIXES,
            Self::TensorRtLlm(_) => &tensorrt_llm::PREFIXES,
            Self::Transformers(_) => &BATCH,
            Self::Mlx(_) => &COPIES,
            Self::ExllamaV3(_) => &exllamav3::PREFIXES,
        }
    }

    /// Gives its pool a size, or takes it away; whether it has one.
    pub(crate) fn set_pool(&mut self, bytes: Option<Bytes>) -> bool {
        let bytes = bytes.map(Bytes::get);
        match self {
            Self::Vllm(options) => {
                (options.kv_cache_memory_bytes, options.num_gpu_blocks_override) = (bytes, None);
                true
            }
            Self::Sglang(options) => {
                options.kv_memory_bytes = bytes;
                true
            }
            Self::TensorRtLlm(options) => {
                (options.free_memory_bytes, options.free_gpu_memory_fraction) = (bytes, 1.0);
                true
            }
            Self::ExllamaV3(options) => {
                options.max_num_tokens = None;
                false
            }
            Self::Payload | Self::LlamaCpp(_) | Self::Transformers(_) | Self::Mlx(_) => false,
        }
    }

    /// Whether a shorter sequence leaves room for another: it does not where every sequence reserves the full length.
    #[must_use]
    pub(crate) fn is_pooled(&self) -> bool {
        match self {
            Self::LlamaCpp(options) => options.kv_unified == Some(true),
            Self::Payload
            | Self::Vllm(_)
            | Self::Sglang(_)
            | Self::TensorRtLlm(_)
            | Self::Transformers(_)
            | Self::Mlx(_)
            | Self::ExllamaV3(_) => true,
        }
    }
}
