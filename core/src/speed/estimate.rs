//! From inputs to a rate with a range, and what bounds it.

use super::coefficients::{Coefficients, Interval, Priors, coefficients};
use super::inputs::{Overrides, SpeedInputs, TransferKind};
use super::real;
use super::terms::{Phase, Scales, Sum, device_effect, have_one_name, spread_keys, terms, times};
use crate::error::PlanError;
use schemars::JsonSchema;
use serde::Serialize;

/// How fast, and why.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SpeedEstimate {
    /// Tokens generated per second, all sequences together.
    pub decode_tokens_per_s: Range,
    /// What decoding waits for.
    pub decode_bound_by: Bound,
    /// Share of a decode step that is the layers' fixed cost, which neither bandwidth nor arithmetic shortens.
    pub decode_fixed_share: f64,
    /// Prompt tokens read per second; `None` without a prompt, or where a device's arithmetic peak is unknown.
    pub prefill_tokens_per_s: Option<Range>,
    /// What the prompt waits for.
    pub prefill_bound_by: Option<Bound>,
    /// Date of the newest measurement behind it.
    pub date: String,
    /// Whether the device itself was measured, or only its class.
    pub device_measured: bool,
}

/// A rate: its middle, and where four fifths of measured rates lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Range {
    /// Tenth percentile.
    pub p10: f64,
    /// Median.
    pub median: f64,
    /// Ninetieth percentile.
    pub p90: f64,
}

/// What a step waits for, the contract's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Bound {
    /// Reading weights and cache.
    Memory,
    /// Arithmetic.
    Compute,
    /// A link.
    Link,
    /// A disk.
    Disk,
}

/// The estimate from the shipped figures.
///
/// # Errors
/// `invalid` when a figure is zero that cannot be, or an override is not above zero.
pub fn estimate(inputs: &SpeedInputs) -> Result<SpeedEstimate, PlanError> {
    estimate_with(inputs, coefficients()?)
}

/// The estimate from given figures.
///
/// # Errors
/// As [`estimate`].
pub fn estimate_with(inputs: &SpeedInputs, given: &Coefficients) -> Result<SpeedEstimate, PlanError> {
    Efficiencies::of(inputs, given)?.estimate(inputs)
}

/// The fitted figures of one kind of inputs, looked up: those of the same devices, engine, model, format and kind of load,
/// whatever the bytes and tokens.
#[derive(Debug, Clone)]
pub struct Efficiencies {
    priors: Priors,
    decode: Vec<Scales>,
    decode_spread: Interval,
    /// Where a prompt was asked about.
    prefill: Option<(Vec<Scales>, Interval)>,
    device_measured: bool,
    date: String,
}

impl Efficiencies {
    /// Looks up what applies to `inputs`.
    ///
    /// # Errors
    /// As [`estimate`].
    pub fn of(inputs: &SpeedInputs, given: &Coefficients) -> Result<Self, PlanError> {
        check(inputs)?;
        let priors = overridden(&given.priors, &inputs.overrides);
        let effect = |name: &str| kept(name, &inputs.overrides, given.decode.get(name));
        let scales = |part| terms(inputs, part, Phase::Decode, &priors).scales(effect);
        let decode = inputs.parts.iter().map(scales).collect();
        let prefill = inputs.prompt.map(|prompt| {
            let phase = Phase::Prefill(prompt);
            let effect = |name: &str| given.prefill.get(name).copied().unwrap_or(0.0);
            let scales = inputs.parts.iter().map(|part| terms(inputs, part, phase, &priors).scales(effect));
            (scales.collect(), slowest(inputs, phase, given))
        });
        Ok(Self {
            priors,
            decode,
            decode_spread: slowest(inputs, Phase::Decode, given),
            prefill,
            device_measured: inputs.parts.iter().all(|p| given.decode.contains_key(&device_effect(p))),
            date: given.date.clone(),
        })
    }

    /// Whether the figures of one are those of the other.
    #[must_use]
    pub fn are_one(a: &SpeedInputs, b: &SpeedInputs) -> bool {
        have_one_name(a, b)
    }

    /// The estimate for inputs of this kind; of a prompt only where one was asked about.
    ///
    /// # Errors
    /// As [`estimate`].
    pub fn estimate(&self, inputs: &SpeedInputs) -> Result<SpeedEstimate, PlanError> {
        check(inputs)?;
        let priors = &self.priors;
        let mut decode = Step::default();
        for (part, scales) in inputs.parts.iter().zip(&self.decode) {
            decode.add(scales.sum(&times(inputs, part, Phase::Decode, priors)));
        }
        for transfer in &inputs.transfers {
            let rate = real(transfer.bytes_per_s);
            match transfer.kind {
                TransferKind::Link => decode.link += real(transfer.bytes) / (rate * priors.link_efficiency),
                TransferKind::Disk => {
                    decode.disk += real(transfer.bytes) / rate.min(priors.disk_bytes_per_s);
                }
            }
        }
        let computes = inputs.parts.iter().all(|p| p.rates.flops.is_some_and(|f| f > 0));
        let prefill = match (inputs.prompt, &self.prefill) {
            (Some(prompt), Some((scales, spread))) if computes => {
                let mut step = Step::default();
                for (part, scales) in inputs.parts.iter().zip(scales) {
                    step.add(scales.sum(&times(inputs, part, Phase::Prefill(prompt), priors)));
                }
                let tokens = real(prompt.tokens.min(prompt.ubatch));
                Some((step.range(tokens, *spread), step.bound()))
            }
            (_, _) => None,
        };
        Ok(SpeedEstimate {
            decode_tokens_per_s: decode.range(real(inputs.batch.max(1)), self.decode_spread),
            decode_bound_by: decode.bound(),
            decode_fixed_share: decode.fixed
                / (decode.memory.max(decode.compute) + decode.fixed + decode.link + decode.disk),
            prefill_tokens_per_s: prefill.map(|(range, _)| range),
            prefill_bound_by: prefill.map(|(_, bound)| bound),
            date: self.date.clone(),
            device_measured: self.device_measured,
        })
    }
}

fn check(inputs: &SpeedInputs) -> Result<(), PlanError> {
    if inputs.parts.is_empty() {
        return Err(PlanError::missing("hardware", "a speed needs a device with a bandwidth"));
    }
    for part in &inputs.parts {
        if part.rates.bandwidth == 0 {
            let message = format!("`{}` has no bandwidth", part.rates.device);
            return Err(PlanError::invalid("hardware.bandwidth_bytes_per_s", message));
        }
        if part.weights.active_experts > part.weights.experts {
            return Err(PlanError::invalid("weights", "more experts used than there are"));
        }
    }
    if inputs.transfers.iter().any(|t| t.bytes_per_s == 0) {
        return Err(PlanError::invalid("hardware", "a link or disk moves more than 0 bytes per second"));
    }
    let Overrides { weight_efficiency, kv_efficiency, compute_efficiency, layer_seconds } = inputs.overrides;
    let given = [weight_efficiency, kv_efficiency, compute_efficiency, layer_seconds];
    if given.into_iter().flatten().any(|x| !x.is_finite() || x <= 0.0) {
        return Err(PlanError::invalid("speed", "an efficiency is a number above 0"));
    }
    Ok(())
}

fn overridden(priors: &Priors, by: &Overrides) -> Priors {
    Priors {
        weight_efficiency: by.weight_efficiency.unwrap_or(priors.weight_efficiency),
        kv_efficiency: by.kv_efficiency.unwrap_or(priors.kv_efficiency),
        compute_efficiency: by.compute_efficiency.unwrap_or(priors.compute_efficiency),
        prefill_efficiency: by.compute_efficiency.unwrap_or(priors.prefill_efficiency),
        layer_seconds: by.layer_seconds.unwrap_or(priors.layer_seconds),
        ..*priors
    }
}

/// The fitted effect, unless the figure it belongs to was given.
fn kept(name: &str, by: &Overrides, fitted: Option<&f64>) -> f64 {
    let given = match name.split(':').next() {
        Some("e") => by.weight_efficiency.is_some(),
        Some("ek") => by.kv_efficiency.is_some(),
        Some("c") => by.compute_efficiency.is_some(),
        Some("tau") => by.layer_seconds.is_some(),
        _ => false,
    };
    if given { 0.0 } else { fitted.copied().unwrap_or(0.0) }
}

/// The widest spread among the parts: the least certain one decides.
fn slowest(inputs: &SpeedInputs, phase: Phase, given: &Coefficients) -> Interval {
    let mut widest = Interval { p10: 0.0, p90: 0.0, rows: 0 };
    let effects = match phase {
        Phase::Decode => &given.decode,
        Phase::Prefill(_) => &given.prefill,
    };
    for part in &inputs.parts {
        let measured = effects.contains_key(&device_effect(part));
        let spread = given.spread(&spread_keys(inputs, part, phase, measured)).unwrap_or(UNMEASURED);
        if spread.p90 - spread.p10 > widest.p90 - widest.p10 {
            widest = spread;
        }
    }
    widest
}

/// Nothing was measured: half to half as much again.
const UNMEASURED: Interval = Interval { p10: -0.7, p90: 0.4, rows: 0 };

/// Seconds of a step, by what they were spent on.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    total: f64,
    memory: f64,
    compute: f64,
    fixed: f64,
    link: f64,
    disk: f64,
}

impl Step {
    fn add(&mut self, sum: Sum) {
        self.total += sum.total;
        self.memory += sum.memory;
        self.compute += sum.compute;
        self.fixed += sum.fixed;
    }

    fn range(&self, tokens: f64, spread: Interval) -> Range {
        let median = tokens / (self.total + self.link + self.disk);
        Range { p10: median * spread.p10.min(0.0).exp(), median, p90: median * spread.p90.max(0.0).exp() }
    }

    fn bound(&self) -> Bound {
        let mut longest = (self.memory, Bound::Memory);
        for other in [(self.compute, Bound::Compute), (self.link, Bound::Link), (self.disk, Bound::Disk)] {
            if other.0 > longest.0 {
                longest = other;
            }
        }
        longest.1
    }
}

#[cfg(test)]
mod tests {
    use super::super::inputs::{Era, Part, Rates, SpeedEngine, Split, Transfer, WeightsRead};
    use super::*;
    use crate::hardware::SpeedClass;

    /// Llama 3 8B Q4_0 on an RTX 4090: 4,670,776,934 bytes, of which 525,336,576 of 8,030,261,248 weights are input
    /// embeddings that a step does not read.
    fn on_a_4090() -> SpeedInputs {
        let rates = Rates {
            device: "rtx-4090".to_owned(),
            class: Some(SpeedClass::NvidiaGddr),
            bandwidth: 1_008_000_000_000,
            flops: None,
        };
        let weights = WeightsRead { dense_bytes: 4_365_218_000, ..WeightsRead::default() };
        SpeedInputs {
            parts: vec![Part {
                rates,
                devices: 1,
                weights,
                kv_bytes: 0,
                latent: false,
                state_bytes: 0,
                layers: 32,
            }],
            split: Split::Layer,
            engine: SpeedEngine::LlamaCpp,
            backend: None,
            era: Era::Y2026,
            batch: 1,
            shared_cache: false,
            quantized_cache: false,
            flash_attention: Some(true),
            active_parameters: 7_504_924_672,
            model: None,
            format: None,
            prompt: None,
            transfers: Vec::new(),
            overrides: Overrides::default(),
        }
    }

    /// No effects: the algebra alone.
    fn plain() -> Coefficients {
        let mut figures = coefficients().unwrap().clone();
        figures.decode.clear();
        figures.prefill.clear();
        figures
    }

    #[test]
    fn a_step_is_bytes_over_the_bandwidth_reached() {
        let mut inputs = on_a_4090();
        inputs.overrides =
            Overrides { weight_efficiency: Some(0.84), layer_seconds: Some(1e-12), ..Overrides::default() };
        // Published: 193 tok/s, which is 0.84 of peak.
        let rate = estimate_with(&inputs, &plain()).unwrap().decode_tokens_per_s.median;
        assert!((rate - 193.0).abs() < 2.0, "{rate}");
    }

    #[test]
    fn a_batch_touches_the_experts_that_independent_choices_would() {
        // gpt-oss-120b, 4 of 128 experts, 32 sequences: 64 % of the experts.
        let weights =
            WeightsRead { dense_bytes: 0, routed_bytes: 1_000_000, experts: 128, active_experts: 4 };
        assert!((weights.bytes_for(1) - 31_250.0).abs() < 1e-6);
        assert!((weights.bytes_for(32) / 1e6 - 0.64).abs() < 0.005);
    }

    #[test]
    fn a_large_batch_is_bound_by_arithmetic() {
        let mut inputs = on_a_4090();
        inputs.parts[0].rates.flops = Some(10_000_000_000_000);
        assert_eq!(estimate_with(&inputs, &plain()).unwrap().decode_bound_by, Bound::Memory);
        inputs.batch = 64;
        let many = estimate_with(&inputs, &plain()).unwrap();
        assert_eq!(many.decode_bound_by, Bound::Compute);
        // 2 FLOP for each of 7.5 G parameters at 0.3 of 10 TFLOPS: 200 tokens a second at most.
        assert!(many.decode_tokens_per_s.median < 200.0 && many.decode_tokens_per_s.median > 150.0);
    }

    #[test]
    fn weights_streamed_from_a_disk_take_its_rate() {
        // Measured: a 17.57 GB model from a hard disk of 146 MB/s takes a little over two minutes a token.
        let mut inputs = on_a_4090();
        inputs.transfers =
            vec![Transfer { kind: TransferKind::Disk, bytes: 17_570_000_000, bytes_per_s: 146_000_000 }];
        let answer = estimate_with(&inputs, &plain()).unwrap();
        assert_eq!(answer.decode_bound_by, Bound::Disk);
        let seconds = 1.0 / answer.decode_tokens_per_s.median;
        assert!((seconds - 120.0).abs() < 2.0, "{seconds}");
    }

    #[test]
    fn parts_in_two_memories_take_their_times_one_after_the_other() {
        let alone = estimate_with(&on_a_4090(), &plain()).unwrap().decode_tokens_per_s.median;
        let mut inputs = on_a_4090();
        inputs.parts.push(inputs.parts[0].clone());
        let both = estimate_with(&inputs, &plain()).unwrap().decode_tokens_per_s.median;
        assert!((both * 2.0 - alone).abs() < 1e-6 * alone);
    }

    #[test]
    fn every_estimate_has_its_median_inside_its_range() {
        for batch in [1, 4, 32] {
            let mut inputs = on_a_4090();
            inputs.batch = batch;
            let rate = estimate(&inputs).unwrap().decode_tokens_per_s;
            assert!(rate.p10 < rate.median && rate.median < rate.p90, "{rate:?}");
        }
    }

    #[test]
    fn a_device_that_was_not_measured_claims_less() {
        let measured = estimate(&on_a_4090()).unwrap();
        let mut inputs = on_a_4090();
        inputs.parts[0].rates.device = "a card of tomorrow".to_owned();
        let unmeasured = estimate(&inputs).unwrap();
        assert!(measured.device_measured && !unmeasured.device_measured);
        let width = |rate: Range| rate.p90 / rate.p10;
        assert!(width(unmeasured.decode_tokens_per_s) > width(measured.decode_tokens_per_s));
    }

    #[test]
    fn a_device_without_bandwidth_and_an_efficiency_of_zero_are_refused() {
        let mut inputs = on_a_4090();
        inputs.overrides.kv_efficiency = Some(0.0);
        assert_eq!(estimate(&inputs).unwrap_err().field, "speed");
        let mut inputs = on_a_4090();
        inputs.parts[0].rates.bandwidth = 0;
        assert_eq!(estimate(&inputs).unwrap_err().field, "hardware.bandwidth_bytes_per_s");
        inputs.parts.clear();
        assert_eq!(estimate(&inputs).unwrap_err().field, "hardware");
    }
}
