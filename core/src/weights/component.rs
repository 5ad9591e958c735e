//! What a weight tensor is for, by its name.

use schemars::JsonSchema;
use serde::Serialize;

/// The part of a model that weights belong to.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    JsonSchema,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Component {
    /// Token, position and per-layer embeddings: looked up, not multiplied.
    TokenEmbedding,
    /// The matrix from the last hidden state to the vocabulary.
    OutputHead,
    /// Projections of attention, latent attention and its indexers.
    Attention,
    /// Linear attention, state spaces, convolutions, recurrences.
    Ssm,
    /// The feed-forward block of a layer without experts, and dense branches beside experts.
    Mlp,
    /// Routed experts: a token reads some of them.
    Experts,
    /// Experts that every token reads.
    SharedExperts,
    /// The matrix that chooses experts.
    Router,
    /// Norms and other vectors.
    Norms,
    /// Multi-token-prediction layers, whole.
    Mtp,
    /// The vision or audio projector and its encoder.
    Projector,
    /// A draft model, whole.
    Draft,
    /// Low-rank adapters.
    Lora,
    /// Weights that a file holds and that belong to none of these.
    Other,
}

impl Component {
    /// Its name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Of a tensor of a prediction layer outside its experts: a copy of the embedding or of the head that the layer
    /// carries, by llama.cpp's name or the checkpoint's, or else the layer's own.
    #[must_use]
    pub fn of_mtp(name: &str) -> Self {
        if name.contains("embed_tokens") {
            Self::TokenEmbedding
        } else if name.contains("shared_head_head") || name.contains("shared_head.head") {
            Self::OutputHead
        } else {
            Self::Mtp
        }
    }

    /// Of a tensor named as llama.cpp's converter names it, without its layer.
    #[must_use]
    pub fn of_gguf(name: &str) -> Self {
        let has = |part: &str| name.contains(part);
        if has("nextn.") {
            Self::Mtp
        } else if has("_norm") || has("norm.") {
            Self::Norms
        } else if name.starts_with("output") {
            Self::OutputHead
        } else if has("token_embd") || has("position_embd") || has("token_types") {
            Self::TokenEmbedding
        } else if has("_exps") {
            Self::Experts
        } else if has("shexp") || has("_chexps") {
            Self::SharedExperts
        } else if has("ffn_gate_inp") || has("exp_probs") {
            Self::Router
        } else if name.starts_with("attn_sinks") || name.starts_with("rope_freqs") || has("_scale") {
            Self::Norms
        } else if name.starts_with("ssm") || name.starts_with("shortconv") || name.starts_with("time_mix") {
            Self::Ssm
        } else if name.starts_with("attn") || name.starts_with("indexer") || name.starts_with("cross_attn") {
            Self::Attention
        } else if name.starts_with("ffn") || name.starts_with("channel_mix") {
            Self::Mlp
        } else if name.starts_with("v.") || name.starts_with("mm.") || name.starts_with("a.") {
            Self::Projector
        } else {
            Self::Other
        }
    }
}
