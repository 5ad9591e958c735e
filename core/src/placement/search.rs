//! The last number that is held, found in few questions: a planner asks some dozen of these between two key strokes.
//!
//! A footprint is nearly straight in tokens and in sequences, with steps of cells, pages and ranks. So the guess is where
//! a straight line through what is known crosses the memory, put on the engine's grid, and what proves the answer is
//! asked last: this number is held, and the next one is not. Where no line is known (the engine refuses), intervals are
//! halved.

use super::BoundBy;
use crate::error::PlanError;

/// How a number fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// It is held, with so many bytes to spare where memory was described.
    Yes(Option<i64>),
    /// It is not, and why; the spare is below 0 where it was weighed.
    No(BoundBy, Option<i64>),
}

/// The last number that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    /// The number.
    pub(crate) number: u64,
    /// Why the next one is not held; `None` where every number asked about is.
    pub(crate) stopped_by: Option<BoundBy>,
}

/// Straight-line guesses before intervals are halved: a line that has not met the answer by then is not the footprint's.
const GUESSES: u32 = 16;

/// The last number held from `floor`, which is taken to be, to `cap`: whatever is held, every number before it is held
/// too. `grid`: steps that footprints of this engine usually have.
///
/// # Errors
/// Whatever `ask` cannot answer.
pub(crate) fn last_held(
    floor: u64,
    cap: u64,
    grid: u64,
    mut ask: impl FnMut(u64) -> Result<Held, PlanError>,
) -> Result<Last, PlanError> {
    if cap <= floor {
        return Ok(Last { number: floor, stopped_by: None });
    }
    let (mut why, mut over) = match ask(cap)? {
        Held::Yes(_) => return Ok(Last { number: cap, stopped_by: None }),
        Held::No(why, over) => (why, over),
    };
    let (mut low, mut spare, mut high) = (floor, None, cap);
    // The failure before the last one: footprints bend at the end of a window, and beyond it they are straight.
    let mut beyond: Option<(u64, i64)> = None;
    let mut grid = grid.max(1);
    let mut guesses = 0;
    let mut next = floor.saturating_add(grid);
    while high - low > 1 {
        let at = next.clamp(low + 1, high - 1);
        let held = match ask(at)? {
            Held::Yes(found) => {
                (low, spare) = (at, found);
                true
            }
            Held::No(reason, found) => {
                beyond = over.map(|over| (high, over));
                (high, over, why) = (at, found, reason);
                false
            }
        };
        guesses += 1;
        let line = match (spare, over) {
            _ if guesses > GUESSES => None,
            // Both failures are beyond a bend: what they point to is held.
            (_, Some(over)) if !held && beyond.is_some() => {
                beyond.and_then(|far| crossing((high, over), far))
            }
            (Some(spare), Some(over)) => crossing((low, spare), (high, over)),
            (None, _) | (_, None) => None,
        };
        next = match line {
            Some(at) => {
                let on_grid = at / grid * grid;
                if on_grid > low {
                    on_grid
                } else if held && guesses > 1 {
                    // It points at what was just found to be held: is it the last one? If not, the grid is finer.
                    let proof = low + 1;
                    grid = if grid > 16 { 16 } else { 1 };
                    proof
                } else {
                    at.max(low + 1)
                }
            }
            None => halfway(low, high),
        };
    }
    Ok(Last { number: low, stopped_by: Some(why) })
}

/// Where the line through two points, `(number, spare)`, meets a spare of 0, rounded down; `None` for a level line.
fn crossing((a, spare_a): (u64, i64), (b, spare_b): (u64, i64)) -> Option<u64> {
    let (a, b) = (i128::from(a), i128::from(b));
    let (from, to) = (i128::from(spare_a), i128::from(spare_b));
    let fall = from - to;
    if fall <= 0 {
        return None;
    }
    // 40 bits of tokens times 64 bits of bytes stay below 127 bits.
    u64::try_from((a + (from * (b - a)).div_euclid(fall)).max(0)).ok()
}

/// The middle; of numbers of different sizes the geometric one, so that a limit of 2^40 costs few questions.
fn halfway(low: u64, high: u64) -> u64 {
    if high / 16 > low {
        let product = u128::from(low + 1) * u128::from(high);
        return u64::try_from(product.isqrt()).unwrap_or(high);
    }
    low + (high - low) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes after `n` tokens: a part that grows by `step` tokens, a part that stops at a window, a part that is there.
    fn footprint(n: u64, per_token: u64, step: u64, windowed: u64, window: u64) -> i64 {
        let bytes =
            per_token * n.next_multiple_of(step) + windowed * n.min(window).next_multiple_of(step) + 1000;
        i64::try_from(bytes).unwrap()
    }

    proptest! {
        /// The answer is held, the next number is not, and no footprint takes many questions.
        #[test]
        fn the_last_one_held_is_found_whatever_the_steps(
            memory in 0i64..50_000_000, per_token in 0u64..5000, step in prop::sample::select(vec![1u64, 7, 16, 32, 256, 300]),
            windowed in 0u64..20_000, window in 1u64..3000, cap in 1u64..100_000,
            grid in prop::sample::select(vec![1u64, 16, 256]), refused_from in prop::option::of(1u64..100_000), weighed: bool,
        ) {
            let mut questions = 0;
            let spare = |n: u64| memory - footprint(n, per_token, step, windowed, window);
            let answer = |n: u64| match (refused_from, spare(n)) {
                (Some(from), _) if n >= from => Held::No(BoundBy::Engine, None),
                (_, spare) if spare < 0 => Held::No(BoundBy::Memory, weighed.then_some(spare)),
                (_, spare) => Held::Yes(weighed.then_some(spare)),
            };
            let last = last_held(0, cap, grid, |n| { questions += 1; Ok(answer(n)) }).unwrap();
            let brute = (1..=cap).take_while(|n| matches!(answer(*n), Held::Yes(_))).last().unwrap_or(0);
            prop_assert_eq!(last.number, brute);
            let expected = (brute < cap).then(|| match answer(brute + 1) {
                Held::No(why, _) => why,
                Held::Yes(_) => unreachable!("footprints only grow"),
            });
            prop_assert_eq!(last.stopped_by, expected);
            prop_assert!(questions <= 40, "{} questions", questions);
        }
    }

    #[test]
    fn a_straight_footprint_on_its_grid_takes_a_handful_of_questions() {
        let mut questions = 0;
        let ask = |n: u64| {
            questions += 1;
            let spare = 31_000_000_000 - footprint(n, 65_536, 256, 0, 1);
            Ok(if spare < 0 { Held::No(BoundBy::Memory, Some(spare)) } else { Held::Yes(Some(spare)) })
        };
        let last = last_held(0, 1 << 40, 256, ask).unwrap();
        assert_eq!(last.number, 31_000_000_000 / 65_536 / 256 * 256);
        assert!(questions <= 6, "{questions}");
    }
}
