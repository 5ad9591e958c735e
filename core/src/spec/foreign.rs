//! Models in their publishers' own forms, a `config.json` or GGUF metadata: understood by the importers, or, in a build
//! without the feature `import`, as another build said it understood them. The browser planner is such a build: importers
//! are a module of its page that loads when there is something to import, and hands over an [`Understood`] of each.

use super::{ModelSpec, SpecFile};
use crate::error::PlanError;
use crate::plan::ModelRef;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// What a model in its publisher's own form was understood as, or why it was not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Understood {
    asked: ModelRef,
    record: Result<SpecFile, PlanError>,
}

/// What was learned, the newest last.
static LEARNED: Mutex<Vec<Understood>> = Mutex::new(Vec::new());

/// More models than an undo history holds.
const MOST_LEARNED: usize = 256;

/// Whether a model needs an importer.
#[must_use]
pub const fn is_foreign(asked: &ModelRef) -> bool {
    match asked {
        ModelRef::Hf(_) | ModelRef::Gguf(_) => true,
        ModelRef::Id(_) | ModelRef::Spec(_) => false,
    }
}

/// Imports a model, for a build that cannot; nothing for what needs no importer.
#[cfg(feature = "import")]
#[must_use]
pub fn understand(asked: &ModelRef) -> Option<Understood> {
    is_foreign(asked).then(|| Understood { asked: asked.clone(), record: import(asked) })
}

/// Takes what another build understood: from now on the model has an answer here.
pub fn learn(understood: Understood) {
    let mut learned = LEARNED.lock().unwrap_or_else(PoisonError::into_inner);
    learned.retain(|known| known.asked != understood.asked);
    if learned.len() == MOST_LEARNED {
        learned.remove(0);
    }
    learned.push(understood);
}

/// The record of a model that was learned, or why it was not understood; nothing for one that was not learned.
#[must_use]
pub fn learned(asked: &ModelRef) -> Option<Result<SpecFile, PlanError>> {
    let learned = LEARNED.lock().unwrap_or_else(PoisonError::into_inner);
    learned.iter().find(|known| known.asked == *asked).map(|known| known.record.clone())
}

/// The model.
///
/// # Errors
/// Whatever its importer cannot read, below `model.hf` or `model.gguf`; `unsupported` in a build without importers for a
/// model that was not learned.
pub(crate) fn model(asked: &ModelRef) -> Result<ModelSpec, PlanError> {
    record(asked).and_then(ModelSpec::try_from).map_err(|error| match asked {
        ModelRef::Hf(_) => error.within("model.hf"),
        ModelRef::Gguf(_) => error.within("model.gguf"),
        ModelRef::Id(_) | ModelRef::Spec(_) => error,
    })
}

#[cfg(feature = "import")]
fn record(asked: &ModelRef) -> Result<SpecFile, PlanError> {
    import(asked)
}

#[cfg(not(feature = "import"))]
fn record(asked: &ModelRef) -> Result<SpecFile, PlanError> {
    learned(asked).unwrap_or_else(|| Err(no_importer()))
}

#[cfg(feature = "import")]
fn import(asked: &ModelRef) -> Result<SpecFile, PlanError> {
    match asked {
        ModelRef::Hf(config) => super::hf::import_record(config),
        ModelRef::Gguf(map) => {
            let metadata = super::gguf::Metadata::from_json(map)?;
            super::gguf::spec_file(&metadata)
        }
        ModelRef::Id(_) | ModelRef::Spec(_) => Err(no_importer()),
    }
}

fn no_importer() -> PlanError {
    PlanError::unsupported("", "this model has not been imported")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(layers: u64) -> ModelRef {
        ModelRef::Hf(json!({
            "model_type": "llama", "num_hidden_layers": layers, "hidden_size": 512, "num_attention_heads": 8,
            "num_key_value_heads": 2, "vocab_size": 1000, "intermediate_size": 1024, "max_position_embeddings": 4096
        }))
    }

    #[test]
    fn what_was_understood_elsewhere_is_the_model_that_is_imported_here() {
        let asked = config(5);
        assert_eq!(learned(&asked), None);
        let sent = serde_json::to_string(&understand(&asked).unwrap()).unwrap();
        learn(serde_json::from_str(&sent).unwrap());
        let record = learned(&asked).unwrap().unwrap();
        assert_eq!(ModelSpec::try_from(record).unwrap(), model(&asked).unwrap());
    }

    #[test]
    fn why_a_model_is_not_understood_is_learned_too() {
        let asked = ModelRef::Hf(json!({ "model_type": "foo" }));
        let sent = serde_json::to_string(&understand(&asked).unwrap()).unwrap();
        learn(serde_json::from_str(&sent).unwrap());
        let (there, here) = (learned(&asked).unwrap().unwrap_err(), model(&asked).unwrap_err());
        assert_eq!(there.within("model.hf"), here);
        assert!(here.message.contains("foo"), "{here}");
    }

    #[test]
    fn what_is_no_publishers_file_needs_no_importer() {
        assert_eq!(understand(&ModelRef::Id("qwen3-8b".to_owned())), None);
        assert_eq!(understand(&ModelRef::Spec(json!({ "layers": [] }))), None);
    }
}
