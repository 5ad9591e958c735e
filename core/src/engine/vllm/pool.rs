//! The pool: bytes of a block over all its layers, how many blocks there are, and whether one request fits
//! (`get_kv_cache_configs`, `get_kv_cache_capacity`).

use super::demand::Load;
use super::grouping::Group;
use super::options::Setup;
use crate::error::PlanError;
use crate::unit::Overflow;

/// Where vLLM's refusals point.
const HELP: &str = "See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details.";

/// A pool, as far as the request fixes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sized {
    /// Bytes of one block on the first stage's ranks.
    pub bytes_per_block: u64,
    /// Blocks of one request of the full length.
    pub per_sequence: u64,
    /// Blocks of the pool; `None` where the memory is not given.
    pub blocks: Option<u64>,
    /// Tokens of the longest request, fitted where that was asked for.
    pub context: u64,
}

/// Sizes the pool.
///
/// # Errors
/// `engine-refuses`, in vLLM's words, where one request of the full length does not fit.
pub(super) fn size(setup: &Setup<'_>, groups: &[Group], load: &Load) -> Result<Sized, PlanError> {
    let stages = usize::try_from(setup.pp).map_err(|_| Overflow)?;
    let mut blocks: Option<u64> = None;
    let mut context = load.context;
    let mut checks = Vec::with_capacity(stages);
    for stage in 0..stages {
        let per_block = bytes_per_block(groups, stage)?;
        let available = match (setup.options.num_gpu_blocks_override, setup.options.kv_cache_memory_bytes) {
            (Some(blocks), _) => blocks.checked_mul(per_block).ok_or(Overflow)?,
            (None, Some(bytes)) => bytes,
            (None, None) => continue,
        };
        // A stage without a cache has no pool of its own.
        if per_block == 0 {
            continue;
        }
        let here = available / per_block;
        blocks = Some(blocks.map_or(here, |least| least.min(here)));
        // The null block is held back before anything is admitted.
        let usable = available.checked_sub(per_block).filter(|&bytes| bytes > 0).ok_or_else(|| {
            let message = format!(
                "No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing \
                 the engine (this flag also controls CPU memory reservation on the CPU backend, despite its name). \
                 {HELP}"
            );
            PlanError::refused(field(setup), message).with_value(available)
        })?;
        if setup.options.max_model_len == Some(-1) {
            context = context.min(longest(groups, load, per_block, usable)?);
        }
        checks.push((per_block, usable, available));
    }
    if context == 0 {
        let message = "Cannot auto-fit max_model_len: not enough GPU memory available to serve even a single token. \
                       Try increasing `gpu_memory_utilization`.";
        return Err(PlanError::refused("engine.max_model_len", message).with_value(-1));
    }
    let load = Load { context, ..*load };
    let per_sequence = per_sequence(groups, &load)?;
    for (per_block, usable, available) in checks {
        let needed = per_sequence.checked_mul(per_block).ok_or(Overflow)?;
        if needed > usable {
            let longest = longest(groups, &load, per_block, usable)?;
            let estimate = match longest {
                0 => String::new(),
                tokens => {
                    format!("Based on the available memory, the estimated maximum model length is {tokens}. ")
                }
            };
            let message = format!(
                "To serve at least one request with the model's max seq len ({context}), ({} GiB KV cache is needed, \
                 which is larger than the available KV cache memory ({} GiB). {estimate}Try increasing \
                 `gpu_memory_utilization` (which also controls CPU memory on the CPU backend) or decreasing \
                 `max_model_len` when initializing the engine. {HELP}",
                gib(needed),
                gib(usable),
            );
            return Err(PlanError::refused(field(setup), message).with_value(available));
        }
    }
    Ok(Sized { bytes_per_block: bytes_per_block(groups, 0)?, per_sequence, blocks, context })
}

const fn field(setup: &Setup<'_>) -> &'static str {
    match setup.options.num_gpu_blocks_override {
        Some(_) => "engine.num_gpu_blocks_override",
        None => "engine.kv_cache_memory_bytes",
    }
}

/// A block id costs the bytes of the widest group: groups share the memory.
pub(super) fn bytes_per_block(groups: &[Group], stage: usize) -> Result<u64, Overflow> {
    groups.iter().try_fold(0, |widest, g| Ok(g.bytes_on(stage)?.max(widest)))
}

/// Blocks of one request over all groups.
pub(super) fn per_sequence(groups: &[Group], load: &Load) -> Result<u64, PlanError> {
    groups.iter().try_fold(0u64, |sum, g| Ok(sum.checked_add(g.blocks(load)?).ok_or(Overflow)?))
}

/// The longest request whose blocks fit `usable` bytes, up to the length asked for; 0 where none does.
fn longest(groups: &[Group], load: &Load, per_block: u64, usable: u64) -> Result<u64, PlanError> {
    let fits = |context: u64| -> Result<bool, PlanError> {
        let blocks = per_sequence(groups, &Load { context, ..*load })?;
        Ok(blocks.checked_mul(per_block).is_some_and(|needed| needed <= usable))
    };
    let (mut low, mut high, mut best) = (1u64, load.context, 0u64);
    while low <= high {
        let middle = low + (high - low) / 2;
        if fits(middle)? {
            best = middle;
            low = middle + 1;
        } else {
            high = middle - 1;
        }
    }
    Ok(best)
}

/// Requests of the full length the pool holds, as vLLM divides: in double precision.
#[expect(clippy::cast_precision_loss, reason = "vLLM divides the same two integers as doubles")]
pub(super) fn concurrency(blocks: u64, per_sequence: u64) -> f64 {
    blocks as f64 / per_sequence as f64
}

/// The printed token count: concurrency times length, cut to an integer, in double precision.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "vLLM multiplies and truncates doubles; the product of positive numbers saturates"
)]
pub(super) fn tokens(concurrency: f64, context: u64) -> u64 {
    (concurrency * context as f64) as u64
}

/// Bytes in GiB as vLLM prints them: two decimals, trailing zeros cut to one.
fn gib(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a printed figure of two decimals")]
    let gib = bytes as f64 / f64::from(1u32 << 30);
    let text = format!("{gib:.2}");
    text.strip_suffix('0').unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::gib;

    #[test]
    fn gibibytes_print_as_python_rounds_them() {
        // "10.0 GiB" and "10.48 GiB" in vllm/0013, "24.0 GiB" in vllm/0172.
        assert_eq!(gib(10 << 30), "10.0");
        assert_eq!(gib(24 << 30), "24.0");
        assert_eq!(gib(1_610_612_736), "1.5");
    }
}
