//! Which layers share a block table (`get_kv_cache_groups` in `v1/core/kv_cache_planning.py`).
//!
//! Every group draws block ids from one pool, so a block id costs the bytes of the widest group. The cases, in
//! order: one spec; specs that need blocks for the same tokens; pages of several sizes packed side by side
//! (DeepSeek-V4); otherwise pages are made equal and layers are dealt into groups of equal length.

use super::demand::{Load, blocks, kept};
use super::spec::{Class, Local, Spec};
use crate::error::PlanError;
use crate::unit::Overflow;

/// Equal layers: what they cache, and the pipeline stage of each, in model order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layers {
    pub spec: Spec,
    pub stages: Vec<u16>,
}

/// How vLLM describes a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// One spec for all of its layers.
    One(Spec),
    /// A spec per layer (`UniformTypeKVCacheSpecs`).
    PerLayer,
}

/// Layers under one block table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub shape: Shape,
    pub members: Vec<Member>,
}

/// The layers of one spec in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// Index into the layers that were grouped.
    pub layers: usize,
    /// The spec they have in this group.
    pub spec: Spec,
    /// How many there are in each pipeline stage.
    pub per_stage: Vec<u64>,
}

impl Member {
    fn on(&self, stage: usize) -> u64 {
        self.per_stage.get(stage).copied().unwrap_or(0)
    }
}

impl Group {
    /// vLLM's class name.
    pub(super) fn kind(&self) -> &'static str {
        match &self.shape {
            Shape::One(spec) => spec.class.name(),
            Shape::PerLayer => "UniformTypeKVCacheSpecs",
        }
    }

    /// Tokens per block.
    pub(super) fn block_size(&self) -> u64 {
        match &self.shape {
            Shape::One(spec) => spec.block_size,
            Shape::PerLayer => self.members.first().map_or(0, |m| m.spec.block_size),
        }
    }

    /// Layers on a stage.
    pub(super) fn layers_on(&self, stage: usize) -> u64 {
        self.members.iter().map(|m| m.on(stage)).sum()
    }

    /// Bytes vLLM states as the group's page on a stage: one layer's, or all layers' where each has its own.
    pub(super) fn page_on(&self, stage: usize) -> Result<u64, Overflow> {
        match &self.shape {
            Shape::One(spec) => spec.page(),
            Shape::PerLayer if self.layers_on(stage) > 0 => self.bytes_on(stage),
            // A stage without layers of the group keeps the whole model's description of it.
            Shape::PerLayer => self.members.iter().try_fold(0u64, |sum, m| {
                let layers = m.per_stage.iter().sum::<u64>();
                sum.checked_add(m.spec.page()?.checked_mul(layers).ok_or(Overflow)?).ok_or(Overflow)
            }),
        }
    }

    /// Bytes of one block over the group's layers on a stage.
    pub(super) fn bytes_on(&self, stage: usize) -> Result<u64, Overflow> {
        self.members.iter().try_fold(0u64, |sum, m| {
            sum.checked_add(m.spec.page()?.checked_mul(m.on(stage)).ok_or(Overflow)?).ok_or(Overflow)
        })
    }

    /// Blocks one request needs of this group.
    pub(super) fn blocks(&self, load: &Load) -> Result<u64, PlanError> {
        match &self.shape {
            Shape::One(spec) => blocks(spec, load),
            Shape::PerLayer => {
                self.members.iter().try_fold(0, |most, m| Ok(blocks(&m.spec, load)?.max(most)))
            }
        }
    }
}

impl Group {
    /// Blocks that stay for a beginning of `tokens`, whole blocks of every group.
    pub(super) fn kept(&self, tokens: u64, dcp: u64) -> u64 {
        match &self.shape {
            Shape::One(spec) => kept(spec, tokens, dcp),
            Shape::PerLayer => self.members.iter().map(|m| kept(&m.spec, tokens, dcp)).max().unwrap_or(0),
        }
    }

    /// Tokens that a block of it covers on all ranks.
    pub(super) fn span(&self, dcp: u64) -> u64 {
        let shards = match &self.shape {
            Shape::One(spec) => spec.class.is_full(),
            Shape::PerLayer => self.members.iter().any(|m| m.spec.class.is_full()),
        };
        self.block_size().saturating_mul(if shards { dcp } else { 1 })
    }
}

/// Groups the layers of a model. `packed`: the layout keeps a block's layers side by side, so pages may differ.
///
/// # Errors
/// `engine-refuses` where vLLM cannot make pages equal, or cannot promote layers to one type.
pub(super) fn group(
    mut layers: Vec<Layers>,
    stages: usize,
    packed: bool,
    hybrid_disabled: bool,
) -> Result<Vec<Group>, PlanError> {
    if hybrid_disabled {
        promote(&mut layers)?;
    }
    let everything: Vec<usize> = (0..layers.len()).collect();
    if let Some(merged) = merged(&layers, &everything) {
        return Ok(vec![whole(&layers, &everything, Shape::One(merged), stages)]);
    }
    if one_type(&layers) {
        return Ok(vec![whole(&layers, &everything, Shape::PerLayer, stages)]);
    }
    if packed {
        return super::packing::pack(&layers, stages);
    }
    match unify(&layers)? {
        Some(unified) => Ok(deal(&unified, stages)),
        None => {
            promote(&mut layers)?;
            Ok(vec![whole(&layers, &everything, Shape::PerLayer, stages)])
        }
    }
}

/// The one spec of these layers, where they merge.
fn merged(layers: &[Layers], which: &[usize]) -> Option<Spec> {
    let specs = || which.iter().filter_map(|&i| layers.get(i)).map(|l| &l.spec);
    let first = specs().next()?;
    let all = specs().enumerate().all(|(i, a)| specs().skip(i + 1).all(|b| a.merges_with(b)));
    all.then(|| first.clone())
}

fn one_type(layers: &[Layers]) -> bool {
    layers.first().is_some_and(|first| layers.iter().all(|l| first.spec.same_type_as(&l.spec)))
}

/// All the layers of some specs as one group.
pub(super) fn whole(layers: &[Layers], which: &[usize], shape: Shape, stages: usize) -> Group {
    let members = which
        .iter()
        .filter_map(|&i| layers.get(i).map(|l| (i, l)))
        .map(|(i, l)| member(i, &l.spec, l.stages.iter().copied(), stages))
        .collect();
    Group { shape, members }
}

/// Layers of one spec, counted by stage.
pub(super) fn member(layers: usize, spec: &Spec, at: impl Iterator<Item = u16>, stages: usize) -> Member {
    let mut per_stage = vec![0u64; stages];
    for stage in at {
        if let Some(count) = per_stage.get_mut(usize::from(stage)) {
            *count += 1;
        }
    }
    Member { layers, spec: spec.clone(), per_stage }
}

/// `--disable-hybrid-kv-cache-manager`, and the way out for latent layers beside windows: windows and chunks keep
/// every token.
fn promote(layers: &mut [Layers]) -> Result<(), PlanError> {
    if merged(layers, &(0..layers.len()).collect::<Vec<_>>()).is_some() || one_type(layers) {
        return Ok(());
    }
    let mut full_sizes: Vec<u64> = Vec::new();
    for l in layers.iter().filter(|l| l.spec.class.is_full()) {
        if !full_sizes.contains(&l.spec.block_size) {
            full_sizes.push(l.spec.block_size);
        }
    }
    if let Some(&first) = full_sizes.first() {
        let block_size = (full_sizes.len() == 1).then_some(first);
        for l in layers.iter_mut() {
            l.spec = l.spec.promoted(block_size)?;
        }
    }
    one_reach(layers)?;
    if one_type(layers) {
        return Ok(());
    }
    Err(PlanError::refused(
        "engine.disable_hybrid_kv_cache_manager",
        "Failed to promote local KV cache specs to one unified type.",
    ))
}

/// Layers kept in full under one table may have been windows, or chunks, of one size only.
fn one_reach(layers: &[Layers]) -> Result<(), PlanError> {
    let locals = || {
        layers.iter().map(|l| match l.spec.class {
            Class::Full(local) => Some(local),
            Class::Mla
            | Class::Window { .. }
            | Class::WindowMla { .. }
            | Class::Chunk { .. }
            | Class::Cross
            | Class::Mamba { .. } => None,
        })
    };
    let distinct = |size: fn(Local) -> Option<u64>| {
        let mut sizes = locals().flatten().filter_map(size);
        let first = sizes.next();
        sizes.any(|size| Some(size) != first)
    };
    let windows = distinct(|l| if let Local::Window(w) = l { Some(w) } else { None });
    let chunks = distinct(|l| if let Local::Chunk(c) = l { Some(c) } else { None });
    if locals().all(|l| l.is_some()) && (windows || chunks) {
        let message = "All attention layers in the same KV cache group must have the same window size.";
        return Err(PlanError::refused("engine.disable_hybrid_kv_cache_manager", message));
    }
    Ok(())
}

/// Makes every page as large as the largest: whole multiples by longer blocks, the rest by padding. `None` where
/// latent rows stand in the way and windows can be kept in full instead.
fn unify(layers: &[Layers]) -> Result<Option<Vec<Layers>>, PlanError> {
    let mut largest = 0;
    for l in layers {
        largest = l.spec.page()?.max(largest);
    }
    let mut unified = layers.to_vec();
    for l in &mut unified {
        let page = l.spec.page()?;
        if page == largest {
            continue;
        }
        match l.spec.class {
            Class::Mamba { .. } => l.spec.padded = Some(largest),
            _ if largest.is_multiple_of(page) => {
                l.spec.block_size = l.spec.block_size.checked_mul(largest / page).ok_or(Overflow)?;
                l.spec.padded = l.spec.padded.map(|_| largest);
            }
            Class::Full(_) | Class::Window { .. } | Class::Chunk { .. } | Class::Cross => {
                l.spec.padded = Some(largest);
            }
            Class::Mla | Class::WindowMla { .. } => {
                let has = |test: fn(Class) -> bool| layers.iter().any(|l| test(l.spec.class));
                let windows = has(|c| matches!(c, Class::Window { .. }));
                let others = has(|c| matches!(c, Class::WindowMla { .. } | Class::Chunk { .. }));
                if windows && !others {
                    return Ok(None);
                }
                return Err(PlanError::refused(
                    "model",
                    "page size is not divisible by the maximum page size and cannot be padded. Padding is only \
                     supported for non-MLA attention layers.",
                ));
            }
        }
    }
    Ok(Some(unified))
}

/// Deals layers with equal pages into groups of equal length, every n-th layer to the same group.
fn deal(layers: &[Layers], stages: usize) -> Vec<Group> {
    let mut buckets: Vec<Vec<usize>> = Vec::new();
    for (i, l) in layers.iter().enumerate() {
        let home = buckets.iter_mut().find(|bucket| {
            bucket.iter().filter_map(|&j| layers.get(j)).all(|other| other.spec.merges_with(&l.spec))
        });
        match home {
            Some(bucket) => bucket.push(i),
            None => buckets.push(vec![i]),
        }
    }
    let length = |bucket: &Vec<usize>| {
        bucket.iter().filter_map(|&i| layers.get(i)).map(|l| l.stages.len()).sum::<usize>()
    };
    let fewest = buckets.iter().map(length).min().unwrap_or(0);
    let most = buckets.iter().map(length).max().unwrap_or(0);
    // Little padding is better than many groups: less than half again as many layers make one group.
    let size = if 2 * most < 3 * fewest { most } else { fewest }.max(1);
    let mut groups = Vec::new();
    for bucket in &buckets {
        let count = length(bucket).div_ceil(size);
        for nth in 0..count {
            groups.push(every_nth(layers, bucket, nth, count, stages));
        }
    }
    groups
}

/// The layers `nth`, `nth + count`, `nth + 2·count`, … of a bucket.
fn every_nth(layers: &[Layers], bucket: &[usize], nth: usize, count: usize, stages: usize) -> Group {
    let mut members = Vec::with_capacity(bucket.len());
    let mut before = 0usize;
    for (i, l) in bucket.iter().filter_map(|&i| layers.get(i).map(|l| (i, l))) {
        let skip = (nth + count - before % count) % count;
        let here = l.stages.iter().copied().skip(skip).step_by(count);
        let member = member(i, &l.spec, here, stages);
        if member.per_stage.iter().any(|&n| n > 0) {
            members.push(member);
        }
        before += l.stages.len();
    }
    let shape = members.first().map_or(Shape::PerLayer, |m| Shape::One(m.spec.clone()));
    Group { shape, members }
}
