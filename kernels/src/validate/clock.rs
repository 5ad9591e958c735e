//! Every kernel at several sizes: a model fitted to some of them, held against the others.
//!
//! t = launches·L + bytes/B + operations/R, fitted per codec and kernel: what a byte costs depends on how it is decoded.
//! The sizes held out lie between and beyond those fitted to.

use super::block_gtq::head_kernels;
use super::block_gtq_rig::BlockGtqRig;
use super::case::{Case, CaseShape, Coder, Tensors, synthetic};
use super::record::{CaseRecord, HeldOutRecord, Series, TimePoint, TimeRecord, clock_name};
use super::rig::{Fastest, Kernel, Rig, Timed, Work};
use super::side::Store;
use crate::gpu::{Dispatch, Gpu, GpuError};
use crate::model::{Point, Sample, TimeModel, fit, held_out};
use crate::op::CodecKernels;
use kvplan_core::codec::{Codec, Side};
use std::sync::atomic::{AtomicBool, Ordering};

/// Tokens, and whether the model is fitted without them; times [`factor`].
const SIZES: [(u32, bool); 6] =
    [(128, false), (256, true), (512, false), (768, true), (1024, false), (1536, true)];

/// Queries of prefill at every size: time then follows the cache alone.
const QUERIES: u32 = 16;

/// Rounds over all sizes, of which each size's fastest run counts: what else runs on the machine comes and goes, and a
/// round is as good at one size as at another.
const MOST_ROUNDS: u32 = 5;
const LEAST_ROUNDS: u32 = 2;
/// Seconds after which a codec has had rounds enough, and after which the least number of them is not waited for: runs so
/// long are disturbed less, and there are some thirty codecs.
const ENOUGH_SECONDS: f64 = 0.3;
const MOST_SECONDS: f64 = 0.6;

/// How much larger the sizes are on a device that is done with these before its clock is sure: by decoding 16-bit keys
/// at the largest.
pub(super) async fn factor(gpu: &Gpu, inputs: &Inputs, cancel: &AtomicBool) -> Result<u32, GpuError> {
    const SURE_SECONDS: f64 = 2e-4;
    let Some(kernels) = CodecKernels::of(Codec::F16) else { return Ok(1) };
    let Some(rig) = rig(gpu, Coder::Codec(kernels), &inputs.0, LARGEST).await? else { return Ok(1) };
    let mut fastest = f64::INFINITY;
    for _ in 0..LEAST_ROUNDS {
        if let Some(run) = rig.once(gpu, Kernel::Dequantize, cancel).await? {
            fastest = fastest.min(run.seconds);
        }
    }
    Ok(if fastest < SURE_SECONDS { LARGER } else { 1 })
}

/// The largest of [`SIZES`].
const LARGEST: u32 = 1536;

/// The smallest of them.
const SMALLEST: u32 = 128;

/// The factor for fast devices.
const LARGER: u32 = 8;

/// What is timed: 4 query heads on 2 KV heads of 128.
fn shape(tokens: u32) -> CaseShape {
    CaseShape {
        label: format!("timing at {tokens} tokens"),
        tokens,
        heads: 4,
        kv_heads: 2,
        k_dim: 128,
        v_dim: 128,
        window: 0,
        queries: QUERIES,
        layers: 1,
    }
}

/// What packs the cases, each once.
pub(super) fn coders(cases: &[Case]) -> Vec<Coder> {
    let mut coders: Vec<Coder> = Vec::new();
    for case in cases {
        if !coders.iter().any(|known| known.name() == case.name()) {
            coders.push(case.coder());
        }
    }
    coders
}

/// A layer in whatever packs it.
enum AnyRig {
    Codec(Rig),
    BlockGtq(BlockGtqRig),
}

impl Timed for AnyRig {
    fn launches(&self, kernel: Kernel) -> Result<Vec<Dispatch<'_>>, GpuError> {
        match self {
            Self::Codec(rig) => rig.launches(kernel),
            Self::BlockGtq(rig) => rig.launches(kernel),
        }
    }

    fn work(&self, kernel: Kernel) -> Work {
        match self {
            Self::Codec(rig) => rig.work(kernel),
            Self::BlockGtq(rig) => rig.work(kernel),
        }
    }
}

/// Values of the largest size; smaller ones are their beginning.
pub(super) struct Inputs(Tensors);

impl Inputs {
    pub(super) fn new() -> Self {
        Self(synthetic(&shape(LARGEST * LARGER)))
    }
}

/// A layer's buffers at this many tokens; nothing where the codec does not take the shape.
async fn rig(gpu: &Gpu, coder: Coder, inputs: &Tensors, tokens: u32) -> Result<Option<AnyRig>, GpuError> {
    let shape = shape(tokens);
    let tensors = cut(inputs, &shape);
    let kernels = match coder {
        Coder::Codec(kernels) => kernels,
        Coder::BlockGtq => {
            // The same widths at every size.
            let least = self::shape(SMALLEST);
            let Ok(heads) = head_kernels(&least, &cut(inputs, &least)) else { return Ok(None) };
            return Ok(Some(AnyRig::BlockGtq(BlockGtqRig::new(gpu, &shape, &tensors, heads).await?)));
        }
    };
    let predicted = [Side::Key, Side::Value].map(|side| Store::new(kernels, &shape, side).predicted());
    let [Ok(k), Ok(v)] = predicted else { return Ok(None) };
    let (rig, _) = Rig::new(gpu, kernels, &shape, &tensors, [k, v]).await?;
    Ok(Some(AnyRig::Codec(rig)))
}

/// The four series of a codec; none where it does not take the shape or the flag goes up.
pub(super) async fn series(
    gpu: &Gpu,
    coder: Coder,
    inputs: &Inputs,
    factor: u32,
    cancel: &AtomicBool,
) -> Result<Vec<Series>, GpuError> {
    let mut rigs = Vec::new();
    for (tokens, held_out) in SIZES {
        let tokens = tokens * factor;
        let Some(rig) = rig(gpu, coder, &inputs.0, tokens).await? else { return Ok(Vec::new()) };
        rigs.push((tokens, held_out, rig, [None::<Fastest>; Kernel::ALL.len()]));
    }
    // The first round compiles and touches memory for the first time.
    let mut spent = 0.0;
    for round in 0..=MOST_ROUNDS {
        if (round > LEAST_ROUNDS && spent > ENOUGH_SECONDS) || spent > MOST_SECONDS {
            break;
        }
        for (_, _, rig, fastest) in &mut rigs {
            for (kernel, best) in Kernel::ALL.into_iter().zip(fastest) {
                if cancel.load(Ordering::Relaxed) {
                    return Ok(Vec::new());
                }
                let Some(run) = rig.once(gpu, kernel, cancel).await? else { continue };
                if round > 0 {
                    spent += run.seconds;
                    *best = Some(best.filter(|best| best.seconds <= run.seconds).unwrap_or(run));
                }
            }
        }
    }
    let record = |at: usize, kernel: Kernel| {
        let points = rigs.iter().filter_map(|(tokens, held_out, rig, fastest)| {
            let (work, fastest) = (rig.work(kernel), fastest.get(at).copied().flatten()?);
            Some(TimePoint {
                tokens: u64::from(*tokens),
                bytes: work.bytes,
                operations: work.operations,
                launches: work.launches,
                seconds: fastest.seconds,
                predicted_seconds: None,
                held_out: *held_out,
                clock: clock_name(fastest.clock),
            })
        });
        Series {
            codec: coder.name().to_owned(),
            kernel: kernel.name().to_owned(),
            launch_seconds: None,
            bytes_per_second: None,
            operations_per_second: None,
            unfitted: None,
            points: points.collect(),
        }
    };
    let all = Kernel::ALL.into_iter().enumerate().map(|(at, kernel)| record(at, kernel));
    Ok(all.filter(|series| !series.points.is_empty()).collect())
}

/// The beginning of K, V and Q that this many tokens have.
fn cut(inputs: &Tensors, shape: &CaseShape) -> Tensors {
    let part = |values: &[f32], heads: u32, dim: u32| {
        let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        values.get(..wide(shape.tokens) * wide(heads) * wide(dim)).unwrap_or(values).to_vec()
    };
    Tensors {
        q: part(&inputs.q, shape.heads, shape.k_dim),
        k: part(&inputs.k, shape.kv_heads, shape.k_dim),
        v: part(&inputs.v, shape.kv_heads, shape.v_dim),
    }
}

const fn sample(point: &TimePoint) -> Sample {
    let TimePoint { bytes, operations, launches, seconds, .. } = point;
    Sample { bytes: *bytes, flops: *operations, launches: *launches, seconds: *seconds }
}

/// Fits every series, predicts its points and the cases' own times, and sums up the errors of what was held out.
pub(super) fn fitted(mut series: Vec<Series>, cases: &mut [CaseRecord]) -> TimeRecord {
    let mut errors: Vec<Point> = Vec::new();
    for one in &mut series {
        let samples = |held_out| -> Vec<Sample> {
            one.points.iter().filter(|point| point.held_out == held_out).map(sample).collect()
        };
        let model = match fit(&samples(false)) {
            Ok(model) => model,
            Err(error) => {
                one.unfitted = Some(error.to_string());
                continue;
            }
        };
        errors.extend(held_out(&model, &samples(true)).points);
        for point in &mut one.points {
            point.predicted_seconds = Some(model.predict(&sample(point)));
        }
        one.launch_seconds = Some(model.launch_seconds());
        one.bytes_per_second = model.bandwidth();
        one.operations_per_second = model.compute_rate();
        predict(&model, one, cases);
    }
    TimeRecord { held_out: summed_up(&errors), series }
}

fn predict(model: &TimeModel, series: &Series, cases: &mut [CaseRecord]) {
    for case in cases.iter_mut().filter(|case| case.codec == series.codec) {
        let times = case.outcome.measured_mut().map(|measured| measured.times.iter_mut());
        for time in times.into_iter().flatten().filter(|time| time.kernel == series.kernel) {
            let (bytes, flops, launches) = (time.bytes, time.operations, time.launches);
            time.predicted_seconds =
                Some(model.predict(&Sample { bytes, flops, launches, seconds: time.seconds }));
        }
    }
}

fn summed_up(points: &[Point]) -> HeldOutRecord {
    let mut errors: Vec<f64> = points.iter().map(|point| point.error).collect();
    errors.sort_by(f64::total_cmp);
    let within = |tenths: usize| {
        let rank = (errors.len() * tenths).div_ceil(10);
        rank.checked_sub(1).and_then(|at| errors.get(at)).copied()
    };
    HeldOutRecord { runs: errors.len() as u64, median: within(5), p90: within(9), max: within(10) }
}
