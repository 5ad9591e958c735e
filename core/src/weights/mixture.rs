//! llama.cpp's mixtures: which ggml type its quantizer gives each tensor of a file type.
//!
//! Rules of `src/llama-quant.cpp` at 0c1e57098 (`llama_tensor_get_type`), in our own arrangement, for a quantizer run
//! without overrides: with an importance matrix up to IQ3_XXS, as those files are published, and without from there on.
//! Files that were made otherwise ("UD", "dynamic") follow no rule: open the file itself.

use super::format::FileType;
use crate::spec::gguf::GgmlType;
use crate::unit::{Bytes, Overflow};

/// What the rules ask about a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    /// Trunk layers, and prediction layers where the file holds them.
    pub(super) layers: u64,
    /// Tensors that are values, fused queries, keys and values, or latent expansions.
    pub(super) value_tensors: u64,
    /// Query heads per KV head of the first attention layer.
    pub(super) grouping: u64,
    /// Routed experts of a layer; 0 where there are none.
    pub(super) experts: u64,
    /// The head is the token embedding.
    pub(super) tied: bool,
    /// 80 layers and grouped queries: values are shared by many heads and get more bits.
    pub(super) seventy: bool,
    /// Falcon has rules of its own.
    pub(super) falcon: bool,
}

/// Running counts over the layers in order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    values: u64,
    downs: u64,
    ups: u64,
    gates: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Embedding,
    Head,
    Value,
    Key,
    Query,
    AttentionOutput,
    Up,
    Gate,
    Down,
    Rest,
}

impl Part {
    fn of(name: &str) -> Self {
        let has = |part: &str| name.contains(part);
        match name {
            "output" => Self::Head,
            "token_embd" | "per_layer_token_embd" => Self::Embedding,
            "attn_v" | "attn_qkv" | "attn_kv_b" => Self::Value,
            "attn_k" => Self::Key,
            "attn_q" => Self::Query,
            "attn_output" => Self::AttentionOutput,
            _ if has("ffn_up") => Self::Up,
            _ if has("ffn_gate") => Self::Gate,
            _ if has("ffn_down") => Self::Down,
            _ => Self::Rest,
        }
    }
}

/// Whether a tensor counts among the values.
pub(super) fn is_value(name: &str) -> bool {
    Part::of(name) == Part::Value
}

/// Whether the quantizer touches a tensor at all; the rest stays f32.
fn is_quantized(name: &str, dims: &[u64]) -> bool {
    const KEPT: &[&str] = &[
        "_norm",
        ".bias",
        "ffn_gate_inp",
        "altup",
        "laurel",
        "per_layer_model_proj",
        "position_embd",
        "token_types",
        "ssm_conv1d",
        "shortconv.conv",
        "time_mix_",
        "attn_rel_b",
        "exp_probs_b",
    ];
    // Stored without a `.weight`, and therefore left alone.
    let bare = matches!(name, "ssm_a" | "ssm_d");
    dims.len() >= 2 && !bare && !KEPT.iter().any(|part| name.contains(part))
}

/// The type a tensor gets; `layer` is absent outside the layers.
pub(super) fn ggml_type(
    file: FileType,
    model: &Model,
    seen: &mut Seen,
    layer: Option<u64>,
    name: &str,
    dims: &[u64],
) -> GgmlType {
    if !is_quantized(name, dims) {
        return GgmlType::F32;
    }
    let main = file.main();
    if matches!(file, FileType::F32 | FileType::F16 | FileType::Bf16) {
        return main;
    }
    let row = dims.first().copied().unwrap_or(1);
    fitting(chosen(file, model, seen, layer, name, dims), row)
}

/// The type for rows that a block does not divide: a wider one of 32 elements, then f16.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only types of larger blocks have a narrower one to fall back to"
)]
fn fitting(chosen: GgmlType, row: u64) -> GgmlType {
    use GgmlType as T;
    let divides = |t: GgmlType| row.is_multiple_of(t.layout().block);
    if divides(chosen) {
        return chosen;
    }
    let wider = match chosen {
        T::Iq1S | T::Iq1M | T::Iq2Xxs | T::Iq2Xs | T::Iq2S | T::Iq3Xxs | T::Iq3S | T::Iq4Xs => T::Iq4Nl,
        T::Q2K | T::Q3K | T::Tq1_0 | T::Tq2_0 => T::Q4_0,
        T::Q4K => T::Q5_0,
        T::Q5K => T::Q5_1,
        T::Q6K => T::Q8_0,
        _ => T::F16,
    };
    if divides(wider) { wider } else { T::F16 }
}

/// The middle layers get fewer bits in the `_M` mixtures: the first and last eighth, and every third between, more.
const fn more_bits(i: u64, n: u64) -> bool {
    i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule names its exceptions; the other file types keep their own"
)]
fn chosen(
    file: FileType,
    model: &Model,
    seen: &mut Seen,
    layer: Option<u64>,
    name: &str,
    dims: &[u64],
) -> GgmlType {
    use FileType as F;
    use GgmlType as T;
    let main = file.main();
    let part = Part::of(name);
    let n = model.layers;
    // With experts, layers are counted by name, otherwise by how many of the kind came before.
    let position = |count: &mut u64| {
        let before = *count;
        *count = count.saturating_add(1);
        if model.experts > 1 { layer.unwrap_or(before) } else { before }
    };
    if part == Part::Head || (model.tied && part == Part::Embedding) {
        let row = dims.first().copied().unwrap_or(1);
        return match file {
            F::Mxfp4Moe => T::Q8_0,
            _ if model.falcon || !row.is_multiple_of(main.layout().block) => T::Q8_0,
            F::Iq1S | F::Iq1M | F::Iq2Xxs | F::Iq2Xs | F::Iq2S | F::Iq2M | F::Iq3Xxs => T::Q5K,
            F::Q80 => T::Q8_0,
            _ => T::Q6K,
        };
    }
    if file == F::Mxfp4Moe {
        return if dims.get(2).is_some_and(|n| *n > 1) { T::Mxfp4 } else { T::Q8_0 };
    }
    let tiny = matches!(file, F::Iq1S | F::Iq1M | F::Iq2Xxs | F::Iq2Xs | F::Iq2S | F::Iq2M);
    let smallish = matches!(file, F::Iq2S | F::Iq2M);
    let grouped = model.grouping >= 4;
    let eight = model.experts == 8;
    match part {
        Part::Embedding => match file {
            F::Iq1S | F::Iq1M | F::Iq2Xxs | F::Iq2Xs => T::Q2K,
            F::Iq2S | F::Iq2M | F::Iq3Xxs => T::Iq3S,
            F::Tq10 | F::Tq20 => T::Q4K,
            _ => main,
        },
        Part::Value if tiny => {
            seen.values = seen.values.saturating_add(1);
            match () {
                () if grouped || model.experts >= 4 => T::Q4K,
                () if smallish => T::Iq3S,
                () => T::Q2K,
            }
        }
        Part::Value => {
            let i = seen.values;
            seen.values = seen.values.saturating_add(1);
            let by_file = match file {
                F::Q2K => {
                    if grouped {
                        T::Q4K
                    } else {
                        T::Q3K
                    }
                }
                F::Q2KS | F::Iq3Xs | F::Iq3S if grouped => T::Q4K,
                F::Iq3Xxs if grouped => T::Q4K,
                F::Iq3M => T::Q4K,
                F::Q3KM => {
                    if i < 2 {
                        T::Q5K
                    } else {
                        T::Q4K
                    }
                }
                F::Q3KL => T::Q5K,
                F::Iq4Nl | F::Iq4Xs if grouped => T::Q5K,
                F::Q4KM | F::Q5KM if more_bits(i, model.value_tensors) => T::Q6K,
                F::Q4KS if i < 4 => T::Q5K,
                _ => main,
            };
            match by_file {
                _ if eight => T::Q8_0,
                T::Q3K | T::Q4K if model.seventy => T::Q5K,
                other => other,
            }
        }
        Part::Key if eight => {
            if tiny {
                T::Q4K
            } else {
                T::Q8_0
            }
        }
        Part::Key | Part::Query => match file {
            F::Iq3Xs => T::Iq3Xxs,
            F::Iq3Xxs => T::Iq2S,
            _ => main,
        },
        Part::Down if tiny => {
            let i = seen.downs;
            seen.downs = seen.downs.saturating_add(1);
            match () {
                () if i >= n / 8 => main,
                () if smallish => T::Iq3S,
                () => T::Q2K,
            }
        }
        Part::Down => {
            let i = position(&mut seen.downs);
            match file {
                F::Q2K => T::Q3K,
                F::Q2KS if i < n / 8 => T::Q4K,
                F::Q3KM if i < n / 16 => T::Q5K,
                F::Q3KM if !model.falcon || more_bits(i, n) => T::Q4K,
                F::Iq3M if i < n / 8 || (eight && more_bits(i, n)) => T::Q4K,
                F::Q3KL => {
                    if model.falcon {
                        T::Q4K
                    } else {
                        T::Q5K
                    }
                }
                F::Q4KM if model.falcon && i < n / 16 => T::Q6K,
                F::Q4KM if more_bits(i, n) => {
                    if model.falcon {
                        T::Q5K
                    } else {
                        T::Q6K
                    }
                }
                F::Iq4Nl | F::Iq4Xs if i < n / 8 => T::Q5K,
                F::Q5KM if more_bits(i, n) => T::Q6K,
                F::Q4KS if !model.falcon && i < n / 8 => T::Q5K,
                _ => main,
            }
        }
        Part::AttentionOutput => match file {
            F::Iq1S | F::Iq1M | F::Iq2Xxs | F::Iq2Xs | F::Iq2S | F::Iq2M if eight => T::Q5K,
            F::Iq1S | F::Iq1M => T::Iq2Xxs,
            F::Iq2S | F::Iq2M => T::Iq3S,
            _ if tiny => main,
            F::Q3KL if model.falcon => T::Q4K,
            _ if model.falcon => main,
            F::Q2K
            | F::Iq3Xs
            | F::Iq3Xxs
            | F::Q3KS
            | F::Q3KM
            | F::Iq4Nl
            | F::Q4KS
            | F::Q4KM
            | F::Iq3S
            | F::Iq3M
            | F::Iq4Xs
                if eight =>
            {
                T::Q5K
            }
            _ if eight => main,
            F::Q2K => T::Q3K,
            F::Iq3Xxs => T::Iq3S,
            F::Q3KM | F::Iq3M => T::Q4K,
            F::Q3KL => T::Q5K,
            _ => main,
        },
        Part::Up | Part::Gate => {
            let i = position(if part == Part::Up { &mut seen.ups } else { &mut seen.gates });
            let middle = i >= n / 8 && i < 7 * n / 8;
            if file == F::Iq3Xs && middle { T::Iq3Xxs } else { main }
        }
        Part::Head | Part::Rest => main,
    }
}

/// Bytes of a tensor of that type, row by row.
pub(super) fn bytes(ggml: GgmlType, dims: &[u64]) -> Result<Bytes, Overflow> {
    let layout = ggml.layout();
    let (row, rows) = dims.split_first().map_or((1, &[][..]), |(row, rows)| (*row, rows));
    let rows = rows.iter().try_fold(1u64, |n, d| n.checked_mul(*d)).ok_or(Overflow)?;
    Bytes::new(row.div_ceil(layout.block)).times(layout.bytes)?.times(rows)
}
