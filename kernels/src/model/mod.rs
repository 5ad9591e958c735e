//! How long a kernel takes on one adapter: a model fitted to some measured runs and checked on others.
//!
//! t = launches·L + bytes/B + flops/R, with L ≥ 0 seconds a launch, B bytes and R operations a second. The three are
//! what a sum can say of a kernel without knowing the device; where its parts overlap instead of adding up, or a cache
//! holds the small sizes, the held-out error shows it. That error is part of the result: a model is worth what it
//! predicts of runs it was not fitted to.

mod check;
mod solve;

pub use check::{HeldOut, Point, held_out};

/// One measured run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Bytes that had to be read and written.
    pub bytes: u64,
    /// Arithmetic operations, in any unit that is the same for all samples.
    pub flops: u64,
    /// Launches.
    pub launches: u32,
    /// Seconds measured.
    pub seconds: f64,
}

impl Sample {
    /// Launches, bytes, operations.
    #[expect(clippy::cast_precision_loss, reason = "relative errors of 2^-53 do not matter to a timing")]
    fn terms(&self) -> [f64; 3] {
        [f64::from(self.launches), self.bytes as f64, self.flops as f64]
    }
}

/// Why samples say nothing.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum FitError {
    /// Fewer samples than a line needs.
    #[error("{samples} samples: at least 2 of different sizes are needed to fit a time model")]
    TooFew {
        /// Samples given.
        samples: usize,
    },
    /// Every sample does the same work: what a byte costs cannot be told from what a launch costs.
    #[error("all {samples} samples do the same work: measure at least two sizes")]
    OneSize {
        /// Samples given.
        samples: usize,
    },
    /// A time that no clock gives for work done.
    #[error("sample {index} took {seconds} s: a finite time above zero is needed")]
    Seconds {
        /// The sample, from 0.
        index: usize,
        /// Its time.
        seconds: f64,
    },
    /// A sample without launches, bytes and operations.
    #[error("sample {index} does no work: it has no launch, no byte and no operation")]
    NoWork {
        /// The sample, from 0.
        index: usize,
    },
}

/// A fitted model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeModel {
    /// Seconds per launch, per byte, per operation: none is negative.
    costs: [f64; 3],
}

impl TimeModel {
    /// Seconds predicted for a run; its own `seconds` are not looked at.
    #[must_use]
    pub fn predict(&self, sample: &Sample) -> f64 {
        sample.terms().iter().zip(self.costs).map(|(amount, cost)| amount * cost).sum()
    }

    /// Seconds that a launch takes whatever it does; 0 where the samples show none.
    #[must_use]
    pub const fn launch_seconds(&self) -> f64 {
        let [launch, _, _] = self.costs;
        launch
    }

    /// Bytes per second. `None` where bytes explain none of the time: something else bounds these runs, or bytes and
    /// operations are proportional in all of them and the other one was taken.
    #[must_use]
    pub fn bandwidth(&self) -> Option<f64> {
        let [_, byte, _] = self.costs;
        (byte > 0.0).then(|| byte.recip())
    }

    /// Operations per second; `None` as for [`TimeModel::bandwidth`]. Where bytes and operations are proportional, bytes
    /// are taken.
    #[must_use]
    pub fn compute_rate(&self) -> Option<f64> {
        let [_, _, operation] = self.costs;
        (operation > 0.0).then(|| operation.recip())
    }
}

/// The costs, none negative, for which the sum of squared *relative* errors over `train` is least: a microsecond counts
/// as much in a run of ten as a millisecond in one of ten thousand.
///
/// # Errors
/// [`FitError`] when a sample cannot be, or the samples cannot tell a launch from a byte.
pub fn fit(train: &[Sample]) -> Result<TimeModel, FitError> {
    for (index, sample) in train.iter().enumerate() {
        if !sample.seconds.is_finite() || sample.seconds <= 0.0 {
            return Err(FitError::Seconds { index, seconds: sample.seconds });
        }
        if sample.terms().iter().all(|amount| *amount == 0.0) {
            return Err(FitError::NoWork { index });
        }
    }
    let samples = train.len();
    let [first, rest @ ..] = train else { return Err(FitError::TooFew { samples }) };
    if rest.is_empty() {
        return Err(FitError::TooFew { samples });
    }
    if rest.iter().all(|sample| sample.terms() == first.terms()) {
        return Err(FitError::OneSize { samples });
    }
    let rows: Vec<[f64; 3]> =
        train.iter().map(|sample| sample.terms().map(|amount| amount / sample.seconds)).collect();
    Ok(TimeModel { costs: solve::costs(&rows) })
}
