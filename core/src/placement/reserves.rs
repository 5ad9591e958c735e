//! What vLLM and TensorRT-LLM take of a GPU before the pool: the peak of a step, captured graphs, and what torch does not
//! see.
//!
//! Engines measure these at start-up; here they are settings with defaults, from what vLLM printed in published logs
//! (`tests/data/reserves.csv`, docs/planning.md). Each is a line of the answer, and each can be given instead.

use super::Case;
use super::compute::{Compute, ComputeLine};
use super::graph::{Sum, product, sum};
use crate::engine::{Engine, vllm};
use crate::explain::Basis;
use crate::unit::{Bytes, Overflow};

/// Bytes a logit takes at the sampler's peak: the median of published logs, which lie between 28 and 47.
const PER_LOGIT_TENTHS: u64 = 386;
/// Below this vLLM schedules 2,048 tokens and 256 sequences by default, and 8,192 and 1,024 from there on.
const LARGE: u64 = 70 << 30;

const MIB: u64 = 1 << 20;

/// How many tokens and sequences a step has at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    tokens: u64,
    sequences: u64,
}

/// The widths of one rank's layers, in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Widths {
    hidden: u64,
    vocabulary: u64,
    feed_forward: u64,
    experts: u64,
    expert: u64,
}

impl Widths {
    /// 16-bit values alive in a feed-forward block, and the sampler's copies of the logits: whichever is more.
    fn activation(self, step: Step) -> Sum {
        let hidden = product(&[sum(&[5, self.experts])?, self.hidden])?;
        let inner = product(&[3, self.feed_forward.max(product(&[self.experts, self.expert])?)])?;
        let forward = product(&[2, step.tokens, sum(&[inner, hidden])?])?;
        let sampling = product(&[PER_LOGIT_TENTHS, step.sequences, self.vocabulary])? / 10;
        Ok(forward.max(sampling))
    }
}

impl Case<'_> {
    /// What the engine keeps for itself on every device of a rank; `None` for engines that do not measure it.
    pub(super) fn reserves(&self, ranks: usize, places: usize) -> Result<Option<Compute>, Overflow> {
        let step = match &self.engine {
            Engine::Vllm(options) => self.step(options),
            Engine::TensorRtLlm(_) => Step { tokens: 8192, sequences: 2048 },
            Engine::Payload
            | Engine::LlamaCpp(_)
            | Engine::Transformers(_)
            | Engine::Mlx(_)
            | Engine::ExllamaV3(_)
            | Engine::Sglang(_) => return Ok(None),
        };
        let reserve = self.machine.reserve;
        let widths = self.widths();
        let measured = matches!(self.engine, Engine::Vllm(_));
        let several = self.ranks.tp > 1;
        let routed = widths.is_some_and(|widths| widths.experts > 0);
        let activation = widths.map(|widths| widths.activation(step)).transpose()?;
        let (graphs, graphs_doubt) = if routed { (2048, 1536) } else { (512, 384) };
        let (outside, outside_doubt) = if several { (1024, 768) } else { (256, 256) };
        let parts = [
            (
                "activation",
                reserve.activation_bytes,
                activation.map(|bytes| (bytes, bytes.saturating_mul(3) / 10)),
                "the larger of a feed-forward block over a step's tokens and 38.6 bytes a logit: vLLM's start-up logs",
            ),
            (
                "CUDA graphs",
                reserve.cuda_graph_bytes,
                Some((graphs * MIB, graphs_doubt * MIB)),
                "what vLLM's start-up logs print with default capture sizes: 0.2-0.8 GiB dense, 0.4-5 GiB with experts",
            ),
            (
                "non-torch",
                reserve.non_torch_bytes,
                Some((outside * MIB, outside_doubt * MIB)),
                "CUDA context growth and collectives in vLLM's start-up logs: 0.03-0.3 GiB alone, 0.2-1.4 GiB with ranks",
            ),
        ];
        let mut lines = Vec::with_capacity(parts.len());
        let (mut each, mut each_doubt) = (Bytes::ZERO, Bytes::ZERO);
        let count = u64::try_from(ranks).map_err(|_| Overflow)?;
        for (name, given, default, source) in parts {
            let (bytes, doubt, basis, source) = match (given, default) {
                (Some(given), _) => (given, 0, Basis::Assumed, "given"),
                (None, Some((bytes, doubt))) if measured => (bytes, doubt, Basis::Derived, source),
                // Another engine's figures: they may be off by all of it.
                (None, Some((bytes, _))) => (bytes, bytes, Basis::Assumed, source),
                (None, None) => continue,
            };
            let (bytes, doubt) = (Bytes::new(bytes), Bytes::new(doubt));
            (each, each_doubt) = (each.plus(bytes)?, each_doubt.plus(doubt)?);
            lines.push(ComputeLine {
                name,
                bytes: bytes.times(count)?,
                doubt_bytes: doubt.times(count)?,
                basis,
                source,
            });
        }
        let on =
            |bytes: Bytes| (0..places).map(|place| if place < ranks { bytes } else { Bytes::ZERO }).collect();
        Ok(Some(Compute { bytes: on(each), doubt: on(each_doubt), lines }))
    }

    /// vLLM's own defaults are those of a GPU of 70 GiB or more; a smaller one gets smaller steps unless told otherwise.
    fn step(&self, options: &vllm::Options) -> Step {
        if self.takes_small_steps(options) {
            return Step { tokens: 2048, sequences: 256 };
        }
        Step { tokens: options.max_num_batched_tokens, sequences: options.max_num_seqs }
    }

    /// Whether vLLM takes small steps on these devices, nothing else being asked.
    pub(crate) fn takes_small_steps(&self, options: &vllm::Options) -> bool {
        let small = |slot: &super::Slot| slot.capacity.get() < LARGE || slot.device.id().starts_with("a100");
        (options.max_num_batched_tokens, options.max_num_seqs) == (8192, 1024)
            && self.machine.devices.first().is_some_and(small)
    }

    fn widths(&self) -> Option<Widths> {
        let shape = self.model.record().shape.as_ref()?;
        let [hidden, vocabulary] = shape.model.get("token_embd")?.as_slice() else { return None };
        let widest = |name: &str| {
            shape.kinds.iter().filter_map(|kind| kind.get(name)?.first().copied()).max().unwrap_or(0)
        };
        let expert = widest("ffn_down_exps");
        Some(Widths {
            hidden: *hidden,
            vocabulary: *vocabulary,
            feed_forward: widest("ffn_down").div_ceil(self.ranks.tp.max(1)),
            experts: if expert > 0 { shape.experts_used.unwrap_or(0) } else { 0 },
            expert: expert.div_ceil(self.ranks.expert_parts().max(1)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_what_vllm_printed_for_it() {
        // vLLM 0.10.2, LLaVA 1.6 Mistral 7B, 16,384 tokens a step: 1.97 GiB, the feed-forward block's.
        let mistral =
            Widths { hidden: 4096, vocabulary: 32_000, feed_forward: 14_336, experts: 0, expert: 0 };
        let bytes = mistral.activation(Step { tokens: 16_384, sequences: 1024 }).unwrap();
        assert_eq!(bytes * 100 / (1 << 30), 193);
        // vLLM 0.10.2, Qwen3-Next-80B on two H200, 1,024 sequences: 5.58 GiB, the sampler's.
        let next = Widths { hidden: 2048, vocabulary: 151_936, feed_forward: 512, experts: 10, expert: 256 };
        let bytes = next.activation(Step { tokens: 8192, sequences: 1024 }).unwrap();
        assert_eq!(bytes * 100 / (1 << 30), 559);
    }
}
