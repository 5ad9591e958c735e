//! The formula as named terms: what the fit solves for and what an estimate evaluates are one definition.
//!
//! Every term is a time from priors and byte counts, and the names of the effects that scale it: the term's value is
//! `seconds × exp(Σ sign × effect)`.

use super::coefficients::Priors;
use super::family::FormatFamily;
use super::inputs::{Part, Prompt, SpeedInputs, Split};
use super::real;
use crate::hardware::SpeedClass;

/// A time and the effects that scale it.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// With every effect at zero.
    pub seconds: f64,
    /// Names, each with its sign: an efficiency divides a time, a factor multiplies it.
    pub effects: Vec<(String, f64)>,
}

/// The terms of one part's step: `(‖memory, compute‖₄ + fixed) × factor`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    /// Reading bytes; added.
    pub memory: Vec<Term>,
    /// Arithmetic; added.
    pub compute: Vec<Term>,
    /// Cost that neither hides.
    pub fixed: Vec<Term>,
    /// Effects on the whole.
    pub factor: Vec<(String, f64)>,
}

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// One token of every sequence.
    Decode,
    /// One micro-batch of a prompt.
    Prefill(Prompt),
}

/// The sums of [`Terms`] under given effects, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sum {
    /// Reading bytes.
    pub memory: f64,
    /// Arithmetic.
    pub compute: f64,
    /// Fixed cost.
    pub fixed: f64,
    /// All of it, factor applied.
    pub total: f64,
}

/// The times of a step in the order of its terms, with every effect at zero; 0 for a term that is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Times {
    memory: [f64; 3],
    compute: [f64; 2],
    fixed: f64,
}

/// What effects make of each term, as factors: it depends on names alone, and not on bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scales {
    memory: [f64; 3],
    compute: [f64; 2],
    fixed: f64,
    factor: f64,
}

impl Scales {
    pub(super) fn sum(&self, times: &Times) -> Sum {
        let add = |scales: &[f64], times: &[f64]| scales.iter().zip(times).map(|(s, t)| t * s).sum::<f64>();
        let (memory, compute) = (add(&self.memory, &times.memory), add(&self.compute, &times.compute));
        let fixed = times.fixed * self.fixed;
        let total = (softened(memory, compute) + fixed) * self.factor;
        Sum { memory, compute, fixed, total }
    }
}

/// How soft the maximum of bytes and arithmetic is.
const NORM: i32 = 4;

impl Terms {
    /// The sums, with `effect` looked up by name.
    pub fn sum(&self, effect: impl Fn(&str) -> f64) -> Sum {
        self.scales(effect).sum(&self.times())
    }

    /// What the effects make of each term.
    pub(super) fn scales(&self, effect: impl Fn(&str) -> f64) -> Scales {
        let scale =
            |names: &[(String, f64)]| names.iter().map(|(name, sign)| sign * effect(name)).sum::<f64>().exp();
        let of = |terms: &[Term], at: usize| terms.get(at).map_or(1.0, |term| scale(&term.effects));
        Scales {
            memory: std::array::from_fn(|at| of(&self.memory, at)),
            compute: std::array::from_fn(|at| of(&self.compute, at)),
            fixed: of(&self.fixed, 0),
            factor: scale(&self.factor),
        }
    }

    fn times(&self) -> Times {
        let of = |terms: &[Term], at: usize| terms.get(at).map_or(0.0, |term| term.seconds);
        Times {
            memory: std::array::from_fn(|at| of(&self.memory, at)),
            compute: std::array::from_fn(|at| of(&self.compute, at)),
            fixed: of(&self.fixed, 0),
        }
    }
}

/// The larger of two costs, a little more near the corner: the 4-norm.
pub(super) fn softened(memory: f64, compute: f64) -> f64 {
    let top = memory.max(compute);
    if top <= 0.0 {
        return 0.0;
    }
    top * ((memory / top).powi(NORM) + (compute / top).powi(NORM)).powf(0.25)
}

/// The terms of `part` in one step of `inputs`. Compute is left out where the device's peak is unknown.
#[must_use]
pub fn terms(inputs: &SpeedInputs, part: &Part, phase: Phase, priors: &Priors) -> Terms {
    let names = Names::of(inputs, part);
    match phase {
        Phase::Decode => decode(inputs, part, priors, &names),
        Phase::Prefill(prompt) => prefill(inputs, part, prompt, priors, &names),
    }
}

/// The names that effects are looked up under.
struct Names {
    class: &'static str,
    engine: &'static str,
    kind: &'static str,
    era: &'static str,
    backend: Option<&'static str>,
}

impl Names {
    fn of(inputs: &SpeedInputs, part: &Part) -> Self {
        Self {
            class: class_name(part.rates.class),
            engine: inputs.engine.into(),
            kind: if part.weights.experts > 0 { "moe" } else { "dense" },
            era: inputs.era.into(),
            backend: inputs.backend.map(Into::into),
        }
    }

    /// `prefix:class`, `prefix:class/engine`, `prefix:class/kind`.
    fn ladder(&self, prefix: &str, sign: f64) -> Vec<(String, f64)> {
        let Self { class, engine, kind, .. } = self;
        vec![
            (format!("{prefix}:{class}"), sign),
            (format!("{prefix}:{class}/{engine}"), sign),
            (format!("{prefix}:{class}/{kind}"), sign),
        ]
    }
}

/// A class's name; `other` for a device whose group was not measured.
fn class_name(class: Option<SpeedClass>) -> &'static str {
    class.map_or("other", Into::into)
}

fn tensor_parallel(inputs: &SpeedInputs, part: &Part) -> bool {
    part.devices > 1 && inputs.split == Split::Tensor
}

/// The times of `part` in one step of `inputs`: the seconds of [`terms`].
pub(super) fn times(inputs: &SpeedInputs, part: &Part, phase: Phase, priors: &Priors) -> Times {
    match phase {
        Phase::Decode => decode_times(inputs, part, priors),
        Phase::Prefill(prompt) => prefill_times(inputs, part, prompt, priors),
    }
}

fn together(inputs: &SpeedInputs, part: &Part) -> f64 {
    if tensor_parallel(inputs, part) { real(part.devices) } else { 1.0 }
}

/// Whether attention goes without its fused kernel: as asked, and on a processor as is usual there.
fn without_flash_attention(inputs: &SpeedInputs, part: &Part) -> bool {
    inputs.flash_attention == Some(false)
        || (part.rates.class == Some(SpeedClass::Cpu) && inputs.flash_attention.is_none())
}

fn decode_times(inputs: &SpeedInputs, part: &Part, priors: &Priors) -> Times {
    let batch = inputs.batch.max(1);
    let together = together(inputs, part);
    let bandwidth = real(part.rates.bandwidth) * together;
    let weights = part.weights.bytes_for(batch) / (priors.weight_efficiency * bandwidth);
    let caches = if inputs.shared_cache { 1.0 } else { real(batch) };
    let mut kv = real(part.kv_bytes) * caches / (priors.kv_efficiency * bandwidth);
    if without_flash_attention(inputs, part) {
        kv *= priors.without_flash_attention;
    }
    // Read and written back.
    let state = 2.0 * real(part.state_bytes) * real(batch) / (priors.kv_efficiency * bandwidth);
    let compute = part.rates.flops.filter(|f| *f > 0 && batch > 1).map_or(0.0, |flops| {
        let operations = 2.0 * real(inputs.active_parameters) * real(batch);
        operations / (priors.compute_efficiency * real(flops) * together)
    });
    Times {
        memory: [weights, kv, state],
        compute: [compute, 0.0],
        fixed: real(part.layers) * priors.layer_seconds,
    }
}

fn decode(inputs: &SpeedInputs, part: &Part, priors: &Priors, names: &Names) -> Terms {
    let batch = inputs.batch.max(1);
    let class = names.class;
    let Times { memory: [weights, kv, state], compute: [operations, _], fixed } =
        decode_times(inputs, part, priors);

    let weights = Term { seconds: weights, effects: names.ladder("e", -1.0) };
    let mut kv = Term {
        seconds: kv,
        effects: vec![(format!("ek:{class}"), -1.0), (format!("ek:{class}/{}", names.engine), -1.0)],
    };
    if without_flash_attention(inputs, part) {
        kv.effects.extend([("fa:".to_owned(), 1.0), (format!("fa:{class}"), 1.0)]);
    }
    if inputs.quantized_cache {
        kv.effects.extend([("kq:".to_owned(), 1.0), (format!("kq:{class}"), 1.0)]);
    }
    if part.latent {
        kv.effects.extend([("mla:".to_owned(), 1.0), (format!("mla:{class}"), 1.0)]);
    }
    if let Some(backend) = names.backend {
        kv.effects.push((format!("ek:{class}/{backend}"), -1.0));
    }
    let state =
        Term { seconds: state, effects: vec![("es:".to_owned(), -1.0), (format!("es:{class}"), -1.0)] };

    let mut fixed = Term { seconds: fixed, effects: names.ladder("tau", 1.0) };
    fixed.effects.push((format!("tau:{}", names.kind), 1.0));
    if tensor_parallel(inputs, part) {
        fixed.effects.push(("tau:tensor-parallel".to_owned(), 1.0));
    }

    let mut compute = Vec::new();
    if part.rates.flops.is_some_and(|f| f > 0 && batch > 1) {
        compute.push(Term {
            seconds: operations,
            effects: vec![(format!("c:{class}"), -1.0), (format!("c:{class}/{}", names.engine), -1.0)],
        });
    }

    let mut factor = shared_factors(inputs, part, names);
    // A prompt is multiplied by unpacked weights, whatever they were packed as.
    if let Some(family) = family(inputs) {
        let family: &'static str = family.into();
        factor.extend([(format!("ff:{family}"), 1.0), (format!("ff:{family}/{class}"), 1.0)]);
    }
    if batch > 1 {
        factor.extend([
            (format!("b:{class}/{}", names.engine), 1.0),
            (format!("b:{class}/{}", names.kind), 1.0),
        ]);
    }
    if batch >= LARGE_BATCH {
        factor.extend([
            (format!("B:{class}/{}", names.engine), 1.0),
            (format!("B:{class}/{}", names.kind), 1.0),
        ]);
    }
    Terms { memory: vec![weights, kv, state], compute, fixed: vec![fixed], factor }
}

/// From here llama.cpp multiplies matrices by another kernel, and servers schedule otherwise.
const LARGE_BATCH: u64 = 8;

fn prefill_times(inputs: &SpeedInputs, part: &Part, prompt: Prompt, priors: &Priors) -> Times {
    let tokens = real(prompt.tokens.min(prompt.ubatch).max(1));
    let together = together(inputs, part);
    let bandwidth = real(part.rates.bandwidth) * together;
    let weights =
        part.weights.bytes_for(prompt.tokens.min(prompt.ubatch)) / (priors.weight_efficiency * bandwidth);
    let compute = part.rates.flops.filter(|f| *f > 0).map_or([0.0; 2], |flops| {
        let rate = priors.prefill_efficiency * real(flops) * together;
        let position = real(prompt.depth) + real(prompt.tokens) / 2.0;
        [
            2.0 * real(inputs.active_parameters) * tokens / rate,
            4.0 * real(prompt.attention_width) * position * tokens / rate,
        ]
    });
    Times { memory: [weights, 0.0, 0.0], compute, fixed: real(part.layers) * priors.layer_seconds }
}

fn prefill(inputs: &SpeedInputs, part: &Part, prompt: Prompt, priors: &Priors, names: &Names) -> Terms {
    let Times { memory: [weights, ..], compute: [dense, attention], fixed } =
        prefill_times(inputs, part, prompt, priors);
    let mut compute = Vec::new();
    if part.rates.flops.is_some_and(|f| f > 0) {
        compute.push(Term {
            seconds: dense,
            effects: [names.ladder("p", -1.0), vec![(format!("p:{}", names.kind), -1.0)]].concat(),
        });
        let mut attention = Term { seconds: attention, effects: vec![(format!("pa:{}", names.class), -1.0)] };
        if inputs.flash_attention == Some(false) {
            attention.effects.push(("pfa:".to_owned(), 1.0));
        }
        compute.push(attention);
    }
    let bare = |seconds: f64| vec![Term { seconds, effects: Vec::new() }];
    Terms { memory: bare(weights), compute, fixed: bare(fixed), factor: shared_factors(inputs, part, names) }
}

/// Effects on the whole step: the device, the engine's age, the model, the format.
fn shared_factors(inputs: &SpeedInputs, part: &Part, names: &Names) -> Vec<(String, f64)> {
    let Names { class, engine, era, .. } = names;
    let device = &part.rates.device;
    let mut factor = vec![
        (format!("h:{device}"), 1.0),
        (format!("h:{device}/{engine}/{era}"), 1.0),
        (format!("y:{class}/{engine}/{era}"), 1.0),
    ];
    if family(inputs) == Some(FormatFamily::SmallCodebook) {
        factor.push((format!("iq:{class}"), 1.0));
    }
    if let Some(model) = &inputs.model {
        factor.extend([(format!("m:{model}"), 1.0), (format!("m:{model}/{class}"), 1.0)]);
    }
    if let Some(format) = &inputs.format {
        factor.extend([(format!("f:{format}"), 1.0), (format!("f:{format}/{class}"), 1.0)]);
    }
    if part.devices > 1 {
        let split = if tensor_parallel(inputs, part) { "tensor" } else { "layer" };
        factor.push((format!("n:{engine}/{split}"), 1.0));
    }
    factor
}

/// By the format's name; of weights that are only weighed, by their width.
fn family(inputs: &SpeedInputs) -> Option<FormatFamily> {
    if let Some(format) = &inputs.format {
        return FormatFamily::of(format);
    }
    let bytes: f64 = inputs.parts.iter().map(|part| part.weights.bytes_for(1)).sum();
    (inputs.active_parameters > 0)
        .then(|| FormatFamily::usual(inputs.engine, 8.0 * bytes / real(inputs.active_parameters)))
        .flatten()
}

/// Whether [`terms`] of both have the same effects: they differ in bytes, tokens and layers alone.
pub(super) fn have_one_name(a: &SpeedInputs, b: &SpeedInputs) -> bool {
    let load = |inputs: &SpeedInputs| (inputs.batch > 1, inputs.batch >= LARGE_BATCH);
    let part = |a: &Part, b: &Part| {
        a.rates == b.rates
            && a.devices == b.devices
            && a.latent == b.latent
            && (a.weights.experts > 0) == (b.weights.experts > 0)
    };
    load(a) == load(b)
        && a.split == b.split
        && a.engine == b.engine
        && a.backend == b.backend
        && a.era == b.era
        && a.quantized_cache == b.quantized_cache
        && a.flash_attention == b.flash_attention
        && a.model == b.model
        && a.format == b.format
        && a.prompt.is_some() == b.prompt.is_some()
        && a.overrides == b.overrides
        && a.parts.len() == b.parts.len()
        && a.parts.iter().zip(&b.parts).all(|(a, b)| part(a, b))
}

/// Under which names the spread of a step's error is looked up, most particular first. A device that was not measured
/// errs as those did that were left out, whatever its class.
#[must_use]
pub fn spread_keys(inputs: &SpeedInputs, part: &Part, phase: Phase, device_measured: bool) -> [String; 2] {
    let names = Names::of(inputs, part);
    let (class, kind) = (names.class, names.kind);
    let load = match phase {
        Phase::Decode if inputs.batch > 1 => "batched",
        Phase::Decode => "single",
        Phase::Prefill(_) => "prefill",
    };
    let first = if device_measured { class } else { "unmeasured" };
    [format!("{first}/{kind}/{load}"), format!("{kind}/{load}")]
}

/// The name of the effect that every measured device has.
#[must_use]
pub fn device_effect(part: &Part) -> String {
    format!("h:{}", part.rates.device)
}
