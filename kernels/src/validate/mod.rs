//! `kvplan validate`: the planner's numbers held against a real cache on a real adapter.
//!
//! Per codec and shape ([`Case`]) the runner allocates the cache, packs K and V into it, reads the bytes back and sets
//! what it finds beside what was predicted: bytes, the allocator's bytes, packed bytes and decoded values against the
//! twin's, attention against f64, times against a model fitted to other sizes. One code runs natively and in the browser:
//! everything that waits is `async`, progress goes through a callback, and a flag stops it between two launches.
//!
//! - `case`: what is run: codecs × shapes, and where K, V and Q come from;
//! - `other`: what no codec's case runs: turning, latent rows, moving a cache;
//! - `model`: the shapes of a model's layers; `capture`: Q, K and V of a real model from a safetensors file;
//! - `record`: what is found, as data; `compare`: found against expected;
//! - `side`: K or V in one codec; `rig`: a layer's buffers and launches;
//! - `on_gpu`, `on_cpu`: one case on an adapter, and by the twins alone; `block_gtq` and its
//!   attention and rig: the one that is no codec of the table;
//! - `clock`: every kernel at several sizes, the time model fitted to some and held against the others.

mod block_gtq;
mod block_gtq_attention;
mod block_gtq_rig;
mod capture;
mod case;
mod clock;
mod compare;
mod model;
mod on_cpu;
mod on_gpu;
mod other;
mod record;
mod rig;
mod side;
#[cfg(test)]
mod tests;

pub use block_gtq::NAME as BLOCK_GTQ;
pub use capture::{CaptureError, capture, sample};
pub use case::{Case, CaseShape, Source, quick, standard};
pub use model::{ModelShapes, of_model, totals};
pub use record::{
    Adapter, Attended, BytesRecord, CaseRecord, Difference, ErrorRecord, Exact, HeldOutRecord, KernelTime,
    Measured, ModelRecord, ModelTotal, OtherRecord, Outcome, OutputError, Processor, Report, Series, Summary,
    TimePoint, TimeRecord, Within,
};

use crate::gpu::{Gpu, GpuError};
use crate::op::CodecKernels;
use std::sync::atomic::{AtomicBool, Ordering};

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Steps done.
    pub done: usize,
    /// Steps in all.
    pub steps: usize,
    /// The codec at work.
    pub codec: &'a str,
    /// What is being done with it.
    pub stage: &'a str,
}

/// What to run, and how to follow and stop it.
pub struct Run<'a> {
    /// The cases, in order.
    pub cases: &'a [Case],
    /// Whether kernels are also timed at several sizes and a time model is fitted and checked.
    pub clock: bool,
    /// Called before every step.
    pub progress: &'a mut dyn FnMut(Progress<'_>),
    /// Once true, the run ends before its next launch with what it has.
    pub cancel: &'a AtomicBool,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("cases", &self.cases.len())
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

impl Run<'_> {
    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// Runs every case on an adapter.
///
/// A codec that does not take a shape is a skipped case with its reason; what a case meets on the device (no room, a
/// refused launch) fails that case and the run goes on.
///
/// # Errors
/// [`GpuError::DeviceLost`]: nothing after it could be believed.
pub async fn validate(gpu: &Gpu, run: &mut Run<'_>) -> Result<Report, GpuError> {
    with_fault(gpu, run, None).await
}

/// [`validate`] with a bit flipped on the way, to show that it is caught.
async fn with_fault(gpu: &Gpu, run: &mut Run<'_>, fault: Option<on_gpu::Fault>) -> Result<Report, GpuError> {
    let coders = clock::coders(run.cases);
    let steps = run.cases.len() + if run.clock { coders.len() } else { 0 };
    let mut report = Report::begin(Processor::Gpu { adapter: gpu.info().into() });
    for (done, case) in run.cases.iter().enumerate() {
        if run.cancelled() {
            return Ok(report.cancelled());
        }
        (run.progress)(Progress { done, steps, codec: case.name(), stage: &case.shape().label });
        match on_gpu::case(gpu, case, run.cancel, fault).await {
            Ok(Some(record)) => report.cases.push(record),
            Ok(None) => return Ok(report.cancelled()),
            Err(error @ GpuError::DeviceLost { .. }) => return Err(error),
            Err(error) => report.cases.push(CaseRecord::failed(case, error.to_string())),
        }
    }
    if run.clock {
        report.others = other::run(gpu).await?;
        let (mut series, inputs) = (Vec::new(), clock::Inputs::new());
        let factor = clock::factor(gpu, &inputs, run.cancel).await?;
        for (i, coder) in coders.into_iter().enumerate() {
            if run.cancelled() {
                return Ok(report.cancelled());
            }
            let done = run.cases.len() + i;
            (run.progress)(Progress { done, steps, codec: coder.name(), stage: "timing" });
            series.extend(clock::series(gpu, coder, &inputs, factor, run.cancel).await?);
        }
        report.time = Some(clock::fitted(series, &mut report.cases));
    }
    Ok(report.finish())
}

/// Runs every case by the twins: their bytes against `kvplan-core`'s reference encoder, their attention against f64. No
/// adapter, no times.
#[must_use]
pub fn validate_on_cpu(run: &mut Run<'_>) -> Report {
    let steps = run.cases.len();
    let mut report = Report::begin(Processor::Cpu);
    for (done, case) in run.cases.iter().enumerate() {
        if run.cancelled() {
            return report.cancelled();
        }
        (run.progress)(Progress { done, steps, codec: case.name(), stage: &case.shape().label });
        report.cases.push(on_cpu::case(case));
    }
    report.finish()
}

/// [`Case::block_gtq`] on every shape.
#[must_use]
pub fn block_gtq_cases(shapes: &[(CaseShape, Source)]) -> Vec<Case> {
    shapes.iter().map(|(shape, source)| Case::block_gtq(shape.clone(), source.clone())).collect()
}

/// Every codec × every shape, codec by codec.
#[must_use]
pub fn cases(codecs: &[&'static CodecKernels], shapes: &[(CaseShape, Source)]) -> Vec<Case> {
    codecs
        .iter()
        .flat_map(|kernels| {
            shapes.iter().map(|(shape, source)| Case::new(kernels, shape.clone(), source.clone()))
        })
        .collect()
}
