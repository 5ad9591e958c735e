//! The largest contexts of requests that differ in nothing but their own context: they have one.
//!
//! A sweep walks its points in the order of nested loops. What varies inside the contexts comes back with every next
//! context, in the same order: so the answer to the next question is that of this one, the one after it, or the first
//! of the period. Nothing is searched for among all that is kept.

use super::request::{ModelRef, Request};
use crate::error::PlanError;
use crate::placement::BoundBy;

/// The most that a period may have; a longer one is worked out anew.
const MOST: usize = 4096;

/// A largest context and what limits it; `None` where nothing does.
type Longest = Option<(u64, BoundBy)>;

/// The largest contexts of one period.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    period: Vec<(Request, Longest)>,
    at: usize,
    /// Whether the last question was answered from the period: then it is complete, and what does not follow begins
    /// another.
    complete: bool,
    /// Whether anything is kept at all.
    keeps: bool,
}

impl Lengths {
    pub(super) fn of_many() -> Self {
        Self { keeps: true, ..Self::default() }
    }

    /// The largest context of `request`, or of the one before that was alike. An error is not kept.
    pub(super) fn get(
        &mut self,
        request: &Request,
        search: impl FnOnce() -> Result<Longest, PlanError>,
    ) -> Result<Longest, PlanError> {
        // A model carried in the request may be as long as a sweep.
        let ModelRef::Id(_) = &request.model else { return search() };
        if !self.keeps {
            return search();
        }
        for at in [self.at, self.at + 1, 0] {
            if let Some((of, longest)) = self.period.get(at)
                && of.differs_in_length_only(request)
            {
                (self.at, self.complete) = (at, true);
                return Ok(*longest);
            }
        }
        let longest = search()?;
        if self.complete || self.period.len() == MOST {
            self.period.clear();
        }
        self.at = self.period.len();
        self.period.push((request.clone(), longest));
        self.complete = false;
        Ok(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Two contexts outside, three numbers of sequences between, two contexts inside.
    #[test]
    fn what_comes_back_with_every_context_is_searched_once() {
        let mut lengths = Lengths::of_many();
        let mut searched = Vec::new();
        for (model, context, sequences) in [
            ("qwen3-8b", 1, 1),
            ("qwen3-8b", 1, 2),
            ("qwen3-8b", 2, 1),
            ("qwen3-8b", 2, 2),
            ("qwen3-8b", 3, 1),
            ("llama-3.1-8b", 1, 1),
            ("llama-3.1-8b", 1, 2),
            ("llama-3.1-8b", 2, 1),
            ("llama-3.1-8b", 2, 2),
        ] {
            let asked = json!({ "model": model, "context": context, "sequences": sequences });
            let request = Request::from_value(&asked).unwrap();
            let found = lengths
                .get(&request, || {
                    searched.push((model, sequences));
                    Ok(Some((sequences, BoundBy::Memory)))
                })
                .unwrap();
            assert_eq!(found, Some((sequences, BoundBy::Memory)));
        }
        assert_eq!(searched, [("qwen3-8b", 1), ("qwen3-8b", 2), ("llama-3.1-8b", 1), ("llama-3.1-8b", 2)]);
    }
}
