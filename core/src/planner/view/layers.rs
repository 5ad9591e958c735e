//! A letter a layer, and what each letter stands for.

use super::memory::part_of;
use crate::cache::{Retention, Role};
use crate::engine::Carriers;
use crate::plan::Plan;
use crate::planner::state::Part;
use crate::spec::{Kind, ModelSpec};
use crate::unit::Bytes;

/// One kind of layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Legend {
    /// Its letter.
    pub letter: char,
    /// The part of memory most of it is; nothing where the layer keeps nothing.
    pub part: Option<Part>,
    /// What it keeps, in the field's words.
    pub label: String,
    /// Layers of it in the trunk.
    pub layers: u64,
    /// Bytes of all of them, as reserved; nothing where the engine's lines are not by kind.
    pub bytes: Option<Bytes>,
}

impl Legend {
    /// Bytes of one of them.
    #[must_use]
    pub fn each(&self) -> Option<Bytes> {
        self.bytes.map(|all| Bytes::new(all.get() / self.layers.max(1)))
    }
}

/// The layers of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerMap {
    /// A letter a layer, in order.
    pub letters: Vec<char>,
    /// After how many layers the pattern repeats, where it does.
    pub period: Option<usize>,
    /// The letters, in order of first appearance.
    pub legend: Vec<Legend>,
}

/// The map of a plan's model.
#[must_use]
pub fn map(model: &ModelSpec, plan: Option<&Plan>) -> LayerMap {
    let mut taken = Vec::new();
    let letters: Vec<char> = model
        .kinds()
        .iter()
        .map(|kind| {
            let letter = candidates(kind).find(|letter| !taken.contains(letter)).unwrap_or('?');
            taken.push(letter);
            letter
        })
        .collect();
    let of = |at: u16| letters.get(usize::from(at)).copied().unwrap_or('?');
    let order: Vec<char> = model.order().iter().map(|at| of(*at)).collect();
    let legend = (0u16..)
        .zip(model.kinds())
        .filter(|(_, kind)| kind.layers() > 0)
        .map(|(at, kind)| Legend {
            letter: of(at),
            part: class(kind),
            label: kind.label(),
            layers: kind.layers(),
            bytes: plan.and_then(|plan| bytes_of(at, plan)),
        })
        .collect();
    LayerMap { period: period(&order), letters: order, legend }
}

/// The lines of a kind, where lines are by kind.
fn bytes_of(kind: u16, plan: &Plan) -> Option<Bytes> {
    let stores = &plan.kv.stores;
    if stores.iter().any(|store| store.carriers == Carriers::Any) {
        return None;
    }
    let of_kind = stores.iter().filter(|store| store.carriers == Carriers::Kind(kind));
    Some(Bytes::new(of_kind.fold(0u64, |sum, store| sum.saturating_add(store.allocated_bytes.get()))))
}

/// The part of memory a plan's figure selects: the lines behind it.
#[must_use]
pub fn part_of_layer(model: &ModelSpec, plan: &Plan, layer: usize) -> Option<Part> {
    let kind = *model.order().get(layer)?;
    let store = plan.kv.stores.iter().find(|store| store.carriers == Carriers::Kind(kind))?;
    Some(part_of(model, store))
}

/// What a layer mostly is: a state layer with a short convolution is a state, a layer with an indexer is full.
fn class(kind: &Kind) -> Option<Part> {
    let has = |test: fn(Role) -> bool| kind.stores().iter().find(|store| test(store.role));
    let rows = has(|role| matches!(role, Role::K | Role::Latent));
    match rows.map(|store| store.retention) {
        Some(Retention::Window(_) | Retention::Chunk(_)) => return Some(Part::Window),
        Some(
            Retention::All
            | Retention::Strided(_)
            | Retention::Fixed(_)
            | Retention::Encoder
            | Retention::Evicted(_),
        ) => return Some(Part::Full),
        None => {}
    }
    if has(|role| role == Role::Compressed).is_some() {
        return Some(Part::Compressed);
    }
    if has(|role| matches!(role, Role::RecurrentState | Role::ConvState)).is_some() {
        return Some(Part::State);
    }
    has(|role| matches!(role, Role::CrossK | Role::CrossV)).map(|_| Part::Cross)
}

/// Letters for a kind, the best first.
fn candidates(kind: &Kind) -> impl Iterator<Item = char> {
    let latent = kind.stores().iter().any(|store| store.role == Role::Latent);
    let own = match class(kind) {
        Some(Part::Full) if latent => "LMF",
        Some(Part::Full) => "FGHL",
        Some(Part::Window) => "wvu",
        Some(Part::Compressed) => "chd",
        Some(Part::State) => "srq",
        Some(Part::Cross) => "xyz",
        Some(Part::Weights | Part::Indexer | Part::Compute | Part::InUse | Part::KeptFree) | None => "-",
    };
    own.chars().chain('a'..='z').chain('A'..='Z')
}

/// The shortest repetition of two to sixteen layers, a cut last one allowed.
fn period(order: &[char]) -> Option<usize> {
    (2..=16.min(order.len() / 2)).find(|&period| {
        let mixed = order.get(..period).is_some_and(|head| head.iter().any(|l| Some(l) != head.first()));
        mixed && order.iter().zip(order.iter().skip(period)).all(|(a, b)| a == b)
    })
}
