//! What vLLM's lines say: its version, what it was started with, the memory it found and the tokens that holds.

use super::super::scan::{Rounded, after, python, whole};
use crate::engine::vllm::LogFormula;
use serde_json::{Map, Value, json};

const GIB: u64 = 1 << 30;

#[derive(Debug, Default)]
pub(super) struct Log {
    pub version: Option<String>,
    pub names: Vec<String>,
    pub options: Map<String, Value>,
    pub length: Option<u64>,
    pub block_size: Option<u64>,
    /// What a rank found for its blocks, with the unit it is printed in; ranks find different sizes.
    memories: Vec<Memory>,
    pub weights: Option<Rounded>,
    pub blocks: Option<u64>,
    /// Whether it prints blocks as V0 did, and early V1.
    v0: bool,
    /// `GPU KV cache size` of each rank that prints one, with the concurrency printed beside it.
    pools: Vec<Pool>,
    pub cpu: bool,
    /// Whether it lists what it was started with.
    pub says_arguments: bool,
    /// Tensor-parallel ranks that print.
    ranks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    pub size: Rounded,
    pub unit: &'static str,
}

/// What the log prints of a pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pool {
    pub tokens: Option<u64>,
    pub concurrency: Option<Rounded>,
}

impl Log {
    pub(super) fn read_all(lines: &[String]) -> Self {
        let mut log = Self::default();
        for line in lines {
            log.read(line);
        }
        if log.ranks > 1 {
            log.options.entry("tensor_parallel_size").or_insert_with(|| json!(log.ranks));
        }
        log
    }

    /// Whether any of vLLM's figures is in it.
    pub(super) const fn has_figures(&self) -> bool {
        !self.pools.is_empty() || self.blocks.is_some()
    }

    /// The smallest memory of a rank: every rank gets as many blocks as that one holds.
    pub(super) fn memory(&self) -> Option<Memory> {
        self.memories.iter().copied().min_by_key(|memory| memory.size.range(false))
    }

    /// The smallest pool, for the same reason.
    pub(super) fn pool(&self) -> Pool {
        let least = self.pools.iter().copied().min_by_key(|pool| (pool.tokens, pool.concurrency.is_none()));
        least.unwrap_or_default()
    }

    /// Whether its ranks print different sizes.
    pub(super) fn ranks_differ(&self) -> bool {
        self.memories.iter().any(|memory| Some(*memory) != self.memories.first().copied())
    }

    /// The formulas that its tokens may have been counted by: its version's, or all where it does not say.
    pub(super) fn formulas(&self) -> Vec<LogFormula> {
        match self.version.as_deref().and_then(LogFormula::of) {
            Some(formula) => vec![formula],
            None if self.v0 => vec![LogFormula::Tokens],
            None => vec![LogFormula::Concurrency, LogFormula::PerGroup, LogFormula::Tokens],
        }
    }

    /// Whether the version is older than `0.minor`; `None` where the log does not say.
    pub(super) fn before(&self, minor: u32) -> Option<bool> {
        let version = self.version.as_deref()?.trim_start_matches('v');
        let mut parts = version.split('.');
        let (major, second) = (parts.next()?.parse::<u32>().ok()?, parts.next()?);
        let second: String = second.chars().take_while(char::is_ascii_digit).collect();
        Some(major == 0 && second.parse::<u32>().ok()? < minor)
    }

    fn read(&mut self, line: &str) {
        for mark in ["LLM engine (v", "API server version ", "  version ", "vLLM version "] {
            if let Some(version) = after(line, mark) {
                let end = version.find([')', ' ', ',']).unwrap_or(version.len());
                self.version = version.get(..end).map(|v| v.trim_start_matches('v').to_owned());
                // A banner begins a start; what an earlier one found does not count.
                if mark == "  version " {
                    self.memories.clear();
                    self.pools.clear();
                }
            }
        }
        let marks = [
            "non-default args",
            "with config:",
            "engine_args",
            "Namespace(",
            "max_seq_len=",
            "tensor_parallel_size=",
        ];
        if marks.iter().any(|mark| line.contains(mark)) {
            self.says_arguments = true;
            self.read_arguments(line);
        }
        // `(Worker_TP1_EP1 pid=2295)`, `(VllmWorker rank=0 pid=47465)`.
        let marks = ["(Worker_TP", "(Worker_PP0_TP", "(VllmWorker rank="];
        if let Some(rank) = marks.iter().find_map(|mark| after(line, mark)).and_then(whole) {
            self.ranks = self.ranks.max(rank.saturating_add(1));
        }
        if let Some(name) = after(line, "Starting to load model ") {
            let name = name.split_whitespace().next().unwrap_or(name);
            self.names.push(name.trim_end_matches("...").to_owned());
        }
        if let Some(tokens) =
            after(line, "Chunked prefill is enabled with max_num_batched_tokens=").and_then(whole)
        {
            self.options.insert("max_num_batched_tokens".to_owned(), json!(tokens));
        }
        if let Some(size) = after(line, "attention block size to").and_then(whole) {
            self.block_size = Some(size);
        }
        self.read_memory(line);
        if let Some(weights) = after(line, "Model loading took").and_then(|text| Rounded::read(text, GIB)) {
            self.weights = Some(weights);
        }
        // V0 prints them with the device's name, V1 among what it tells its front end.
        let blocks = ["GPU blocks:", "cuda blocks:", "num_gpu_blocks is:"];
        if let Some((mark, blocks)) =
            blocks.iter().find_map(|mark| after(line, mark).and_then(whole).map(|blocks| (*mark, blocks)))
        {
            self.blocks = Some(blocks);
            if mark != "num_gpu_blocks is:" {
                self.v0 = true;
                self.pools.push(Pool::default());
            }
        }
        if let Some(tokens) = after(line, "KV cache size:").filter(|t| t.contains("tokens")).and_then(whole) {
            self.pools.push(Pool { tokens: Some(tokens), concurrency: None });
            self.cpu |= line.contains("CPU KV cache size");
        }
        if let Some(text) = after(line, "Maximum concurrency for") {
            self.length = whole(text).or(self.length);
            let printed = after(text, "per request:").and_then(|text| Rounded::read(text, 1));
            match self.pools.last_mut().filter(|pool| pool.concurrency.is_none()) {
                Some(pool) => pool.concurrency = printed,
                None if printed.is_some() => self.pools.push(Pool { tokens: None, concurrency: printed }),
                None => {}
            }
        }
    }

    fn read_memory(&mut self, line: &str) {
        let marks = ["Available KV cache memory:", "kv_cache_size=", "memory reserved for KV Cache is"];
        let found = marks
            .iter()
            .find_map(|mark| after(line, mark))
            .or_else(|| after(line, "reserved ").filter(|text| text.contains("GiB memory for KV Cache")));
        if let Some(size) = found.and_then(|text| Rounded::read(text, GIB)) {
            self.memories.push(Memory { size, unit: "GiB" });
        }
        // vLLM for Ascend: to the byte.
        if let Some(size) = after(line, "Available memory:")
            .filter(|text| text.contains("total memory:") && !text.contains("GiB"))
            .and_then(|text| Rounded::read(text, 1))
        {
            self.memories.push(Memory { size, unit: "bytes" });
        }
    }

    fn read_arguments(&mut self, line: &str) {
        for name in ["model", "model_tag"] {
            if let Some(model) = python(line, name).filter(|m| !m.is_empty() && *m != "None") {
                self.names.push(model.to_owned());
            }
        }
        if let Some(served) = python(line, "served_model_name").filter(|name| *name != "None") {
            self.names.push(served.trim_matches(['[', '\'', ']']).to_owned());
        }
        self.length = python(line, "max_seq_len")
            .or_else(|| python(line, "max_model_len"))
            .and_then(whole)
            .or(self.length);
        for name in [
            "tensor_parallel_size",
            "pipeline_parallel_size",
            "decode_context_parallel_size",
            "max_num_seqs",
            "max_num_batched_tokens",
            "block_size",
        ] {
            if let Some(value) = python(line, name).and_then(|text| text.parse::<u64>().ok()) {
                self.options.insert(name.to_owned(), json!(value));
            }
        }
        for name in ["kv_cache_dtype", "mamba_ssm_cache_dtype"] {
            if let Some(value) = python(line, name).filter(|value| !matches!(*value, "None" | "auto")) {
                self.options.insert(name.to_owned(), json!(value));
            }
        }
        if let Some(value) = python(line, "enable_prefix_caching").filter(|value| *value != "None") {
            self.options.insert("enable_prefix_caching".to_owned(), json!(value == "True"));
        }
        if let Some(drafted) =
            python(line, "num_spec_tokens").or_else(|| python(line, "num_speculative_tokens")).and_then(whole)
        {
            self.options.insert("num_speculative_tokens".to_owned(), json!(drafted));
        }
    }
}
