//! Scales that lie outside the cache: per tensor, or per head.

use super::{ArithmeticError, Route, Scaling};
use crate::codec::{Codec, Side};

/// A scale that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a scale is a positive number, not {0}")]
pub struct ScaleError(pub f32);

/// A scale outside the cache: what is stored is x/scale. Positive and finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StaticScale(f32);

impl StaticScale {
    /// The engines' default: codes of the values themselves.
    pub const ONE: Self = Self(1.0);

    /// # Errors
    /// [`ScaleError`] unless the scale is positive and finite.
    pub fn new(scale: f32) -> Result<Self, ScaleError> {
        if scale > 0.0 && scale.is_finite() { Ok(Self(scale)) } else { Err(ScaleError(scale)) }
    }

    /// The scale.
    #[must_use]
    pub const fn get(self) -> f32 {
        self.0
    }
}

impl Codec {
    /// Encodes rows of `dim` elements under scales that lie outside the cache: one for the whole tensor, or one per head
    /// (row r takes scale r modulo their number). Formats: `fp8_e4m3`, `fp8_e5m2`, `int8`, `nvfp4`.
    ///
    /// ```
    /// # use kvplan_core::codec::{Codec, StaticScale};
    /// let half = StaticScale::new(0.5).unwrap();
    /// let bytes = Codec::Fp8E4m3.encode_scaled(&[StaticScale::ONE, half], 1, &[1.0, 1.0]).unwrap();
    /// assert_eq!(bytes, [0x38, 0x40]);
    /// assert_eq!(Codec::Fp8E4m3.decode_scaled(&[StaticScale::ONE, half], 1, &bytes).unwrap(), [1.0, 1.0]);
    /// ```
    ///
    /// # Errors
    /// [`ArithmeticError`] when the format has no such scale, the rows are no whole number of turns through the scales,
    /// or as for [`Codec::encode`].
    pub fn encode_scaled(
        self,
        scales: &[StaticScale],
        dim: usize,
        values: &[f32],
    ) -> Result<Vec<u8>, ArithmeticError> {
        let rows = self.rows(Side::Value, Route::Reference, dim)?;
        super::whole_finite_rows(self.name(), rows.arithmetic.non_finite, dim, values)?;
        turns(values.len() / dim, scales)?;
        let mut out = Vec::with_capacity(values.len() / dim * rows.row_bytes);
        for (row, scale) in values.chunks_exact(dim).zip(scales.iter().cycle()) {
            match rows.arithmetic.scaling {
                Scaling::None => return Err(ArithmeticError::NoStaticScale { codec: self.name() }),
                Scaling::Divided => {
                    let scaled: Vec<f32> = row.iter().map(|x| x / scale.0).collect();
                    (rows.arithmetic.encode)(Route::Reference, dim, &scaled, &mut out);
                }
                Scaling::Own { encode, .. } => encode(scale.0, dim, row, &mut out),
            }
        }
        Ok(out)
    }

    /// Decodes what [`Codec::encode_scaled`] gives under the same scales.
    ///
    /// # Errors
    /// [`ArithmeticError`] as for [`Codec::encode_scaled`].
    pub fn decode_scaled(
        self,
        scales: &[StaticScale],
        dim: usize,
        bytes: &[u8],
    ) -> Result<Vec<f32>, ArithmeticError> {
        let rows = self.rows(Side::Value, Route::Reference, dim)?;
        super::whole_rows(self.name(), dim, rows.row_bytes, bytes)?;
        turns(bytes.len() / rows.row_bytes, scales)?;
        let mut out = Vec::with_capacity(bytes.len() / rows.row_bytes * dim);
        for (row, scale) in bytes.chunks_exact(rows.row_bytes).zip(scales.iter().cycle()) {
            match rows.arithmetic.scaling {
                Scaling::None => return Err(ArithmeticError::NoStaticScale { codec: self.name() }),
                Scaling::Divided => {
                    let start = out.len();
                    (rows.arithmetic.decode)(dim, row, &mut out);
                    out.iter_mut().skip(start).for_each(|x| *x *= scale.0);
                }
                Scaling::Own { decode, .. } => decode(scale.0, dim, row, &mut out),
            }
        }
        Ok(out)
    }
}

fn turns(rows: usize, scales: &[StaticScale]) -> Result<(), ArithmeticError> {
    let whole = if scales.is_empty() { rows == 0 } else { rows.is_multiple_of(scales.len()) };
    if whole { Ok(()) } else { Err(ArithmeticError::Scales { rows, scales: scales.len() }) }
}
