//! Token counts of SGLang's pools, in the arithmetic it does them in.

use crate::engine::ledger::floor_div;
use crate::error::PlanError;
use crate::unit::Overflow;

/// Bytes a token costs in the layers of each pool, and how the pools are to relate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cells {
    /// All layers of the full pool.
    pub full: u64,
    /// What SGLang counts for those when it divides the memory: a draft's layers are not always what it takes them for.
    pub charged: u64,
    /// All layers of the sliding pool; 0 where there is none.
    pub sliding: u64,
    /// Sliding tokens per full token.
    pub ratio: f64,
    /// Tokens per page.
    pub page: u64,
}

/// Tokens of the pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tokens {
    pub full: u64,
    /// Absent where there is one pool.
    pub sliding: Option<u64>,
}

impl Cells {
    /// What so many bytes hold.
    pub(super) fn hold(&self, bytes: u64) -> Tokens {
        let paged = |tokens: u64| tokens / self.page * self.page;
        match (self.charged, self.sliding) {
            (full, 0) => Tokens { full: paged(bytes.checked_div(full).unwrap_or(0)), sliding: None },
            // No full pool to relate to: the ratio is not applied.
            (0, sliding) => Tokens { full: 0, sliding: Some(paged(bytes / sliding)) },
            (full, sliding) => {
                let full = paged(quotient(bytes, full, sliding, self.ratio));
                Tokens { full, sliding: Some(paged(share(full, self.ratio))) }
            }
        }
    }

    /// The smallest pools that hold so many tokens in full layers and so many in sliding ones: sliding tokens come with
    /// full ones.
    pub(super) fn least(&self, full: u64, sliding: u64) -> Result<Tokens, Overflow> {
        let paged = |tokens: u64| tokens.checked_next_multiple_of(self.page).ok_or(Overflow);
        match (self.full, self.sliding) {
            (_, 0) => Ok(Tokens { full: paged(full)?, sliding: None }),
            (0, _) => Ok(Tokens { full: 0, sliding: Some(paged(sliding)?) }),
            (_, _) => {
                let sliding = paged(sliding)?;
                let mut full = paged(full.max(for_share(sliding, self.ratio)))?;
                loop {
                    let shared = share(full, self.ratio) / self.page * self.page;
                    if shared >= sliding {
                        return Ok(Tokens { full, sliding: Some(shared) });
                    }
                    full = full.checked_add(self.page).ok_or(Overflow)?;
                }
            }
        }
    }
}

/// Full tokens whose share is `sliding`, but for the last bit of a double.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a starting point, corrected by whole pages; neither number is negative"
)]
fn for_share(sliding: u64, ratio: f64) -> u64 {
    (sliding as f64 / ratio).ceil() as u64
}

/// `int(bytes // (full + ratio * sliding))` in double precision.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "SGLang divides these integers as doubles; the quotient is not negative"
)]
fn quotient(bytes: u64, full: u64, sliding: u64, ratio: f64) -> u64 {
    let (bytes, cell) = (bytes as f64, full as f64 + ratio * sliding as f64);
    floor_div(bytes, cell) as u64
}

/// `int(tokens * ratio)` in double precision.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "SGLang multiplies and truncates doubles; neither is negative"
)]
fn share(tokens: u64, ratio: f64) -> u64 {
    (tokens as f64 * ratio) as u64
}

/// Slots for recurrent states in a hybrid model's memory: `mamba_full_memory_ratio` (0.9) parts to one of keys and
/// values, less the padding slot.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "SGLang takes the share as a double; a negative number of slots saturates at none"
)]
pub(super) fn slots(bytes: u64, per_slot: u64) -> u64 {
    const RATIO: f64 = 0.9;
    let budget = bytes as f64 * RATIO / (1.0 + RATIO) - per_slot as f64;
    floor_div(budget, per_slot as f64) as u64
}

/// A sliding pool that never admits a request hangs at warm-up: SGLang refuses to start.
pub(super) fn admits(tokens: Tokens, window: u64, page: u64) -> Result<(), PlanError> {
    let (Some(sliding), true) = (tokens.sliding, tokens.full > 0) else { return Ok(()) };
    if window.saturating_add(page) < sliding {
        return Ok(());
    }
    let message = format!(
        "ValueError: SWA pool ({sliding} tokens) cannot hold even one request: the prefill admission floor is \
         sliding_window_size ({window}) + page_size ({page}). Increase --swa-full-tokens-ratio or the total KV budget."
    );
    Err(PlanError::refused("engine.swa_full_tokens_ratio", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpt_oss_120b_at_half_the_sliding_tokens_is_what_sglang_computes() {
        // Truth row sglang/0818: pool_configurator.py run with 20 GiB.
        let cells = Cells { full: 18 * 2048, charged: 18 * 2048, sliding: 18 * 2048, ratio: 0.5, page: 1 };
        assert_eq!(cells.hold(21_474_836_480), Tokens { full: 388_361, sliding: Some(194_180) });
    }

    #[test]
    fn a_pool_that_holds_no_window_is_refused() {
        let tokens = Tokens { full: 1280, sliding: Some(128) };
        assert_eq!(admits(tokens, 127, 1).unwrap_err().field, "engine.swa_full_tokens_ratio");
        assert!(admits(tokens, 126, 1).is_ok());
    }

    #[test]
    fn the_least_pools_admit_a_request_and_one_page_less_does_not() {
        for (ratio, page) in [(0.8, 1), (0.8, 64), (0.1, 16), (1.0, 1)] {
            let cells = Cells { full: 1, charged: 1, sliding: 1, ratio, page };
            let least = cells.least(4096, 8194).unwrap();
            assert!(least.sliding.unwrap() >= 8194, "{ratio} {page}");
            assert!(share(least.full - page, ratio) / page * page < 8194, "{ratio} {page}");
        }
    }

    #[test]
    fn qwen3_6_27b_has_the_155_slots_its_log_prints() {
        // Published log: 155 slots of 150,994,944 bytes of state in f32 (21.80 GiB, padding slot included) and
        // 403,904 tokens of 32,768 bytes of keys (12.33 GiB) and as many of values.
        let per_slot = 150_994_944 + 48 * 10_240 * 3 * 2;
        let memory = 156 * per_slot + 403_904 * 65_536;
        assert!(slots(memory, per_slot).abs_diff(155) <= 1, "{}", slots(memory, per_slot));
    }
}
