//! A model as llama.cpp's log describes it: the dumped GGUF metadata, what was made of them, and what it is called.

use super::super::scan::after;
use crate::error::PlanError;
use crate::plan::{ModelRef, resolve_model};
use crate::spec::ModelSpec;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// One model of a log; a draft or a projector is a further one.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub names: Vec<String>,
    /// `llama_model_loader: - kv`, long lists cut short.
    dumped: Map<String, Value>,
    /// `print_info:`, under the metadata's keys: nothing is cut, and not everything is said.
    printed: Map<String, Value>,
}

/// What `print_info` calls a key of the metadata.
const PRINTED: [(&str, &str); 23] = [
    ("n_ctx_train", "context_length"),
    ("n_embd", "embedding_length"),
    ("n_layer", "block_count"),
    ("n_head", "attention.head_count"),
    ("n_head_kv", "attention.head_count_kv"),
    ("n_embd_head_k", "attention.key_length"),
    ("n_embd_head_v", "attention.value_length"),
    ("n_embd_head_k_mla", "attention.key_length_mla"),
    ("n_embd_head_v_mla", "attention.value_length_mla"),
    ("n_lora_kv", "attention.kv_lora_rank"),
    ("n_lora_q", "attention.q_lora_rank"),
    ("n_swa", "attention.sliding_window"),
    ("n_rot", "rope.dimension_count"),
    ("n_ff", "feed_forward_length"),
    ("n_vocab", "vocab_size"),
    ("n_expert", "expert_count"),
    ("n_expert_used", "expert_used_count"),
    ("n_layer_dense_lead", "leading_dense_block_count"),
    ("ssm_d_conv", "ssm.conv_kernel"),
    ("ssm_d_inner", "ssm.inner_size"),
    ("ssm_d_state", "ssm.state_size"),
    ("ssm_dt_rank", "ssm.time_step_rank"),
    ("ssm_n_group", "ssm.group_count"),
];

impl Model {
    /// Whether anything but its name is known.
    pub(super) fn is_described(&self) -> bool {
        !self.dumped.is_empty() || !self.printed.is_empty()
    }

    /// The model by its metadata; `None` where they are not in the log, or not enough.
    pub(super) fn described(&self) -> Option<Result<Cow<'static, ModelSpec>, PlanError>> {
        let mut metadata = self.printed.clone();
        if !self.dumped.is_empty() {
            // What was made of the metadata only fills in the lists that the dump cuts.
            metadata.retain(|key, value| value.is_array() && !self.dumped.contains_key(key));
            metadata.extend(self.dumped.clone());
        }
        (!metadata.is_empty()).then(|| resolve_model(&ModelRef::Gguf(metadata)))
    }

    /// Reads `- kv   7:    gpt-oss.block_count u32    = 24`, or `print_info: n_layer = 24`.
    pub(super) fn read(&mut self, line: &str) {
        if let Some((_, entry)) = after(line, "- kv ").and_then(|text| text.split_once(':')) {
            self.read_dumped(entry);
        }
        for mark in ["print_info:", "llm_load_print_meta:"] {
            if let Some((key, value)) = after(line, mark).and_then(|text| text.split_once('=')) {
                self.read_printed(key.trim(), value.trim());
            }
        }
    }

    fn read_dumped(&mut self, entry: &str) {
        let Some((key, value)) = entry.split_once('=') else { return };
        let mut words = key.split_whitespace();
        let (Some(key), Some(ty)) = (words.next(), words.next()) else { return };
        if key == "general.architecture" {
            self.dumped.clear();
        }
        let value = value.trim();
        let value = match ty {
            "str" => Some(json!(value)),
            "bool" => value.parse::<bool>().ok().map(Value::from),
            "f32" | "f64" => value.parse::<f64>().ok().map(Value::from),
            "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "u64" | "i64" => {
                value.parse::<i64>().ok().map(Value::from)
            }
            // A list is usable where the dump did not cut it.
            ty if ty.starts_with("arr[") && !value.contains("...") && !ty.starts_with("arr[str") => {
                serde_json::from_str(value).ok()
            }
            _ => None,
        };
        // The tokenizer's lists are cut; their length is the vocabulary.
        if let (None, "tokenizer.ggml.tokens", Some(count)) = (
            &value,
            key,
            ty.strip_prefix("arr[str,").and_then(|n| n.trim_end_matches(']').parse::<u64>().ok()),
        ) && let Some(arch) = self.dumped.get("general.architecture").and_then(Value::as_str)
        {
            let key = format!("{arch}.vocab_size");
            self.dumped.entry(key).or_insert_with(|| json!(count));
        }
        if let Some(value) = value {
            self.dumped.insert(key.to_owned(), value);
        }
    }

    fn read_printed(&mut self, key: &str, value: &str) {
        if key == "arch" {
            self.printed.clear();
            self.printed.insert("general.architecture".to_owned(), json!(value));
            return;
        }
        let Some(arch) = self.printed.get("general.architecture").and_then(Value::as_str) else { return };
        let Some((_, name)) = PRINTED.iter().find(|(printed, _)| *printed == key) else { return };
        let name = format!("{arch}.{name}");
        let value: Option<Value> = serde_json::from_str(value).ok();
        // Zero is said of whatever the model does not have.
        if let Some(value) = value.filter(|value| value.is_array() || value.as_u64().is_some_and(|n| n > 0)) {
            self.printed.insert(name, value);
        }
    }
}
