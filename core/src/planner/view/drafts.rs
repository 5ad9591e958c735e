//! Catalogued models that could draft for a model.

use crate::order;
use crate::spec::{ModelSpec, catalog};
use crate::unit::Bytes;
use crate::weights::{self, WeightFormat};
use std::cmp::Reverse;

/// Vocabularies of one tokenizer are padded to different sizes: up to so many rows llama.cpp takes them for the same
/// (`SPEC_VOCAB_MAX_SIZE_DIFFERENCE`, common/speculative.cpp).
const PADDED: u64 = 128;

/// A model that is smaller than the one it would draft for.
#[derive(Debug, Clone, Copy)]
pub struct Draft {
    /// It.
    pub model: &'static ModelSpec,
    /// What its weights are in bfloat16.
    pub bytes: Bytes,
    /// The tokens that the model knows and those that the draft does, where they are not the same.
    pub vocabularies: Option<(u64, u64)>,
}

/// Those smaller than the model: with its vocabulary first, then its own family, then the smallest.
#[must_use]
pub fn drafts(model: Option<&ModelSpec>) -> Vec<Draft> {
    let size = |model: &ModelSpec| {
        let all = WeightFormat::parse("bf16").and_then(|format| weights::of(model, format).ok());
        all.and_then(|all| all.loaded().ok())
    };
    let vocabulary = |model: &ModelSpec| model.record().vocab_size;
    let (most, own) = (model.and_then(size), model.and_then(vocabulary));
    let kin = |id: &str| {
        model.map_or(0, |model| id.bytes().zip(model.id().bytes()).take_while(|(a, b)| a == b).count())
    };
    let mut found: Vec<Draft> = catalog::all()
        .filter_map(Result::ok)
        .filter_map(|model| {
            let bytes = size(model).filter(|bytes| most.is_none_or(|most| *bytes < most))?;
            let vocabularies = own.zip(vocabulary(model)).filter(|(own, its)| own.abs_diff(*its) > PADDED);
            Some(Draft { model, bytes, vocabularies })
        })
        .collect();
    order::by_key(&mut found, |draft| {
        (draft.vocabularies.is_some(), Reverse(kin(draft.model.id())), draft.bytes)
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_are_smaller_and_those_that_read_the_same_tokens_come_first() {
        let model = catalog::find("llama-3.1-70b").unwrap();
        let found = drafts(Some(model));
        assert!(found.iter().any(|draft| draft.model.id() == "llama-3.2-1b" && draft.vocabularies.is_none()));
        assert!(found.iter().all(|draft| !["llama-3.1-70b", "deepseek-v3"].contains(&draft.model.id())));
        let strange: Vec<bool> = found.iter().map(|draft| draft.vocabularies.is_some()).collect();
        assert!(strange.is_sorted() && strange.contains(&true), "{found:?}");
    }
}
