//! Whatever is compared, run in turn.

use kvplan_kernels::gpu::{Buffer, Dispatch, Gpu, GpuError};
use kvplan_kernels::op::copy;
use kvplan_kernels::shader::Shader;

/// Rounds of each comparison: so many, or fewer of what takes long.
const ROUNDS: usize = 5;
const LEAST_ROUNDS: usize = 2;
const ENOUGH_SECONDS: f64 = 0.5;

/// The shaders of `wgsl/baseline/`, which ship with no program.
#[expect(unreachable_pub, reason = "generated for whoever takes it in")]
mod generated {
    use kvplan_kernels::shader::*;
    include!(concat!(env!("OUT_DIR"), "/baselines.rs"));
}

/// The fastest run of each contestant, in seconds; the first round compiles and does not count.
pub(super) async fn race(gpu: &Gpu, contestants: &[&[Dispatch<'_>]]) -> Result<Vec<f64>, GpuError> {
    let mut best = vec![f64::INFINITY; contestants.len()];
    let mut spent = 0.0;
    for round in 0..=ROUNDS {
        if round > LEAST_ROUNDS && spent > ENOUGH_SECONDS {
            break;
        }
        for (best, launches) in best.iter_mut().zip(contestants) {
            let before = processor_seconds(gpu);
            let timing = gpu.run(launches).await?;
            let after = processor_seconds(gpu);
            let seconds = after.zip(before).map_or(timing.seconds, |(after, before)| after - before);
            if round > 0 {
                *best = best.min(seconds);
                spent += seconds;
            }
        }
    }
    Ok(best)
}

/// Seconds that all threads of this program have run, where the adapter is the processor and the system tells.
fn processor_seconds(gpu: &Gpu) -> Option<f64> {
    if gpu.info().kind != "cpu" {
        return None;
    }
    let nanoseconds = std::fs::read_dir("/proc/self/task").ok()?.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Some(nanoseconds.sum::<u64>() as f64 / 1e9)
}

/// A copy to race against, and the bytes that what is measured moves.
pub(super) struct Moved {
    from: Buffer,
    to: Buffer,
    bytes: u64,
}

impl Moved {
    pub(super) async fn new(gpu: &Gpu, bytes: u64) -> Result<Self, GpuError> {
        const COPY: u64 = 32 << 20;
        Ok(Self { from: gpu.buffer("src", COPY).await?, to: gpu.buffer("dst", COPY).await?, bytes })
    }

    pub(super) fn copying(&self) -> Result<Dispatch<'_>, GpuError> {
        copy(&self.from, &self.to)
    }

    /// Bytes per second of what took so long, a copy being 1.
    pub(super) fn rate(&self, copy_seconds: f64, seconds: f64) -> f64 {
        (self.bytes as f64 / seconds) / ((self.from.bytes() + self.to.bytes()) as f64 / copy_seconds)
    }

    /// A row of the table of what is packed and unpacked; `by_row` is the baseline, where there is one.
    pub(super) async fn report(
        &self,
        gpu: &Gpu,
        what: &str,
        ours: &[Dispatch<'_>],
        by_row: Option<&[Dispatch<'_>]>,
    ) -> Result<(), GpuError> {
        let copying = [self.copying()?];
        let mut runs: Vec<&[Dispatch<'_>]> = vec![&copying, ours];
        runs.extend(by_row);
        let seconds = race(gpu, &runs).await?;
        if let [copy, ours, rest @ ..] = seconds.as_slice() {
            let against_row =
                rest.first().map_or_else(|| "(is one per row)".into(), |row| format!("{:.2}", row / ours));
            println!("| {what} | {:.2} | {against_row} |", self.rate(*copy, *ours));
        }
        Ok(())
    }
}

/// The baseline of a kernel, by its last name. A KIND may be a path.
pub(super) fn baseline(kind: &str, of: &Shader) -> Option<&'static Shader> {
    let name = of.name.rsplit('/').next().unwrap_or_default();
    let wanted = format!("baseline/{kind}/{name}");
    generated::BASELINES.iter().copied().find(|shader| shader.name == wanted)
}
