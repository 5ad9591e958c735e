//! The rules that lines and terms cite.

use crate::explain::Rule;

pub(super) static CONTEXT_SIZE: Rule = Rule {
    id: "llama.cpp/context-size",
    says: "the context is padded to 256 cells and, unless unified, split evenly over the sequences and padded again",
    source: "llama.cpp 0c1e57098, src/llama-context.cpp, constructor",
};

pub(super) static BATCH: Rule = Rule {
    id: "llama.cpp/batch",
    says: "a causal model's batch is clipped to the context before it is padded, the physical batch to the logical one",
    source: "llama.cpp 0c1e57098, src/llama-context.cpp, constructor",
};

pub(super) static KV_CELLS: Rule = Rule {
    id: "llama.cpp/kv-cells",
    says: "row size × n_ctx_seq cells × streams, for every layer that owns a cache",
    source: "llama.cpp 0c1e57098, src/llama-kv-cache.cpp, constructor",
};

pub(super) static V_TRANS: Rule = Rule {
    id: "llama.cpp/v-transposed",
    says: "without flash attention V is kept transposed, and every layer's V is as wide as the widest of all layers",
    source: "llama.cpp 0c1e57098, src/llama-kv-cache.cpp, [TAG_V_CACHE_VARIABLE]",
};

pub(super) static SWA_CELLS: Rule = Rule {
    id: "llama.cpp/swa-cells",
    says: "windowed layers have a cache of their own: window × sequences of a stream + n_ubatch cells, at most the context, padded to 256",
    source: "llama.cpp 0c1e57098, src/llama-kv-cache-iswa.cpp, constructor",
};

pub(super) static LATENT: Rule = Rule {
    id: "llama.cpp/latent-rows",
    says: "one row of kv_lora_rank + rope elements per cell, no V tensor",
    source: "llama.cpp 0c1e57098, src/llama-kv-cache.cpp, constructor (is_mla)",
};

pub(super) static INDEXER: Rule = Rule {
    id: "llama.cpp/indexer",
    says: "indexer keys are a cache of their own, in K's type and with the main cache's cells; where the main cache has values, so has this one",
    source: "llama.cpp 0c1e57098, src/llama-kv-cache-dsa.cpp",
};

pub(super) static COMPRESSED: Rule = Rule {
    id: "llama.cpp/compressed-cells",
    says: "one cell per 4 or 128 tokens of n_ctx_seq, padded to 256, a stream per sequence whatever kv_unified says",
    source: "llama.cpp 0c1e57098, src/llama-kv-cache-dsv4.cpp",
};

pub(super) static COMPRESSOR: Rule = Rule {
    id: "llama.cpp/compressor-state",
    says: "f32 key/value and score rows of pending tokens, per layer, sequence and snapshot",
    source: "llama.cpp 0c1e57098, src/llama-kv-cache-dsv4.cpp, comp_state",
};

pub(super) static RECURRENT: Rule = Rule {
    id: "llama.cpp/recurrent",
    says: "f32 states R and S, one row per sequence and snapshot, whatever the cache types and the context are",
    source: "llama.cpp 0c1e57098, src/llama-memory-recurrent.cpp, src/llama-hparams.cpp",
};

pub(super) static OUTPUT: Rule = Rule {
    id: "llama.cpp/output-buffer",
    says: "f32 logits, and embeddings where asked for, of one token per sequence; host memory beside the cache",
    source: "llama.cpp 0c1e57098, src/llama-context.cpp, output_reserve",
};
