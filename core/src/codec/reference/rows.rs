//! Rows of one side of a codec, encoded and decoded whole or one by one.

use super::{
    Arithmetic, ArithmeticError, KeyArithmetic, Route, Widths, nth_row, whole_finite_rows, whole_rows,
};
use crate::codec::layout::Layout;
use crate::codec::{Codec, CodecError, Side};
use crate::unit::Overflow;

/// One side of a codec at one width, checked once: encodes and decodes row by row.
#[derive(Debug, Clone, Copy)]
pub struct RowCoder {
    layout: &'static Layout,
    pub(super) arithmetic: Arithmetic,
    route: Route,
    dim: usize,
    pub(super) row_bytes: usize,
}

impl RowCoder {
    /// Elements of a row.
    #[must_use]
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// Bytes of a row, a slot's padding included.
    #[must_use]
    pub const fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Encodes whole rows.
    ///
    /// # Errors
    /// [`ArithmeticError`] when the values are not whole rows or one of them cannot be stored.
    pub fn encode(&self, values: &[f32]) -> Result<Vec<u8>, ArithmeticError> {
        whole_finite_rows(self.layout.name, self.arithmetic.non_finite, self.dim, values)?;
        let mut bytes = Vec::with_capacity(values.len() / self.dim * self.row_bytes);
        if self.layout.slot_multiple == 1 {
            // In one go: a degenerate iq4_nl block repeats codes of the block before it, across rows.
            (self.arithmetic.encode)(self.route, self.dim, values, &mut bytes);
        } else {
            for (row, end) in values.chunks_exact(self.dim).zip((1..).map(|n| n * self.row_bytes)) {
                (self.arithmetic.encode)(self.route, self.dim, row, &mut bytes);
                bytes.resize(end, 0);
            }
        }
        Ok(bytes)
    }

    /// Decodes whole rows. Rotated formats are rotated back.
    ///
    /// # Errors
    /// [`ArithmeticError::PartialBytes`].
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<f32>, ArithmeticError> {
        whole_rows(self.layout.name, self.dim, self.row_bytes, bytes)?;
        let mut values = Vec::with_capacity(bytes.len() / self.row_bytes * self.dim);
        for row in bytes.chunks_exact(self.row_bytes) {
            (self.arithmetic.decode)(self.dim, row, &mut values);
        }
        Ok(values)
    }

    /// Appends row `index` of `bytes` to `out` and says whether there is such a row; nothing else is decoded.
    ///
    /// ```
    /// # use kvplan_core::codec::{Codec, Route, Side};
    /// let rows = Codec::Bf16.rows(Side::Key, Route::Reference, 2).unwrap();
    /// let bytes = rows.encode(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    /// let mut out = Vec::new();
    /// assert!(rows.decode_row(&bytes, 1, &mut out));
    /// assert_eq!(out, [3.0, 4.0]);
    /// assert!(!rows.decode_row(&bytes, 2, &mut out));
    /// ```
    pub fn decode_row(&self, bytes: &[u8], index: usize, out: &mut Vec<f32>) -> bool {
        let row = nth_row(bytes, self.row_bytes, index);
        if let Some(row) = row {
            (self.arithmetic.decode)(self.dim, row, out);
        }
        row.is_some()
    }
}

impl Codec {
    /// Whether [`Codec::encode`] and [`Codec::decode`] know this format.
    #[must_use]
    pub const fn has_arithmetic(self) -> bool {
        self.layout().arithmetic.is_some()
    }

    /// Encodes rows of `dim` elements: the value side, where keys are stored otherwise ([`Codec::rows`] gives both sides,
    /// [`Codec::encode_tensor`] also keys that are grouped over tokens).
    ///
    /// Floating-point formats store infinities and NaN by their own rule: f32, f16 and bf16 as they are (f16 and bf16
    /// overflow to infinity), FP8 saturates infinities to its largest value and keeps NaN as `0x7f`. Every other format
    /// refuses them.
    ///
    /// ```
    /// # use kvplan_core::codec::{Codec, Route};
    /// let bytes = Codec::Fp8E4m3.encode(Route::Reference, 2, &[1.0, -448.0]).unwrap();
    /// assert_eq!(bytes, [0x38, 0xfe]);
    /// ```
    ///
    /// # Errors
    /// [`ArithmeticError`] when there is no encoder, the width does not fit the format, the values are not whole rows,
    /// or one of them cannot be stored.
    pub fn encode(self, route: Route, dim: usize, values: &[f32]) -> Result<Vec<u8>, ArithmeticError> {
        self.rows(Side::Value, route, dim)?.encode(values)
    }

    /// Decodes what [`Codec::encode`] gives. Rotated formats are rotated back.
    ///
    /// # Errors
    /// [`ArithmeticError`] when there is no decoder, the width does not fit the format, or the bytes are not whole rows.
    pub fn decode(self, dim: usize, bytes: &[u8]) -> Result<Vec<f32>, ArithmeticError> {
        self.rows(Side::Value, Route::Reference, dim)?.decode(bytes)
    }

    /// The coder of one side's rows of `dim` elements.
    ///
    /// # Errors
    /// [`ArithmeticError`] when there is none, or the width does not fit the format.
    pub fn rows(self, side: Side, route: Route, dim: usize) -> Result<RowCoder, ArithmeticError> {
        let layout = self.layout();
        let values = layout.arithmetic.ok_or(ArithmeticError::Unavailable { codec: self.name() })?;
        let arithmetic = match (side, layout.key_arithmetic) {
            (Side::Value, _) | (Side::Key, KeyArithmetic::LikeValues) => values,
            (Side::Key, KeyArithmetic::Rows(keys)) => keys,
            (Side::Key, KeyArithmetic::Tokens(keys)) => {
                return Err(ArithmeticError::TokenGroups { codec: self.name(), tokens: keys.tokens });
            }
        };
        if dim == 0 {
            return Err(ArithmeticError::EmptyRow);
        }
        if let Widths::PowerOfTwo { most } = arithmetic.widths
            && !(dim.is_power_of_two() && dim <= most)
        {
            return Err(ArithmeticError::NoTransform { codec: self.name(), dim, most });
        }
        let overflow = |_| CodecError::Overflow(Overflow);
        let row = self.row_bytes(side, 1, u64::try_from(dim).map_err(overflow)?)?;
        Ok(RowCoder {
            layout,
            arithmetic,
            route,
            dim,
            row_bytes: usize::try_from(row.get()).map_err(overflow)?,
        })
    }

    /// One slot after another of a format that keeps a token's key and value of one head side by side (vLLM's
    /// `turboquant_*`): key part, value part, padding. For any other format, each key row followed by its value row.
    ///
    /// # Errors
    /// [`ArithmeticError`] as for [`Codec::encode`]; both sides must have as many rows.
    pub fn encode_slots(self, dim: usize, keys: &[f32], values: &[f32]) -> Result<Vec<u8>, ArithmeticError> {
        if keys.len() != values.len() {
            return Err(ArithmeticError::PartialRow { dim: keys.len(), values: values.len() });
        }
        let (k, v) =
            (self.rows(Side::Key, Route::Reference, dim)?, self.rows(Side::Value, Route::Reference, dim)?);
        let (keys, values) = (k.encode(keys)?, v.encode(values)?);
        let slots = keys.chunks_exact(k.row_bytes).zip(values.chunks_exact(v.row_bytes));
        Ok(slots.flat_map(|(k, v)| [k, v]).flatten().copied().collect())
    }
}
