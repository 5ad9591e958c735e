//! The weight tensors of a publisher's config, per family.
//!
//! The layers are already understood; a family's [`Law`] says what else its class builds: biases, norms, feed-forward
//! blocks, experts, position tables, whether the head is the embedding. Nothing is guessed: a family without a law, a
//! dimension that the file leaves out, or a key about weights that the law did not read, gives no shape and a reason.

mod build;
mod families;
mod ffn;
mod gemma3n;
mod guard;
mod hybrid;
mod hyper;
mod law;
mod mixers;
mod recurrent;
mod twofold;

use super::dims::Layers;
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::Mixer;
use crate::spec::shape::{ROPE_TABLE, Shape, Tensors, is_routed};
use build::Build;
use hybrid::Hybrid;
use law::{Flag, Law, Mtp, Norms};
use serde_json::Value;

/// The shape of a config whose layers are understood.
///
/// # Errors
/// Why there is none: the family, or the field.
pub(super) fn import(
    outer: &Fields<'_>,
    fields: &Fields<'_>,
    family: Option<&'static str>,
    layers: &Layers,
) -> Result<Shape, PlanError> {
    let unknown = |name: &str| {
        let message = format!("what the layers of a `{name}` model weigh is not understood here");
        PlanError::unsupported("model_type", message)
    };
    let family = family.ok_or_else(|| unknown("without model_type"))?;
    let hybrid = Hybrid::of(family);
    let law = hybrid.map(Hybrid::law).or_else(|| families::law(family)).ok_or_else(|| unknown(family))?;
    for body in layers.trunk.iter().chain(&layers.mtp) {
        let largest = match body {
            RunBody::One(mixer) => mixer.largest(),
            RunBody::Hybrid { mixers } => mixers.iter().map(Mixer::largest).max().unwrap_or(0),
            RunBody::None | RunBody::Pattern { .. } => 0,
        };
        if largest > LARGEST_OF_A_LAYER {
            return Err(PlanError::invalid("", format!("a dimension of {largest} is of no model")));
        }
    }
    let reader = Reader { outer, fields, family, hybrid, law };
    let shape = reader.shape(layers)?;
    if shape.experts_used.is_some() {
        // The width of the dense layers this model does not have.
        fields.ignore(&["intermediate_size"]);
    }
    guard::refuse_unread(fields, family)?;
    shape.check(layers.trunk.len(), layers.mtp.len())?;
    Ok(shape)
}

/// Keep every product of dimensions inside 64 bits; no published model comes near.
const LARGEST_OF_A_LAYER: u64 = 1 << 21;
const LARGEST: u64 = 1 << 28;

/// A config, its family and its law.
struct Reader<'f, 'a> {
    outer: &'f Fields<'a>,
    fields: &'f Fields<'a>,
    family: &'static str,
    hybrid: Option<Hybrid>,
    law: Law,
}

impl<'a> Reader<'_, 'a> {
    fn shape(&self, layers: &Layers) -> Result<Shape, PlanError> {
        let mut shape = Shape { tied: self.tied()?, ..Shape::default() };
        shape.model = self.outside(shape.tied, layers.trunk.len())?;
        let too_many = || PlanError::invalid("layers", "more kinds of layer than fit");
        for (i, body) in layers.trunk.iter().enumerate() {
            let kind = shape.kind(self.layer(i, body)?).ok_or_else(too_many)?;
            shape.layers.push(kind);
        }
        for (i, body) in layers.mtp.iter().enumerate() {
            let mut tensors = Tensors::new();
            if !matches!(self.law.mtp, Mtp::NotStored) {
                tensors = self.layer(layers.trunk.len() + i, body)?;
                tensors.extend(self.module()?);
            }
            let kind = shape.kind(tensors).ok_or_else(too_many)?;
            shape.mtp.push(kind);
        }
        let routed = shape.kinds.iter().any(|kind| kind.keys().any(|name| is_routed(name)));
        if routed {
            shape.experts_used = Some(ffn::used(self)?);
        }
        if self.outer.value("vision_config").is_some() || self.outer.value("audio_config").is_some() {
            shape.notes.push("text weights only: encoders of images and sound are not counted".to_owned());
        }
        shape.notes.extend(self.fields.take_assumptions());
        Ok(shape)
    }

    fn tied(&self) -> Result<bool, PlanError> {
        const KEY: &str = "tie_word_embeddings";
        let said = match self.fields.bool(KEY)? {
            Some(said) => Some(said),
            None => self
                .outer
                .bool(KEY)?
                .or(self.fields.bool("tie_embedding")?)
                .or(self.fields.bool("weight_tying")?),
        };
        Ok(said.unwrap_or(self.law.tied))
    }

    /// Embeddings, output norm and head.
    fn outside(&self, tied: bool, layers: usize) -> Result<Tensors, PlanError> {
        let (hidden, law) = (self.hidden()?, self.law);
        let vocab = self.vocab()?;
        let mut b = Build::default();
        b.matrix("token_embd", hidden, vocab);
        if let Some((keys, more)) = law.positions {
            b.matrix("position_embd", hidden, self.need_first(keys)? + more);
        }
        if law.embedding_norm {
            b.norm("token_embd_norm", hidden, law.norm_bias);
        }
        if !matches!(law.norms, Norms::None) {
            b.norm("output_norm", hidden, law.norm_bias);
        }
        if !tied {
            b.matrix("output", hidden, vocab);
        }
        if self.u64("attn_res_block_size")?.is_some() {
            // Kimi K3 weighs the outputs of blocks of layers.
            b.vector("output_res_norm", hidden);
            b.vector("output_res_proj", hidden);
        }
        if let Some(dim) = self.rope_table()? {
            b.vector(ROPE_TABLE, dim / 2);
        }
        if self.flag(law.head_bias)? {
            b.vector("output.bias", vocab);
        }
        if let Some(hybrid) = self.hybrid {
            hybrid.outside(self, layers, &mut b)?;
        }
        Ok(b.done())
    }

    /// The width of a head whose rotary factors llama.cpp's converter writes out (Llama 3.1's scaling).
    fn rope_table(&self) -> Result<Option<u64>, PlanError> {
        let scaling = self.value("rope_scaling").or(self.value("rope_parameters"));
        let kind = scaling.and_then(|s| s.get("rope_type").or(s.get("type"))).and_then(Value::as_str);
        if kind != Some("llama3") {
            return Ok(None);
        }
        Ok(Some(match self.u64("head_dim")? {
            Some(dim) => dim,
            None => self.hidden()? / self.heads()?,
        }))
    }

    fn layer(&self, index: usize, body: &RunBody) -> Result<Tensors, PlanError> {
        let mut b = Build::default();
        if let Some(hybrid) = self.hybrid {
            hybrid.layer(self, index, body, &mut b)?;
            return Ok(b.done());
        }
        match body {
            RunBody::One(mixer) => mixers::add(self, mixer, &mut b)?,
            RunBody::None | RunBody::Hybrid { .. } | RunBody::Pattern { .. } => {
                let message = format!(
                    "what a layer of several parts weighs in `{}` is not understood here",
                    self.family
                );
                return Err(PlanError::unsupported("", message));
            }
        }
        if !matches!(self.family, "mamba" | "falcon_mamba" | "mamba2") {
            ffn::add(self, index, &mut b)?;
        }
        self.norms(&mut b)?;
        if self.u64("attn_res_block_size")?.is_some() {
            for part in ["attn_res_norm", "attn_res_proj", "ffn_res_norm", "ffn_res_proj"] {
                b.vector(part, self.hidden()?);
            }
        }
        Ok(b.done())
    }

    fn norms(&self, b: &mut Build) -> Result<(), PlanError> {
        let names: &[&str] = match self.law.norms {
            Norms::None => &[],
            Norms::One => &["attn_norm"],
            Norms::Two => &["attn_norm", "ffn_norm"],
            Norms::TwoAfter => &["post_attention_norm", "post_ffw_norm"],
            Norms::Four => &["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"],
            Norms::Falcon if self.bool("parallel_attn")? == Some(false) => &["attn_norm", "ffn_norm"],
            Norms::Falcon => {
                let new = self.bool("new_decoder_architecture")? == Some(true);
                let two = self.u64("num_ln_in_parallel_attn")?.map_or(new, |n| n == 2);
                if two { &["attn_norm", "attn_norm_2"] } else { &["attn_norm"] }
            }
        };
        let hidden = self.hidden()?;
        for name in names {
            b.norm(name, hidden, self.law.norm_bias);
        }
        Ok(())
    }

    /// What a multi-token-prediction module has beside its layer.
    fn module(&self) -> Result<Tensors, PlanError> {
        let hidden = self.hidden()?;
        let mut b = Build::default();
        let (embedding, head) = match self.law.mtp {
            Mtp::None => {
                let message =
                    format!("what a prediction layer of `{}` weighs is not understood here", self.family);
                return Err(PlanError::unsupported("", message));
            }
            Mtp::Copies => (true, true),
            Mtp::Head => (false, true),
            Mtp::Shared | Mtp::NotStored => (false, false),
        };
        b.matrix("nextn.eh_proj", 2 * hidden, hidden);
        for name in ["nextn.enorm", "nextn.hnorm", "nextn.shared_head_norm"] {
            b.vector(name, hidden);
        }
        if embedding {
            b.matrix("nextn.embed_tokens", hidden, self.vocab()?);
        }
        if head {
            b.matrix("nextn.shared_head_head", hidden, self.vocab()?);
        }
        Ok(b.done())
    }

    fn hidden(&self) -> Result<u64, PlanError> {
        self.need_first(&["hidden_size", "n_embd", "d_model", "n_embed"])
    }

    fn heads(&self) -> Result<u64, PlanError> {
        self.need_first(&["num_attention_heads", "n_head", "n_heads", "num_heads"])
    }

    fn vocab(&self) -> Result<u64, PlanError> {
        const KEYS: &[&str] = &["padded_vocab_size", "embedding_size", "vocab_size"];
        match self.first_number(KEYS) {
            Some(n) => Ok(n),
            None => self
                .outer
                .first(KEYS)?
                .filter(|n| *n <= LARGEST)
                .ok_or_else(|| PlanError::missing("vocab_size", "`vocab_size` is absent")),
        }
    }

    fn flag(&self, flag: Flag) -> Result<bool, PlanError> {
        match flag {
            Flag::Never => Ok(false),
            Flag::Always => Ok(true),
            Flag::Key(key, default) => Ok(self.fields.bool(key)?.unwrap_or(default)),
        }
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.fields.value(key)
    }

    fn bool(&self, key: &str) -> Result<Option<bool>, PlanError> {
        self.fields.bool(key)
    }

    fn u64(&self, key: &str) -> Result<Option<u64>, PlanError> {
        Ok(self.fields.u64(key)?.filter(|n| *n <= LARGEST))
    }

    fn numbers(&self, key: &str) -> Result<Option<Vec<u64>>, PlanError> {
        self.fields.numbers(key)
    }

    fn strings(&self, key: &str) -> Result<Option<Vec<&'a str>>, PlanError> {
        self.fields.strings(key)
    }

    fn need(&self, key: &str) -> Result<u64, PlanError> {
        self.number(key).filter(|n| *n > 0).ok_or_else(|| {
            PlanError::missing(self.fields.path(key), format!("`{key}` decides the weights and is absent"))
        })
    }

    fn need_first(&self, keys: &[&str]) -> Result<u64, PlanError> {
        self.first_number(keys).ok_or_else(|| {
            let names = keys.join("` or `");
            let first = keys.first().copied().unwrap_or_default();
            PlanError::missing(
                self.fields.path(first),
                format!("`{names}` decides the weights and is absent"),
            )
        })
    }

    /// A number, or a list that repeats one number.
    fn number(&self, key: &str) -> Option<u64> {
        let value = self.fields.value(key)?;
        if let Value::Array(list) = value {
            let first = list.first()?.as_u64()?;
            list.iter().all(|item| item.as_u64() == Some(first)).then_some(first)
        } else {
            value.as_u64()
        }
        .filter(|n| *n <= LARGEST)
    }

    fn first_number(&self, keys: &[&str]) -> Option<u64> {
        keys.iter().find_map(|key| self.number(key).filter(|n| *n > 0))
    }
}
