//! From a publisher's file to a [`ModelSpec`]: parse, don't validate.
//!
//! Every input form ends in a [`SpecFile`] (the readable record that `model-specs/` also holds), and
//! [`ModelSpec::try_from`] turns that into a value whose invariants hold: fields are private, layers are in order,
//! equal layers are one [`Kind`] with a count, and each kind already knows its stores. What is not understood is an
//! error that names it; nothing is guessed.
//!
//! - `catalog`: the specs shipped with the program, found by id or alias;
//! - `compress`: layer lists as few runs;
//! - `file`: the spec record and its layer runs;
//! - `foreign`: models in publishers' own forms, imported here or understood elsewhere;
//! - `hf`: a publisher's `config.json`;
//! - `layer`: the mixers a layer can be made of, in the publisher's own dimensions;
//! - `names`: what a repository or a file's name may be catalogued as;
//! - `shape`: the weight tensors, names and dimensions;
//! - `gguf`, `safetensors`, `json`: readers over bytes, from a `source` that a front end opens, into metadata and a
//!   table of `tensors`.

pub mod catalog;
mod compress;
mod dims;
pub mod file;
pub mod foreign;
pub mod gguf;
pub mod hf;
pub mod json;
pub mod layer;
mod names;
pub mod safetensors;
pub mod shape;
pub mod source;
pub mod tensors;

pub use compress::compress;
pub use file::{Parameters, Run, RunBody, SpecFile};
pub use layer::Mixer;
pub use shape::Shape;

use crate::cache::{Store, stores_of};
use crate::codec::Codec;
use crate::error::PlanError;
use crate::unit::Tokens;
use crate::weights::Weights;

/// More layers than any published model by a factor of ten: a run-length bomb is refused, not expanded.
const MAX_LAYERS: usize = 4096;

/// A model, understood: layers in order, every layer a list of stores.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSpec {
    record: SpecFile,
    kinds: Vec<Kind>,
    order: Vec<u16>,
    mtp_order: Vec<u16>,
    dtype: Option<Codec>,
    state_dtype: Option<Codec>,
    own_weights: Option<Box<Weights>>,
}

/// Equal layers of a model: what they are made of, what they store, and how many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    mixers: Vec<Mixer>,
    stores: Vec<Store>,
    layers: u64,
    mtp_layers: u64,
}

impl Kind {
    /// What a layer of this kind is called: its mixers' kinds joined by `+`, or `none`.
    #[must_use]
    pub fn label(&self) -> String {
        if self.mixers.is_empty() {
            return "none".to_owned();
        }
        self.mixers.iter().map(Mixer::kind).collect::<Vec<_>>().join("+")
    }

    /// The mixers of one such layer; empty for a layer that keeps nothing (MLP, MoE, no-op).
    #[must_use]
    pub fn mixers(&self) -> &[Mixer] {
        &self.mixers
    }

    /// The stores of one such layer.
    #[must_use]
    pub fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// How many of the model's trunk layers are of this kind.
    #[must_use]
    pub const fn layers(&self) -> u64 {
        self.layers
    }

    /// How many of the model's multi-token-prediction layers are of this kind.
    #[must_use]
    pub const fn mtp_layers(&self) -> u64 {
        self.mtp_layers
    }
}

impl ModelSpec {
    /// The record this spec was built from: identity, source, dimensions that no cache rule needs.
    #[must_use]
    pub const fn record(&self) -> &SpecFile {
        &self.record
    }

    /// Catalogue id; empty for a model that is not catalogued.
    #[must_use]
    pub fn id(&self) -> &str {
        self.record.id.as_deref().unwrap_or("")
    }

    /// Display name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.record.name.as_deref().or(self.record.id.as_deref()).unwrap_or("unnamed model")
    }

    /// The same model under a display name.
    #[must_use]
    pub fn named(mut self, name: String) -> Self {
        self.record.name = Some(name);
        self
    }

    /// The same model with the weights of the file that it was read from: what a request weighs that names none.
    #[must_use]
    pub fn with_weights(mut self, weights: Weights) -> Self {
        self.own_weights = Some(Box::new(weights));
        self
    }

    /// The weights of the file that it was read from, where that has any.
    #[must_use]
    pub fn own_weights(&self) -> Option<&Weights> {
        self.own_weights.as_deref()
    }

    /// The publisher's `model_type`, where the spec came from a config.
    #[must_use]
    pub fn family(&self) -> Option<&str> {
        self.record.family.as_deref()
    }

    /// The architecture name llama.cpp uses for this model (`general.architecture`), where it has one.
    #[must_use]
    pub fn llama_cpp_arch(&self) -> Option<&str> {
        self.record.llama_cpp_arch.as_deref()
    }

    /// Trained context length, where published.
    #[must_use]
    pub fn trained_context(&self) -> Option<Tokens> {
        self.record.trained_context.map(Tokens::new)
    }

    /// The longest context under the file's own position scaling; the trained one where it sets none.
    #[must_use]
    pub fn scaled_context(&self) -> Option<Tokens> {
        self.record.scaled_context.map(Tokens::new).or_else(|| self.trained_context())
    }

    /// The checkpoint's tensor type (`torch_dtype`), where published.
    #[must_use]
    pub const fn dtype(&self) -> Option<Codec> {
        self.dtype
    }

    /// The type the publisher asks recurrent states to be kept in (`mamba_ssm_dtype`), where given.
    #[must_use]
    pub const fn state_dtype(&self) -> Option<Codec> {
        self.state_dtype
    }

    /// The distinct kinds of layer, in order of first appearance.
    #[must_use]
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// Number of trunk layers.
    #[must_use]
    pub fn layer_count(&self) -> usize {
        self.order.len()
    }

    /// The trunk layers in order.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = &Kind> {
        self.order.iter().map(|&i| &self.kinds[usize::from(i)])
    }

    /// Each trunk layer's index into [`ModelSpec::kinds`], in order.
    #[must_use]
    pub fn order(&self) -> &[u16] {
        &self.order
    }

    /// The kinds that a cache with the first `mtp` multi-token-prediction layers holds, each with its layer count.
    pub fn kept(&self, mtp: u64) -> impl Iterator<Item = (&Kind, u64)> {
        self.kept_kinds(mtp).map(|(_, kind, layers)| (kind, layers))
    }

    /// [`ModelSpec::kept`], each kind with its index.
    pub(crate) fn kept_kinds(&self, mtp: u64) -> impl Iterator<Item = (u16, &Kind, u64)> {
        let mtp = usize::try_from(mtp).unwrap_or(usize::MAX).min(self.mtp_order.len());
        let drafted = &self.mtp_order[..mtp];
        self.numbered_kinds().filter_map(move |(i, kind)| {
            let extra = drafted.iter().filter(|&&d| d == i).count();
            let layers = kind.layers + u64::try_from(extra).unwrap_or(0);
            (layers > 0).then_some((i, kind, layers))
        })
    }

    /// The distinct kinds of layer with their indices.
    pub(crate) fn numbered_kinds(&self) -> impl Iterator<Item = (u16, &Kind)> {
        (0..).zip(&self.kinds)
    }

    /// Each multi-token-prediction layer's index into [`ModelSpec::kinds`], in order.
    pub(crate) fn mtp_order(&self) -> &[u16] {
        &self.mtp_order
    }

    /// How many multi-token-prediction layers the model has.
    #[must_use]
    pub fn mtp_count(&self) -> usize {
        self.mtp_order.len()
    }

    /// The hypothetical model whose attention layers cache one projected tensor for keys and values.
    ///
    /// Covers K = V and Q = K = V alike: both keep one tensor per KV head. Latent and compressed layers already do.
    ///
    /// # Errors
    /// `invalid` when a layer's key and value widths differ, or when no layer has separate keys and values.
    pub fn with_merged_projections(&self) -> Result<Self, PlanError> {
        let mut changed = false;
        let merged = self.with_mixers(|mixer| {
            changed |= mixer.merge_projections()?;
            Ok(())
        })?;
        if !changed {
            let message = "no layer of this model caches keys and values separately";
            return Err(PlanError::invalid("what_if.projections", message));
        }
        Ok(merged)
    }

    /// The same model with its mixers changed.
    pub(crate) fn with_mixers(
        &self,
        mut change: impl FnMut(&mut Mixer) -> Result<(), PlanError>,
    ) -> Result<Self, PlanError> {
        let mut changed = self.clone();
        for kind in &mut changed.kinds {
            kind.mixers.iter_mut().try_for_each(&mut change)?;
            kind.stores.clear();
            for mixer in &kind.mixers {
                kind.stores.extend(stores_of(mixer)?);
            }
        }
        Ok(changed)
    }

    /// The multi-token-prediction layers in order; not part of the trunk.
    pub fn mtp_layers(&self) -> impl ExactSizeIterator<Item = &Kind> {
        self.mtp_order.iter().map(|&i| &self.kinds[usize::from(i)])
    }
}

impl TryFrom<SpecFile> for ModelSpec {
    type Error = PlanError;

    fn try_from(record: SpecFile) -> Result<Self, PlanError> {
        let mut kinds: Vec<Kind> = Vec::new();
        let order = place(&record.layers, "layers", &mut kinds)?;
        let mtp_order = place(&record.mtp, "mtp", &mut kinds)?;
        if order.is_empty() {
            return Err(PlanError::invalid("layers", "a model needs at least one layer"));
        }
        if let Some(shape) = &record.shape {
            shape.check(order.len(), mtp_order.len())?;
        }
        for &i in &order {
            kinds[usize::from(i)].layers += 1;
        }
        for &i in &mtp_order {
            kinds[usize::from(i)].mtp_layers += 1;
        }
        let float = |field: &str, name: &Option<String>| match name.as_deref() {
            None => Ok(None),
            Some(text) => match Codec::parse(text) {
                Some(codec @ (Codec::F32 | Codec::F16 | Codec::Bf16)) => Ok(Some(codec)),
                _ => Err(PlanError::invalid(field, format!("`{text}` is not one of f32, f16, bf16"))
                    .with_value(text)),
            },
        };
        let dtype = float("dtype", &record.dtype)?;
        let state_dtype = float("state_dtype", &record.state_dtype)?;
        Ok(Self { record, kinds, order, mtp_order, dtype, state_dtype, own_weights: None })
    }
}

/// Expands layer runs into indices of `kinds`, adding kinds that are new.
fn place(runs: &[Run], field: &str, kinds: &mut Vec<Kind>) -> Result<Vec<u16>, PlanError> {
    let mut order = Vec::new();
    for (i, run) in runs.iter().enumerate() {
        place_run(run, &format!("{field}[{i}]"), kinds, &mut order)?;
    }
    Ok(order)
}

fn place_run(run: &Run, field: &str, kinds: &mut Vec<Kind>, order: &mut Vec<u16>) -> Result<(), PlanError> {
    let too_many =
        || PlanError::invalid(field, format!("more than {MAX_LAYERS} layers")).with_value(run.count);
    if run.count == 0 {
        return Err(
            PlanError::invalid(format!("{field}.count"), "a run has at least one layer").with_value(0)
        );
    }
    let count = usize::try_from(run.count).ok().filter(|c| *c <= MAX_LAYERS).ok_or_else(too_many)?;
    let mixers: &[Mixer] = match &run.body {
        RunBody::Pattern { layers } => {
            let mut once = Vec::new();
            for (i, inner) in layers.iter().enumerate() {
                place_run(inner, &format!("{field}.layers[{i}]"), kinds, &mut once)?;
            }
            if once.len().saturating_mul(count) > MAX_LAYERS.saturating_sub(order.len()) {
                return Err(too_many());
            }
            for _ in 0..count {
                order.extend_from_slice(&once);
            }
            return Ok(());
        }
        RunBody::None => &[],
        RunBody::Hybrid { mixers } => {
            if mixers.is_empty() {
                return Err(PlanError::invalid(
                    format!("{field}.mixers"),
                    "a hybrid layer names its mixers; use kind `none` for a layer that keeps nothing",
                ));
            }
            mixers
        }
        RunBody::One(mixer) => std::slice::from_ref(mixer),
    };
    if count > MAX_LAYERS.saturating_sub(order.len()) {
        return Err(too_many());
    }
    let index = match kinds.iter().position(|k| k.mixers == mixers) {
        Some(index) => index,
        None => {
            let mut stores = Vec::new();
            for mixer in mixers {
                mixer.check().map_err(|e| e.within(field))?;
                stores.extend(stores_of(mixer)?);
            }
            kinds.push(Kind { mixers: mixers.to_vec(), stores, layers: 0, mtp_layers: 0 });
            kinds.len() - 1
        }
    };
    let index = u16::try_from(index).map_err(|_| too_many())?;
    order.extend(std::iter::repeat_n(index, count));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(json: &str) -> Result<ModelSpec, PlanError> {
        ModelSpec::try_from(serde_json::from_str::<SpecFile>(json).unwrap())
    }

    #[test]
    fn runs_and_patterns_expand_in_layer_order_and_equal_layers_are_one_kind() {
        let model = spec(
            r#"{"layers": [
                {"count": 2, "kind": "pattern", "layers": [
                    {"count": 2, "kind": "window", "kv_heads": 1, "k_dim": 64, "v_dim": 64, "window": 512},
                    {"kind": "full", "kv_heads": 1, "k_dim": 64, "v_dim": 64}]},
                {"kind": "window", "kv_heads": 1, "k_dim": 64, "v_dim": 64, "window": 512}]}"#,
        )
        .unwrap();
        assert_eq!(model.order(), [0, 0, 1, 0, 0, 1, 0]);
        assert_eq!(model.kinds().iter().map(Kind::layers).collect::<Vec<_>>(), [5, 2]);
    }

    #[test]
    fn a_run_length_bomb_is_refused_before_it_is_expanded() {
        for layers in [
            r#"{"layers": [{"count": 18446744073709551615, "kind": "none"}]}"#,
            r#"{"layers": [{"count": 4096, "kind": "pattern", "layers": [{"count": 4096, "kind": "none"}]}]}"#,
        ] {
            assert_eq!(spec(layers).unwrap_err().field, "layers[0]");
        }
    }

    #[test]
    fn a_misspelt_dimension_is_an_error_not_a_default() {
        let text = r#"{"layers": [{"kind": "full", "kv_head": 1, "k_dim": 64, "v_dim": 64}]}"#;
        assert!(serde_json::from_str::<SpecFile>(text).unwrap_err().to_string().contains("kv_head"));
    }
}
