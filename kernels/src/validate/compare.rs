//! Found against expected.

use super::record::{Difference, Exact, Within};
use crate::cpu::oracle::Oracle;
use crate::gpu::POISON;

/// Byte against byte; a length that differs counts byte by byte.
pub(super) fn bytes(found: &[u8], expected: &[u8]) -> Exact {
    exact(found, expected, |a, b| a == b, |_, _, _| false, |x| format!("{x:#04x}"))
}

/// What two correct decoders may differ by, relative: a few roundings of f32. The nearest codes of any format are
/// thousands of times further apart.
const ROUNDED: f32 = 1e-6;

/// Bits of one f32 against another's; any NaN equals any other (WGSL does not say which).
pub(super) fn values(found: &[f32], expected: &[f32]) -> Exact {
    let same = |a: &f32, b: &f32| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    let near = |_, a: &f32, b: &f32| (a - b).abs() <= b.abs() * ROUNDED;
    exact(found, expected, same, near, |x| format!("{x:?}"))
}

/// The same where element i may be `allowed(i)` off.
pub(super) fn values_within(found: &[f32], expected: &[f32], allowed: impl Fn(usize) -> f32) -> Exact {
    let same = |a: &f32, b: &f32| a.to_bits() == b.to_bits();
    let near = |at, a: &f32, b: &f32| (a - b).abs() <= allowed(at);
    exact(found, expected, same, near, |x| format!("{x:?}"))
}

fn exact<T>(
    found: &[T],
    expected: &[T],
    same: impl Fn(&T, &T) -> bool,
    near: impl Fn(usize, &T, &T) -> bool,
    word: impl Fn(&T) -> String,
) -> Exact {
    let compared = found.len().max(expected.len());
    let mut differing = found.len().abs_diff(expected.len()) as u64;
    let (mut first, mut rounded) = (None, 0);
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        if same(a, b) {
            continue;
        }
        if near(at, a, b) {
            rounded += 1;
        } else {
            differing += 1;
            first.get_or_insert_with(|| Difference { at: at as u64, found: word(a), expected: word(b) });
        }
    }
    if first.is_none() && differing > 0 {
        let length = |n: usize| format!("{n} in all");
        first = Some(Difference {
            at: found.len().min(expected.len()) as u64,
            found: length(found.len()),
            expected: length(expected.len()),
        });
    }
    Exact { compared: compared as u64, differing, rounded, first }
}

/// Every element's error against its own bound.
pub(super) fn within(found: &[f32], oracle: &Oracle) -> Within {
    let mut record = Within {
        compared: found.len().min(oracle.output.len()) as u64,
        outside: found.len().abs_diff(oracle.output.len()) as u64,
        worst_share: 0.0,
        worst_error: 0.0,
        loosest_bound: 0.0,
        first: None,
    };
    for (at, (x, (want, bound))) in found.iter().zip(oracle.output.iter().zip(&oracle.bound)).enumerate() {
        let error = (f64::from(*x) - want).abs();
        // No number is within no bound.
        if error.is_nan() || error > *bound {
            record.outside += 1;
            record.first.get_or_insert_with(|| Difference {
                at: at as u64,
                found: format!("{x:?}"),
                expected: format!("{want:?} ± {bound:.1e}"),
            });
        }
        if error.is_finite() {
            record.worst_share = record.worst_share.max(error / bound);
            record.worst_error = record.worst_error.max(error);
        }
        record.loosest_bound = record.loosest_bound.max(*bound);
    }
    record
}

/// Where a kernel stopped writing into a poisoned buffer, of which it was to fill `expected`.
///
/// Poison that the kernel was itself to write is not taken for untouched; the words of the shader end on whole words, and
/// zeros that pad the last one are not counted.
pub(super) fn written(buffer: &[u8], expected: &[u8]) -> u64 {
    let poison = POISON.to_le_bytes();
    let touched = |at: usize, byte: u8| poison.get(at % 4) != Some(&byte);
    let padded = expected.len().next_multiple_of(4);
    let mut end = 0;
    for (at, byte) in buffer.iter().enumerate() {
        let counts = match expected.get(at) {
            Some(want) => touched(at, *byte) || want == byte,
            None if at < padded => touched(at, *byte) && *byte != 0,
            None => touched(at, *byte),
        };
        if counts {
            end = at + 1;
        }
    }
    end as u64
}

/// ‖a − b‖/‖b‖; 0 where both are zero.
pub(super) fn relative_error(found: &[f32], exact: &[f32]) -> f64 {
    crate::quality::relative_mse(exact, found).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named_and_all_are_counted() {
        let exact = bytes(&[1, 2, 3, 4], &[1, 7, 3, 5]);
        assert_eq!((exact.compared, exact.differing), (4, 2));
        let first = exact.first.clone().unwrap();
        assert_eq!((first.at, first.found.as_str(), first.expected.as_str()), (1, "0x02", "0x07"));
        assert!(!exact.equal());
    }

    #[test]
    fn missing_bytes_differ_and_an_empty_comparison_proves_nothing() {
        assert_eq!(bytes(&[1, 2], &[1, 2, 3]).differing, 1);
        assert!(bytes(&[1, 2], &[1, 2, 3]).first.is_some());
        assert!(!bytes(&[], &[]).equal());
    }

    #[test]
    fn decoded_values_may_be_rounded_otherwise_and_no_more() {
        let next = f32::from_bits(1.5f32.to_bits() + 1);
        let exact = values(&[1.5, next, f32::NAN, 1.5], &[1.5, 1.5, -f32::NAN, 1.5001]);
        assert_eq!((exact.compared, exact.rounded, exact.differing), (4, 1, 1));
        assert_eq!(exact.first.map(|first| first.at), Some(3));
        assert_eq!(values(&[f32::INFINITY, 0.0], &[1.0, 1e-30]).differing, 2);
    }

    #[test]
    fn an_element_past_its_bound_or_no_number_is_outside() {
        let oracle = Oracle { output: vec![1.0, 2.0, 3.0], bound: vec![0.1, 0.1, 0.1] };
        let record = within(&[1.05, 2.2, f32::NAN], &oracle);
        assert_eq!((record.compared, record.outside), (3, 2));
        assert_eq!(record.first.as_ref().unwrap().at, 1);
        assert!((record.worst_share - 2.0).abs() < 1e-6, "{record:?}");
        assert!(!record.holds() && !within(&[], &Oracle { output: vec![], bound: vec![] }).holds());
    }

    #[test]
    fn what_a_kernel_wrote_ends_at_the_last_byte_that_is_not_poison() {
        let poison = POISON.to_le_bytes();
        let mut buffer = poison.repeat(4);
        let expected = [1, 2, 3, 4, 5, 6];
        assert_eq!(written(&buffer, &expected), 0);
        buffer[..6].copy_from_slice(&expected);
        assert_eq!(written(&buffer, &expected), 6);
        // The rest of the last word, zeroed.
        buffer[6..8].copy_from_slice(&[0, 0]);
        assert_eq!(written(&buffer, &expected), 6);
        // One word too many.
        buffer[9] = 0;
        assert_eq!(written(&buffer, &expected), 10);
        // A kernel that stops short.
        let mut short = poison.repeat(4);
        short[..3].copy_from_slice(&expected[..3]);
        assert_eq!(written(&short, &expected), 3);
        // A byte that is poison's own is not taken for untouched where it was expected.
        let mut own = poison.repeat(4);
        own[..3].copy_from_slice(&[1, 2, 3]);
        assert_eq!(written(&own, &[1, 2, 3, poison[3]]), 4);
    }
}
