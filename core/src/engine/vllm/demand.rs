//! How many blocks one request can hold at once (`max_memory_usage_bytes` divided by the page).

use super::spec::{Class, Spec};
use crate::error::PlanError;
use crate::unit::Overflow;

/// What a request's blocks depend on besides its specs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// Tokens of the request (`max_model_len`).
    pub context: u64,
    /// Tokens scheduled and not yet settled: batches in flight × `max_num_batched_tokens`.
    pub in_flight: u64,
    /// Ranks that share the tokens of full layers.
    pub dcp: u64,
    /// Encoder tokens a request may bring.
    pub encoder: u64,
}

/// Batches in flight: two with asynchronous scheduling, one per stage and one more with a pipeline.
pub(super) const fn batches_in_flight(stages: u64) -> u64 {
    stages.saturating_add(1)
}

/// Blocks of `spec` one request needs.
///
/// # Errors
/// `engine-refuses` for a window layer under decode-context parallelism.
pub(super) fn blocks(spec: &Spec, load: &Load) -> Result<u64, PlanError> {
    let sum = |a: u64, b: u64| a.checked_add(b).ok_or(Overflow);
    Ok(match spec.class {
        Class::Full(_) | Class::Mla => load.context.div_ceil(load.dcp).div_ceil(spec.block_size),
        Class::Window { window } | Class::WindowMla { window } => {
            if load.dcp > 1 {
                return Err(PlanError::refused(
                    "engine.decode_context_parallel_size",
                    "DCP not support sliding window.",
                )
                .with_value(load.dcp));
            }
            // One more: the window may start inside a block.
            let kept = sum(window.saturating_sub(1), load.in_flight)?.min(load.context);
            sum(kept.div_ceil(spec.block_size), 1)?
        }
        Class::Chunk { chunk } => sum(chunk, load.in_flight)?.min(load.context).div_ceil(spec.block_size),
        Class::Cross => load.encoder.div_ceil(spec.block_size),
        Class::Mamba { per_request } => per_request,
    })
}

/// Blocks of `spec` that stay for a beginning of `tokens`, whole blocks of every group, so that the next request finds it:
/// all of it in full layers, what their reach needs before its end in windows and chunks, the state after it.
pub(super) fn kept(spec: &Spec, tokens: u64, dcp: u64) -> u64 {
    let block = spec.block_size.max(1);
    match spec.class {
        Class::Full(_) | Class::Mla => tokens.div_ceil(dcp.max(1)).div_ceil(block),
        Class::Window { window } | Class::WindowMla { window } => {
            window.saturating_sub(1).div_ceil(block).min(tokens / block)
        }
        Class::Chunk { chunk } => tokens / block - tokens / chunk.max(1) * chunk / block,
        // What an encoder read is each request's own.
        Class::Cross => 0,
        Class::Mamba { .. } => u64::from(tokens > 0),
    }
}
