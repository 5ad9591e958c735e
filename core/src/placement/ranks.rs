//! Parallelism: how many ranks there are, what the engine's own options say of them, and which stage a rank is of.

use crate::engine::Engine;
use crate::error::PlanError;
use crate::plan::Placement;

/// Ranks along every axis, all at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranks {
    /// Tensor parallel: heads and weight columns are shared.
    pub tp: u64,
    /// Pipeline stages: layers are shared.
    pub pp: u64,
    /// Data parallel: sequences are shared, weights repeated.
    pub dp: u64,
    /// Expert parallel: routed experts are shared.
    pub ep: u64,
    /// Decode-context parallel: the tokens of full layers are shared by ranks of one tensor-parallel group.
    pub dcp: u64,
}

impl Default for Ranks {
    fn default() -> Self {
        Self { tp: 1, pp: 1, dp: 1, ep: 1, dcp: 1 }
    }
}

/// Beyond any installation.
const MAX: u64 = 65_536;

impl Ranks {
    /// The placement asked for, written into the engine's own options; options that are given win.
    ///
    /// # Errors
    /// `invalid` for no ranks or ranks that do not divide, `unsupported` for an axis the engine does not have here.
    pub fn resolve(asked: &Placement, engine: &mut Engine) -> Result<Self, PlanError> {
        let Placement { tp, pp, dp, ep, dcp } = *asked;
        for (axis, n) in [("tp", tp), ("pp", pp), ("dp", dp), ("ep", ep), ("dcp", dcp)] {
            if !(1..=MAX).contains(&n) {
                let message = format!("between 1 and {MAX} ranks");
                return Err(PlanError::invalid(format!("placement.{axis}"), message).with_value(n));
            }
        }
        let mut ranks = Self { tp, pp, dp, ep, dcp };
        match engine {
            Engine::Payload => {
                if !tp.is_multiple_of(dcp) {
                    let message = format!(
                        "ranks that share tokens are of one tensor-parallel group: dcp divides tp {tp}"
                    );
                    return Err(PlanError::invalid("placement.dcp", message).with_value(dcp));
                }
            }
            Engine::Vllm(options) => {
                for (own, generic) in [
                    (&mut options.tensor_parallel_size, &mut ranks.tp),
                    (&mut options.pipeline_parallel_size, &mut ranks.pp),
                    (&mut options.decode_context_parallel_size, &mut ranks.dcp),
                ] {
                    merge(own, generic);
                }
            }
            Engine::Sglang(options) => {
                merge(&mut options.tp_size, &mut ranks.tp);
                ranks.only("SGLang", &["tp", "dp", "ep"])?;
            }
            Engine::TensorRtLlm(_) => ranks.only("TensorRT-LLM", &["tp", "dp", "ep"])?,
            Engine::LlamaCpp(_) => {
                ranks.only("llama.cpp, which splits layers over the devices it is given (n_gpu_layers, tensor_split),", &[])?;
            }
            Engine::Transformers(_) => ranks.only("transformers", &[])?,
            Engine::Mlx(_) => ranks.only("MLX", &[])?,
            Engine::ExllamaV3(_) => {
                ranks.only("ExLlamaV3, which splits layers over the devices it is given,", &[])?
            }
        }
        if ranks.world().is_none() {
            return Err(PlanError::invalid("placement", format!("more than {MAX} ranks")));
        }
        let pool = ranks.tp.saturating_mul(ranks.dp);
        if !pool.is_multiple_of(ranks.ep) {
            let message = format!("experts are shared by the ranks of a stage: ep divides tp × dp = {pool}");
            return Err(PlanError::invalid("placement.ep", message).with_value(ranks.ep));
        }
        Ok(ranks)
    }

    fn only(&self, engine: &str, axes: &[&str]) -> Result<(), PlanError> {
        let mine = [("tp", self.tp), ("pp", self.pp), ("dp", self.dp), ("ep", self.ep), ("dcp", self.dcp)];
        match mine.into_iter().find(|(axis, n)| *n > 1 && !axes.contains(axis)) {
            None => Ok(()),
            Some((axis, n)) => {
                let message = format!("placement.{axis} is not modelled for {engine} at this version");
                Err(PlanError::unsupported(format!("placement.{axis}"), message).with_value(n))
            }
        }
    }

    /// All ranks; `None` past the bound.
    #[must_use]
    pub fn world(&self) -> Option<u64> {
        let all = self.tp.checked_mul(self.pp)?.checked_mul(self.dp)?;
        (all <= MAX).then_some(all)
    }

    /// Whether there is more than one rank.
    #[must_use]
    pub fn is_parallel(&self) -> bool {
        self.world() != Some(1) || self.ep > 1 || self.dcp > 1
    }

    /// The pipeline stage of a rank: replicas outermost, then stages, then tensor-parallel ranks.
    #[must_use]
    pub fn stage_of(&self, rank: u64) -> u64 {
        rank / self.tp.max(1) % self.pp.max(1)
    }

    /// In how many parts a layer's routed experts are cut.
    #[must_use]
    pub fn expert_parts(&self) -> u64 {
        self.ep.max(self.tp)
    }
}

/// An option left at 1 takes the generic field's number; one that is given wins.
fn merge(own: &mut u64, generic: &mut u64) {
    if *own > 1 {
        *generic = *own;
    } else if *own == 1 {
        *own = *generic;
    }
}

/// The first layer of each pipeline stage and the end: equal shares, what is left over going to the stages before the
/// last (vLLM's `get_pp_indices`).
pub(super) fn stage_bounds(layers: usize, stages: usize) -> Vec<usize> {
    let stages = stages.max(1);
    let (share, rest) = (layers / stages, layers % stages);
    let mut bounds = vec![0];
    let mut next = 0;
    for stage in 0..stages {
        let from_end = stages - stage;
        next += share + usize::from(from_end >= 2 && from_end < rest + 2);
        bounds.push(next);
    }
    bounds
}
