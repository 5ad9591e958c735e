//! What llama.cpp's lines say: the model's metadata, what each context was made with, its caches and buffers.

use super::super::scan::{Rounded, after, number, whole, word_before};
use super::super::{Given, model_of};
use super::metadata::Model;
use crate::error::PlanError;
use crate::spec::ModelSpec;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

pub(super) const MIB: u64 = 1 << 20;

/// What one context printed.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// Which of the log's models it runs.
    pub model: usize,
    pub options: Map<String, Value>,
    pub n_ctx: Option<u64>,
    pub n_ctx_seq: Option<u64>,
    pub caches: Vec<Cache>,
    pub recurrent: Option<Recurrent>,
    /// KV buffers by device.
    pub buffers: Vec<(String, Rounded)>,
    pub outputs: Vec<Rounded>,
    pub compute: Vec<(String, Rounded)>,
}

/// `size = 416.00 MiB ( 8192 cells, 13 layers, 4/1 seqs), K (f16): 208.00 MiB, V (f16): 208.00 MiB`.
#[derive(Debug)]
pub(super) struct Cache {
    pub windowed: bool,
    pub size: Rounded,
    pub cells: Option<u64>,
    pub layers: Option<u64>,
    pub types: [Option<(String, Rounded)>; 2],
}

#[derive(Debug)]
pub(super) struct Recurrent {
    pub size: Rounded,
    pub parts: Vec<(&'static str, Rounded)>,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    pub build: Option<String>,
    pub program: Option<&'static str>,
    pub models: Vec<Model>,
    pub contexts: Vec<Context>,
    pub model_buffers: Vec<(String, Rounded)>,
    pub windowed_next: bool,
    pub notes: Vec<Cow<'static, str>>,
}

impl Log {
    pub(super) fn read_all(lines: &[String]) -> Self {
        let mut log = Self { models: vec![Model::default()], ..Self::default() };
        for line in lines {
            log.read(line);
        }
        log
    }

    /// A context's model: as given, as the log describes it, or by name, `started` last.
    pub(super) fn model(
        &self,
        context: &Context,
        started: Option<&str>,
        given: &Given<'_>,
    ) -> Result<Cow<'static, ModelSpec>, PlanError> {
        let model = self.models.get(context.model);
        let names = model.map_or(&[][..], |model| &model.names);
        let names: Vec<&str> = names.iter().map(String::as_str).chain(started).collect();
        let described = model.filter(|_| given.model.is_none()).and_then(Model::described);
        match described {
            Some(Ok(model)) => Ok(Cow::Owned(match names.first() {
                Some(name) => model.into_owned().named((*name).to_owned()),
                None => model.into_owned(),
            })),
            // A list that the dump cuts short, or a key that it leaves out.
            Some(Err(_)) | None => model_of(given, &names),
        }
    }

    fn read(&mut self, line: &str) {
        if self.program.is_none() {
            let known = [
                ("source=server.go", "Ollama"),
                ("source=sched.go", "Ollama"),
                ("ollama", "Ollama"),
                ("LM Studio", "LM Studio"),
                ("lmstudio", "LM Studio"),
                ("LMStudio", "LM Studio"),
            ];
            self.program = known.iter().find(|(mark, _)| line.contains(mark)).map(|(_, name)| *name);
        }
        // LM Studio writes the date and the level on a line of their own.
        if self.program.is_none() && line.ends_with("[DEBUG]") && line.starts_with("20") {
            self.program = Some("LM Studio");
        }
        if let Some(build) =
            after(line, "build:").filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))
        {
            self.build = Some(build.split(" with").next().unwrap_or(build).to_owned());
        }
        self.read_model(line);
        self.read_context(line);
        self.read_cache(line);
        if let Some(size) = after(line, "output buffer size =").and_then(|text| Rounded::read(text, MIB)) {
            self.context().outputs.push(size);
        }
        if let (Some(size), Some(device)) = (
            after(line, "compute buffer size =").and_then(|t| Rounded::read(t, MIB)),
            word_before(line, "compute buffer size"),
        ) {
            let device = device.to_owned();
            self.context().compute.push((device, size));
        }
        if let (Some(size), Some(device)) = (
            after(line, "model buffer size =").and_then(|t| Rounded::read(t, MIB)),
            word_before(line, "model buffer size"),
        ) {
            self.model_buffers.retain(|(known, _)| known != device);
            self.model_buffers.push((device.to_owned(), size));
        }
    }

    fn new_context(&mut self) {
        let model = self.models.len().saturating_sub(1);
        self.contexts.push(Context { model, ..Context::default() });
    }

    fn context(&mut self) -> &mut Context {
        if self.contexts.is_empty() {
            self.new_context();
        }
        let last = self.contexts.len() - 1;
        // The list is not empty: one was pushed above.
        #[expect(clippy::indexing_slicing, reason = "the index of the last element")]
        &mut self.contexts[last]
    }

    fn read_model(&mut self, line: &str) {
        // A projector is loaded by a loader of its own, and has no cache.
        if line.contains("clip_model_loader") || line.contains("load_hparams:") {
            return;
        }
        let begins = line.contains("loaded meta data with") || line.contains("loading model '");
        if begins && self.models.last().is_none_or(Model::is_described) {
            self.models.push(Model::default());
        }
        let Some(model) = self.models.last_mut() else { return };
        for mark in ["general.name str", "general.basename str", "general.name  ", "general.name ="] {
            if let Some(name) = after(line, mark).map(|text| text.trim_start_matches('=').trim()) {
                model.names.push(name.replace(' ', "-"));
            }
        }
        for mark in ["tensors from ", "loading model '"] {
            if let Some(path) = after(line, mark) {
                let path = path.split(" (version").next().unwrap_or(path).trim_end_matches('\'');
                model.names.push(path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned());
            }
        }
        model.read(line);
    }

    fn read_context(&mut self, line: &str) {
        if line.contains("constructing llama_context") {
            self.new_context();
            return;
        }
        if line.contains("using full-size SWA cache") {
            self.context().options.insert("swa_full".to_owned(), json!(true));
        }
        // `n_ctx_per_seq (4096) < n_ctx_train (131072)`, where the list of settings was left out.
        for mark in ["n_ctx_per_seq (", "n_ctx_seq ("] {
            if let Some(tokens) = after(line, mark).and_then(whole) {
                self.context().n_ctx_seq = Some(tokens);
            }
        }
        let marks = ["llama_context:", "llama_new_context_with_model:", "llama_init_from_model:"];
        let Some((key, value)) =
            marks.iter().find_map(|mark| after(line, mark)).and_then(|text| text.split_once('='))
        else {
            return;
        };
        let (key, value) = (key.trim(), value.trim());
        // Before contexts announced themselves, the first of these lines did.
        let repeated =
            self.contexts.last().is_some_and(|c| key == "n_seq_max" && c.options.contains_key(key));
        if repeated || self.contexts.is_empty() {
            self.new_context();
        }
        let context = self.context();
        let mut set = |option: &str, value: Option<Value>| {
            if let Some(value) = value {
                context.options.insert(option.to_owned(), value);
            }
        };
        match key {
            "n_seq_max" | "n_batch" | "n_ubatch" => set(key, whole(value).map(Value::from)),
            "kv_unified" => set(key, Some(json!(value == "true" || value == "1"))),
            "flash_attn" => {
                let word = match value {
                    "1" | "enabled" | "on" | "true" => "on",
                    "0" | "disabled" | "off" | "false" => "off",
                    _ => "auto",
                };
                set(key, Some(json!(word)));
            }
            "n_ctx" => {
                set(key, whole(value).map(Value::from));
                context.n_ctx = whole(value);
            }
            "n_ctx_seq" | "n_ctx_per_seq" => context.n_ctx_seq = whole(value),
            _ => {}
        }
    }

    fn read_cache(&mut self, line: &str) {
        if line.contains("creating non-SWA KV cache") {
            self.windowed_next = false;
        } else if line.contains("SWA KV cache, size") {
            self.windowed_next = true;
        }
        // `kv_size = 32768, offload = 1, type_k = 'f16'`: before caches said how many cells they have.
        if line.contains("llama_kv_cache")
            && let Some(cells) = after(line, "kv_size =").and_then(whole)
        {
            self.context().options.entry("n_ctx").or_insert_with(|| json!(cells));
        }
        if let (Some(size), Some(device)) = (
            after(line, "KV buffer size =").and_then(|t| Rounded::read(t, MIB)),
            word_before(line, "KV buffer size"),
        ) {
            let device = device.to_owned();
            self.context().buffers.push((device, size));
        }
        // `msg="kv cache" device=CUDA0 size="416.0 MiB"`: Ollama's own runner.
        if line.contains("llama_memory_recurrent") || line.contains("llama_kv_cache_recurrent") {
            if let Some(text) = after(line, "size =").filter(|text| text.contains("cells")) {
                let Some(size) = Rounded::read(text, MIB) else { return };
                let parts = [("R", "R (f32):"), ("S", "S (f32):")];
                let parts = parts
                    .into_iter()
                    .filter_map(|(name, mark)| Some((name, Rounded::read(after(text, mark)?, MIB)?)));
                let recurrent = Recurrent { size, parts: parts.collect() };
                if let Some(sequences) = word_before(text, "seqs").and_then(whole) {
                    self.context().options.entry("n_seq_max").or_insert_with(|| json!(sequences));
                }
                let snapshots = word_before(text, "rs_seq").and_then(whole).filter(|n| *n > 0);
                if let Some(snapshots) = snapshots {
                    self.context().options.insert("n_rs_seq".to_owned(), json!(snapshots));
                }
                self.context().recurrent = Some(recurrent);
            }
            return;
        }
        let sized = after(line, "KV self size  =").or_else(|| {
            let ours = line.contains("llama_kv_cache");
            after(line, "size =").filter(|text| ours && text.contains("K ("))
        });
        let Some(text) = sized else { return };
        let Some(size) = Rounded::read(text, MIB) else { return };
        let typed = |side: &str| {
            let text = after(text, &format!("{side} ("))?;
            let (ty, rest) = text.split_once("):")?;
            Some((ty.to_owned(), Rounded::read(rest, MIB)?))
        };
        let types = [typed("K"), typed("V")];
        let windowed = self.windowed_next;
        let cells =
            word_before(text, "cells").and_then(|word| number(word.trim_start_matches('('))).and_then(whole);
        let cache =
            Cache { windowed, size, cells, layers: word_before(text, "layers").and_then(whole), types };
        // `4/1 seqs`: sequences and streams, or sequences alone before there were streams. What the context's own lines
        // did not say follows from here.
        let counted = word_before(text, "seqs").map(|word| word.split_once('/').unwrap_or((word, "1")));
        if let Some((Some(sequences), Some(streams))) = counted.map(|(a, b)| (whole(a), whole(b))) {
            let options = &mut self.context().options;
            options.entry("n_seq_max").or_insert_with(|| json!(sequences));
            options.entry("kv_unified").or_insert_with(|| json!(streams == 1 && sequences > 1));
            if let (Some(cells), false) = (cells, windowed) {
                options.entry("n_ctx").or_insert_with(|| json!(cells.saturating_mul(streams)));
            }
        }
        for (option, ty) in ["type_k", "type_v"].into_iter().zip(&cache.types) {
            if let (Some((ty, _)), false) = (ty, windowed) {
                let ty = json!(ty);
                self.context().options.insert(option.to_owned(), ty);
            }
        }
        self.context().caches.push(cache);
    }
}
