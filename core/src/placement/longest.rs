//! The largest context and the most sequences that a machine holds, exact to the token.

use super::search::{Held, last_held};
use super::trial::Trial;
use super::{BoundBy, Case};
use crate::engine::{Engine, llama_cpp};
use crate::error::PlanError;

/// Contexts are not searched beyond this where the model states no limit, nor sequences.
const SEARCH_LIMIT: u64 = 1 << 40;

impl Case<'_> {
    /// The grid that footprints of this engine's sequences usually lie on: tokens of a page or a step of cells.
    fn grid(&self) -> u64 {
        match &self.engine {
            Engine::Payload | Engine::Transformers(_) => 1,
            Engine::LlamaCpp(_) | Engine::Mlx(_) | Engine::ExllamaV3(_) => 256,
            Engine::Vllm(options) => options.block_size.unwrap_or(16),
            Engine::Sglang(options) => options.page_size.unwrap_or(1),
            Engine::TensorRtLlm(options) => options.tokens_per_block,
        }
    }

    /// The longest context that is not over, to the token: that of 0 tokens where none is. A pool of fixed size has to
    /// hold all sequences at that length.
    ///
    /// # Errors
    /// What the engine cannot answer at any length.
    pub fn max_context(&self) -> Result<Option<(u64, BoundBy)>, PlanError> {
        self.longest(false)
    }

    /// The longest context that fits whatever the stated errors are; `None` where nothing bounds it.
    ///
    /// # Errors
    /// As [`Case::max_context`].
    pub fn safe_context(&self) -> Result<Option<u64>, PlanError> {
        Ok(self.longest(true)?.map(|(tokens, _)| tokens))
    }

    fn longest(&self, surely: bool) -> Result<Option<(u64, BoundBy)>, PlanError> {
        let limit = self.limit.map(|tokens| tokens.get()).filter(|n| *n > 0);
        let cap = limit.unwrap_or(SEARCH_LIMIT);
        let last = last_held(0, cap, self.grid(), |tokens| {
            // That the engine runs fewer sequences at once is no matter of their length.
            let trial = self.with_context(tokens).trial()?;
            let runs_fewer = matches!(trial, Trial::Short { by: BoundBy::Engine | BoundBy::Model, .. });
            Ok(if runs_fewer { Held::Yes(None) } else { trial.held(surely) })
        })?;
        Ok(match last.stopped_by {
            Some(bound) => Some((last.number, bound)),
            None => limit.map(|limit| (limit, BoundBy::Model)),
        })
    }

    /// The same question about sequences of the length that one alone would have; `None` where the engine does not even
    /// start with one.
    ///
    /// # Errors
    /// What the engine cannot answer.
    pub fn of_own_length(&self) -> Result<Option<Self>, PlanError> {
        match self.with_sequences(1).reserve() {
            Ok(one) => {
                let mut other = self.clone();
                other.scenario.context = Some(one.context);
                Ok(Some(other))
            }
            Err(error) => Trial::of(error).map(|_| None),
        }
    }

    /// The most sequences of the scenario's length that are resident at once, and what one more runs into; `None` where
    /// nothing bounds them.
    ///
    /// # Errors
    /// What the engine cannot answer for any number of sequences.
    pub fn max_sequences(&self) -> Result<Option<(u64, BoundBy)>, PlanError> {
        self.most(false)
    }

    /// The most sequences that fit whatever the stated errors are; `None` where nothing bounds them.
    ///
    /// # Errors
    /// As [`Case::max_sequences`].
    pub fn safe_sequences(&self) -> Result<Option<u64>, PlanError> {
        Ok(self.most(true)?.map(|(sequences, _)| sequences))
    }

    /// A pool of fixed size takes the same memory for any number of sequences, and says itself how many it holds.
    fn dealt_from_pool(&self, surely: bool) -> Result<Option<(u64, BoundBy)>, PlanError> {
        let one = self.with_sequences(1);
        let (Held::Yes(_), Ok(reservation)) = (one.trial_at_length()?.held(surely), one.reserve()) else {
            return Ok(None);
        };
        let Some(pool) = reservation.room.pool else { return Ok(None) };
        let slots = reservation.room.slots.unwrap_or(u64::MAX);
        let replicas = if matches!(self.engine, Engine::Payload) { 1 } else { self.ranks.dp };
        let bound = if pool <= slots { BoundBy::Memory } else { BoundBy::Engine };
        Ok(Some((pool.min(slots).saturating_mul(replicas), bound)))
    }

    fn most(&self, surely: bool) -> Result<Option<(u64, BoundBy)>, PlanError> {
        let ask = |n: u64| Ok::<_, PlanError>(self.with_sequences(n).trial_at_length()?.held(surely));
        if let Engine::LlamaCpp(_) = &self.engine {
            // It aborts on some numbers between others that it takes: all are tried, from its own limit down.
            let mut why = BoundBy::Engine;
            for n in (1..=llama_cpp::MAX_SEQUENCES).rev() {
                match ask(n)? {
                    Held::Yes(_) => return Ok(Some((n, why))),
                    Held::No(bound, _) => why = bound,
                }
            }
            return Ok(Some((0, why)));
        }
        if let Some(found) = self.dealt_from_pool(surely)? {
            return Ok(Some(found));
        }
        let last = last_held(0, SEARCH_LIMIT, 1, ask)?;
        Ok(last.stopped_by.map(|bound| (last.number, bound)))
    }
}
