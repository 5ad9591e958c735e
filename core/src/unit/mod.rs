//! Integer quantities with checked arithmetic.
//!
//! A plan never rounds and never wraps: [`Bytes`], [`Tokens`] and [`Elements`] are `u64` underneath, every operation
//! that can overflow returns [`Overflow`], and floats only appear in rates and in drawing.

mod fmt;
mod parse;
mod real;

pub use fmt::{Binary, grouped};
pub use parse::{ParseQuantityError, parse_bytes, parse_tokens};
pub use real::{parse_real, rounded};

use serde::{Deserialize, Serialize};

/// An integer operation left the range of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the figure exceeds 64 bits")]
pub struct Overflow;

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// None of it.
            pub const ZERO: Self = Self(0);

            /// Wraps a count.
            #[must_use]
            pub const fn new(n: u64) -> Self {
                Self(n)
            }

            /// The bare count.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Sum.
            ///
            /// # Errors
            /// [`Overflow`] past 64 bits.
            pub fn plus(self, other: Self) -> Result<Self, Overflow> {
                self.0.checked_add(other.0).map(Self).ok_or(Overflow)
            }

            /// Difference.
            ///
            /// # Errors
            /// [`Overflow`] when `other` is larger.
            pub fn minus(self, other: Self) -> Result<Self, Overflow> {
                self.0.checked_sub(other.0).map(Self).ok_or(Overflow)
            }

            /// Multiple.
            ///
            /// # Errors
            /// [`Overflow`] past 64 bits.
            pub fn times(self, n: u64) -> Result<Self, Overflow> {
                self.0.checked_mul(n).map(Self).ok_or(Overflow)
            }

            /// Up to the next multiple of `step` (a `step` of 0 or 1 changes nothing).
            ///
            /// # Errors
            /// [`Overflow`] past 64 bits.
            pub fn round_up(self, step: u64) -> Result<Self, Overflow> {
                if step <= 1 { return Ok(self); }
                self.0.checked_next_multiple_of(step).map(Self).ok_or(Overflow)
            }
        }
    };
}

quantity! {
    /// Bytes of memory.
    Bytes
}
quantity! {
    /// Token positions, or entries kept for them.
    Tokens
}
quantity! {
    /// Scalar elements of a tensor.
    Elements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_past_64_bits_is_an_error_not_a_wrap() {
        assert_eq!(Bytes::new(u64::MAX).plus(Bytes::new(1)), Err(Overflow));
        assert_eq!(Bytes::new(u64::MAX).times(2), Err(Overflow));
        assert_eq!(Bytes::new(u64::MAX).round_up(256), Err(Overflow));
        assert_eq!(Bytes::new(1).minus(Bytes::new(2)), Err(Overflow));
    }

    #[test]
    fn rounding_up_reaches_the_next_multiple_and_stays_on_one() {
        assert_eq!(Tokens::new(5000).round_up(256), Ok(Tokens::new(5120)));
        assert_eq!(Tokens::new(5120).round_up(256), Ok(Tokens::new(5120)));
        assert_eq!(Tokens::new(7).round_up(0), Ok(Tokens::new(7)));
    }
}
