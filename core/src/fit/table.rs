//! Every cache type and split that holds something: what is gained by giving up what.

use super::answer::{CacheChosen, Ranked};
use super::types::{Pair, chosen, pairs};
use super::{Question, Unknown};
use crate::error::{ErrorKind, PlanError};
use crate::placement::{BoundBy, Case};
use crate::plan::Request;
use crate::spec::ModelSpec;
use schemars::JsonSchema;
use serde::Serialize;

/// One way to run the model, and how far it goes.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Choice {
    /// Types of keys and values.
    pub cache: CacheChosen,
    /// How the devices share the model, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Ranked>,
    /// The longest context (or the most sequences, where those are asked for) that is held; absent where nothing
    /// bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest: Option<u64>,
    /// What one more runs into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_by: Option<BoundBy>,
    /// Nothing in the table is as good in every column and better in one.
    pub pareto: bool,
    /// The request of this row, its largest number in it; absent where nothing is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<Request>>,
}

/// Cache types × splits of a request's engine on its machine: for each the longest context, or the most sequences
/// where those are asked for. The best cache types come first; types that the engine refuses for this model are left out.
///
/// # Errors
/// As [`super::largest`].
pub fn choices(request: &Request, model: &ModelSpec, unknown: Unknown) -> Result<Vec<Choice>, PlanError> {
    Question::new(request, model)?.choices(unknown == Unknown::Sequences)
}

impl Question<'_> {
    fn choices(&self, of_sequences: bool) -> Result<Vec<Choice>, PlanError> {
        let splits = self.splits();
        let several = splits.len() > 1;
        let mut rows: Vec<(usize, Choice)> = Vec::with_capacity(16);
        let mut refused = None;
        for (rank, pair) in pairs(self.engine()).into_iter().enumerate() {
            let typed = pair.of(self.request);
            for split in &splits {
                let shared = if several { self.shared_out(&typed, *split) } else { typed.clone() };
                match self.choice(pair, shared, several, of_sequences) {
                    Ok(Some(choice)) => rows.push((rank, choice)),
                    Ok(None) => {}
                    Err(error) => match error.kind {
                        ErrorKind::Invalid | ErrorKind::EngineRefuses | ErrorKind::Overflow => {
                            refused.get_or_insert(error);
                        }
                        ErrorKind::UnknownModel | ErrorKind::Unsupported | ErrorKind::MissingField => {
                            return Err(error);
                        }
                    },
                }
            }
        }
        if let (true, Some(error)) = (rows.is_empty(), refused) {
            return Err(error);
        }
        Ok(with_front(rows))
    }

    fn choice(
        &self,
        pair: Pair,
        mut request: Request,
        several: bool,
        of_sequences: bool,
    ) -> Result<Option<Choice>, PlanError> {
        let case = request.case(&self.model, &self.machine, self.weights.as_ref())?;
        let (found, least): (_, Case<'_>) = if of_sequences {
            let Some(case) = case.of_own_length()? else { return Ok(None) };
            (case.max_sequences()?, case.with_sequences(1))
        } else {
            (case.max_context()?, case.with_context(1))
        };
        // What is refused even for one token is no choice.
        let Ok(reservation) = least.reserve() else { return Ok(None) };
        let ranks = case.ranks();
        let largest = found.map(|(n, _)| n);
        let held = largest.is_none_or(|n| n > 0);
        match (of_sequences, largest) {
            (true, Some(n)) => super::apply::sequences(&mut request, n, least.scenario().context),
            (false, Some(n)) => super::apply::context(&mut request, n),
            (_, None) => {}
        }
        Ok(Some(Choice {
            cache: chosen(pair, &case, &reservation),
            split: several.then_some(Ranked { tp: ranks.tp, pp: ranks.pp, dp: ranks.dp }),
            largest,
            bound_by: found.map(|(_, bound)| bound),
            pareto: false,
            request: held.then(|| Box::new(request)),
        }))
    }
}

/// Marks the rows that no other row beats: as large and of as good a type, and better in one of both.
fn with_front(mut rows: Vec<(usize, Choice)>) -> Vec<Choice> {
    let size = |choice: &Choice| choice.largest.unwrap_or(u64::MAX);
    let beaten: Vec<bool> = rows
        .iter()
        .enumerate()
        .map(|(i, (rank, row))| {
            rows.iter().enumerate().any(|(j, (other, rival))| {
                let (as_good, as_large) = (other <= rank, size(rival) >= size(row));
                let better = other < rank || size(rival) > size(row);
                // Of equal rows the first stands for them.
                as_good && as_large && (better || j < i)
            })
        })
        .collect();
    for ((_, row), beaten) in rows.iter_mut().zip(beaten) {
        row.pareto = !beaten && size(row) > 0;
    }
    rows.into_iter().map(|(_, row)| row).collect()
}
