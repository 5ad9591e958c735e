//! From a model's layers to vLLM's specs, in layer order.

use super::attention::Attention;
use super::block_size::{self, Blocks, Needs};
use super::dtype::KvCacheDtype;
use super::grouping::Layers;
use super::options::Setup;
use super::state;
use crate::error::PlanError;
use crate::spec::Mixer;
use crate::unit::Overflow;

/// Layers TurboQuant leaves unquantized at either end of a model without recurrent states.
const BOUNDARY: usize = 2;

/// What a model's layers come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Understood {
    /// Layers by spec, in order of first appearance.
    pub layers: Vec<Layers>,
    pub blocks: Blocks,
    /// Pages of several sizes lie side by side in a block.
    pub packed: bool,
}

/// Equal layers that are treated alike.
struct Sort<'a> {
    /// Whose layers they are: the model's, or a draft's.
    setup: &'a Setup<'a>,
    kind: u16,
    mixers: &'a [Mixer],
    dtype: KvCacheDtype,
}

/// A model's layers, sorted.
struct Sorted<'a> {
    sorts: Vec<Sort<'a>>,
    /// Each layer's sort and pipeline stage.
    order: Vec<(usize, u16)>,
}

/// Reads the layers of a model, and of a draft model whose cache is in the same pool.
///
/// # Errors
/// `engine-refuses` where vLLM 0.33.0 has no implementation or no backend, `unsupported` where it is not modelled.
pub(super) fn understand<'a>(
    setup: &'a Setup<'a>,
    draft: Option<&'a Setup<'a>>,
) -> Result<Understood, PlanError> {
    super::refusals::check(setup)?;
    let mut sorted = sort(setup)?;
    if let Some(draft) = draft {
        super::refusals::check(draft).map_err(|error| error.within("extras.draft"))?;
        sorted.add(sort(draft)?, u16::try_from(setup.pp.saturating_sub(1)).unwrap_or(u16::MAX));
    }
    let Sorted { sorts, order } = sorted;
    let (needs, packed) = needs(&sorts)?;
    let blocks = block_size::choose(setup, &needs)?;
    let mut layers: Vec<Layers> = Vec::new();
    let mut specs_of: Vec<Vec<usize>> = Vec::with_capacity(sorts.len());
    for sort in &sorts {
        let setup = sort.setup;
        let mut specs = Vec::new();
        // Attention registers before the state beside it (Falcon-H1's rows list it first).
        for mixer in sort.mixers {
            if let Some(attention) = Attention::of(mixer) {
                specs.extend(attention.specs(setup, &blocks, sort.dtype)?);
            }
        }
        for mixer in sort.mixers {
            if let Some(state) = state::of(setup, mixer) {
                specs.push(state?.spec(setup, &blocks));
            }
        }
        let mut indices = Vec::with_capacity(specs.len());
        for spec in specs {
            let known = layers.iter().position(|l| l.spec == spec);
            indices.push(known.unwrap_or(layers.len()));
            if known.is_none() {
                layers.push(Layers { spec, stages: Vec::with_capacity(order.len()) });
            }
        }
        specs_of.push(indices);
    }
    for &(sort, stage) in &order {
        for &spec in specs_of.get(sort).into_iter().flatten() {
            if let Some(l) = layers.get_mut(spec) {
                l.stages.push(stage);
            }
        }
    }
    Ok(Understood { layers, blocks, packed })
}

impl<'a> Sorted<'a> {
    /// The layers of a draft after the model's, all on one stage.
    fn add(&mut self, draft: Sorted<'a>, stage: u16) {
        let before = self.sorts.len();
        self.sorts.extend(draft.sorts);
        self.order.extend(draft.order.into_iter().map(|(sort, _)| (before + sort, stage)));
    }
}

/// The sorts of layer, and each layer's sort and stage. Drafting layers follow on the last stage.
fn sort<'a>(setup: &'a Setup<'a>) -> Result<Sorted<'a>, PlanError> {
    let model = setup.model;
    let count = model.layer_count();
    let stages = usize::try_from(setup.pp).map_err(|_| Overflow)?;
    let skipping = setup.kv.is_turboquant()
        && !model.kinds().iter().any(|k| k.mixers().iter().any(|m| state::of(setup, m).is_some()));
    let edge = BOUNDARY.min(count / 2);
    let starts = stage_starts(count, stages);
    let drafted = usize::try_from(setup.mtp).map_err(|_| Overflow)?;
    let trunk =
        model.order().iter().zip(model.layers()).enumerate().map(|(i, (&kind, k))| (Some(i), kind, k));
    let mtp = model.mtp_layers().take(drafted).map(|k| {
        let kind = model.kinds().iter().position(|other| std::ptr::eq(other, k));
        (None, kind.and_then(|k| u16::try_from(k).ok()).unwrap_or(u16::MAX), k)
    });
    let mut sorted = Sorted { sorts: Vec::with_capacity(4), order: Vec::with_capacity(count) };
    let mut stage = 0u16;
    for (at, kind, k) in trunk.chain(mtp) {
        if let Some(at) = at {
            while starts.get(usize::from(stage) + 1).is_some_and(|&next| at >= next) {
                stage += 1;
            }
        }
        let skip = skipping && at.is_some_and(|at| at < edge || at + edge >= count);
        let dtype = if skip { KvCacheDtype::Auto } else { setup.kv };
        let known = sorted.sorts.iter().position(|s| s.kind == kind && s.dtype == dtype);
        sorted.order.push((known.unwrap_or(sorted.sorts.len()), stage));
        if known.is_none() {
            sorted.sorts.push(Sort { setup, kind, mixers: k.mixers(), dtype });
        }
    }
    Ok(sorted)
}

/// The first layer of each pipeline stage (`get_pp_indices`): equal shares, what is left over going to the stages
/// before the last.
fn stage_starts(layers: usize, stages: usize) -> Vec<usize> {
    let stages = stages.max(1);
    let (share, rest) = (layers / stages, layers % stages);
    let mut next = 0;
    (0..stages)
        .map(|stage| {
            let start = next;
            // The last stage takes none of the rest, the one before it the first.
            let from_end = stages - stage;
            next += share + usize::from(from_end >= 2 && from_end < rest + 2);
            start
        })
        .collect()
}

/// What the block size depends on, and whether pages are packed.
fn needs(sorts: &[Sort<'_>]) -> Result<(Needs, bool), PlanError> {
    let mut needs = Needs::default();
    let mut packed = false;
    // Checkpoints need every state to have them.
    let mut checkpoint = Some(1u64);
    let widest = Attention::widest(sorts.iter().flat_map(|s| s.mixers));
    for sort in sorts {
        let setup = sort.setup;
        for mixer in sort.mixers {
            if let Some(state) = state::of(setup, mixer) {
                let state = state?;
                let bytes = state.parts.iter().map(|p| p.held).try_fold(0u64, u64::checked_add);
                needs.state = needs.state.max(bytes.ok_or(Overflow)?);
                checkpoint = match (checkpoint, state.checkpoint) {
                    (Some(all), Some(one)) => Some(block_size::lcm(all, one)?),
                    (None, _) | (_, None) => None,
                };
            }
            let Some(attention) = Attention::of(mixer) else { continue };
            packed |= matches!(attention, Attention::Compressed(_));
            let backend = attention.backend(setup, sort.dtype)?;
            let first = needs.backends.is_empty();
            needs.add(block_size::widen_for_fp8(setup, sort.dtype, widest, backend));
            if let Some(indexer) = attention.indexer() {
                needs.add(indexer);
            }
            if first {
                needs.mla = matches!(attention, Attention::Latent(_));
                if sort.dtype == setup.kv {
                    needs.token = attention.token(setup, setup.kv)?;
                } else {
                    // The first layer's backend, not the quantized layers', is asked what a quantized token takes:
                    // one that does not know the format counts a byte an element.
                    needs.token = attention.token(setup, KvCacheDtype::Fp8)?;
                    needs.unquantized_token = Some(attention.token(setup, sort.dtype)?);
                }
            }
        }
    }
    needs.checkpoint = checkpoint;
    Ok((needs, packed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_over_layers_go_to_the_stages_before_the_last() {
        // vLLM's rule: 61 layers over 2 stages are 31 + 30, 62 over 4 are 15, 16, 16, 15.
        assert_eq!(stage_starts(61, 2), [0, 31]);
        assert_eq!(stage_starts(62, 4), [0, 15, 31, 47]);
        assert_eq!(stage_starts(32, 1), [0]);
    }
}
