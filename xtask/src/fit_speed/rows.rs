//! The measurements, each as the inputs of an estimate and the rate that was measured.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;
use kvplan_core::speed::{
    Backend, Era, Overrides, Part, Prompt, Rates, SpeedEngine, SpeedInputs, Split, WeightsRead,
};
use serde::Deserialize;

use super::facts::{Facts, Model};

/// A table of measurements.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// How many were left out, by reason.
    pub(super) dropped: BTreeMap<&'static str, u64>,
    pub(super) newest: String,
    pub(super) sources: usize,
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Decode,
    Prefill,
}

/// One measured rate.
pub(super) struct Row {
    pub(super) what: What,
    pub(super) inputs: SpeedInputs,
    /// Tokens per second, all sequences together.
    pub(super) measured: f64,
    /// How much it counts, before its group is taken into account.
    pub(super) trust: f64,
    pub(super) hardware: String,
    source: String,
    model: String,
    number: usize,
}

impl Row {
    /// What one bench of one author shares.
    pub(super) fn group(&self) -> String {
        format!("{}|{}|{}", self.source, self.hardware, self.model)
    }

    pub(super) fn device(&self) -> String {
        self.part().rates.device.clone()
    }

    pub(super) fn itself(&self) -> String {
        self.number.to_string()
    }

    /// The one part its step has.
    pub(super) fn part(&self) -> &Part {
        &self.inputs.parts[0]
    }
}

/// A line of the table.
#[derive(Debug, Deserialize)]
struct Line {
    source: String,
    date: String,
    engine: String,
    engine_version: String,
    hardware: String,
    n_devices: u64,
    model: String,
    weights_format: String,
    weight_bytes_if_given: Option<u64>,
    kv_type: String,
    context_at_measurement: Option<f64>,
    batch: u64,
    prompt_tokens: Option<u64>,
    decode_tok_s: Option<f64>,
    prefill_tok_s: Option<f64>,
    flash_attn: String,
    offload: String,
    speculative: String,
    notes: String,
}

/// Reads a table, plain or gzip.
pub(super) fn read(path: &str) -> Result<Table> {
    let file = File::open(path).with_context(|| format!("cannot read {path}"))?;
    let text: Box<dyn Read> =
        if path.ends_with(".gz") { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let facts = Facts::read()?;
    let mut table = Table { rows: Vec::new(), dropped: BTreeMap::new(), newest: String::new(), sources: 0 };
    let mut sources = BTreeSet::new();
    for line in csv::Reader::from_reader(text).deserialize() {
        let line: Line = line.with_context(|| format!("cannot read {path}"))?;
        match understood(&line, &facts)? {
            Ok((inputs, prompt)) => {
                sources.insert(line.source.clone());
                if line.date > table.newest && !line.date.contains("..") {
                    table.newest.clone_from(&line.date);
                }
                let rates = [
                    (What::Decode, line.decode_tok_s),
                    (What::Prefill, line.prefill_tok_s.filter(|_| prompt.is_some())),
                ];
                for (what, measured) in rates {
                    let Some(measured) = measured.filter(|rate| *rate > 0.0) else { continue };
                    let prompt = if what == What::Prefill { prompt } else { None };
                    let number = table.rows.len();
                    table.rows.push(Row {
                        what,
                        inputs: SpeedInputs { prompt, ..inputs.clone() },
                        measured,
                        trust: if line.notes.starts_with("q=C") { 0.4 } else { 1.0 },
                        hardware: line.hardware.clone(),
                        source: line.source.clone(),
                        model: line.model.clone(),
                        number,
                    });
                }
            }
            Err(reason) => *table.dropped.entry(reason).or_default() += 1,
        }
    }
    table.sources = sources.len();
    Ok(table)
}

type Understood = Result<(SpeedInputs, Option<Prompt>), &'static str>;

/// The inputs a line stands for, or why it is left out.
fn understood(line: &Line, facts: &Facts) -> Result<Understood> {
    let on_processor = line.offload == "CPU only";
    if line.notes.starts_with("q=D") {
        return Ok(Err("graded unusable by its collector"));
    }
    if line.speculative != "none" {
        return Ok(Err("speculative decoding, or not disclosed"));
    }
    if line.offload != "none" && !on_processor {
        return Ok(Err("partly in host memory or on disk, split not stated"));
    }
    if line.hardware.contains("luster") || line.hardware.starts_with("Pi ") {
        return Ok(Err("a network cluster, or a card behind one PCIe lane"));
    }
    let Some(model) = facts.model(&line.model).filter(|_| !line.weights_format.contains("reap")) else {
        return Ok(Err("a model whose parameters are not known here"));
    };
    let Some(rates) = facts.rates(&line.hardware, on_processor)? else {
        return Ok(Err("a device whose bandwidth is not known here"));
    };
    let given = line.weight_bytes_if_given.filter(|_| !line.notes.contains("peak memory"));
    let Some(weights) = weights(model, given, line, facts) else {
        return Ok(Err("a weight format whose width is not known here"));
    };
    let inputs = inputs(line, model, rates, weights);
    let prompt = line.prompt_tokens.filter(|n| *n > 1).map(|tokens| {
        let depth =
            if line.notes.contains("depth") { whole(line.context_at_measurement.unwrap_or(0.0)) } else { 0 };
        let ubatch = if line.notes.contains("ub 2048") {
            2048
        } else if inputs.engine == SpeedEngine::LlamaCpp || inputs.engine == SpeedEngine::IkLlamaCpp {
            512
        } else {
            2048
        };
        Prompt { tokens, depth, ubatch, attention_width: model.attn_width }
    });
    // With a batch, a prompt rate is the server's scheduling as much as the device's.
    Ok(Ok((inputs, prompt.filter(|_| line.batch == 1))))
}

fn inputs(line: &Line, model: &Model, rates: Rates, weights: WeightsRead) -> SpeedInputs {
    let context = whole(line.context_at_measurement.unwrap_or(0.0));
    let entries = model.kv_full * context + model.kv_window * context.min(model.window);
    let engine = engine(&line.engine);
    let llama = engine == SpeedEngine::LlamaCpp || engine == SpeedEngine::IkLlamaCpp;
    // llama.cpp divides layers unless told otherwise; one author's rig was told.
    let split = if llama && !line.source.starts_with("LottoLotto") { Split::Layer } else { Split::Tensor };
    let used = model.routed.checked_div(model.experts).map_or(0, |one| one * model.active);
    SpeedInputs {
        parts: vec![Part {
            rates,
            devices: line.n_devices,
            weights,
            kv_bytes: entries * 2,
            latent: model.latent == 1,
            state_bytes: model.state_bytes,
            layers: model.layers,
        }],
        split,
        engine,
        backend: backend(line),
        era: era(&line.date),
        batch: line.batch,
        shared_cache: line.notes.contains("same sequence"),
        quantized_cache: !matches!(line.kv_type.as_str(), "f16" | "auto" | "bf16" | "bfloat16" | "f16/f16"),
        flash_attention: match line.flash_attn.as_str() {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        },
        active_parameters: model.total - model.unread - model.routed + used,
        model: Some(model.id.clone()),
        format: Some(line.weights_format.clone()),
        prompt: None,
        transfers: Vec::new(),
        overrides: Overrides::default(),
    }
}

/// Bytes of a model file by who reads them: the file's own size where it is given, width × parameters elsewhere.
fn weights(model: &Model, given: Option<u64>, line: &Line, facts: &Facts) -> Option<WeightsRead> {
    let format = line.weights_format.as_str();
    let all = match given {
        Some(bytes) => real(bytes),
        None => real(model.total) * facts.bits_per_weight(format)? / 8.0,
    };
    let rest = real(model.total - model.routed);
    let (routed_bytes, rest_bytes) = if model.experts == 0 {
        (0.0, all)
    } else {
        let uniform = all * real(model.routed) / real(model.total);
        let routed = if model.id.starts_with("gpt-oss") {
            real(model.routed) * 4.25 / 8.0
        } else if model.wide_rest == 1 && (format.contains("UD") || format.ends_with("_XL")) {
            all - rest * 8.5 / 8.0
        } else {
            uniform
        };
        let routed = if routed > 0.0 && routed < all { routed } else { uniform };
        (routed, all - routed)
    };
    Some(WeightsRead {
        dense_bytes: whole(rest_bytes * (1.0 - real(model.unread) / rest)),
        routed_bytes: whole(routed_bytes),
        experts: model.experts,
        active_experts: model.active,
    })
}

fn engine(name: &str) -> SpeedEngine {
    match name.to_lowercase().as_str() {
        "llama.cpp" | "ollama" | "ollama/llama.cpp" | "gufo (llama.cpp-like)" => SpeedEngine::LlamaCpp,
        "ik_llama.cpp" => SpeedEngine::IkLlamaCpp,
        "vllm" | "sglang" => SpeedEngine::Vllm,
        "tensorrt-llm" => SpeedEngine::TensorrtLlm,
        "mlx-lm" | "omlx" => SpeedEngine::Mlx,
        "mlx-vlm" => SpeedEngine::MlxVlm,
        "exllamav2" | "exllamav3" => SpeedEngine::Exllama,
        _ => SpeedEngine::Other,
    }
}

fn backend(line: &Line) -> Option<Backend> {
    let text = format!("{} {}", line.engine_version, line.notes).to_lowercase();
    let amd = line.hardware.contains("Radeon") || line.hardware.contains("Strix");
    if !amd {
        None
    } else if ["vulkan", "radv", "amdvlk"].iter().any(|word| text.contains(word)) {
        Some(Backend::Vulkan)
    } else if ["rocm", "hip"].iter().any(|word| text.contains(word)) {
        Some(Backend::Rocm)
    } else {
        None
    }
}

/// The newest year a date names (`2025-10..2026-03` is 2026).
fn era(date: &str) -> Era {
    if date.contains("2026") {
        Era::Y2026
    } else if date.contains("2025") {
        Era::Y2025
    } else {
        Era::Y2024
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes and tokens of published benches are far below 2^53")]
pub(super) const fn real(n: u64) -> f64 {
    n as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast to an integer saturates"
)]
const fn whole(x: f64) -> u64 {
    x as u64
}
