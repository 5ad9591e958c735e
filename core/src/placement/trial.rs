//! How a question fares on its machine: held, over, fewer sequences than asked for, or refused.

use super::search::Held;
use super::{Bill, BoundBy, Case, Verdict};
use crate::engine::Reservation;
use crate::error::{ErrorKind, PlanError};
use crate::unit::Tokens;

/// How a question fares on its machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Trial {
    /// All of it is held; with the tightest device, where memory was described.
    Held(Option<Verdict>),
    /// Memory does not hold it.
    Over(Verdict),
    /// Fewer sequences than were asked for would be resident.
    Short {
        /// How many.
        holds: u64,
        /// Whether a pool of fixed size or the engine's own limit says so.
        by: BoundBy,
    },
    /// The engine does not start with it.
    Refused(PlanError),
}

impl Trial {
    /// An answer that is none: the engine's refusal, or an error of the question.
    pub(super) fn of(error: PlanError) -> Result<Self, PlanError> {
        match error.kind {
            ErrorKind::EngineRefuses | ErrorKind::Invalid | ErrorKind::Overflow => Ok(Self::Refused(error)),
            ErrorKind::UnknownModel | ErrorKind::Unsupported | ErrorKind::MissingField => Err(error),
        }
    }

    /// Whether all of it is held.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        match self {
            Self::Held(_) => true,
            Self::Over(_) | Self::Short { .. } | Self::Refused(_) => false,
        }
    }

    /// What it runs into, where it is not held.
    #[must_use]
    pub fn bound(&self) -> BoundBy {
        match self {
            Self::Held(_) | Self::Over(_) => BoundBy::Memory,
            Self::Short { by, .. } => *by,
            Self::Refused(error) if error.kind == ErrorKind::Overflow => BoundBy::Memory,
            Self::Refused(_) => BoundBy::Engine,
        }
    }

    /// The same for a search; `surely`: what may be off counts as over.
    pub(super) fn held(&self, surely: bool) -> Held {
        match self {
            Self::Held(verdict) => {
                let Some(verdict) = verdict else { return Held::Yes(None) };
                let doubt = if surely { i64::try_from(verdict.doubt.get()).unwrap_or(i64::MAX) } else { 0 };
                let spare = verdict.spare.saturating_sub(doubt);
                if spare < 0 { Held::No(BoundBy::Memory, Some(spare)) } else { Held::Yes(Some(spare)) }
            }
            Self::Over(verdict) => Held::No(BoundBy::Memory, Some(verdict.spare)),
            Self::Short { .. } | Self::Refused(_) => Held::No(self.bound(), None),
        }
    }
}

impl Case<'_> {
    /// How this question fares on its machine.
    ///
    /// # Errors
    /// What the engine cannot answer: an unknown model, what is not modelled, what is missing.
    pub fn trial(&self) -> Result<Trial, PlanError> {
        self.trial_of(Tokens::ZERO)
    }

    /// The same; sequences that the engine's own options cut short of the scenario's context are not what was asked for.
    pub(crate) fn trial_at_length(&self) -> Result<Trial, PlanError> {
        self.trial_of(self.scenario.context.unwrap_or_default())
    }

    fn trial_of(&self, least: Tokens) -> Result<Trial, PlanError> {
        let answer = self.reserve().and_then(|reservation| Ok((self.bill(&reservation)?, reservation)));
        match answer {
            Ok((_, reservation)) if reservation.context < least => {
                Ok(Trial::Short { holds: 0, by: BoundBy::Engine })
            }
            // What is past all memory is past this one's.
            Ok((bill, reservation)) => self.judge(&reservation, &bill).or_else(Trial::of),
            Err(error) => Trial::of(error),
        }
    }

    /// How a reservation, placed as `bill` says, fares on the machine.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn judge(&self, reservation: &Reservation, bill: &Bill) -> Result<Trial, PlanError> {
        let verdict = self.verdict(bill)?;
        let wanted = self.scenario.sequences.unwrap_or(1);
        let room = reservation.room;
        Ok(match verdict {
            Some(verdict) if verdict.spare < 0 => Trial::Over(verdict),
            _ if room.pool.is_some_and(|holds| holds < wanted) => {
                Trial::Short { holds: room.pool.unwrap_or(0), by: BoundBy::Memory }
            }
            _ if reservation.sequences < wanted => {
                Trial::Short { holds: reservation.sequences, by: BoundBy::Engine }
            }
            _ if room.slots.is_some_and(|slots| slots < wanted) => {
                Trial::Short { holds: room.slots.unwrap_or(0), by: BoundBy::Engine }
            }
            verdict => Trial::Held(verdict),
        })
    }
}
