//! `model-specs/models/*.toml`, made from the collected configs by the importer: one file a model, always the same.
//!
//! A model is an id; every file whose repository's name comes to that id must cache the same, and one of them, the
//! publisher's own where there is one, becomes the spec. Files that hold dimensions only are left out, and so are
//! drafts.

mod emit;
mod manifest;
mod name;

use crate::configs::{Config, configs, more};
use kvplan_core::cache::Store;
use kvplan_core::spec::{ModelSpec, Parameters, Shape, SpecFile, hf};
use manifest::Entry;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// When the configs were collected.
const DATE: &str = "2026-11-23";

/// `model_type` of the repositories whose transcriptions leave it out.
const MODEL_TYPES: &[(&str, &str)] = &[
    ("CohereLabs__c4ai-command-a-03-2025.json", "cohere2"),
    ("CohereLabs__c4ai-command-r7b-12-2024.json", "cohere2"),
    ("CohereLabs__c4ai-command-r-plus.json", "cohere"),
    ("CohereLabs__c4ai-command-r-v01.json", "cohere"),
    ("MiniMaxAI__MiniMax-M2.json", "minimax_m2"),
    ("MiniMaxAI__MiniMax-M2.1.json", "minimax_m2"),
    ("Qwen__Qwen2.5-14B-Instruct.json", "qwen2"),
    ("Qwen__Qwen2.5-32B-Instruct.json", "qwen2"),
    ("Qwen__Qwen2.5-72B-Instruct.json", "qwen2"),
    ("Qwen__Qwen2.5-Coder-32B-Instruct.json", "qwen2"),
    ("Qwen__Qwen3.5-0.8B.json", "qwen3_5_text"),
    ("Qwen__Qwen3.5-2B.json", "qwen3_5_text"),
    ("Qwen__Qwen3.5-4B.json", "qwen3_5_text"),
    ("Qwen__Qwen3.6-27B.json", "qwen3_5_text"),
    ("Qwen__Qwen3.6-35B-A3B.json", "qwen3_5_moe_text"),
    ("meta-llama__Llama-3.3-70B-Instruct.json", "llama"),
    ("moonshotai__Kimi-K2.6.json", "deepseek_v3"),
];

/// Tuned repositories that publishers name by a rule; a tuned model's cache is its base's.
const TUNED: &[(&str, &str)] = &[
    ("gemma-", "-it"),
    ("llama-2-", "-chat"),
    ("llama-2-", "-chat-hf"),
    ("llama-3.", "-instruct"),
    ("qwen2.5-", "-instruct"),
];

/// Repositories of tuned models whose publishers say which model they were made of: layers, vocabulary and longest length are
/// that one's.
const MADE_OF: &[(&str, &[&str])] = &[
    ("deepseek-r1", &["deepseek-ai/DeepSeek-R1-0528"]),
    ("deepseek-v3", &["deepseek-ai/DeepSeek-V3-0324"]),
    ("deepseek-v3.1", &["deepseek-ai/DeepSeek-V3.1-Terminus"]),
    ("llama-3.1-8b", &["deepseek-ai/DeepSeek-R1-Distill-Llama-8B"]),
    ("llama-3.3-70b", &["deepseek-ai/DeepSeek-R1-Distill-Llama-70B"]),
    ("mistral-small-3.2-24b-2506", &["mistralai/Mistral-Small-3.1-24B-Instruct-2503"]),
    ("qwen2.5-7b", &["deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "Qwen/Qwen2.5-Coder-7B-Instruct"]),
    ("qwen2.5-14b", &["deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", "Qwen/Qwen2.5-Coder-14B-Instruct"]),
    ("qwen2.5-32b", &["deepseek-ai/DeepSeek-R1-Distill-Qwen-32B"]),
    ("qwen3-30b-a3b-2507", &["Qwen/Qwen3-30B-A3B-Thinking-2507", "Qwen/Qwen3-Coder-30B-A3B-Instruct"]),
    ("qwen3-next-80b-a3b", &["Qwen/Qwen3-Next-80B-A3B-Thinking", "Qwen/Qwen3-Coder-Next"]),
];

/// Trained contexts that a transcription leaves out or gives as its own tool's limit.
const CONTEXTS: &[(&str, u64, &str)] = &[
    ("llama-2-13b", 4096, "as Llama-2-7b's own file; the transcription's 2048 is a compiler's default"),
    ("llama-2-70b", 4096, "as Llama-2-7b's own file; the transcription's 2048 is a compiler's default"),
    ("llama-3.3-70b", 131_072, "as Llama-3.1-70B's own file"),
    (
        "gemma-3-4b",
        131_072,
        "as the config given to vLLM; the transcription's 163840 is a compiler's default",
    ),
    ("gemma-3-12b", 131_072, "as gemma-3-27b's own file; the transcription's 163840 is a compiler's default"),
    ("olmo-3-7b", 65_536, "as Olmo-3.1-32B's own file; the transcription's 8192 is a trainer's default"),
    ("olmo-3-32b", 65_536, "as Olmo-3.1-32B's own file; the transcription's 8192 is a trainer's default"),
    ("qwen3.5-0.8b", 262_144, "as Qwen3.5-9B's own file"),
    ("qwen3.5-2b", 262_144, "as Qwen3.5-9B's own file"),
    ("qwen3.5-4b", 262_144, "as Qwen3.5-9B's own file"),
];

/// Repositories whose collected parameter count is not the model's: computed from the file's own dimensions, Baichuan2
/// has 7.51 and InternLM2 7.74 billion, and a count a quarter lower is of something else.
const NO_TOTAL: &[&str] = &["baichuan2-7b", "internlm2-7b"];

/// Files of class defaults that are not the checkpoint's: with their heads, no width of the blocks gives the published
/// count of parameters. `more` has those that do.
const NOT_THE_CHECKPOINT: &[&str] = &["google__recurrentgemma-2b.json", "Zyphra__Zamba2-2.7B.json"];

/// A file of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// `id.toml`.
    pub name: String,
    /// Its contents.
    pub text: String,
}

/// A config that may become a spec.
struct Candidate {
    entry: Entry,
    record: SpecFile,
    cache: Vec<(Vec<Store>, u64, u64)>,
}

/// Every file of the catalogue, by name.
///
/// # Errors
/// A config that should import and does not, two models under one name, or two caches under one id.
pub fn generate() -> Result<Vec<File>, String> {
    let texts: BTreeMap<String, Config> = configs()?.into_iter().map(|c| (c.file.clone(), c)).collect();
    let mut models: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    let mut totals: BTreeMap<String, (bool, u64)> = BTreeMap::new();
    for entry in manifest::entries()? {
        // A count is of the model, also where the file beside it holds dimensions only.
        if let Some(total) = entry.total_params.filter(|_| !name::is_repackaged(&entry.model)) {
            let known = totals.entry(name::id(&entry.model)).or_insert((entry.verbatim, total));
            if entry.verbatim && !known.0 {
                *known = (true, total);
            }
        }
        let Some(config) = texts.get(&entry.file) else { continue };
        if let Some(candidate) = candidate(entry, config)? {
            models.entry(name::id(&candidate.entry.model)).or_default().push(candidate);
        }
    }
    for other in more()? {
        let entry = Entry {
            model: other.model,
            file: other.config.file.clone(),
            source: other.source,
            verbatim: false,
            total_params: None,
            note: String::new(),
        };
        if let Some(candidate) = candidate(entry, &other.config)? {
            models.entry(name::id(&candidate.entry.model)).or_default().push(candidate);
        }
    }
    let mut specs = Vec::new();
    for (id, candidates) in models {
        let total = totals.get(&id).map(|(_, total)| *total).filter(|_| !NO_TOTAL.contains(&id.as_str()));
        specs.extend(spec(&id, candidates, total)?);
    }
    settle_aliases(&mut specs)?;
    specs.iter().map(|spec| Ok(File { name: file_name(spec), text: emit::toml(spec)? })).collect()
}

fn file_name(spec: &SpecFile) -> String {
    format!("{}.toml", spec.id.as_deref().unwrap_or_default())
}

/// The config imported, unless it is a draft or holds dimensions only.
fn candidate(entry: Entry, config: &Config) -> Result<Option<Candidate>, String> {
    let mut json = config.parse()?;
    let left_out = ["_note", "_layer_type_counts"].iter().any(|key| json.get(key).is_some());
    if entry.file.starts_with("draft-") || left_out || NOT_THE_CHECKPOINT.contains(&entry.file.as_str()) {
        return Ok(None);
    }
    if let Some((_, model_type)) = MODEL_TYPES.iter().find(|(file, _)| *file == entry.file) {
        json["model_type"] = Value::from(*model_type);
    }
    let record = match hf::import_record(&json) {
        Ok(record) => record,
        // Llava 1.5 leaves every dimension to defaults of a class.
        Err(_) if entry.file == "llava-hf__llava-1.5-7b-hf.json" => return Ok(None),
        Err(e) => return Err(format!("{}: {} at {}: {}", entry.file, e.kind, e.field, e.message)),
    };
    let spec = ModelSpec::try_from(record.clone()).map_err(|e| format!("{}: {e}", entry.file))?;
    let mut cache: Vec<_> =
        spec.kinds().iter().map(|kind| (kind.stores().to_vec(), kind.layers(), kind.mtp_layers())).collect();
    cache.retain(|(stores, ..)| !stores.is_empty());
    cache.sort_by_key(|kind| format!("{kind:?}"));
    Ok(Some(Candidate { entry, record, cache }))
}

impl Candidate {
    /// The best of several files is the publisher's own, then the one that leaves least to assume.
    fn rank(&self) -> impl Ord + use<> {
        (
            !self.entry.verbatim,
            name::is_repackaged(&self.entry.model),
            self.record.assumptions.len(),
            self.entry.model.len(),
            self.entry.model.clone(),
        )
    }

    /// A spec needs a family and the order of its layers.
    fn is_complete(&self) -> bool {
        self.record.family.is_some()
            && !self.record.assumptions.iter().any(|a| a.contains("order of the layers"))
    }
}

/// One spec of the files that share an id.
fn spec(id: &str, mut files: Vec<Candidate>, total: Option<u64>) -> Result<Option<SpecFile>, String> {
    files.sort_by_key(Candidate::rank);
    let Some(best) = files.iter().find(|file| file.is_complete()) else { return Ok(None) };
    if let Some(other) = files.iter().find(|file| file.cache != best.cache) {
        let files = format!("{} and {}", best.entry.file, other.entry.file);
        return Err(format!("{id}: {files} cache differently:\n{:?}\n{:?}", best.cache, other.cache));
    }
    let mut record = best.record.clone();
    settle_shape(&mut record, &files, total);
    if let Some((_, tokens, why)) = CONTEXTS.iter().find(|(named, ..)| *named == id) {
        record.trained_context = Some(*tokens);
        record.assumptions.push(format!("trained context {tokens}: {why}"));
    }
    let mut aliases: Vec<String> = files.iter().flat_map(|file| name::aliases(&file.entry.model)).collect();
    for (_, end) in TUNED.iter().filter(|(start, _)| id.starts_with(start) && !id.contains("nemotron")) {
        let tuned: Vec<String> = aliases
            .iter()
            .filter(|name| name.rsplit('/').next() == Some(id))
            .map(|name| format!("{name}{end}"))
            .collect();
        aliases.extend(tuned);
        aliases.push(format!("{id}{end}"));
    }
    let tuned = MADE_OF.iter().filter(|(base, _)| *base == id).flat_map(|(_, repositories)| *repositories);
    aliases.extend(tuned.flat_map(|repository| name::aliases(repository)));
    for file in &files {
        let (said, ours) = (file.record.trained_context, record.trained_context);
        if let (true, Some(said), Some(ours)) = (file.entry.verbatim, said, ours)
            && said != ours
        {
            record.assumptions.push(format!("{} says a trained context of {said}", file.entry.model));
        }
        fill(&mut record.trained_context, &file.record.trained_context);
        fill(&mut record.hidden_size, &file.record.hidden_size);
        fill(&mut record.vocab_size, &file.record.vocab_size);
        fill(&mut record.heads, &file.record.heads);
        fill(&mut record.dtype, &file.record.dtype);
    }
    record.id = Some(id.to_owned());
    record.name = Some(name::display(&best.entry.model));
    record.aliases = aliases;
    record.source = Some(source(&best.entry));
    record.date = Some(DATE.to_owned());
    record.parameters = total.map(|total| Parameters { total, active: None });
    Ok(Some(record))
}

/// The shape of the best file that has one. Files of one id may differ in nothing but whether the head is tied, which a
/// transcription often leaves out: then the published count decides, or the publisher's own file.
fn settle_shape(record: &mut SpecFile, files: &[Candidate], total: Option<u64>) {
    let mut shapes: Vec<&Shape> = files.iter().filter_map(|file| file.record.shape.as_ref()).collect();
    if let Some(total) = total {
        let counts =
            |shape: &&Shape| shape.parameters().is_ok_and(|c| c.total == total || c.total + c.mtp == total);
        shapes.sort_by_key(|shape| !counts(shape));
    }
    if let Some(best) = shapes.first() {
        record.shape = Some((*best).clone());
        record.shape_unknown = None;
    }
}

/// What one file leaves out another of the same model may have.
fn fill<T: Clone>(slot: &mut Option<T>, other: &Option<T>) {
    if slot.is_none() {
        slot.clone_from(other);
    }
}

fn source(entry: &Entry) -> String {
    let Entry { model, source, note, .. } = entry;
    let what = if entry.verbatim { "config.json" } else { "part of config.json" };
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    format!("{model} {what}{note}, from {source}")
}

/// Sorts aliases and drops those that are an id or that two models would claim; a repository's full name must stay.
fn settle_aliases(specs: &mut [SpecFile]) -> Result<(), String> {
    let mut claims: BTreeMap<String, usize> = BTreeMap::new();
    for spec in specs.iter_mut() {
        spec.aliases.sort();
        spec.aliases.dedup();
        for name in spec.aliases.iter().chain(&spec.id) {
            *claims.entry(name.clone()).or_default() += 1;
        }
    }
    for spec in specs {
        let id = spec.id.clone().unwrap_or_default();
        let contested = |name: &String| claims.get(name).is_some_and(|n| *n > 1);
        if let Some(name) = spec.aliases.iter().find(|name| name.contains('/') && contested(name)) {
            return Err(format!("`{name}` is claimed by {id} and another model"));
        }
        spec.aliases.retain(|name| *name != id && !contested(name));
    }
    Ok(())
}

/// The files of a folder of specs, by name.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn read(folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let shown = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(shown)? {
        let path = entry.map_err(shown)?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, std::fs::read_to_string(&path).map_err(shown)?);
        }
    }
    Ok(files)
}
