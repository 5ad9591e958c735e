//! The time model on runs whose constants are known, and on runs that say nothing.

use crate::common::Random;
use kvplan_kernels::model::{FitError, Sample, TimeModel, fit, held_out};

/// 20 µs a launch, 10 GB and 50 Gop a second.
fn seconds(bytes: u64, flops: u64, launches: u32) -> f64 {
    20e-6 * f64::from(launches) + bytes as f64 / 10e9 + flops as f64 / 50e9
}

fn sample(bytes: u64, flops: u64, launches: u32) -> Sample {
    Sample { bytes, flops, launches, seconds: seconds(bytes, flops, launches) }
}

/// Sizes from launch-bound to bandwidth- and compute-bound; `noise` is the half-width of a relative error.
fn runs(seed: u32, count: u32, noise: f64) -> Vec<Sample> {
    let mut random = Random::new(seed);
    (0..count)
        .map(|i| {
            let bytes = 1000u64 << (i % 17);
            let flops = bytes * [0, 1, 4, 16, 64][random.word() as usize % 5];
            let mut sample = sample(bytes, flops, 1 + random.word() % 3);
            sample.seconds *= 1.0 + noise * (f64::from(random.unit()) * 2.0 - 1.0);
            sample
        })
        .collect()
}

fn near(got: f64, want: f64, tolerance: f64) {
    assert!((got / want - 1.0).abs() < tolerance, "{got} for {want}");
}

fn constants_are_found(model: &TimeModel, tolerance: f64) {
    near(model.launch_seconds(), 20e-6, tolerance);
    near(model.bandwidth().unwrap(), 10e9, tolerance);
    near(model.compute_rate().unwrap(), 50e9, tolerance);
}

#[test]
fn known_constants_come_back_from_exact_times() {
    let model = fit(&runs(1, 24, 0.0)).unwrap();
    constants_are_found(&model, 1e-9);
    let checked = held_out(&model, &runs(2, 30, 0.0));
    assert!(checked.max < 1e-9, "{checked:?}");
}

#[test]
fn noise_moves_the_constants_little_and_shows_in_the_held_out_error() {
    let model = fit(&runs(3, 200, 0.05)).unwrap();
    constants_are_found(&model, 0.05);
    let checked = held_out(&model, &runs(4, 100, 0.05));
    assert!(checked.median > 0.01 && checked.p90 > checked.median && checked.max > checked.p90);
    // Five percent of noise and what the constants are off.
    assert!(checked.max < 0.1, "{}", checked.max);
}

/// Half of the held-out runs take twice what was fitted: every figure of the error says so.
#[test]
fn a_model_that_is_wrong_on_held_out_runs_is_told() {
    let model = fit(&runs(1, 24, 0.0)).unwrap();
    let mut other = runs(2, 30, 0.0);
    for sample in other.iter_mut().skip(10) {
        sample.seconds *= 2.0;
    }
    let checked = held_out(&model, &other);
    assert_eq!(checked.points.len(), 30);
    near(checked.points[20].error, 0.5, 1e-9);
    near(checked.points[20].predicted, other[20].seconds / 2.0, 1e-9);
    for figure in [checked.median, checked.p90, checked.max] {
        near(figure, 0.5, 1e-9);
    }
}

#[test]
fn percentiles_are_the_smallest_errors_that_so_many_runs_stay_within() {
    let model = fit(&[sample(1_000, 0, 1), sample(1_000_000, 0, 1), sample(1_000, 5_000, 1)]).unwrap();
    let test: Vec<Sample> = (1..=10u32)
        .map(|i| {
            let run = sample(1_000_000, 2_000, 1);
            // Measured so that the prediction is i percent above.
            Sample { seconds: run.seconds / (1.0 + f64::from(i) / 100.0), ..run }
        })
        .collect();
    let checked = held_out(&model, &test);
    near(checked.median, 0.05, 1e-6);
    near(checked.p90, 0.09, 1e-6);
    near(checked.max, 0.10, 1e-6);
}

/// A device whose launches are free, or that is never bound by arithmetic: no negative constant makes up for it.
#[test]
fn a_cost_the_runs_do_not_show_is_zero_and_never_negative() {
    let mut runs = runs(5, 60, 0.0);
    for sample in &mut runs {
        // Launches that give time back: an unconstrained fit has a negative one.
        sample.seconds = sample.bytes as f64 / 10e9 - 20e-9 * f64::from(sample.launches);
    }
    let model = fit(&runs).unwrap();
    assert_eq!(model.launch_seconds(), 0.0);
    assert!(model.bandwidth().unwrap() > 10e9);
    assert!(model.compute_rate().is_none_or(|rate| rate > 0.0));
    for sample in &mut runs {
        sample.seconds = sample.bytes as f64 / 10e9;
    }
    let model = fit(&runs).unwrap();
    assert_eq!((model.launch_seconds(), model.compute_rate()), (0.0, None));
    near(model.bandwidth().unwrap(), 10e9, 1e-9);
}

/// One kernel at several sizes: its operations are proportional to its bytes, and bytes take all of the cost.
#[test]
fn proportional_bytes_and_operations_leave_one_of_them_and_predict_as_well() {
    let train: Vec<Sample> = (10..20).map(|i| sample(1 << i, 3 << i, 1)).collect();
    let model = fit(&train).unwrap();
    assert_eq!(model.compute_rate(), None);
    near(model.launch_seconds(), 20e-6, 1e-6);
    near(model.bandwidth().unwrap(), 1.0 / (1.0 / 10e9 + 3.0 / 50e9), 1e-6);
    assert!(held_out(&model, &[sample(1 << 25, 3 << 25, 1)]).max < 1e-6);
}

#[test]
fn samples_that_say_nothing_are_refused_by_name() {
    let good = sample(1000, 0, 1);
    assert_eq!(fit(&[]), Err(FitError::TooFew { samples: 0 }));
    assert_eq!(fit(&[good]), Err(FitError::TooFew { samples: 1 }));
    let again = Sample { seconds: good.seconds * 1.1, ..good };
    assert_eq!(fit(&[good, again, good]), Err(FitError::OneSize { samples: 3 }));
    for bad in [0.0, -1.0, f64::INFINITY] {
        let error = fit(&[good, Sample { seconds: bad, bytes: 2000, ..good }]);
        assert_eq!(error, Err(FitError::Seconds { index: 1, seconds: bad }));
    }
    let nan = fit(&[Sample { seconds: f64::NAN, ..good }, good]);
    assert!(matches!(nan, Err(FitError::Seconds { index: 0, .. })), "{nan:?}");
    let idle = Sample { bytes: 0, flops: 0, launches: 0, seconds: 1.0 };
    assert_eq!(fit(&[good, idle]), Err(FitError::NoWork { index: 1 }));
}

/// A model nothing was held against, or only a run whose clock stood still, must not look checked.
#[test]
fn nothing_held_out_is_an_infinite_error() {
    let model = fit(&runs(1, 24, 0.0)).unwrap();
    assert_eq!(held_out(&model, &[]).median, f64::INFINITY);
    let stopped = Sample { seconds: 0.0, ..sample(1000, 0, 1) };
    let checked = held_out(&model, &[sample(2000, 0, 1), stopped]);
    assert_eq!(checked.max, f64::INFINITY);
    assert!(checked.median < 1e-9);
}
