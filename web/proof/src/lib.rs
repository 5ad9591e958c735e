//! The browser's proof that kernels pack the bytes the planner predicts, as a module of its own: it carries every shader
//! and the way to WebGPU, and a page that only plans does not load it. `web/page/proof-worker.js` runs it in a worker.

mod end;

use std::sync::atomic::{AtomicBool, Ordering};

use js_sys::Function;
use kvplan_kernels::gpu::{Choice, Gpu, GpuError};
use kvplan_kernels::op::CODECS;
use kvplan_kernels::validate::{self, Progress, Report, Run};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::{JsError, JsValue, wasm_bindgen};

pub use end::End;

static CANCEL: AtomicBool = AtomicBool::new(false);

/// What to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// On every standard shape instead of one small one.
    pub full: bool,
    /// Codecs by name; every one with kernels where it is empty.
    pub codecs: Vec<String>,
}

/// Runs codecs as `wanted` says ([`Wanted`] as JSON) and returns how it ended, an [`End`] as JSON.
/// Before each step `progress` is called with `{"progress": {"done", "steps", "codec", "stage"}}`, as JSON too.
///
/// # Errors
/// A wish that cannot be read.
#[wasm_bindgen]
pub async fn prove(wanted: String, progress: Function) -> Result<String, JsError> {
    CANCEL.store(false, Ordering::Relaxed);
    let wanted: Wanted = serde_json::from_str(&wanted)?;
    Ok(serde_json::to_string(&End::from(run(&wanted, &progress).await))?)
}

/// Ends a run before its next launch; it returns what it has.
#[wasm_bindgen]
pub fn cancel() {
    CANCEL.store(true, Ordering::Relaxed);
}

async fn run(wanted: &Wanted, progress: &Function) -> Result<Report, GpuError> {
    let gpu = Gpu::open(&Choice::Fastest).await?;
    let asked = |name: &str| wanted.codecs.is_empty() || wanted.codecs.iter().any(|codec| codec == name);
    let codecs: Vec<_> = CODECS.iter().filter(|kernels| asked(kernels.codec.name())).collect();
    let shapes = if wanted.full { validate::standard(None, true) } else { validate::quick() };
    let mut cases = validate::cases(&codecs, &shapes);
    cases.extend(validate::block_gtq_cases(&shapes).into_iter().filter(|case| asked(case.name())));
    let mut tell = |step: Progress<'_>| {
        if let Ok(text) = serde_json::to_string(&Message::from(step)) {
            // A listener that throws has nothing to say to the run.
            let _ignored = progress.call1(&JsValue::NULL, &JsValue::from_str(&text));
        }
    };
    let mut run = Run { cases: &cases, clock: false, progress: &mut tell, cancel: &CANCEL };
    validate::validate(&gpu, &mut run).await
}

#[derive(Serialize)]
struct Message<'a> {
    progress: Step<'a>,
}

#[derive(Serialize)]
struct Step<'a> {
    done: usize,
    steps: usize,
    codec: &'a str,
    stage: &'a str,
}

impl<'a> From<Progress<'a>> for Message<'a> {
    fn from(Progress { done, steps, codec, stage }: Progress<'a>) -> Self {
        Self { progress: Step { done, steps, codec, stage } }
    }
}
