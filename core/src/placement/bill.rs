//! What each place holds: a reservation, the weights and what computing takes, dealt to devices as the engine does.

use super::layers::{Census, Scope, index};
use super::ranks::stage_bounds;
use super::split::layer_split;
use super::{Case, ComputeLine, Place, TenantLine};
use crate::engine::llama_cpp::{self, ContextType, GpuLayers};
use crate::engine::{Engine, Reservation};
use crate::error::PlanError;
use crate::unit::{Bytes, Overflow};

/// Bytes by device, host memory after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// Weights.
    pub weights: Vec<Bytes>,
    /// Caches and states.
    pub kv: Vec<Bytes>,
    /// Buffers for computing.
    pub compute: Vec<Bytes>,
    /// How far those may be off.
    pub compute_doubt: Vec<Bytes>,
    /// The same by what it is, over all places; empty where it is not modelled.
    pub compute_lines: Vec<ComputeLine>,
    /// Where each layer is, the output layer last; where layers are split over devices.
    pub layers: Option<Vec<Place>>,
    /// A draft model, a projector, adapters.
    pub tenants: Vec<TenantLine>,
}

impl Bill {
    fn empty(devices: usize) -> Self {
        let none = vec![Bytes::ZERO; devices + 1];
        Self {
            weights: none.clone(),
            kv: none.clone(),
            compute: none.clone(),
            compute_doubt: none,
            compute_lines: Vec::new(),
            layers: None,
            tenants: Vec::new(),
        }
    }

    /// How many devices it names; the place after them is host memory.
    #[must_use]
    pub const fn devices(&self) -> usize {
        self.kv.len().saturating_sub(1)
    }

    /// All that one place holds.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn at(&self, place: usize) -> Result<Bytes, Overflow> {
        let of = |part: &[Bytes]| part.get(place).copied().unwrap_or_default();
        of(&self.weights).plus(of(&self.kv))?.plus(of(&self.compute))?.plus(self.extras_at(place)?)
    }

    /// What else lives there.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn extras_at(&self, place: usize) -> Result<Bytes, Overflow> {
        let mut at = self.tenants.iter().map(|line| line.bytes.get(place).copied().unwrap_or_default());
        at.try_fold(Bytes::ZERO, Bytes::plus)
    }
}

impl Case<'_> {
    /// What each device holds.
    ///
    /// # Errors
    /// As [`Case::reserve`]; `overflow` past 64 bits.
    pub fn bill(&self, reservation: &Reservation) -> Result<Bill, PlanError> {
        let mut bill = self.own_bill(reservation)?;
        bill.tenants = self.tenant_lines(&bill)?;
        Ok(bill)
    }

    fn own_bill(&self, reservation: &Reservation) -> Result<Bill, PlanError> {
        match &self.engine {
            Engine::LlamaCpp(options) => self.split_by_llama_cpp(reservation, options),
            Engine::Payload if !self.ranks.is_parallel() => self.split_by_layers(reservation),
            Engine::Transformers(_) | Engine::Mlx(_) | Engine::ExllamaV3(_) => {
                self.split_by_layers(reservation)
            }
            Engine::Payload => self.split_payload(),
            Engine::Vllm(_) | Engine::Sglang(_) | Engine::TensorRtLlm(_) => {
                let stages = match reservation.stages.as_slice() {
                    [] => vec![reservation.allocated()?],
                    stages => stages.to_vec(),
                };
                self.by_rank(&stages)
            }
        }
    }

    fn free(&self) -> Vec<Bytes> {
        let taken = Bytes::new(self.machine.reserve.in_use_bytes);
        self.machine.devices.iter().map(|s| s.capacity.minus(taken).unwrap_or_default()).collect()
    }

    pub(super) fn blocks(&self) -> usize {
        self.model.layer_count() + self.model.mtp_count()
    }

    fn split_by_llama_cpp(
        &self,
        reservation: &Reservation,
        options: &llama_cpp::Options,
    ) -> Result<Bill, PlanError> {
        let gpu_layers = match &options.n_gpu_layers {
            Some(GpuLayers::Count(n)) => usize::try_from(*n).ok(),
            Some(GpuLayers::Word(_)) | None => None,
        };
        let shares = options.tensor_split.as_ref().map(llama_cpp::TensorSplit::shares);
        let places = layer_split(self.blocks(), gpu_layers, shares, &self.free());
        let mut bill = self.spread(reservation, &places)?;
        if let Some(weights) = self.weights {
            let devices = bill.devices();
            let experts_on_host = usize::try_from(options.n_cpu_moe.unwrap_or(0)).unwrap_or(usize::MAX);
            for (il, (dense, routed)) in weights.dense.iter().zip(&weights.routed).enumerate() {
                let place = places.get(il).map_or(devices, |p| index(*p, devices));
                add(&mut bill.weights, place, *dense)?;
                add(&mut bill.weights, if il < experts_on_host { devices } else { place }, *routed)?;
            }
            // Embeddings are looked up on the host, whatever is offloaded.
            add(&mut bill.weights, devices, weights.embedding)?;
            let last = places.last().map_or(devices, |p| index(*p, devices));
            add(&mut bill.weights, last, weights.output)?;
            if last < devices {
                add(&mut bill.weights, last, weights.tied_head)?;
            }
        }
        if let Some(compute) = self.compute(reservation, options, &places)? {
            (bill.compute, bill.compute_doubt) = (compute.bytes, compute.doubt);
            bill.compute_lines = compute.lines;
        }
        bill.layers = Some(places);
        Ok(bill)
    }

    /// Layers in turn over the devices, by what is free on them; on the host where there is no device.
    fn split_by_layers(&self, reservation: &Reservation) -> Result<Bill, PlanError> {
        let places = layer_split(self.blocks(), None, None, &self.free());
        let mut bill = self.spread(reservation, &places)?;
        if let Some(weights) = self.weights {
            let devices = bill.devices();
            let at = |il: usize| places.get(il).map_or(devices, |p| index(*p, devices));
            for (il, (dense, routed)) in weights.dense.iter().zip(&weights.routed).enumerate() {
                add(&mut bill.weights, at(il), dense.plus(*routed)?)?;
            }
            add(&mut bill.weights, at(0), weights.embedding)?;
            add(&mut bill.weights, at(self.blocks()), weights.output)?;
        }
        bill.layers = (places.len() > 1 && bill.devices() > 1).then_some(places);
        Ok(bill)
    }

    /// How many layers of each kind the cache of each place is of.
    pub(super) fn census(&self, places: &[Place]) -> Census {
        let devices = self.machine.devices.len();
        let (scope, on_host) = match &self.engine {
            Engine::LlamaCpp(options) => {
                let scope = match options.ctx_type {
                    ContextType::Default => Scope::Trunk,
                    ContextType::Mtp => Scope::MtpOnly,
                };
                (scope, options.offload_kqv == Some(false))
            }
            Engine::Payload
            | Engine::Vllm(_)
            | Engine::Transformers(_)
            | Engine::Mlx(_)
            | Engine::ExllamaV3(_)
            | Engine::Sglang(_)
            | Engine::TensorRtLlm(_) => (Scope::WithMtp(self.scenario.mtp), false),
        };
        let at = |il: usize| places.get(il).map_or(devices, |p| index(*p, devices));
        Census::of(self.model, scope, devices + 1, |il| if on_host { devices } else { at(il) })
    }

    fn spread(&self, reservation: &Reservation, places: &[Place]) -> Result<Bill, PlanError> {
        let mut bill = Bill::empty(self.machine.devices.len());
        let census = self.census(places);
        let mut seen = Bytes::ZERO;
        for line in &reservation.lines {
            seen = seen.plus(line.allocated)?;
            add_all(&mut bill.kv, &census.split(line)?)?;
        }
        let rest = reservation.allocated()?.minus(seen).unwrap_or_default();
        add_all(&mut bill.kv, &census.evenly(rest)?)?;
        Ok(bill)
    }

    /// The ideal engine's ranks: a rank's share of every store, by stage.
    fn split_payload(&self) -> Result<Bill, PlanError> {
        let Some(rank) = &self.rank else { return self.by_rank(&[]) };
        let mut scenario = self.scenario.clone();
        scenario.sequences = Some(scenario.sequences.unwrap_or(1).div_ceil(self.ranks.dp));
        let reservation = crate::engine::payload::reserve_share(rank, &scenario, self.ranks.dcp)?;
        let stages = usize::try_from(self.ranks.pp).map_err(|_| Overflow)?;
        let bounds = stage_bounds(rank.layer_count(), stages);
        let census = Census::of(rank, Scope::WithMtp(scenario.mtp), stages, |il| stage_at(&bounds, il));
        let mut by_stage = vec![Bytes::ZERO; stages];
        for line in &reservation.lines {
            add_all(&mut by_stage, &census.split(line)?)?;
        }
        self.by_rank(&by_stage)
    }

    /// Every rank its stage's bytes; devices beyond the ranks stay empty.
    fn by_rank(&self, kv: &[Bytes]) -> Result<Bill, PlanError> {
        let world = usize::try_from(self.ranks.world().ok_or(Overflow)?).map_err(|_| Overflow)?;
        let devices = if self.machine.is_given() { self.machine.devices.len() } else { world };
        let weights = self.stage_weights()?;
        let mut bill = Bill::empty(devices);
        for rank in 0..world {
            let stage = self.ranks.stage_of(u64::try_from(rank).map_err(|_| Overflow)?);
            let stage = usize::try_from(stage).map_err(|_| Overflow)?;
            // A machine without devices computes on its host.
            let place = if devices == 0 { 0 } else { rank };
            add(&mut bill.kv, place, kv.get(stage).or(kv.first()).copied().unwrap_or_default())?;
            add(&mut bill.weights, place, weights.get(stage).copied().unwrap_or_default())?;
        }
        if self.machine.is_given()
            && let Some(reserves) = self.reserves(world, devices + 1)?
        {
            (bill.compute, bill.compute_doubt) = (reserves.bytes, reserves.doubt);
            bill.compute_lines = reserves.lines;
        }
        Ok(bill)
    }

    /// Weights of one rank of each stage.
    pub(super) fn stage_weights(&self) -> Result<Vec<Bytes>, PlanError> {
        let stages = usize::try_from(self.ranks.pp).map_err(|_| Overflow)?;
        let mut by_stage = vec![Bytes::ZERO; stages];
        let Some(weights) = self.weights else { return Ok(by_stage) };
        let bounds = stage_bounds(self.model.layer_count(), stages);
        let part = |bytes: Bytes, parts: u64| Bytes::new(bytes.get().div_ceil(parts.max(1)));
        for (il, (dense, routed)) in weights.dense.iter().zip(&weights.routed).enumerate() {
            let stage = stage_at(&bounds, il);
            add(&mut by_stage, stage, part(*dense, self.ranks.tp))?;
            add(&mut by_stage, stage, part(*routed, self.ranks.expert_parts()))?;
        }
        add(&mut by_stage, 0, part(weights.embedding, self.ranks.tp))?;
        add(&mut by_stage, stages.saturating_sub(1), part(weights.output, self.ranks.tp))?;
        Ok(by_stage)
    }
}

/// The stage of a layer; prediction layers follow the trunk and are on the last.
pub(super) fn stage_at(bounds: &[usize], il: usize) -> usize {
    let stages = bounds.len().saturating_sub(1).max(1);
    bounds.iter().skip(1).position(|end| il < *end).unwrap_or(stages - 1)
}

fn add(to: &mut [Bytes], place: usize, bytes: Bytes) -> Result<(), Overflow> {
    if let Some(slot) = to.get_mut(place) {
        *slot = slot.plus(bytes)?;
    }
    Ok(())
}

fn add_all(to: &mut [Bytes], parts: &[Bytes]) -> Result<(), Overflow> {
    to.iter_mut().zip(parts).try_for_each(|(slot, part)| {
        *slot = slot.plus(*part)?;
        Ok(())
    })
}
