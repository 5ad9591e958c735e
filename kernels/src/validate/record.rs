//! What a run finds, as data: the same for `--json`, the table, the page of `--report` and the browser.

use super::case::{Case, CaseShape};
use crate::gpu::{AdapterInfo, Clock};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// What ran the kernels.
    pub processor: Processor,
    /// The verdict in figures.
    pub summary: Summary,
    /// One record per codec and shape, in the order run.
    pub cases: Vec<CaseRecord>,
    /// What no codec's case runs: turning, latent rows, moving a cache. Only where kernels are timed.
    #[serde(default)]
    pub others: Vec<OtherRecord>,
    /// Kernels' times at several sizes, and what a model fitted to some says of the others.
    pub time: Option<TimeRecord>,
    /// The whole model's cache, where the shapes are a model's.
    pub model: Option<ModelRecord>,
    /// What a reader has to know: caps, substitutions.
    pub notes: Vec<String>,
}

/// What ran the kernels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "on", rename_all = "snake_case")]
pub enum Processor {
    /// An adapter.
    Gpu {
        /// Which.
        adapter: Adapter,
    },
    /// The twins alone.
    Cpu,
}

/// An adapter, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Adapter {
    /// The device's name, as the driver gives it.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `cpu` or `other`.
    pub kind: String,
    /// `vulkan`, `metal`, `dx12` or `webgpu`.
    pub backend: String,
    /// The driver's name and version.
    pub driver: String,
    /// Whether it can time a kernel by itself.
    pub timestamps: bool,
}

impl From<&AdapterInfo> for Adapter {
    fn from(info: &AdapterInfo) -> Self {
        Self {
            name: info.name.clone(),
            kind: info.kind.to_owned(),
            backend: info.backend.clone(),
            driver: info.driver.clone(),
            timestamps: info.timestamps,
        }
    }
}

/// The verdict in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Codecs that ran on at least one shape.
    pub codecs: u64,
    /// Cases that ran.
    pub ran: u64,
    /// Cases in which a byte or value differed, a size was not the predicted one, an error bound was passed, or the
    /// device refused.
    pub failed: u64,
    /// Cases whose codec does not take the shape.
    pub skipped: u64,
    /// Whether the run was stopped before its end.
    pub cancelled: bool,
}

/// One codec on one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseRecord {
    /// The codec's name.
    pub codec: String,
    /// The shape.
    pub shape: CaseShape,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outcome {
    /// Everything held.
    Passed(Box<Measured>),
    /// Something did not hold; its own figures say what.
    Failed(Box<Measured>),
    /// The device refused.
    Refused {
        /// Its words.
        reason: String,
    },
    /// The codec does not take the shape.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// Everything measured of a case, beside what was predicted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Stored bits per element of K and V together at this shape, predicted.
    pub bits_per_element: f64,
    /// The cache of keys.
    pub k: BytesRecord,
    /// The cache of values.
    pub v: BytesRecord,
    /// Attention, where the kernels take the shape.
    pub attention: Option<Attended>,
    /// Why attention was not run, where it was not.
    pub attention_skipped: Option<String>,
    /// What the codec costs.
    pub error: ErrorRecord,
    /// How long each kernel took.
    pub times: Vec<KernelTime>,
}

/// A kernel that no codec's case runs, or a way between host and device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OtherRecord {
    /// `rotate`, `latent`, `copy`, `append`, `to_device` or `to_host`; `others` where the device refused.
    pub kernel: String,
    /// On what.
    pub shape: String,
    /// Bytes against what they must be, where every one is settled.
    pub exact: Option<Exact>,
    /// The output against f64, where rounding is the device's.
    pub within: Option<Within>,
    /// The device's words, if it refused.
    pub refused: Option<String>,
    /// Bytes it has to read and write; between host and device, bytes that crossed.
    pub bytes: u64,
    /// The fastest run.
    pub seconds: f64,
    /// `timestamp` or `wall`.
    pub clock: String,
}

impl OtherRecord {
    /// Whether something was compared and all of it is as it must be.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.refused.is_none()
            && (self.exact.is_some() || self.within.is_some())
            && self.exact.as_ref().is_none_or(Exact::equal)
            && self.within.as_ref().is_none_or(Within::holds)
    }
}

/// One side's cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BytesRecord {
    /// Bytes the planner says.
    pub predicted_bytes: u64,
    /// Bytes the quantize kernel filled: found by reading back a poisoned buffer with room to spare. Kernels write whole
    /// words; what pads the last one is not counted.
    pub measured_bytes: u64,
    /// Bytes the adapter's allocator took for the cache, where it tells.
    pub allocator_bytes: Option<u64>,
    /// Packed bytes against the twin's.
    pub packed: Exact,
    /// Decoded values against the twin's, bit by bit; the twin's own against the reference's where nothing else ran,
    /// absent there for formats that the kernels leave turned.
    pub unpacked: Option<Exact>,
}

/// Two things that must be equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exact {
    /// Bytes or values compared.
    pub compared: u64,
    /// How many differ, those of `rounded` aside.
    pub differing: u64,
    /// Decoded values that differ in their last bits only: WGSL lets a device round a product or add up a norm in its own
    /// way. Packed bytes have no such allowance.
    #[serde(default)]
    pub rounded: u64,
    /// The first that differs.
    pub first: Option<Difference>,
}

/// Where two things part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// The byte or element, from 0.
    pub at: u64,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

/// Attention against f64.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attended {
    /// One query: the newest token's.
    pub decode: Within,
    /// The last queries of the sequence, together.
    pub prefill: Within,
    /// How many queries prefill had.
    pub queries: u32,
}

/// An error that must stay within a bound, element by element.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Within {
    /// Elements compared.
    pub compared: u64,
    /// Elements whose error passes its bound, or that are no numbers.
    pub outside: u64,
    /// The largest error of an element as a share of its own bound: above 1 is a failure.
    pub worst_share: f64,
    /// The largest error.
    pub worst_error: f64,
    /// The largest bound: what could have passed.
    pub loosest_bound: f64,
    /// The first element outside.
    pub first: Option<Difference>,
}

/// What a codec costs on this case's K and V.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorRecord {
    /// Whether K, V and Q are those of a real model.
    pub real: bool,
    /// Σ(k̂ − k)²/Σk².
    pub k_rel_mse: f64,
    /// Σ(v̂ − v)²/Σv².
    pub v_rel_mse: f64,
    /// ‖Ô − O‖/‖O‖ of the attention output over the packed cache.
    pub output: Option<OutputError>,
}

/// ‖Ô − O‖/‖O‖: attention over the packed cache against attention over exact K and V.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputError {
    /// By arithmetic on the CPU, before any kernel ran.
    pub predicted: f64,
    /// Of the prefill kernel's own output.
    pub measured: f64,
}

/// How long one kernel took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KernelTime {
    /// `quantize`, `dequantize`, `decode` or `prefill`.
    pub kernel: String,
    /// Bytes it has to read and write.
    pub bytes: u64,
    /// Operations: elements where it converts, multiplications and additions where it attends.
    pub operations: u64,
    /// Launches.
    pub launches: u32,
    /// The fastest run.
    pub seconds: f64,
    /// Seconds by the time model, where one was fitted.
    pub predicted_seconds: Option<f64>,
    /// `timestamp` (the device's clock, around the kernel alone) or `wall` (the host's, launch included).
    pub clock: String,
}

/// Which clock, in a word.
pub(super) fn clock_name(clock: Clock) -> String {
    match clock {
        Clock::Timestamp => "timestamp",
        Clock::Wall => "wall",
    }
    .to_owned()
}

/// Times at several sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimeRecord {
    /// One series per codec and kernel.
    pub series: Vec<Series>,
    /// Errors of the predictions for the sizes held out, over all series.
    pub held_out: HeldOutRecord,
}

/// One kernel of one codec at several sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// The codec's name.
    pub codec: String,
    /// The kernel.
    pub kernel: String,
    /// Seconds per launch, by the fit.
    pub launch_seconds: Option<f64>,
    /// Bytes per second, by the fit; absent where bytes explain none of the time.
    pub bytes_per_second: Option<f64>,
    /// Operations per second, by the fit; absent where operations explain none of the time.
    pub operations_per_second: Option<f64>,
    /// Why there is no fit, where there is none.
    pub unfitted: Option<String>,
    /// The runs.
    pub points: Vec<TimePoint>,
}

/// One run of a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimePoint {
    /// Tokens in the cache.
    pub tokens: u64,
    /// Bytes read and written.
    pub bytes: u64,
    /// Operations.
    pub operations: u64,
    /// Launches.
    pub launches: u32,
    /// The fastest run.
    pub seconds: f64,
    /// Seconds by the fitted model.
    pub predicted_seconds: Option<f64>,
    /// Whether the model was fitted without this run.
    pub held_out: bool,
    /// `timestamp` or `wall`.
    pub clock: String,
}

/// A model's cache: what the planner says of the whole, and what its layers were found to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelRecord {
    /// The model's name.
    pub name: String,
    /// Tokens.
    pub context: u32,
    /// One per codec of which every kind of layer ran at that length.
    pub totals: Vec<ModelTotal>,
}

/// K and V of all attention layers in one codec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelTotal {
    /// The codec's name.
    pub codec: String,
    /// The plan's bytes of K and V for the ideal engine.
    pub planned_bytes: u64,
    /// Bytes found in one layer of each kind, times its layers.
    pub measured_bytes: u64,
}

/// Relative errors over runs the model was not fitted to; absent where there are none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeldOutRecord {
    /// Runs.
    pub runs: u64,
    /// Half of the runs are at most this far off.
    pub median: Option<f64>,
    /// Nine of ten are.
    pub p90: Option<f64>,
    /// All are.
    pub max: Option<f64>,
}

impl Exact {
    /// Whether nothing differs, and something was compared.
    #[must_use]
    pub const fn equal(&self) -> bool {
        self.differing == 0 && self.compared > 0
    }
}

impl Within {
    /// Whether every element is within its bound.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.outside == 0 && self.compared > 0
    }
}

impl BytesRecord {
    /// Whether the size is the predicted one and bytes and values are the twin's.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.predicted_bytes == self.measured_bytes
            && self.packed.equal()
            && self.unpacked.as_ref().is_none_or(Exact::equal)
    }
}

impl Measured {
    /// Whether all that must hold does.
    #[must_use]
    pub fn holds(&self) -> bool {
        let attention = self
            .attention
            .as_ref()
            .is_none_or(|attended| attended.decode.holds() && attended.prefill.holds());
        self.k.holds() && self.v.holds() && attention
    }
}

impl Outcome {
    /// What was measured, unless it was skipped or refused.
    #[must_use]
    pub fn measured(&self) -> Option<&Measured> {
        match self {
            Self::Passed(measured) | Self::Failed(measured) => Some(measured),
            Self::Refused { .. } | Self::Skipped { .. } => None,
        }
    }

    pub(super) fn measured_mut(&mut self) -> Option<&mut Measured> {
        match self {
            Self::Passed(measured) | Self::Failed(measured) => Some(measured),
            Self::Refused { .. } | Self::Skipped { .. } => None,
        }
    }
}

impl CaseRecord {
    fn of(case: &Case, outcome: Outcome) -> Self {
        Self { codec: case.name().to_owned(), shape: case.shape().clone(), outcome }
    }

    pub(super) fn measured(case: &Case, measured: Measured) -> Self {
        let measured = Box::new(measured);
        let outcome = if measured.holds() { Outcome::Passed(measured) } else { Outcome::Failed(measured) };
        Self::of(case, outcome)
    }

    pub(super) fn failed(case: &Case, reason: String) -> Self {
        Self::of(case, Outcome::Refused { reason })
    }

    pub(super) fn skipped(case: &Case, reason: String) -> Self {
        Self::of(case, Outcome::Skipped { reason })
    }
}

impl Report {
    pub(super) fn begin(processor: Processor) -> Self {
        Self {
            processor,
            summary: Summary::default(),
            cases: Vec::new(),
            others: Vec::new(),
            time: None,
            model: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn cancelled(self) -> Self {
        let mut report = self.finish();
        report.summary.cancelled = true;
        report
    }

    pub(super) fn finish(mut self) -> Self {
        let mut summary = Summary::default();
        let mut codecs: Vec<&str> = Vec::new();
        for case in &self.cases {
            match &case.outcome {
                Outcome::Skipped { .. } => summary.skipped += 1,
                Outcome::Refused { .. } => summary.failed += 1,
                Outcome::Passed(_) | Outcome::Failed(_) => {
                    summary.ran += 1;
                    summary.failed += u64::from(matches!(case.outcome, Outcome::Failed(_)));
                    if !codecs.contains(&case.codec.as_str()) {
                        codecs.push(&case.codec);
                    }
                }
            }
        }
        summary.codecs = codecs.len() as u64;
        self.summary = summary;
        self
    }

    /// Whether something ran, nothing failed, and the run went to its end.
    #[must_use]
    pub fn holds(&self) -> bool {
        let summary = &self.summary;
        let ran = summary.failed == 0 && summary.ran > 0 && !summary.cancelled;
        ran && self.model_holds() && self.others_hold()
    }

    /// Whether what no codec's case runs is as it must be.
    #[must_use]
    pub fn others_hold(&self) -> bool {
        self.others.iter().all(OtherRecord::holds)
    }

    /// Whether every total of the model is the planner's.
    #[must_use]
    pub fn model_holds(&self) -> bool {
        let totals = self.model.iter().flat_map(|model| &model.totals);
        totals.into_iter().all(|total| total.planned_bytes == total.measured_bytes)
    }
}
