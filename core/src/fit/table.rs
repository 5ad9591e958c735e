//! Every cache type and split that holds something: what is gained by giving up what.

use super::answer::{CacheChosen, Ranked};
use super::types::{Pair, chosen, pairs};
use super::{Question, Unknown};
use crate::error::{ErrorKind, PlanError};
use crate::placement::{BoundBy, Case};
use crate::plan::{Memo, Request, decode_rate};
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
    /// How fast it decodes; absent where the devices, the weights or what a token reads of them are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<ChoiceSpeed>,
    /// Nothing in the table is as good in every column (type, number, and the speed at one and the same number where
    /// all rows have it) and better in one.
    pub pareto: bool,
    /// The request of this row, its largest number in it; absent where nothing is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<Request>>,
}

/// How fast one way decodes, as an estimate: tokens per second of all sequences together, each as long as it may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct ChoiceSpeed {
    /// At `largest`; absent where nothing bounds that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode_tokens_per_s: Option<f64>,
    /// The context (or the sequences) at which rows are compared: the largest that every row holds that holds anything.
    pub alike: u64,
    /// At that.
    pub alike_tokens_per_s: f64,
}

/// Cache types × splits of a request's engine on its machine: for each the longest context, or the most sequences
/// where those are asked for. The best cache types come first; types that the engine refuses for this model are left out.
///
/// # Errors
/// As [`super::largest`].
pub fn choices(request: &Request, model: &ModelSpec, unknown: Unknown) -> Result<Vec<Choice>, PlanError> {
    Question::new(request, model)?.choices(unknown == Unknown::Sequences)
}

/// A row that is not yet compared: where its type stands in the order of quality, and its question.
struct Row {
    rank: usize,
    choice: Choice,
    request: Request,
}

impl Row {
    fn size(&self) -> u64 {
        self.choice.largest.unwrap_or(u64::MAX)
    }

    fn rate(&self) -> Option<f64> {
        self.choice.speed.map(|speed| speed.alike_tokens_per_s)
    }
}

impl Question<'_> {
    fn choices(&self, of_sequences: bool) -> Result<Vec<Choice>, PlanError> {
        let splits = self.splits();
        let several = splits.len() > 1;
        let mut rows: Vec<Row> = Vec::with_capacity(16);
        let mut refused = None;
        for (rank, pair) in pairs(self.engine()).into_iter().enumerate() {
            let typed = pair.of(self.request);
            for split in &splits {
                let request = if several { self.shared_out(&typed, *split) } else { typed.clone() };
                match self.choice(pair, request.clone(), several, of_sequences) {
                    Ok(Some(choice)) => rows.push(Row { rank, choice, request }),
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
        self.time(&mut rows, of_sequences)?;
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
            speed: None,
            pareto: false,
            request: held.then(|| Box::new(request)),
        }))
    }

    /// Estimates how fast every row decodes, at its own number and at the largest that all of them hold: a longer context
    /// is always the slower one, which says nothing about a row.
    fn time(&self, rows: &mut [Row], of_sequences: bool) -> Result<(), PlanError> {
        let held = rows.iter().filter_map(|row| row.choice.largest.filter(|n| *n > 0));
        let Some(alike) = held.min() else { return Ok(()) };
        let mut memo = Memo::of_many();
        for row in rows.iter_mut().filter(|row| row.size() > 0) {
            let case = row.request.case(&self.model, &self.machine, self.weights.as_ref())?;
            let case = if of_sequences { case.of_own_length()?.unwrap_or(case) } else { case };
            let mut at = |n: u64| {
                let asked = if of_sequences { case.with_sequences(n) } else { case.with_context(n) };
                decode_rate(&asked, &self.model, &row.request, &mut memo)
            };
            let Some(alike_tokens_per_s) = at(alike)? else { continue };
            let decode_tokens_per_s = match row.choice.largest {
                Some(n) if n == alike => Some(alike_tokens_per_s),
                Some(n) => at(n)?,
                None => None,
            };
            row.choice.speed = Some(ChoiceSpeed { decode_tokens_per_s, alike, alike_tokens_per_s });
        }
        Ok(())
    }
}

/// Marks the rows that no other row beats: as large, of as good a type and as fast, and better in one of them. Speeds
/// count where all rows have one.
fn with_front(rows: Vec<Row>) -> Vec<Choice> {
    let timed = rows.iter().all(|row| row.size() == 0 || row.rate().is_some());
    let rate = |row: &Row| row.rate().filter(|_| timed).unwrap_or(0.0);
    let beaten: Vec<bool> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| {
            rows.iter().enumerate().any(|(j, rival)| {
                let as_good =
                    rival.rank <= row.rank && rival.size() >= row.size() && rate(rival) >= rate(row);
                let better = rival.rank < row.rank || rival.size() > row.size() || rate(rival) > rate(row);
                // Of equal rows the first stands for them.
                as_good && (better || j < i)
            })
        })
        .collect();
    let marked = rows.into_iter().zip(beaten).map(|(row, beaten)| {
        let pareto = !beaten && row.size() > 0;
        Choice { pareto, ..row.choice }
    });
    marked.collect()
}
