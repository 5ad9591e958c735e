//! Estimated against measured.

use std::collections::BTreeMap;

use kvplan_core::speed::{Coefficients, Interval, device_effect, spread_keys, terms};

use super::rows::{Row, What};
use super::solve::{phase, seconds};

/// A row with the error of its estimate.
pub(super) struct Scored<'a> {
    pub(super) row: &'a Row,
    /// `ln(measured / estimated rate)`.
    pub(super) log: f64,
    /// The interval stated for it.
    pub(super) interval: Option<Interval>,
    fold: u64,
}

impl Scored<'_> {
    /// Relative error of the estimated rate.
    pub(super) fn error(&self) -> f64 {
        ((-self.log).exp() - 1.0).abs()
    }
}

/// What errors are summed up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    DenseDecode,
    MoeDecode,
    DensePrefill,
    MoePrefill,
}

impl Kind {
    pub(super) const ALL: [(Self, &'static str); 4] = [
        (Self::DenseDecode, "dense, decode"),
        (Self::MoeDecode, "mixture of experts, decode"),
        (Self::DensePrefill, "dense, prefill"),
        (Self::MoePrefill, "mixture of experts, prefill"),
    ];

    pub(super) fn of(scored: &Scored<'_>) -> Self {
        match (scored.row.what, scored.row.part().weights.experts > 0) {
            (What::Decode, false) => Self::DenseDecode,
            (What::Decode, true) => Self::MoeDecode,
            (What::Prefill, false) => Self::DensePrefill,
            (What::Prefill, true) => Self::MoePrefill,
        }
    }
}

/// One row under given figures.
pub(super) fn one<'a>(row: &'a Row, figures: &Coefficients, fold: u64) -> Scored<'a> {
    let effects = match row.what {
        What::Decode => &figures.decode,
        What::Prefill => &figures.prefill,
    };
    let Some(phase) = phase(row) else { return Scored { row, log: f64::NAN, interval: None, fold } };
    let sum = terms(&row.inputs, row.part(), phase, &figures.priors)
        .sum(|name| effects.get(name).copied().unwrap_or(0.0));
    let measured = effects.contains_key(&device_effect(row.part()));
    let interval = figures.spread(&spread_keys(&row.inputs, row.part(), phase, measured));
    Scored { row, log: (sum.total / seconds(row)).ln(), interval, fold }
}

/// All rows that have an estimate, under given figures.
pub(super) fn all<'a>(rows: &'a [Row], figures: &Coefficients) -> Vec<Scored<'a>> {
    rows.iter().map(|row| one(row, figures, 0)).filter(|scored| scored.log.is_finite()).collect()
}

/// What a fit did not see of the rows it is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unseen {
    /// Their bench.
    Bench,
    /// Their device, in any bench.
    Device,
    /// Nothing but themselves.
    Row,
}

impl Unseen {
    /// What lies in one part as a whole, and errs together.
    pub(super) fn unit(self, row: &Row) -> String {
        match self {
            Self::Bench => row.group(),
            Self::Device => row.device(),
            Self::Row => row.itself(),
        }
    }

    /// Whether the fit saw the device.
    const fn device_measured(self) -> bool {
        match self {
            Self::Bench | Self::Row => true,
            Self::Device => false,
        }
    }

    /// What the errors of rows of one bench are counted as.
    fn bench(self, row: &Row) -> String {
        match self {
            Self::Bench | Self::Row => row.group(),
            Self::Device => row.device(),
        }
    }

    fn keys(self, row: &Row) -> Option<[String; 2]> {
        Some(spread_keys(&row.inputs, row.part(), phase(row)?, self.device_measured()))
    }
}

/// Intervals from errors: a class's own where it has enough of them, all classes' together elsewhere.
pub(super) fn intervals<'a>(
    scored: impl Iterator<Item = &'a Scored<'a>>,
    unseen: Unseen,
) -> BTreeMap<String, Interval> {
    let mut logs: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut groups: BTreeMap<String, std::collections::BTreeSet<String>> = BTreeMap::new();
    for one in scored {
        for key in unseen.keys(one.row).into_iter().flatten() {
            logs.entry(key.clone()).or_default().push(one.log);
            groups.entry(key).or_default().insert(unseen.bench(one.row));
        }
    }
    let mut found = BTreeMap::new();
    for (key, mut logs) in logs {
        let benches = groups.get(&key).map_or(0, std::collections::BTreeSet::len);
        let of_a_class = unseen.device_measured() && key.matches('/').count() == 2;
        if of_a_class && (logs.len() < ENOUGH_ROWS || benches < ENOUGH_BENCHES) {
            continue;
        }
        logs.sort_by(f64::total_cmp);
        let round = |x: f64| (x * 1e4).round() / 1e4;
        let rows = u64::try_from(logs.len()).unwrap_or(u64::MAX);
        // Rows of a bench err together, so a tail is read as far out as the number of benches leaves it uncertain.
        let known = super::rows::real(u64::try_from(benches).unwrap_or(0)).sqrt();
        let tail = 0.1 * (1.0 - 2.0 / known).max(0.2);
        let (p10, p90) = (quantile(&logs, tail), quantile(&logs, 1.0 - tail));
        found.insert(key, Interval { p10: round(p10), p90: round(p90), rows });
    }
    found
}

const ENOUGH_ROWS: usize = 15;
const ENOUGH_BENCHES: usize = 12;

/// Gives every row the interval that the errors of the other folds state.
pub(super) fn with_intervals_of_other_folds(scored: &mut Vec<Scored<'_>>, folds: u64, unseen: Unseen) {
    scored.retain(|one| one.log.is_finite());
    for fold in 0..folds {
        let spread = intervals(scored.iter().filter(|one| one.fold != fold), unseen);
        for one in scored.iter_mut().filter(|one| one.fold == fold) {
            let Some(keys) = unseen.keys(one.row) else { continue };
            one.interval = keys.iter().find_map(|key| spread.get(key)).copied();
        }
    }
}

/// Median relative error.
pub(super) fn median_error<'a>(scored: impl Iterator<Item = &'a Scored<'a>>) -> f64 {
    quantile(&sorted_errors(scored), 0.5)
}

pub(super) fn sorted_errors<'a>(scored: impl Iterator<Item = &'a Scored<'a>>) -> Vec<f64> {
    let mut errors: Vec<f64> = scored.map(Scored::error).collect();
    errors.sort_by(f64::total_cmp);
    errors
}

/// Share of rows inside the interval stated for them; as an estimate does, an interval always holds its median.
pub(super) fn within<'a>(scored: impl Iterator<Item = &'a Scored<'a>>) -> f64 {
    let (mut inside, mut all) = (0.0, 0.0);
    for one in scored {
        all += 1.0;
        if one.interval.is_some_and(|it| it.p10.min(0.0) <= one.log && one.log <= it.p90.max(0.0)) {
            inside += 1.0;
        }
    }
    inside / all
}

/// Of sorted values, between neighbours.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let last = u32::try_from(last).map_or(f64::MAX, f64::from);
    let place = q * last;
    let below = place.floor();
    let at = |x: f64| {
        sorted.iter().zip(0_u32..).find(|(_, i)| f64::from(*i) >= x).map_or(f64::NAN, |(value, _)| *value)
    };
    let (low, high) = (at(below), at(place.ceil()));
    (place - below).mul_add(high - low, low)
}
