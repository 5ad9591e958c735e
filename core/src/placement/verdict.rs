//! The place that decides: the one that is over, else the one that may be, else the one that is fullest.

use super::fit::State;
use super::{Bill, Case};
use crate::unit::{Bytes, Overflow};
use std::cmp::Ordering;

/// The tightest device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Usable minus planned, bytes; negative where it does not fit.
    pub spare: i64,
    /// Summed stated errors of what is not exact, bytes.
    pub doubt: Bytes,
    /// Its index; the devices' count for host memory.
    pub place: usize,
}

impl Verdict {
    /// The state these come to.
    #[must_use]
    pub fn state(&self) -> State {
        match u64::try_from(self.spare) {
            Err(_) => State::Over,
            Ok(spare) if spare < self.doubt.get() => State::Barely,
            Ok(_) => State::Fits,
        }
    }
}

/// A place, with what tells how full it is.
struct Candidate {
    verdict: Verdict,
    planned: u64,
    usable: i64,
}

impl Candidate {
    /// How it stands to another as the one that decides. Where both surely fit, bytes to spare say nothing of places of
    /// different sizes, and a place that holds nothing of the plan is never what ends it.
    fn decides_over(&self, other: &Self) -> bool {
        let (own, others) = (self.verdict.state(), other.verdict.state());
        match severity(own).cmp(&severity(others)) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => match own {
                State::Over | State::Barely => self.verdict.spare < other.verdict.spare,
                State::Fits | State::Unknown => match (self.planned > 0, other.planned > 0) {
                    (true, true) => {
                        // spare / usable < spare / usable, in integers.
                        let product = |spare: i64, usable: i64| i128::from(spare) * i128::from(usable);
                        product(self.verdict.spare, other.usable) < product(other.verdict.spare, self.usable)
                    }
                    (true, false) => true,
                    (false, true) => false,
                    (false, false) => self.verdict.spare < other.verdict.spare,
                },
            },
        }
    }
}

const fn severity(state: State) -> u8 {
    match state {
        State::Over => 2,
        State::Barely => 1,
        State::Fits | State::Unknown => 0,
    }
}

impl Case<'_> {
    /// The tightest place of a bill; `None` where no memory was described. One that is over comes first, by its bytes; then
    /// one whose spare is less than its doubt; then the one with the smallest part of its memory to spare, of those that hold
    /// something of the plan.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn verdict(&self, bill: &Bill) -> Result<Option<Verdict>, Overflow> {
        if !self.machine().is_given() {
            return Ok(None);
        }
        let mut tightest: Option<Candidate> = None;
        for place in 0..=self.machine().devices.len() {
            let Some(usable) = self.usable(bill, place)? else { continue };
            let Some(spare) = self.spare_at(bill, place)? else { continue };
            let verdict = Verdict { spare, doubt: self.doubt(bill, place)?, place };
            let candidate = Candidate { verdict, planned: bill.at(place)?.get(), usable };
            if tightest.as_ref().is_none_or(|tightest| candidate.decides_over(tightest)) {
                tightest = Some(candidate);
            }
        }
        Ok(tightest.map(|candidate| candidate.verdict))
    }
}
