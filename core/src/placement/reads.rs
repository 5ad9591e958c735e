//! What one step of decoding reads of each place's memory: weights, cache and recurrent states.

use super::bill::stage_at;
use super::layers::{Census, Scope, index};
use super::ranks::stage_bounds;
use super::{Bill, Case, Place};
use crate::cache::{Keeps, Reach, Retention, Role};
use crate::engine::Engine;
use crate::error::PlanError;
use crate::spec::{Kind, Mixer, ModelSpec};
use crate::speed::WeightsRead;
use crate::unit::{Overflow, Tokens};
use std::borrow::Cow;

/// One place's reading in a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    /// Whose memory, as an index of the bill's places; of a pipeline stage its first rank's.
    pub place: usize,
    /// Equal devices that share it as tensor-parallel ranks; the bytes are those of all of them.
    pub devices: u64,
    /// Weights without looked-up rows.
    pub weights: WeightsRead,
    /// Cache of one sequence as 16-bit entries, bytes.
    pub kv_bytes: u64,
    /// Recurrent state of one sequence as 32-bit floats, bytes.
    pub state_bytes: u64,
    /// Layers computed there.
    pub layers: u64,
    /// Query elements that go over the whole cache: query heads × width, summed over the layers that keep everything.
    pub attention_width: u64,
    /// It keeps latent rows.
    pub latent: bool,
}

impl Reads {
    const fn is_idle(&self) -> bool {
        self.weights.dense_bytes == 0
            && self.weights.routed_bytes == 0
            && self.kv_bytes == 0
            && self.state_bytes == 0
            && self.layers == 0
    }
}

/// Where layers are, while their bytes are added up.
struct Floor<'a> {
    model: Cow<'a, ModelSpec>,
    reads: Vec<Reads>,
    /// For every layer and the output after them, an index of `reads`.
    at: Vec<usize>,
    census: Census,
    /// Among how many ranks the tokens of full layers are shared.
    dcp: u64,
}

impl Case<'_> {
    /// What one step reads of every place that takes part in it, for one replica. `None` without weights, or where what
    /// a token meets of them is not known.
    ///
    /// # Errors
    /// `overflow` past 64 bits, `invalid` for ranks that the model cannot have.
    pub fn reads(&self, bill: &Bill, context: Tokens) -> Result<Option<Vec<Reads>>, PlanError> {
        let Some(weights) = self.weights else { return Ok(None) };
        let Some(applied) = weights.applied else { return Ok(None) };
        let mut floor = if self.by_layers() { self.places(bill) } else { self.stages()? };
        let trunk = self.model.layer_count();
        let host = bill.devices();
        let experts_on_host = match &self.engine {
            Engine::LlamaCpp(o) => usize::try_from(o.n_cpu_moe.unwrap_or(0)).unwrap_or(usize::MAX),
            Engine::Payload
            | Engine::Vllm(_)
            | Engine::Sglang(_)
            | Engine::TensorRtLlm(_)
            | Engine::Transformers(_)
            | Engine::Mlx(_)
            | Engine::ExllamaV3(_) => 0,
        };
        let even = weights.total()?.get() / u64::try_from(trunk.max(1)).map_err(|_| Overflow)?;
        for il in 0..trunk {
            let (dense, routed) = if weights.by_part {
                let of = |part: &[crate::unit::Bytes]| part.get(il).copied().unwrap_or_default().get();
                (of(&weights.dense), of(&weights.routed))
            } else {
                applied.parts_of(even)
            };
            let at = floor.at(il);
            floor.read(at, |r| r.weights.dense_bytes = r.weights.dense_bytes.saturating_add(dense));
            // Only where the parts are known can experts be apart from their layer.
            let apart = weights.by_part && il < experts_on_host && routed > 0 && host != at;
            let experts_at = if apart { host } else { at };
            floor
                .read(experts_at, |r| r.weights.routed_bytes = r.weights.routed_bytes.saturating_add(routed));
        }
        if weights.by_part {
            let last = floor.at(trunk);
            let head = weights.output.plus(weights.tied_head)?.get();
            floor.read(last, |r| r.weights.dense_bytes = r.weights.dense_bytes.saturating_add(head));
        }
        floor.add_caches(context, self.scenario.encoder_tokens)?;
        for reads in &mut floor.reads {
            reads.weights.experts = applied.experts;
            reads.weights.active_experts = applied.active_experts;
        }
        floor.reads.retain(|reads| !reads.is_idle());
        Ok(Some(floor.reads))
    }

    /// Layers in turn over the places of the bill.
    fn places(&self, bill: &Bill) -> Floor<'_> {
        let devices = bill.devices();
        let blocks = self.model.layer_count() + self.model.mtp_count();
        // Where nothing was split, all is on the first device, or on the host of a machine without one.
        let one = if devices > 0 { Place::Device(0) } else { Place::Host };
        let places = bill.layers.clone().unwrap_or_else(|| vec![one; blocks + 1]);
        let reads = (0..=devices).map(|place| Reads { place, devices: 1, ..Reads::default() }).collect();
        Floor {
            model: Cow::Borrowed(self.model),
            reads,
            at: places.iter().map(|place| index(*place, devices)).collect(),
            census: self.census(&places),
            dcp: 1,
        }
    }

    /// One entry a pipeline stage.
    fn stages(&self) -> Result<Floor<'_>, PlanError> {
        let (tp, pp) = (self.ranks.tp, self.ranks.pp);
        let model = if tp > 1 { Cow::Owned(self.model.rank_of(tp)?) } else { Cow::Borrowed(self.model) };
        let stages = usize::try_from(pp).map_err(|_| Overflow)?;
        let bounds = stage_bounds(model.layer_count(), stages);
        let scope = Scope::WithMtp(self.scenario.mtp);
        let census = Census::of(&model, scope, stages, |il| stage_at(&bounds, il));
        let first = |stage: usize| u64::try_from(stage).ok().and_then(|s| s.checked_mul(tp));
        let reads = (0..stages)
            .map(|stage| {
                let place = first(stage).and_then(|rank| usize::try_from(rank).ok()).ok_or(Overflow)?;
                Ok(Reads { place, devices: tp, ..Reads::default() })
            })
            .collect::<Result<_, Overflow>>()?;
        let blocks = model.layer_count() + model.mtp_count();
        let at = (0..=blocks).map(|il| stage_at(&bounds, il)).collect();
        Ok(Floor { model, reads, at, census, dcp: self.ranks.dcp })
    }
}

impl Floor<'_> {
    fn at(&self, il: usize) -> usize {
        self.at.get(il).copied().unwrap_or(0)
    }

    fn read(&mut self, at: usize, change: impl FnOnce(&mut Reads)) {
        if let Some(reads) = self.reads.get_mut(at) {
            change(reads);
        }
    }

    /// Caches, states and layers of every place.
    fn add_caches(&mut self, context: Tokens, encoder: Tokens) -> Result<(), PlanError> {
        let heads = self.model.record().heads.unwrap_or(0);
        for (number, kind) in self.model.kinds().iter().enumerate() {
            let one = read_of_a_layer(kind, context, encoder, self.dcp)?;
            let width = attention_width(kind, heads);
            for (at, reads) in self.reads.iter_mut().enumerate() {
                let layers = self.census.of_kind(number, at);
                let cached = layers.checked_mul(reads.devices).ok_or(Overflow)?;
                let more = |sum: u64, each: u64, n: u64| {
                    each.checked_mul(n).and_then(|all| sum.checked_add(all)).ok_or(Overflow)
                };
                reads.kv_bytes = more(reads.kv_bytes, one.kv, cached)?;
                reads.state_bytes = more(reads.state_bytes, one.state, cached)?;
                reads.attention_width = more(reads.attention_width, width, layers)?;
                reads.latent |= layers > 0 && kind.stores().iter().any(|s| s.role == Role::Latent);
            }
        }
        for il in 0..self.model.layer_count() {
            let at = self.at(il);
            self.read(at, |reads| reads.layers += 1);
        }
        Ok(())
    }
}

struct OfALayer {
    kv: u64,
    state: u64,
}

/// What one layer reads of its stores, bytes: entries as 16 bits, recurrent states as 32.
fn read_of_a_layer(kind: &Kind, context: Tokens, encoder: Tokens, dcp: u64) -> Result<OfALayer, Overflow> {
    let mut read = OfALayer { kv: 0, state: 0 };
    for store in kind.stores() {
        let entries = store.entries(context, encoder)?.get();
        let elements = store.width()?.get().checked_mul(entries).ok_or(Overflow)?;
        match store.role {
            Role::RecurrentState => {
                read.state =
                    elements.checked_mul(4).and_then(|n| n.checked_add(read.state)).ok_or(Overflow)?;
            }
            // Small beside everything else, and not in the figures the formula was fitted with.
            Role::ConvState | Role::CompressorState => {}
            Role::K
            | Role::V
            | Role::Latent
            | Role::Indexer
            | Role::Compressed
            | Role::CrossK
            | Role::CrossV => {
                let bytes = elements.checked_mul(2).ok_or(Overflow)?;
                let shared =
                    if store.retention == Retention::All { bytes.div_ceil(dcp.max(1)) } else { bytes };
                read.kv = read.kv.checked_add(shared).ok_or(Overflow)?;
            }
        }
    }
    Ok(read)
}

/// Query heads × width of one layer that attends to everything, 0 for any other. Latent attention multiplies scores
/// with whole rows and sums latents without their rotary part: the mean of the two.
fn attention_width(kind: &Kind, heads: u64) -> u64 {
    let of = |mixer: &Mixer| match mixer.keeps() {
        Keeps::Heads(a) if a.reach == Reach::All => heads.max(a.kv_heads).saturating_mul(a.k_dim),
        Keeps::Latent(a) => heads.max(1).saturating_mul(a.latent_dim.saturating_add(a.rope_dim / 2)),
        Keeps::Compressed(a) => heads.max(1).saturating_mul(a.dim),
        Keeps::Heads(_) | Keeps::State | Keeps::Encoder(_) | Keeps::Borrowed(_) => 0,
    };
    kind.mixers().iter().map(of).fold(0, u64::saturating_add)
}
