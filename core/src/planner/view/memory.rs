//! A bar a device: what its memory holds, by what it is and how it grows.

use crate::cache::{Retention, Role};
use crate::engine::{Carriers, EngineName};
use crate::explain::Basis;
use crate::placement::DeviceShown;
use crate::plan::{Plan, StoreShown};
use crate::planner::state::Part;
use crate::spec::ModelSpec;
use crate::unit::Bytes;

/// A stretch of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// What it is.
    pub part: Part,
    /// All of it.
    pub bytes: Bytes,
    /// What of it no token needs: hatched, at the end of its own stretch.
    pub waste: Bytes,
    /// What of it another rank holds too: see [`super::copies`].
    pub copies: Bytes,
    /// What of the weights' stretch is no weights of the model: a draft with its cache, a projector, adapters.
    pub beside: Bytes,
    /// It is an estimate.
    pub about: bool,
}

/// One device's memory: the segments, the pool's unused part, what is withheld and what is free add up to the capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// The device's name in the plan; the engine's where no device was given.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What programs get of it.
    pub capacity: Option<Bytes>,
    /// In a fixed order of parts; empty parts are left out.
    pub segments: Vec<Segment>,
    /// What is left; negative where it is over.
    pub free: Option<i64>,
    /// What the engine leaves alone by its own rule (vLLM's utilization).
    pub withheld: Bytes,
    /// The unused part of a pool, which belongs to the cache's stretch: what a fixed pool has left, or what an engine takes
    /// that fills its device with one.
    pub pool_free: Option<Bytes>,
}

impl Bar {
    /// All that it holds.
    #[must_use]
    pub fn used(&self) -> Bytes {
        Bytes::new(self.segments.iter().fold(0u64, |sum, s| sum.saturating_add(s.bytes.get())))
    }
}

/// Which part of memory a line of the plan is.
#[must_use]
pub fn part_of(model: &ModelSpec, store: &StoreShown) -> Part {
    match store.role {
        Role::Indexer => Part::Indexer,
        Role::ConvState | Role::RecurrentState | Role::CompressorState => Part::State,
        Role::CrossK | Role::CrossV => Part::Cross,
        Role::K | Role::V | Role::Latent if stops(model, store) => Part::Window,
        Role::K | Role::V | Role::Latent => Part::Full,
        Role::Compressed if stops(model, store) => Part::Window,
        Role::Compressed => Part::Compressed,
    }
}

/// Whether the stores of this line stop growing.
fn stops(model: &ModelSpec, store: &StoreShown) -> bool {
    let kinds = model.kinds();
    let carriers = match store.carriers {
        Carriers::Kind(at) => kinds.get(usize::from(at)).map_or(kinds, std::slice::from_ref),
        Carriers::Any | Carriers::Empty => kinds,
    };
    let mut found =
        carriers.iter().flat_map(|kind| kind.stores()).filter(|s| s.role == store.role).peekable();
    found.peek().is_some()
        && found.all(|s| match s.retention {
            Retention::Window(_) | Retention::Chunk(_) => true,
            Retention::All
            | Retention::Strided(_)
            | Retention::Fixed(_)
            | Retention::Encoder
            | Retention::Evicted(_) => false,
        })
}

/// The bars of a plan. The cache is split by part where one bar holds all of it; a device's share of several is one
/// stretch, of the kind most of the cache is.
#[must_use]
pub fn bars(model: &ModelSpec, plan: &Plan) -> Vec<Bar> {
    let cache = cache(model, plan);
    if plan.devices.is_empty() {
        return vec![Bar {
            name: plan.engine.name.to_owned(),
            title: plan.engine.name.to_owned(),
            capacity: None,
            segments: cache,
            free: None,
            withheld: Bytes::ZERO,
            pool_free: plan.kv.pool_free_bytes,
        }];
    }
    let fills = plan.engine.name.parse().is_ok_and(EngineName::fills_its_device);
    let weights = plan.weights.as_ref().is_some_and(|weights| weights.basis != Basis::Exact);
    let compute = plan.compute.as_ref().is_some_and(|compute| compute.basis != Basis::Exact);
    let most = cache.iter().max_by_key(|s| s.bytes).map_or(Part::Full, |s| s.part);
    plan.devices
        .iter()
        .map(|device| {
            let whole = device.kv_bytes == plan.kv.allocated_bytes;
            let kv = if whole { cache.clone() } else { vec![plain(most, device.kv_bytes)] };
            let about = |part, bytes, about| Segment { about, ..plain(part, bytes) };
            let weights = about(Part::Weights, loaded(device), weights);
            let segments = std::iter::once(Segment { beside: device.extras_bytes, ..weights })
                .chain(kv)
                .chain([
                    about(Part::Compute, device.compute_bytes, compute),
                    plain(Part::InUse, device.in_use_bytes),
                    plain(Part::KeptFree, device.keep_free_bytes),
                ])
                .filter(|segment| segment.bytes > Bytes::ZERO)
                .collect();
            let fixed = plan.kv.pool_free_bytes.filter(|_| whole);
            // An engine that fills its device leaves nothing free: what is left is room for more.
            let room = device.free_bytes.and_then(|free| u64::try_from(free).ok()).map(Bytes::new);
            let room = room.filter(|_| fills && fixed.is_none() && device.kv_bytes > Bytes::ZERO);
            Bar {
                name: device.name.clone(),
                title: super::words::device(&device.name),
                capacity: device.capacity_bytes,
                segments,
                free: if room.is_some() { Some(0) } else { device.free_bytes },
                withheld: device.withheld_bytes,
                pool_free: fixed.or(room),
            }
        })
        .collect()
}

/// The model's weights and what is loaded beside them.
const fn loaded(device: &DeviceShown) -> Bytes {
    Bytes::new(device.weights_bytes.get().saturating_add(device.extras_bytes.get()))
}

const fn plain(part: Part, bytes: Bytes) -> Segment {
    Segment { part, bytes, waste: Bytes::ZERO, copies: Bytes::ZERO, beside: Bytes::ZERO, about: false }
}

/// The cache by part. What the engine reserves for no store in particular is padding of the largest part.
fn cache(model: &ModelSpec, plan: &Plan) -> Vec<Segment> {
    let mut parts: Vec<Segment> = Vec::new();
    let mut named = 0u64;
    for store in &plan.kv.stores {
        let part = part_of(model, store);
        let (bytes, needed) = (store.allocated_bytes.get(), store.payload_bytes.get());
        named = named.saturating_add(bytes);
        let waste = Bytes::new(bytes.saturating_sub(needed));
        match parts.iter_mut().find(|segment| segment.part == part) {
            Some(segment) => {
                segment.bytes = Bytes::new(segment.bytes.get().saturating_add(bytes));
                segment.waste = Bytes::new(segment.waste.get().saturating_add(waste.get()));
            }
            None => parts.push(Segment { waste, ..plain(part, Bytes::new(bytes)) }),
        }
    }
    let free = plan.kv.pool_free_bytes.unwrap_or_default().get();
    let rest = plan.kv.allocated_bytes.get().saturating_sub(named).saturating_sub(free);
    if let Some(largest) = parts.iter_mut().max_by_key(|segment| segment.bytes) {
        largest.bytes = Bytes::new(largest.bytes.get().saturating_add(rest));
        largest.waste = Bytes::new(largest.waste.get().saturating_add(rest));
    }
    parts.retain(|segment| segment.bytes > Bytes::ZERO);
    crate::order::by_key(&mut parts, |segment| segment.part);
    parts
}
