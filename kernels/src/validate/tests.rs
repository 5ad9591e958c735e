//! The runner on an adapter, with and without something broken.

use super::on_gpu::{At, Fault};
use super::*;
use crate::gpu::{Choice, block_on};
use kvplan_core::codec::Codec;

fn run_with(codecs: &[Codec], clock: bool, cancel: &AtomicBool, fault: Option<Fault>) -> (Report, usize) {
    let kernels: Vec<_> = codecs.iter().map(|codec| CodecKernels::of(*codec).unwrap()).collect();
    let cases = cases(&kernels, &standard(sample().unwrap(), false));
    let gpu = block_on(Gpu::open(&Choice::Fastest)).unwrap();
    let mut steps = 0;
    let mut run = Run { cases: &cases, clock, progress: &mut |_| steps += 1, cancel };
    let report = block_on(with_fault(&gpu, &mut run, fault)).unwrap();
    (report, steps)
}

fn faulty(codec: Codec, fault: Fault) -> Report {
    run_with(&[codec], false, &AtomicBool::new(false), Some(fault)).0
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn an_unbroken_run_passes_and_sets_every_prediction_beside_a_measurement() {
    let (report, steps) = run_with(&[Codec::Q8_0, Codec::F16], true, &AtomicBool::new(false), None);
    assert!(report.holds(), "{report:#?}");
    assert_eq!((report.summary.codecs, report.summary.ran, steps), (2, 4, 6));
    for case in &report.cases {
        let measured = case.outcome.measured().unwrap();
        let bytes =
            |n: u64| n * u64::from(case.shape.tokens) * u64::from(case.shape.kv_heads * case.shape.k_dim);
        // 34 bytes per 32 elements, and 2 per element.
        let want = if case.codec == "q8_0" { bytes(34) / 32 } else { bytes(2) };
        assert_eq!((measured.k.predicted_bytes, measured.k.measured_bytes), (want, want));
        assert_eq!(measured.v.packed.compared, want);
        assert!(measured.k.allocator_bytes.is_none_or(|taken| taken >= want), "{:?}", measured.k);
        let kernels: Vec<&str> = measured.times.iter().map(|time| time.kernel.as_str()).collect();
        assert_eq!(kernels, ["quantize", "dequantize", "decode", "prefill"]);
        assert!(measured.times.iter().all(|time| time.seconds > 0.0 && time.predicted_seconds.is_some()));
        let output = measured.error.output.unwrap();
        assert!((output.measured - output.predicted).abs() < 1e-4, "{output:?}");
    }
    let others: Vec<&str> = report.others.iter().map(|other| other.kernel.as_str()).collect();
    assert_eq!(others, ["rotate", "latent", "copy", "append", "to_device", "to_host"]);
    assert!(report.others.iter().all(|other| other.seconds > 0.0 && other.bytes > 0), "{:?}", report.others);
    let time = report.time.unwrap();
    // Two codecs, four kernels, three sizes held out.
    assert_eq!((time.series.len(), time.held_out.runs), (8, 24));
    assert!(time.held_out.max.is_some_and(|error| error > 0.0));
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn one_flipped_bit_in_a_packed_cache_fails_the_case_and_is_located() {
    let report = faulty(Codec::Q8_0, Fault { at: At::Packed, bit: 8 * 1234 + 6 });
    assert!(!report.holds() && report.summary.failed == 2);
    let measured = report.cases[0].outcome.measured().unwrap();
    assert!(matches!(report.cases[0].outcome, Outcome::Failed(_)));
    assert_eq!(measured.v.packed.differing, 1);
    assert_eq!(measured.v.packed.first.as_ref().unwrap().at, 1234);
    assert_eq!(measured.v.unpacked.as_ref().unwrap().differing, 1);
    assert!(measured.k.holds());
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn one_flipped_bit_that_only_attention_reads_passes_its_bound() {
    // The top bit of a code in the first token's second block: all prefill queries after it see it.
    let report = faulty(Codec::Q8_0, Fault { at: At::Attended, bit: 8 * (34 + 2 + 7) + 6 });
    let measured = report.cases[0].outcome.measured().unwrap();
    assert!(measured.v.holds() && measured.k.holds());
    let attended = measured.attention.as_ref().unwrap();
    assert!(attended.prefill.outside > 0 && attended.prefill.worst_share > 1.0, "{attended:?}");
    assert!(matches!(report.cases[0].outcome, Outcome::Failed(_)));
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_raised_flag_ends_the_run_with_what_it_has() {
    let (report, steps) = run_with(&[Codec::F16], true, &AtomicBool::new(true), None);
    assert!(report.summary.cancelled && report.cases.is_empty() && !report.holds());
    assert_eq!(steps, 0);
}

#[test]
fn the_twins_alone_hold_against_the_reference() {
    let kernels: Vec<&'static CodecKernels> = crate::op::CODECS.iter().collect();
    let cases = cases(&kernels, &standard(sample().unwrap(), false));
    let cancel = AtomicBool::new(false);
    let report =
        validate_on_cpu(&mut Run { cases: &cases, clock: false, progress: &mut |_| (), cancel: &cancel });
    assert!(
        report.holds(),
        "{:#?}",
        report.cases.iter().find(|case| !matches!(case.outcome, Outcome::Passed(_)))
    );
    assert_eq!(report.summary.codecs, crate::op::CODECS.len() as u64);
}

/// Keys lie between three bits a dimension with one norm and a byte a dimension with eight; at three bits the error of a
/// Lloyd–Max quantizer is 0.035, and unequal bits can only lower it.
fn block_gtq_holds(report: &Report) {
    assert!(report.holds(), "{report:#?}");
    assert_eq!((report.summary.codecs, report.summary.ran), (1, 2));
    for case in &report.cases {
        let measured = case.outcome.measured().unwrap();
        let (tokens, heads) = (u64::from(case.shape.tokens), u64::from(case.shape.kv_heads));
        let dim = u64::from(case.shape.k_dim);
        let bytes = measured.k.predicted_bytes;
        assert!((tokens * heads * (dim * 3 / 8 + 2)..=tokens * heads * (dim + 16)).contains(&bytes));
        assert_eq!(measured.v.predicted_bytes, tokens * heads * (dim * 3 / 8 + 2));
        assert!(measured.error.k_rel_mse < 0.04, "{:?}", measured.error);
        let attended = measured.attention.as_ref().unwrap();
        assert!(attended.decode.compared > 0 && attended.prefill.compared > 0, "{attended:?}");
        assert!(attended.decode.worst_share > 0.0, "f64 is not f32");
        assert!(measured.error.output.as_ref().unwrap().measured < 0.5);
    }
}

#[test]
fn block_gtqs_twins_hold_against_the_reference() {
    let cases = block_gtq_cases(&standard(sample().unwrap(), false));
    let cancel = AtomicBool::new(false);
    block_gtq_holds(&validate_on_cpu(&mut Run {
        cases: &cases,
        clock: false,
        progress: &mut |_| (),
        cancel: &cancel,
    }));
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn block_gtq_holds_on_the_adapter() {
    let cases = block_gtq_cases(&standard(sample().unwrap(), false));
    let gpu = block_on(Gpu::open(&Choice::Fastest)).unwrap();
    let cancel = AtomicBool::new(false);
    let mut steps = 0;
    let mut run = Run { cases: &cases, clock: true, progress: &mut |_| steps += 1, cancel: &cancel };
    let report = block_on(validate(&gpu, &mut run)).unwrap();
    block_gtq_holds(&report);
    assert_eq!(steps, 3, "two shapes, then the clock");
    let time = report.time.unwrap();
    let timed: Vec<&str> = time.series.iter().map(|series| series.kernel.as_str()).collect();
    assert_eq!(timed, ["quantize", "dequantize", "decode", "prefill"]);
    // Three sizes of each are held out.
    assert_eq!(time.held_out.runs, 12);
    for case in &report.cases {
        let times = &case.outcome.measured().unwrap().times;
        let kernels: Vec<&str> = times.iter().map(|time| time.kernel.as_str()).collect();
        assert_eq!(kernels, timed);
        assert!(times.iter().all(|time| time.seconds > 0.0 && time.predicted_seconds.is_some()), "{times:?}");
    }
}

#[test]
fn a_report_comes_back_from_its_json() {
    let kernels = [CodecKernels::of(Codec::Q4_0).unwrap()];
    let cases = cases(&kernels, &standard(None, false));
    let cancel = AtomicBool::new(false);
    let report =
        validate_on_cpu(&mut Run { cases: &cases, clock: false, progress: &mut |_| (), cancel: &cancel });
    let text = serde_json::to_string(&report).unwrap();
    let back: Report = serde_json::from_str(&text).unwrap();
    // serde_json reads a double to one unit in the last place, so figures are compared where they are integers.
    assert_eq!((&back.processor, &back.summary), (&report.processor, &report.summary));
    for (back, case) in back.cases.iter().zip(&report.cases) {
        assert_eq!((&back.codec, &back.shape), (&case.codec, &case.shape));
        assert_eq!(back.outcome.measured().unwrap().k, case.outcome.measured().unwrap().k);
    }
}

#[test]
fn a_width_that_no_block_divides_is_skipped_with_its_reason() {
    let shape = CaseShape { k_dim: 40, v_dim: 40, ..standard(None, false)[0].0.clone() };
    let case = Case::new(
        CodecKernels::of(Codec::Q8_0).unwrap(),
        CaseShape { kv_heads: 3, ..shape },
        Source::Synthetic,
    );
    let cancel = AtomicBool::new(false);
    let report =
        validate_on_cpu(&mut Run { cases: &[case], clock: false, progress: &mut |_| (), cancel: &cancel });
    assert!(!report.holds(), "nothing ran");
    assert!(matches!(&report.cases[0].outcome, Outcome::Skipped { reason } if reason.contains("32")));
}
