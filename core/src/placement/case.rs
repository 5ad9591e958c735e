//! A model, an engine, a scenario and a machine: what is reserved, and what each device holds of it.

use super::ranks::Ranks;
use super::{Machine, Tenants, WeightMap};
use crate::engine::llama_cpp::{self, GpuLayers};
use crate::engine::{Engine, Reservation, Scenario};
use crate::error::PlanError;
use crate::plan::Placement;
use crate::spec::ModelSpec;
use crate::unit::{Bytes, Overflow, Tokens};
use std::sync::Arc;

/// A question about one machine, ready to be asked at many lengths.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    pub(super) model: &'a ModelSpec,
    /// One rank's model, where the engine's options do not make it one.
    pub(super) rank: Option<Arc<ModelSpec>>,
    pub(super) limit: Option<Tokens>,
    pub(super) engine: Engine,
    pub(super) scenario: Scenario,
    pub(super) ranks: Ranks,
    pub(super) machine: &'a Machine,
    pub(super) weights: Option<&'a WeightMap>,
    /// What else lives on the machine.
    pub(super) tenants: Option<Arc<Tenants>>,
}

impl<'a> Case<'a> {
    /// Puts a question together: the placement is written into the engine's options and the sequences are shared out
    /// over the replicas.
    ///
    /// # Errors
    /// `invalid` for ranks that the model or the machine cannot have, `unsupported` for an axis that is not modelled.
    pub fn new(
        model: &'a ModelSpec,
        engine: &Engine,
        scenario: &Scenario,
        placement: &Placement,
        machine: &'a Machine,
        weights: Option<&'a WeightMap>,
    ) -> Result<Self, PlanError> {
        let (mut engine, mut scenario) = (engine.clone(), scenario.clone());
        let ranks = Ranks::resolve(placement, &mut engine)?;
        let world = ranks.world().ok_or(Overflow)?;
        let devices = u64::try_from(machine.devices.len()).unwrap_or(u64::MAX);
        if machine.is_given() && world > devices.max(1) {
            let message = format!("{world} ranks need as many devices; the hardware has {devices}");
            return Err(PlanError::invalid("placement", message).with_value(world));
        }
        let rank = match &engine {
            Engine::Payload if ranks.is_parallel() => Some(Arc::new(model.rank_of(ranks.tp)?)),
            Engine::TensorRtLlm(_) if ranks.tp > 1 => Some(Arc::new(model.rank_of(ranks.tp)?)),
            Engine::Payload
            | Engine::TensorRtLlm(_)
            | Engine::LlamaCpp(_)
            | Engine::Vllm(_)
            | Engine::Transformers(_)
            | Engine::Mlx(_)
            | Engine::ExllamaV3(_)
            | Engine::Sglang(_) => None,
        };
        if !matches!(engine, Engine::Payload) && ranks.dp > 1 {
            scenario.sequences = Some(scenario.sequences.unwrap_or(1).div_ceil(ranks.dp));
        }
        let limit = model.scaled_context();
        Ok(Self { model, rank, limit, engine, scenario, ranks, machine, weights, tenants: None })
    }

    /// The same question with other tenants on the machine.
    #[must_use]
    pub(crate) fn beside_tenants(mut self, tenants: Option<Arc<Tenants>>) -> Self {
        if matches!(self.engine, Engine::Vllm(_) | Engine::Sglang(_)) {
            let draft = tenants.as_ref().and_then(|tenants| tenants.draft.as_ref());
            self.scenario.draft = draft.map(|draft| Arc::clone(&draft.model));
        }
        Self { tenants, ..self }
    }

    /// The same engine's question about another model on the same machine, with nothing beside it.
    pub(super) fn of_another<'b>(&'b self, model: &'b ModelSpec, weights: Option<&'b WeightMap>) -> Case<'b> {
        let limit = model.scaled_context();
        let (engine, scenario) = (self.engine.clone(), Scenario { draft: None, ..self.scenario.clone() });
        let (ranks, machine) = (self.ranks, self.machine);
        Case { model, rank: None, limit, engine, scenario, ranks, machine, weights, tenants: None }
    }

    /// The model's own longest length.
    #[must_use]
    pub(crate) fn length_limit(&self) -> Option<u64> {
        self.limit.map(Tokens::get).filter(|n| *n > 0)
    }

    /// The ranks, the engine's own options counted in.
    #[must_use]
    pub const fn ranks(&self) -> Ranks {
        self.ranks
    }

    /// The engine with the placement in its options.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The model, whole.
    #[cfg(feature = "tiers")]
    pub(crate) const fn model(&self) -> &ModelSpec {
        self.model
    }

    /// The machine.
    #[must_use]
    pub const fn machine(&self) -> &Machine {
        self.machine
    }

    /// The weights, where they are given.
    #[must_use]
    pub const fn weights(&self) -> Option<&WeightMap> {
        self.weights
    }

    /// The scenario: sequences are those of one replica where the engine's figures are a rank's.
    #[must_use]
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The same question about sequences of another length, whatever the engine's own options say of it.
    #[must_use]
    pub fn with_context(&self, tokens: u64) -> Self {
        let mut other = self.clone();
        other.scenario.context = Some(Tokens::new(tokens));
        other.engine.forget_length();
        other
    }

    /// The same question about so many sequences, whatever the engine's own options say of it.
    #[must_use]
    pub fn with_sequences(&self, sequences: u64) -> Self {
        let mut other = self.clone();
        other.set_sequences(sequences);
        other.engine.forget_sequences();
        other
    }

    /// The same question about sequences whose first tokens are the same in all of them.
    #[must_use]
    pub fn with_shared(&self, tokens: u64) -> Self {
        let mut other = self.clone();
        other.scenario.shared = Tokens::new(tokens);
        other
    }

    /// The same question to an engine whose pool has no given size.
    #[must_use]
    pub(crate) fn without_pool(&self) -> Self {
        let mut other = self.clone();
        other.engine.set_pool(None);
        other
    }

    /// The same question to an engine whose pool has so many bytes; `None` for one without.
    #[must_use]
    pub(crate) fn with_pool(&self, bytes: Bytes) -> Option<Self> {
        let mut other = self.clone();
        other.engine.set_pool(Some(bytes)).then_some(other)
    }

    /// llama.cpp's offload of everything: all layers and the output.
    #[must_use]
    pub fn offload_limit(&self) -> u64 {
        u64::try_from(self.blocks()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// The same question with so many layers on llama.cpp's devices.
    #[must_use]
    pub fn with_gpu_layers(&self, layers: u64) -> Self {
        self.with_llama_cpp(|options| {
            options.n_gpu_layers = Some(GpuLayers::Count(i64::try_from(layers).unwrap_or(i64::MAX)));
        })
    }

    /// The same question with the routed experts of so many layers in host memory, llama.cpp's way.
    #[must_use]
    pub fn with_host_experts(&self, layers: u64) -> Self {
        self.with_llama_cpp(|options| options.n_cpu_moe = Some(layers))
    }

    /// The same question with all layers offloaded by llama.cpp, so many of them to each device.
    #[must_use]
    pub(crate) fn with_layers(&self, layers: &[u16]) -> Self {
        self.with_llama_cpp(|options| {
            options.n_gpu_layers = None;
            options.tensor_split = Some(llama_cpp::TensorSplit::of_layers(layers));
        })
    }

    fn with_llama_cpp(&self, change: impl FnOnce(&mut llama_cpp::Options)) -> Self {
        let mut other = self.clone();
        if let Engine::LlamaCpp(options) = &mut other.engine {
            change(options);
        }
        other
    }

    fn set_sequences(&mut self, sequences: u64) {
        let dealt = !matches!(self.engine, Engine::Payload) && self.ranks.dp > 1;
        self.scenario.sequences = Some(if dealt { sequences.div_ceil(self.ranks.dp) } else { sequences });
    }

    /// What the engine reserves.
    ///
    /// # Errors
    /// Whatever the engine cannot answer or refuses.
    pub fn reserve(&self) -> Result<Reservation, PlanError> {
        let model = match (&self.engine, &self.rank) {
            // It has no option for ranks, and its figures are one's all the same.
            (Engine::TensorRtLlm(_), Some(rank)) => rank,
            (_, _) => self.model,
        };
        self.engine.reserve(model, &self.scenario)
    }

    /// Whether layers go in turn over the places, and not to ranks.
    pub(super) fn by_layers(&self) -> bool {
        match &self.engine {
            Engine::LlamaCpp(_) | Engine::Transformers(_) | Engine::Mlx(_) | Engine::ExllamaV3(_) => true,
            Engine::Payload => !self.ranks.is_parallel(),
            Engine::Vllm(_) | Engine::Sglang(_) | Engine::TensorRtLlm(_) => false,
        }
    }
}
