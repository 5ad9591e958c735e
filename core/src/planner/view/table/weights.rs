//! Weight formats × cache types: the largest context, or what is reserved where no machine is named.

use super::{Cell, Row, Table, alike, brief, cache_types, cell, codec_is, engine_name, quality, with_cache};
use crate::engine::EngineName;
use crate::plan::{Request, WeightsRequest};
use crate::planner::state::View;
use crate::planner::view::text::short;
use crate::spec::ModelSpec;
use crate::weights::{self, WeightFormat};

/// Weight formats an engine usually loads, the largest first.
#[must_use]
pub const fn formats(engine: EngineName) -> &'static [&'static str] {
    match engine {
        EngineName::LlamaCpp | EngineName::Payload => {
            &["BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "Q2_K"]
        }
        EngineName::Vllm | EngineName::Sglang | EngineName::TensorRtLlm => {
            &["bf16", "fp8", "awq-g128", "nvfp4"]
        }
        EngineName::Transformers => &["bf16", "int8", "nf4"],
        EngineName::Mlx => &["bf16", "mlx-8bit-g64", "mlx-6bit-g64", "mlx-4bit-g64"],
        EngineName::ExllamaV3 => &["bf16"],
    }
}

pub(super) fn table(model: &ModelSpec, request: &Request, view: View) -> Table {
    let engine = engine_name(request);
    let codecs = cache_types(engine);
    // A file's own table has no shapes to count other formats with.
    let counted = model.own_weights().is_none() || model.record().shape.is_some();
    let usual = formats(engine).iter().filter(|_| counted);
    let mut names: Vec<String> = usual.map(|name| (*name).to_owned()).collect();
    if let Some(WeightsRequest::Format(set)) = &request.weights
        && !names.iter().any(|name| same(name, set))
    {
        names.push(set.clone());
    }
    let cells = |weights: Option<&WeightsRequest>, own: bool| -> Vec<Cell> {
        codecs
            .iter()
            .map(|codec| {
                let mut other = with_cache(request, codec);
                other.weights = weights.cloned();
                let mut cell = cell::largest(model, other);
                cell.current = own && codec_is(request, codec);
                cell
            })
            .collect()
    };
    let file = model.own_weights().map(|own| Row {
        label: "this file".to_owned(),
        detail: own.loaded().map(|bytes| short(bytes, view)).unwrap_or_default(),
        cells: cells(None, request.weights.is_none()),
    });
    let rows = names.into_iter().map(|name| {
        let own = matches!(&request.weights, Some(WeightsRequest::Format(set)) if same(set, &name));
        let cells = cells(Some(&WeightsRequest::Format(name.clone())), own);
        let format = WeightFormat::parse(&name);
        let format = format.map(|f| if engine == EngineName::LlamaCpp { f.in_gguf() } else { f });
        let bytes = format.and_then(|format| weights::of(model, format).ok()?.loaded().ok());
        let detail = bytes.map(|bytes| short(bytes, view)).unwrap_or_default();
        Row { label: name, detail, cells: alike(cells) }
    });
    let rows = file.into_iter().chain(rows).collect();
    let (quality, caption) = quality(codecs);
    Table {
        title: "LARGEST CONTEXT",
        rows_are: "weights",
        columns: codecs.iter().map(|codec| brief(codec).to_owned()).collect(),
        rows,
        quality,
        caption,
    }
}

/// Whether two names are one format.
fn same(a: &str, b: &str) -> bool {
    match (WeightFormat::parse(a), WeightFormat::parse(b)) {
        (Some(a), Some(b)) => a.in_gguf() == b.in_gguf(),
        (_, _) => a == b,
    }
}
