//! How MLX-LM's caches grow while a prompt is read in chunks and tokens are generated one by one.
//!
//! `generate_step` reads the prompt in chunks of `prefill_step_size` until one token is left, then that token, then
//! every generated one, alone.

use crate::engine::ledger::Turn;
use crate::unit::{Overflow, Tokens};

/// Slots are added in steps of this many.
pub(super) const STEP: u64 = 256;

/// The updates of one conversation: `whole` chunks of `step`, one of `rest` (0: none), then `single` tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Updates {
    step: u64,
    whole: u64,
    rest: u64,
    single: u64,
}

impl Updates {
    /// A prompt of at least one token.
    pub(super) fn of(turn: Turn, step: u64) -> Result<Self, Overflow> {
        let chunked = turn.prompt.saturating_sub(1);
        let single = turn.generated.checked_add(turn.prompt - chunked).ok_or(Overflow)?;
        let (whole, rest) = (chunked / step, chunked % step);
        // A chunk of one token is an update like the single ones.
        Ok(match (step, rest) {
            (1, _) => Self { step, whole: 0, rest: 0, single: single.checked_add(chunked).ok_or(Overflow)? },
            (_, 1) => Self { step, whole, rest: 0, single: single.checked_add(1).ok_or(Overflow)? },
            (_, rest) => Self { step, whole, rest, single },
        })
    }

    /// Tokens of the first update.
    pub(super) fn first(self) -> u64 {
        if self.whole > 0 {
            self.step
        } else if self.rest > 0 {
            self.rest
        } else {
            1
        }
    }

    /// Slots of a `KVCache` (or `QuantizedKVCache`) in the end.
    ///
    /// An update that does not fit adds slots for itself in whole steps, after slots in use where those are no whole
    /// number of steps (what is unused behind them is cut off), after all slots otherwise.
    pub(super) fn grown(self) -> Result<Tokens, Overflow> {
        let mut slots = self.chunks()?;
        let chunked =
            self.step.checked_mul(self.whole).and_then(|n| n.checked_add(self.rest)).ok_or(Overflow)?;
        if self.rest > 0 {
            slots = grow(slots, chunked - self.rest, self.rest)?;
        }
        let tokens = chunked.checked_add(self.single).ok_or(Overflow)?;
        // One by one, an update that does not fit finds every slot in use.
        let missing = tokens.saturating_sub(slots).div_ceil(STEP);
        Ok(Tokens::new(missing.checked_mul(STEP).and_then(|more| slots.checked_add(more)).ok_or(Overflow)?))
    }

    /// Slots after the whole chunks.
    fn chunks(self) -> Result<u64, Overflow> {
        // The slots unused at a multiple of both step and chunk decide all that follows, so once they recur the rest
        // repeats: whole periods are skipped.
        let period = STEP / crate::plan::gcd(STEP, self.step);
        let (mut slots, mut done) = (0u64, 0u64);
        let mut seen: Vec<(u64, u64)> = Vec::new();
        while done < self.whole {
            if done.is_multiple_of(period) {
                let used = done.checked_mul(self.step).ok_or(Overflow)?;
                let spare = slots.saturating_sub(used);
                if let Some((_, at)) = seen.iter().find(|(known, _)| *known == spare) {
                    let cycle = done - at;
                    let skipped = (self.whole - done) / cycle * cycle;
                    slots =
                        self.step.checked_mul(skipped).and_then(|n| n.checked_add(slots)).ok_or(Overflow)?;
                    done += skipped;
                    seen.clear();
                    if done == self.whole {
                        break;
                    }
                } else {
                    seen.push((spare, done));
                }
            }
            let used = done.checked_mul(self.step).ok_or(Overflow)?;
            slots = grow(slots, used, self.step)?;
            done += 1;
        }
        Ok(slots)
    }

    /// Slots of a `RotatingKVCache` in the end.
    ///
    /// Chunks are appended after cutting what is older than the window, so that every token sees `max_size`; the first
    /// single token cuts to `max_size`. Below it, slots are added in steps.
    pub(super) fn rotated(self, max_size: u64, keep: u64) -> Result<Tokens, Overflow> {
        let chunked =
            self.step.checked_mul(self.whole).and_then(|n| n.checked_add(self.rest)).ok_or(Overflow)?;
        let last = if self.rest > 0 { self.rest } else { self.step.min(chunked) };
        let before = chunked - last;
        let held = if before >= max_size && before > 0 {
            // What is kept for good is never cut.
            keep.max(max_size - 1).checked_add(last).ok_or(Overflow)?
        } else {
            chunked
        };
        if self.single == 0 {
            return Ok(Tokens::new(held));
        }
        let tokens = chunked.checked_add(self.single).ok_or(Overflow)?;
        if held >= max_size {
            return Ok(Tokens::new(max_size));
        }
        let missing = tokens.saturating_sub(held).div_ceil(STEP);
        let slots = missing.checked_mul(STEP).and_then(|more| held.checked_add(more)).ok_or(Overflow)?;
        Ok(Tokens::new(slots.min(max_size)))
    }
}

/// Slots after an update of `new` tokens behind `used` ones.
fn grow(slots: u64, used: u64, new: u64) -> Result<u64, Overflow> {
    let end = used.checked_add(new).ok_or(Overflow)?;
    if slots > 0 && end <= slots {
        return Ok(slots);
    }
    let kept = if used.is_multiple_of(STEP) { slots } else { used };
    let more = Tokens::new(new).round_up(STEP)?.get();
    kept.checked_add(more).ok_or(Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updates(prompt: u64, generated: u64, step: u64) -> Updates {
        Updates::of(Turn { prompt, generated }, step).unwrap()
    }

    /// Slots as `KVCache.update_and_fetch` changes them, update by update.
    fn walked(prompt: u64, generated: u64, step: u64) -> u64 {
        let (mut slots, mut used, mut left) = (0, 0, prompt);
        while left > 1 {
            let n = step.min(left - 1);
            slots = grow(slots, used, n).unwrap();
            used += n;
            left -= n;
        }
        for _ in 0..left + generated {
            slots = grow(slots, used, 1).unwrap();
            used += 1;
        }
        slots
    }

    #[test]
    fn capacities_are_those_the_reference_lists() {
        // Reference: mlx-lm 0.32.2 run on a CPU.
        assert_eq!(updates(257, 0, 2048).grown(), Ok(Tokens::new(512)));
        assert_eq!(updates(1000, 30, 2048).grown(), Ok(Tokens::new(1280)));
        assert_eq!(updates(2049, 0, 2048).grown(), Ok(Tokens::new(2304)));
    }

    #[test]
    fn skipping_whole_periods_changes_nothing() {
        for step in [1, 2, 3, 96, 100, 128, 200, 255, 256, 257, 300, 768, 1000, 2048] {
            for prompt in (1..4000).step_by(37) {
                for generated in [0, 1, 255, 600] {
                    let grown = updates(prompt, generated, step).grown().unwrap().get();
                    assert_eq!(grown, walked(prompt, generated, step), "{prompt}+{generated} by {step}");
                }
            }
        }
    }

    #[test]
    fn a_prompt_longer_than_any_machine_is_still_answered_at_once() {
        assert!(updates(1 << 60, 1 << 60, 97).grown().unwrap() >= Tokens::new(1 << 61));
        assert_eq!(updates(1 << 60, 1 << 60, 97).rotated(4096, 4), Ok(Tokens::new(4096)));
    }

    #[test]
    fn a_ring_grows_in_steps_below_its_size_and_never_above_it() {
        assert_eq!(updates(100, 0, 2048).rotated(512, 4), Ok(Tokens::new(355)));
        assert_eq!(updates(100, 400, 2048).rotated(512, 4), Ok(Tokens::new(512)));
        assert_eq!(updates(3000, 0, 2048).rotated(4096, 4), Ok(Tokens::new(3255)));
    }
}
