//! The pool that an engine will make of what is left of its GPUs, and what it will print of it.

use super::{Bill, Case};
use crate::engine::{Engine, Report};
use crate::error::{ErrorKind, PlanError};
use crate::unit::{Bytes, Overflow};
use schemars::JsonSchema;
use serde::Serialize;

/// The pool of an engine that gives its cache all memory left, on one rank.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PoolShown {
    /// Bytes for the cache on the tightest device.
    pub bytes: Bytes,
    /// How far that may be off.
    pub doubt_bytes: Bytes,
    /// Tokens the engine will say it holds.
    pub tokens: u64,
    /// The same with all that may be off against it.
    pub tokens_low: u64,
    /// The same with all that may be off in its favour.
    pub tokens_high: u64,
    /// Requests of the full length, as vLLM prints them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<f64>,
    /// All that the engine prints of it; not part of the JSON.
    #[serde(skip)]
    pub report: Report,
}

impl Case<'_> {
    /// What the engine's pool will be; `None` where its size is given, or where memory or weights are not.
    ///
    /// # Errors
    /// What the engine cannot answer; a pool too small to start with has no tokens.
    pub fn pool(&self, bill: &Bill) -> Result<Option<PoolShown>, PlanError> {
        let open = match &self.engine {
            Engine::Vllm(o) => o.kv_cache_memory_bytes.is_none() && o.num_gpu_blocks_override.is_none(),
            Engine::Sglang(o) => o.kv_memory_bytes.is_none(),
            Engine::TensorRtLlm(o) => o.free_memory_bytes.is_none(),
            Engine::Payload
            | Engine::LlamaCpp(_)
            | Engine::Transformers(_)
            | Engine::Mlx(_)
            | Engine::ExllamaV3(_) => false,
        };
        if !open || self.weights.is_none() || self.machine.devices.is_empty() {
            return Ok(None);
        }
        let mut tightest: Option<(i64, Bytes)> = None;
        let world = usize::try_from(self.ranks.world().ok_or(Overflow)?).map_err(|_| Overflow)?;
        for place in 0..world.min(self.machine.devices.len()) {
            let kv = bill.kv.get(place).copied().unwrap_or_default();
            let Some(spare) = self.spare_at(bill, place)? else { continue };
            let left = spare.saturating_add(super::fit::signed(kv.get())?);
            if tightest.is_none_or(|(least, _)| left < least) {
                tightest = Some((left, self.doubt(bill, place)?));
            }
        }
        let Some((left, doubt)) = tightest else { return Ok(None) };
        let bytes = u64::try_from(left).unwrap_or(0);
        let (tokens, report) = self.printed(bytes)?;
        let max_concurrency = if let Report::Vllm(report) = &report { report.max_concurrency } else { None };
        Ok(Some(PoolShown {
            bytes: Bytes::new(bytes),
            doubt_bytes: doubt,
            tokens,
            tokens_low: self.printed(bytes.saturating_sub(doubt.get()))?.0,
            tokens_high: self.printed(bytes.saturating_add(doubt.get()))?.0,
            max_concurrency,
            report,
        }))
    }

    /// Tokens of a pool of so many bytes, and what the engine prints of it; nothing where it does not start.
    fn printed(&self, bytes: u64) -> Result<(u64, Report), PlanError> {
        let mut other = self.clone();
        if !other.engine.set_pool(Some(Bytes::new(bytes))) {
            return Ok((0, Report::None));
        }
        match other.reserve() {
            Ok(reservation) => {
                let tokens = match &reservation.report {
                    Report::Vllm(report) => report.kv_cache_tokens.unwrap_or(0),
                    Report::Sglang(report) => report.max_total_num_tokens,
                    Report::TensorRtLlm(report) => {
                        let per_block = match &other.engine {
                            Engine::TensorRtLlm(options) => options.tokens_per_block,
                            Engine::Payload
                            | Engine::LlamaCpp(_)
                            | Engine::Vllm(_)
                            | Engine::Transformers(_)
                            | Engine::Mlx(_)
                            | Engine::ExllamaV3(_)
                            | Engine::Sglang(_) => 0,
                        };
                        report.blocks_in_primary_pool.saturating_mul(per_block)
                    }
                    Report::LlamaCpp(_) | Report::None => 0,
                };
                Ok((tokens, reservation.report))
            }
            Err(error) if error.kind == ErrorKind::EngineRefuses => Ok((0, Report::None)),
            Err(error) => Err(error),
        }
    }
}
