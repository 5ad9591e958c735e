//! What a model says of runs it was not fitted to.

use super::{Sample, TimeModel};

/// A run and what was predicted of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The run.
    pub sample: Sample,
    /// Seconds predicted.
    pub predicted: f64,
    /// |predicted − measured| / measured. Infinite for a run without a time above zero: nothing was checked there.
    pub error: f64,
}

/// Relative errors over held-out runs. All three are infinite where there is no run: a model that nothing was held
/// against has not been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// Half of the runs are at most this far off.
    pub median: f64,
    /// Nine of ten are.
    pub p90: f64,
    /// All are.
    pub max: f64,
    /// Every run, in the order given.
    pub points: Vec<Point>,
}

/// Holds a model against runs it was not fitted to.
#[must_use]
pub fn held_out(model: &TimeModel, test: &[Sample]) -> HeldOut {
    let points: Vec<Point> = test
        .iter()
        .map(|sample| {
            let predicted = model.predict(sample);
            let timed = sample.seconds.is_finite() && sample.seconds > 0.0;
            let error = if timed { (predicted / sample.seconds - 1.0).abs() } else { f64::INFINITY };
            Point { sample: *sample, predicted, error }
        })
        .collect();
    let mut errors: Vec<f64> = points.iter().map(|point| point.error).collect();
    errors.sort_by(f64::total_cmp);
    // The smallest error that at least this share of the runs stays within.
    let within = |tenths: usize| {
        let rank = (errors.len() * tenths).div_ceil(10);
        rank.checked_sub(1).and_then(|at| errors.get(at)).copied().unwrap_or(f64::INFINITY)
    };
    let [median, p90, max] = [5, 9, 10].map(within);
    HeldOut { median, p90, max, points }
}
