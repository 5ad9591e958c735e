//! What requests that follow each other have in common, worked out once: a sweep changes a length or a number of
//! sequences from point to point, and not the model, the machine or the weights.
//!
//! Everything here is kept under the parts of a request it depends on, all of them, so that an answer is the same with a
//! memo and without one. A memo keeps a few of each kind and forgets the one that was not asked for longest: it does not
//! grow with a sweep.

use super::extras::Extras;
use super::hardware::{HardwareEntry, Reserve};
use super::lengths::Lengths;
use super::request::{ModelRef, Request};
use super::weights::WeightsRequest;
use super::{Detail, Plan, resolve_model};
use crate::engine::EngineName;
use crate::error::PlanError;
use crate::placement::{BoundBy, Case, Machine, Tenants, WeightMap};
use crate::spec::{ModelSpec, catalog};
use crate::speed::{Efficiencies, SpeedInputs, coefficients};
use crate::unit::Overflow;
use std::borrow::Cow;
use std::sync::Arc;

/// How many of a kind are kept: more than the values that usually vary fastest in a sweep.
const KEPT: usize = 16;

/// What requests that follow each other have in common.
#[derive(Debug, Default)]
pub struct Memo {
    models: Recent<(ModelRef, bool), ModelSpec>,
    machines: Recent<(Vec<HardwareEntry>, Reserve), Machine>,
    weights: Recent<OfWeights, Option<WeightMap>>,
    tenants: Recent<(Extras, Option<EngineName>, bool), Option<Arc<Tenants>>>,
    speeds: Recent<SpeedInputs, Efficiencies>,
    lengths: Lengths,
}

/// All that weights depend on.
#[derive(Debug)]
struct OfWeights {
    model: ModelRef,
    merged: bool,
    asked: Option<WeightsRequest>,
    engine: Option<EngineName>,
}

impl Memo {
    /// A memo for many requests. ([`Memo::default`] remembers nothing, for a single one.)
    #[must_use]
    pub fn of_many() -> Self {
        Self {
            models: Recent::of(KEPT),
            machines: Recent::of(KEPT),
            weights: Recent::of(KEPT),
            tenants: Recent::of(KEPT),
            speeds: Recent::of(KEPT),
            lengths: Lengths::of_many(),
        }
    }

    /// Answers one request, without what `detail` leaves out.
    ///
    /// # Errors
    /// As [`super::plan`].
    pub fn plan(&mut self, request: &Request, detail: Detail) -> Result<Plan, PlanError> {
        let merged = request.what_if.is_some();
        if let (ModelRef::Id(id), false) = (&request.model, merged) {
            return super::answer(catalog::find(id)?, request, detail, self);
        }
        let model = self.models.get(
            |(model, was)| *model == request.model && *was == merged,
            || (request.model.clone(), merged),
            || {
                let model = resolve_model(&request.model)?;
                if merged { model.with_merged_projections() } else { Ok(model.into_owned()) }
            },
        )?;
        let mut plan = super::answer(&model, request, detail, self)?;
        plan.assumptions.extend(request.what_if.as_ref().map(|it| Cow::Borrowed(it.projections.says())));
        Ok(plan)
    }

    pub(super) fn machine(&mut self, request: &Request) -> Result<Arc<Machine>, PlanError> {
        self.machines.get(
            |(hardware, reserve)| *hardware == request.hardware && *reserve == request.reserve,
            || (request.hardware.clone(), request.reserve),
            || Machine::of(&request.hardware, request.reserve),
        )
    }

    /// The weights of a request for `model`, which is the request's own.
    pub(super) fn weights(
        &mut self,
        request: &Request,
        model: &ModelSpec,
    ) -> Result<Arc<Option<WeightMap>>, PlanError> {
        let merged = request.what_if.is_some();
        let engine = request.engine.as_ref().map(|engine| engine.name);
        self.weights.get(
            |of| {
                of.model == request.model
                    && of.merged == merged
                    && of.asked == request.weights
                    && of.engine == engine
            },
            || OfWeights { model: request.model.clone(), merged, asked: request.weights.clone(), engine },
            || request.weight_map(model),
        )
    }

    pub(super) fn tenants(&mut self, request: &Request) -> Result<Option<Arc<Tenants>>, PlanError> {
        let Some(extras) = &request.extras else { return Ok(None) };
        let engine = request.engine.as_ref().map(|engine| engine.name);
        let tenants = self.tenants.get(
            |(of, by, drafts)| of == extras && *by == engine && *drafts == (request.mtp > 0),
            || (extras.clone(), engine, request.mtp > 0),
            || Ok(request.tenants()?.map(Arc::new)),
        )?;
        Ok(Option::clone(&tenants))
    }

    /// The largest context of `request`, which `case` is made of.
    pub(super) fn max_context(
        &mut self,
        request: &Request,
        case: &Case<'_>,
    ) -> Result<Option<(u64, BoundBy)>, PlanError> {
        self.lengths.get(request, || case.max_context())
    }

    pub(super) fn efficiencies(&mut self, inputs: &SpeedInputs) -> Result<Arc<Efficiencies>, PlanError> {
        self.speeds.get(
            |of| Efficiencies::are_one(of, inputs),
            || inputs.clone(),
            || Efficiencies::of(inputs, coefficients()?),
        )
    }
}

/// The last few values of a kind, the one asked for last at the end.
#[derive(Debug)]
struct Recent<K, V> {
    kept: Vec<(K, Arc<V>)>,
    most: usize,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { kept: Vec::new(), most: 0 }
    }
}

impl<K, V> Recent<K, V> {
    const fn of(most: usize) -> Self {
        Self { kept: Vec::new(), most }
    }

    /// The value whose key `is` it, or else a new one. An error is not kept.
    fn get(
        &mut self,
        is: impl Fn(&K) -> bool,
        key: impl FnOnce() -> K,
        make: impl FnOnce() -> Result<V, PlanError>,
    ) -> Result<Arc<V>, PlanError> {
        if let Some(at) = self.kept.iter().rposition(|(key, _)| is(key)) {
            self.kept.get_mut(at..).unwrap_or_default().rotate_left(1);
        } else {
            let made = Arc::new(make()?);
            if self.most == 0 {
                return Ok(made);
            }
            if self.kept.len() == self.most {
                self.kept.remove(0);
            }
            self.kept.push((key(), made));
        }
        let (_, value) = self.kept.last().ok_or(Overflow)?;
        Ok(Arc::clone(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_not_asked_for_longest_is_forgotten_and_errors_are_not_kept() {
        let mut recent = Recent::of(2);
        let mut made = Vec::new();
        for n in [1, 2, 1, 3, 1, 2] {
            let value = recent
                .get(
                    |key| *key == n,
                    || n,
                    || {
                        made.push(n);
                        Ok(n * 10)
                    },
                )
                .unwrap();
            assert_eq!(*value, n * 10);
        }
        assert_eq!(made, [1, 2, 3, 2], "1 was asked for again before 3 came");
        let fails = |recent: &mut Recent<i32, i32>| {
            recent.get(|key| *key == 7, || 7, || Err(PlanError::invalid("x", "no"))).is_err()
        };
        assert!(fails(&mut recent) && fails(&mut recent) && recent.kept.len() == 2);
    }
}
