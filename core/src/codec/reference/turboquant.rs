//! TurboQuant, MSE variant (arXiv 2504.19874, algorithm 1): the vector's norm, and the nearest Lloyd–Max level of every
//! coordinate of its direction after a rotation.
//!
//! The paper leaves bytes open. Ours: the codes as a little-endian bit stream, then the norm in f16. Levels are those of
//! N(0, 1)/√d, half-way points go to the lower level. With norm correction (`_nc`, Block-GTQ) the decoded direction is
//! brought to length 1 before the norm is multiplied on.

use super::codebook::Codebook;
use super::{Arithmetic, ArithmeticError, NonFinite, Rotation, num};

const NORM_BYTES: usize = 2;

/// A TurboQuant-MSE quantizer for vectors of one width.
///
/// ```
/// # use kvplan_core::codec::{Rotation, TurboQuant};
/// let quantizer = TurboQuant::new(4, 64, Rotation::default_for(64)).unwrap();
/// let bytes = quantizer.encode(&[0.5; 64]).unwrap();
/// assert_eq!(bytes.len(), 64 * 4 / 8 + 2);
/// let back = quantizer.decode(&bytes).unwrap();
/// assert!(back.iter().all(|x| (x - 0.5).abs() < 0.2));
/// ```
#[derive(Debug, Clone)]
pub struct TurboQuant {
    bits: u8,
    dim: usize,
    rotation: Rotation,
    correct_norm: bool,
    codebook: Codebook,
}

impl TurboQuant {
    /// A quantizer of `bits` bits (1 to 8) for vectors of `dim` elements.
    ///
    /// # Errors
    /// [`ArithmeticError::Bits`] outside 1..=8, [`ArithmeticError::EmptyRow`] for vectors of 0 elements,
    /// [`ArithmeticError::Rotation`] when the rotation does not divide them.
    pub fn new(bits: u8, dim: usize, rotation: Rotation) -> Result<Self, ArithmeticError> {
        if !(1..=8).contains(&bits) {
            return Err(ArithmeticError::Bits { bits });
        }
        if dim == 0 {
            return Err(ArithmeticError::EmptyRow);
        }
        rotation.fits(dim)?;
        Ok(Self::of(bits, dim, rotation))
    }

    /// [`TurboQuant::new`] for arguments already known to fit.
    pub(super) fn of(bits: u8, dim: usize, rotation: Rotation) -> Self {
        Self { bits, dim, rotation, correct_norm: false, codebook: Codebook::lloyd_max(bits, dim) }
    }

    /// The same with norm correction when decoding. Encoded bytes are equal.
    #[must_use]
    pub fn with_norm_correction(self) -> Self {
        Self { correct_norm: true, ..self }
    }

    /// Bytes of one vector.
    #[must_use]
    pub const fn row_bytes(&self) -> usize {
        (self.dim * self.bits as usize).div_ceil(8) + NORM_BYTES
    }

    /// Encodes whole vectors.
    ///
    /// # Errors
    /// [`ArithmeticError::PartialRow`] and [`ArithmeticError::NonFinite`].
    pub fn encode(&self, values: &[f32]) -> Result<Vec<u8>, ArithmeticError> {
        super::whole_finite_rows(NAME, NonFinite::Refused, self.dim, values)?;
        let mut out = Vec::with_capacity(values.len() / self.dim * self.row_bytes());
        for row in values.chunks_exact(self.dim) {
            self.encode_row(row, &mut out);
        }
        Ok(out)
    }

    /// Decodes what [`TurboQuant::encode`] gives, rotated back.
    ///
    /// # Errors
    /// [`ArithmeticError::PartialBytes`].
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<f32>, ArithmeticError> {
        super::whole_rows(NAME, self.dim, self.row_bytes(), bytes)?;
        let mut out = Vec::with_capacity(bytes.len() / self.row_bytes() * self.dim);
        for row in bytes.chunks_exact(self.row_bytes()) {
            self.decode_row(row, &mut out);
        }
        Ok(out)
    }

    /// Appends vector `index` of `bytes` to `out` and says whether there is such a vector.
    pub fn decode_vector(&self, bytes: &[u8], index: usize, out: &mut Vec<f32>) -> bool {
        let row = super::nth_row(bytes, self.row_bytes(), index);
        if let Some(row) = row {
            self.decode_row(row, out);
        }
        row.is_some()
    }

    fn encode_row(&self, row: &[f32], out: &mut Vec<u8>) {
        let (norm, codes) = self.quantize(row);
        num::pack(self.bits, codes, out);
        out.extend(num::f16_bytes(norm));
    }

    fn decode_row(&self, row: &[u8], out: &mut Vec<f32>) {
        if let Some((codes, norm)) = row.split_last_chunk::<NORM_BYTES>() {
            out.extend(self.dequantize(num::f16_value(*norm), num::unpack(self.bits, codes)));
        }
    }

    /// Norm and codes of one vector.
    pub(super) fn quantize(&self, row: &[f32]) -> (f32, Vec<u8>) {
        let norm = num::norm(row);
        let length = if norm == 0.0 { 1.0 } else { norm };
        let mut y: Vec<f32> = row.iter().map(|x| x / length).collect();
        self.rotation.turn(&mut y);
        (norm, y.iter().map(|y| self.codebook.code(*y)).collect())
    }

    /// The vector of a norm and codes.
    pub(super) fn dequantize(&self, norm: f32, codes: impl Iterator<Item = u8>) -> Vec<f32> {
        let mut y: Vec<f32> = codes.take(self.dim).map(|code| self.codebook.level(code)).collect();
        if self.correct_norm {
            let length = num::norm(&y);
            for y in &mut y {
                *y /= length;
            }
        }
        self.rotation.turn_back(&mut y);
        for y in &mut y {
            *y *= norm;
        }
        y
    }
}

const NAME: &str = "turboquant";

/// The format as `kvplan encode` writes it: [`Rotation::default_for`], no norm correction.
const fn mse<const BITS: u8>() -> Arithmetic {
    Arithmetic::finite(
        |_, dim, values, out| {
            let quantizer = TurboQuant::of(BITS, dim, Rotation::default_for(dim));
            values.chunks_exact(dim).for_each(|row| quantizer.encode_row(row, out));
        },
        |dim, row, out| TurboQuant::of(BITS, dim, Rotation::default_for(dim)).decode_row(row, out),
    )
}

pub(in crate::codec) const MSE_2: Arithmetic = mse::<2>();
pub(in crate::codec) const MSE_3: Arithmetic = mse::<3>();
pub(in crate::codec) const MSE_4: Arithmetic = mse::<4>();
