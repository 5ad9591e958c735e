//! What lives beside the model, as it is set: nothing is left in the request of what was taken away.

use crate::error::PlanError;
use crate::plan::{CacheRequest, Extras, ModelRef, Request, WeightsRequest, resolve_model};

/// Changes what is beside the model; where that leaves nothing, the request has none.
pub(super) fn change(request: &mut Request, how: impl FnOnce(&mut Extras)) {
    let mut extras = request.extras.take().unwrap_or_default();
    how(&mut extras);
    request.extras = (extras != Extras::default()).then_some(extras);
}

/// Another draft model, in types of its own; its weights begin in the model's format, where the draft comes in that.
///
/// # Errors
/// As [`resolve_model`], under `extras.draft`.
pub(super) fn set_draft(request: &mut Request, model: Option<ModelRef>) -> Result<(), PlanError> {
    let weights = match &model {
        None => None,
        Some(model) => {
            let draft = resolve_model(model).map_err(|error| error.within("extras.draft"))?;
            let weights =
                request.weights.clone().filter(|weights| matches!(weights, WeightsRequest::Format(_)));
            let alone = Request { weights: weights.clone(), mtp: 0, ..request.clone() };
            weights.filter(|_| alone.weight_map(&draft).is_ok())
        }
    };
    change(request, |extras| {
        (extras.draft, extras.draft_weights) = (model, weights);
        extras.draft_cache = CacheRequest::default();
    });
    Ok(())
}

/// The draft that is set, with its weights and its cache.
///
/// # Errors
/// `missing-field` where none is.
pub(super) fn draft(request: &mut Request) -> Result<&mut Extras, PlanError> {
    let set = request.extras.as_mut().filter(|extras| extras.draft.is_some());
    set.ok_or_else(|| PlanError::missing("extras.draft", "choose a draft model first"))
}
