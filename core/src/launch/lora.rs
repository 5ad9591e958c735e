//! What adapters (LoRA) reserve before one is loaded: vLLM makes slots for the largest rank in every projection.

use super::model;
use super::read::Draft;
use crate::codec::Codec;
use crate::error::PlanError;
use crate::plan::resolve_model;
use crate::spec::shape::Tensors;
use crate::spec::{Mixer, ModelSpec};
use serde_json::Value;

pub(super) const FIELD: &str = "extras.lora_bytes";
pub(super) const ENABLE: &str = "--enable-lora";
pub(super) const SLOTS: &str = "--max-loras";
pub(super) const RANK: &str = "--max-lora-rank";
pub(super) const TARGETS: &str = "--lora-target-modules";
pub(super) const SHARDED: &str = "--fully-sharded-loras";

const NOT_MODELLED: &str =
    "slots of adapters are planned for untied dense Llama, Mistral, Qwen2 and Qwen3 on one stage";

/// Bytes of an element in half precision.
const WIDTH: u64 = 2;

/// Families whose class in vLLM 0.33.0 names no projection beside those below, and embeddings and head.
const FAMILIES: [&str; 4] = ["llama", "mistral", "qwen2", "qwen3"];

/// How vLLM splits a projection over ranks.
#[derive(Clone, Copy)]
enum Split {
    Outputs,
    Inputs,
}

/// The projections of a layer, each with the modules that vLLM wraps it with when one of them is a target.
const PROJECTIONS: [(&str, Split, &[&str]); 7] = [
    ("attn_q", Split::Outputs, &["qkv_proj", "q_proj", "k_proj", "v_proj"]),
    ("attn_k", Split::Outputs, &["qkv_proj", "q_proj", "k_proj", "v_proj"]),
    ("attn_v", Split::Outputs, &["qkv_proj", "q_proj", "k_proj", "v_proj"]),
    ("attn_output", Split::Inputs, &["o_proj"]),
    ("ffn_gate", Split::Outputs, &["gate_up_proj", "gate_proj", "up_proj"]),
    ("ffn_up", Split::Outputs, &["gate_up_proj", "gate_proj", "up_proj"]),
    ("ffn_down", Split::Inputs, &["down_proj"]),
];

/// The slots of `vllm serve --enable-lora`, as bytes beside the model.
pub(super) fn of_vllm(draft: &mut Draft) -> Result<(), PlanError> {
    if !draft.later.contains_key(ENABLE) {
        draft.give_back(FIELD, "without --enable-lora no slot is made");
        return Ok(());
    }
    let number = |flag: &'static str, default: u64| match draft.later.get(flag) {
        None => Ok(default),
        Some(text) => text
            .parse::<u64>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| PlanError::invalid(flag, "a whole number above 0").with_value(text.as_str())),
    };
    let option = |name: &str| draft.options.get(name).and_then(Value::as_u64).unwrap_or(1);
    let slots = Slots {
        count: number(SLOTS, 1)?,
        rank: number(RANK, 16)?,
        tp: option("tensor_parallel_size"),
        sharded: draft.later.contains_key(SHARDED),
        targets: draft.later.get(TARGETS).map(|text| text.split_whitespace().map(str::to_owned).collect()),
    };
    let target = draft.model.as_deref().and_then(|name| resolve_model(&model::named(name)).ok());
    let bytes =
        target.filter(|_| option("pipeline_parallel_size") == 1).and_then(|model| slots.bytes(&model));
    let Some(bytes) = bytes else {
        draft.give_back(FIELD, NOT_MODELLED);
        return Ok(());
    };
    draft.extras.lora_bytes = bytes;
    let Slots { count, rank, .. } = slots;
    let slots = if count == 1 { "slot" } else { "slots" };
    draft.note(format!(
        "--enable-lora makes {count} {slots} of rank {rank} in every projection, embeddings and head: {bytes} B on all ranks, whatever is loaded (vLLM 0.33.0 lora/layers)"
    ));
    Ok(())
}

/// What is made before an adapter is loaded.
struct Slots {
    count: u64,
    rank: u64,
    tp: u64,
    /// `--fully-sharded-loras`: the first factor of a projection split by its outputs, and the second of one split by its
    /// inputs, are split too.
    sharded: bool,
    targets: Option<Vec<String>>,
}

impl Slots {
    /// Bytes on all ranks; `None` for a model that is not one of those modelled.
    fn bytes(&self, model: &ModelSpec) -> Option<u64> {
        let record = model.record();
        let shape = record.shape.as_ref().filter(|shape| !shape.tied)?;
        FAMILIES.contains(&model.family()?).then_some(())?;
        matches!(model.dtype()?, Codec::Bf16 | Codec::F16).then_some(())?;
        let mut mixers = model.kinds().iter().flat_map(|kind| kind.mixers());
        let heads = mixers
            .find_map(|mixer| if let Mixer::Full(full) = mixer { Some(full.kv_heads) } else { None })?;
        // Fewer heads than ranks are kept more than once.
        (heads % self.tp == 0).then_some(())?;
        let mut elements: u64 = 0;
        for layer in 0..shape.layers.len() {
            elements = elements.checked_add(self.layer(shape.layer(layer)?)?)?;
        }
        let (vocabulary, hidden) = (record.vocab_size?, record.hidden_size?);
        for module in ["embed_tokens", "lm_head"] {
            if self.wraps(&[module]) {
                elements = elements.checked_add(vocabulary.checked_add(hidden)?.checked_mul(self.rank)?)?;
            }
        }
        elements.checked_mul(self.count)?.checked_mul(WIDTH)?.checked_mul(self.tp)
    }

    fn wraps(&self, modules: &[&str]) -> bool {
        let named = |target: &String| modules.contains(&target.as_str());
        self.targets.as_ref().is_none_or(|targets| targets.iter().any(named))
    }

    /// Elements of both factors of every projection of a layer, on one rank.
    fn layer(&self, tensors: &Tensors) -> Option<u64> {
        let mut elements: u64 = 0;
        for (name, dims) in tensors {
            let [inputs, outputs] = dims.as_slice() else { continue };
            let (_, split, modules) = PROJECTIONS.iter().find(|(known, ..)| known == name)?;
            if !self.wraps(modules) {
                continue;
            }
            let part = |whole: u64| whole.is_multiple_of(self.tp).then(|| whole / self.tp);
            let both = match (split, self.sharded) {
                (Split::Outputs, false) => inputs.checked_add(part(*outputs)?)?.checked_mul(self.rank)?,
                (Split::Outputs, true) => inputs
                    .checked_mul(part(self.rank)?)?
                    .checked_add(part(*outputs)?.checked_mul(self.rank)?)?,
                (Split::Inputs, false) => part(*inputs)?.checked_add(*outputs)?.checked_mul(self.rank)?,
                (Split::Inputs, true) => {
                    part(*inputs)?.checked_add(part(*outputs)?)?.checked_mul(self.rank)?
                }
            };
            elements = elements.checked_add(both)?;
        }
        Some(elements)
    }
}
