//! The weights of a file, from its own tensor table: exact.

use super::component::Component;
use super::{Applied, Line, Place, Weights};
use crate::error::PlanError;
use crate::explain::Basis;
use crate::spec::shape::is_routed;
use crate::spec::tensors::{StoredType, Tensor, TensorTable};
use crate::unit::{Bytes, Overflow};
use std::collections::BTreeMap;

/// How a model uses its file's tensors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableUse {
    /// Trunk layers: blocks from here on predict further tokens. Absent: every block is of the trunk.
    pub layers: Option<u64>,
    /// Routed experts read for one token. Absent: all.
    pub experts_used: Option<u64>,
}

/// The weights that a file's tensors are, to the byte; padding between tensors is not counted.
///
/// # Errors
/// `overflow` past 64 bits.
pub fn of_file(table: &TensorTable, used: TableUse) -> Result<Weights, PlanError> {
    let mut sums: BTreeMap<(Place, Component), (Bytes, Bytes)> = BTreeMap::new();
    let tied = !table.tensors().iter().any(|t| {
        t.name == "output.weight"
            || t.name.ends_with("lm_head.weight")
            || t.name.ends_with("embed_out.weight")
    });
    let mut applied = Applied::default();
    let experts = experts(table);
    for tensor in table.tensors() {
        let (place, component) = classify(tensor, used.layers);
        let active = active(tensor, component, tied, used.experts_used, experts);
        if !matches!(place, Place::Mtp(_) | Place::Beside) {
            count(&mut applied, tensor, component, tied)?;
        }
        let slot = sums.entry((place, component)).or_default();
        *slot = (slot.0.plus(tensor.bytes)?, slot.1.plus(active)?);
    }
    if applied.routed > 0 {
        applied.experts = experts;
        applied.active_experts = used.experts_used.unwrap_or(experts).min(experts);
    }
    let types = table.by_type()?;
    let main = types.iter().max_by_key(|(_, total)| total.bytes).map(|(stored, _)| stored.name());
    let lines = sums.into_iter().map(|((place, component), (bytes, active_bytes))| Line {
        place,
        component,
        bytes,
        active_bytes,
        basis: Basis::Exact,
        error_bytes: Bytes::ZERO,
    });
    Ok(Weights {
        format: format!("the file's own, mostly {}", main.unwrap_or("nothing")),
        lines: lines.collect(),
        basis: Basis::Exact,
        tied,
        applied,
        notes: Vec::new(),
    })
}

/// Routed experts of a layer: the outermost dimension of a stack, or one more than the highest number in a name.
fn experts(table: &TensorTable) -> u64 {
    let of = |tensor: &Tensor| match tensor.stored {
        StoredType::Ggml(_) if is_routed(&tensor.name) => tensor.shape.last().copied(),
        StoredType::Ggml(_) => None,
        StoredType::Safetensors(_) => match block(&tensor.name, "experts.") {
            Some((number, _)) => number.checked_add(1),
            None if tensor.name.contains("experts.") && tensor.shape.len() == 3 => {
                tensor.shape.first().copied()
            }
            None => None,
        },
    };
    table.tensors().iter().filter_map(of).max().unwrap_or(0)
}

fn is_head(tensor: &Tensor, tied: bool) -> bool {
    tied && matches!(tensor.name.as_str(), "token_embd.weight" | "model.embed_tokens.weight")
}

/// Counts elements; of packed codes the stored words, which are read all the same.
fn count(applied: &mut Applied, tensor: &Tensor, component: Component, tied: bool) -> Result<(), Overflow> {
    let elements = tensor.elements.get();
    let add = |sum: &mut u64| {
        *sum = sum.checked_add(elements).ok_or(Overflow)?;
        Ok(())
    };
    add(&mut applied.total)?;
    match component {
        Component::Experts => add(&mut applied.routed),
        Component::TokenEmbedding if !is_head(tensor, tied) => add(&mut applied.looked_up),
        Component::TokenEmbedding
        | Component::OutputHead
        | Component::Attention
        | Component::Ssm
        | Component::Mlp
        | Component::SharedExperts
        | Component::Router
        | Component::Norms
        | Component::Mtp
        | Component::Projector
        | Component::Draft
        | Component::Lora
        | Component::Other => Ok(()),
    }
}

fn active(tensor: &Tensor, component: Component, tied: bool, used: Option<u64>, experts: u64) -> Bytes {
    let share = |part: u64, of: u64| {
        let whole = u128::from(tensor.bytes.get()) * u128::from(part) / u128::from(of.max(1));
        u64::try_from(whole).map_or(tensor.bytes, Bytes::new)
    };
    // GGUF counts the contiguous dimension first, safetensors last: the outermost one is at the other end.
    let outermost = match tensor.stored {
        StoredType::Ggml(_) => tensor.shape.last(),
        StoredType::Safetensors(_) => tensor.shape.first(),
    };
    let outermost = outermost.copied().unwrap_or(1);
    match (component, used) {
        (Component::TokenEmbedding, _) if !is_head(tensor, tied) => share(1, outermost),
        (Component::Experts, Some(used)) => share(used.min(experts), experts),
        _ => tensor.bytes,
    }
}

fn classify(tensor: &Tensor, layers: Option<u64>) -> (Place, Component) {
    let (index, component) = match tensor.stored {
        StoredType::Ggml(_) => match block(&tensor.name, "blk.") {
            Some((index, rest)) => (Some(index), Component::of_gguf(rest)),
            None => (None, Component::of_gguf(&tensor.name)),
        },
        StoredType::Safetensors(_) => of_checkpoint(&tensor.name),
    };
    // `mtp.layers.0.…`: prediction layers that a checkpoint counts by themselves.
    if component == Component::Mtp && tensor.name.starts_with("mtp") {
        let index = block(&tensor.name, "layers.").map_or(0, |(index, _)| index);
        let routed = tensor.name.contains("experts.") && !tensor.name.contains("shared_expert");
        let component = if routed { Component::Experts } else { Component::of_mtp(&tensor.name) };
        return (Place::Mtp(index), component);
    }
    match (index, layers) {
        (Some(index), Some(layers)) if index >= layers => {
            let component =
                if component == Component::Experts { component } else { Component::of_mtp(&tensor.name) };
            (Place::Mtp(index.saturating_sub(layers)), component)
        }
        (Some(index), _) => (Place::Layer(index), component),
        (None, _) => {
            let place = match component {
                Component::TokenEmbedding => Place::Input,
                Component::Projector | Component::Draft | Component::Lora | Component::Mtp => Place::Beside,
                Component::OutputHead
                | Component::Norms
                | Component::Attention
                | Component::Ssm
                | Component::Mlp
                | Component::Experts
                | Component::SharedExperts
                | Component::Router
                | Component::Other => Place::Output,
            };
            (place, component)
        }
    }
}

/// The number after `marker`, and what follows it.
fn block<'a>(name: &'a str, marker: &str) -> Option<(u64, &'a str)> {
    let (_, after) = name.split_once(marker)?;
    let (digits, rest) = after.split_once('.')?;
    Some((digits.parse().ok()?, rest))
}

/// A checkpoint's own names, as far as they say what a tensor is for.
fn of_checkpoint(name: &str) -> (Option<u64>, Component) {
    const OUTSIDE: &[&str] = &["visual.", "vision", "audio", "multi_modal", "mm_projector", "image_"];
    if OUTSIDE.iter().any(|part| name.contains(part)) {
        return (None, Component::Projector);
    }
    let found = ["layers.", ".h.", "blocks.", "block."].iter().find_map(|marker| block(name, marker));
    let Some((index, rest)) = found else {
        let has = |part: &str| name.contains(part);
        return (
            None,
            match () {
                () if has("mtp") || has("nextn") => Component::Mtp,
                () if has("lora_") => Component::Lora,
                () if has("lm_head") || has("embed_out") || name.starts_with("output") => {
                    Component::OutputHead
                }
                () if has("norm") || has("ln_f") => Component::Norms,
                () if has("embed") || has("wte") || has("wpe") => Component::TokenEmbedding,
                () => Component::Other,
            },
        );
    };
    if name.starts_with("mtp") {
        return (None, Component::Mtp);
    }
    let has = |part: &str| rest.contains(part);
    let component = match () {
        () if has("shared_expert") || has("shared_mlp") => Component::SharedExperts,
        () if has("experts.") || has("block_sparse_moe.experts") => Component::Experts,
        () if has("mlp.gate.") || has("router") || has("block_sparse_moe.gate") => Component::Router,
        () if has("norm") || has("ln_") => Component::Norms,
        () if has("linear_attn") || has("mamba") || has("mixer.") || has("conv.") => Component::Ssm,
        () if has("attn") || has("attention") => Component::Attention,
        () if has("mlp") || has("feed_forward") || has("ffn") => Component::Mlp,
        () => Component::Other,
    };
    (Some(index), component)
}
