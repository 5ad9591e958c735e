//! Block-GTQ (arXiv 2606.24033): each RoPE block of a key gets 1 to 8 bits by its energy, and the dimensions of equal width
//! are one TurboQuant-MSE vector with its own norm and rotation. Keys only.
//!
//! The allocation is the published one (`allocator.py`). Levels are exact Lloyd–Max ones, where the published code has the
//! literals 0.453 and 1.51 at two bits. Its dense random rotations cannot be reproduced outside its libraries: the
//! default here is [`Rotation::default_for`], and a matrix can be given. Bytes: the codes of each width in ascending
//! order, packed as [`packed_key_bytes`] counts them, then the f16 norms in the same order.

use super::{ArithmeticError, NonFinite, Rotation, TurboQuant, num};
use crate::codec::block_gtq::BitHistogram;
#[cfg(any(doc, test))]
use crate::codec::block_gtq::packed_key_bytes;
use crate::unit::Overflow;

const NAME: &str = "block_gtq";
/// Most bits a block gets.
const MOST_BITS: u8 = 8;
/// Widths above this have a byte per code.
const PACKED_BITS: u8 = 4;
const NORM_BYTES: usize = 2;

/// Which two dimensions a RoPE block turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// Block i turns dimensions 2i and 2i + 1 (GPT-J; GGUF weights of Llama models).
    Interleaved,
    /// Block i turns dimensions i and i + dim/2 (GPT-NeoX, Hugging Face).
    Halves,
}

impl Pairing {
    /// The dimensions of block `block` of a vector of `dim`.
    const fn dims(self, dim: usize, block: usize) -> [usize; 2] {
        match self {
            Self::Interleaved => [2 * block, 2 * block + 1],
            Self::Halves => [block, block + dim / 2],
        }
    }
}

/// Energy per RoPE block of one KV head: s_i = ½(mean ‖q_i‖² + mean ‖k_i‖²) over vectors of `dim` elements. `queries` are
/// those of all query heads of the group, one after another, `keys` those of the KV head.
///
/// # Errors
/// [`ArithmeticError::EmptyRow`] when `dim` is 0, [`ArithmeticError::PartialRow`] when the values are not whole vectors,
/// there are none of them, or their width is odd.
pub fn energies(
    pairing: Pairing,
    dim: usize,
    queries: &[f32],
    keys: &[f32],
) -> Result<Vec<f32>, ArithmeticError> {
    if dim == 0 {
        return Err(ArithmeticError::EmptyRow);
    }
    let mean = |values: &[f32]| {
        if values.is_empty() || !values.len().is_multiple_of(dim) || !dim.is_multiple_of(2) {
            return Err(ArithmeticError::PartialRow { dim, values: values.len() });
        }
        let mut sums = vec![0.0f64; dim / 2];
        for row in values.chunks_exact(dim) {
            for (block, sum) in sums.iter_mut().enumerate() {
                for d in pairing.dims(dim, block) {
                    *sum += row.get(d).map_or(0.0, |x| f64::from(*x).powi(2));
                }
            }
        }
        let rows =
            u32::try_from(values.len() / dim).map_err(|_| crate::codec::CodecError::Overflow(Overflow))?;
        Ok(sums.into_iter().map(move |sum| sum / f64::from(rows)))
    };
    Ok(mean(queries)?.zip(mean(keys)?).map(|(q, k)| single((q + k) / 2.0)).collect())
}

#[expect(clippy::cast_possible_truncation, reason = "scores are single precision in the published allocator")]
const fn single(x: f64) -> f32 {
    x as f32
}

/// Bits per block for an average of `average` bits per dimension: all blocks start at 1, and one more bit at a time goes to
/// the block of the greatest s_i·4^−b_i (the first of equals, none past 8) until they sum to blocks·average.
#[must_use]
pub fn allocate(energies: &[f32], average: u8) -> Vec<u8> {
    let mut bits = vec![1u8; energies.len()];
    let budget = energies.len() * usize::from(average.clamp(1, MOST_BITS));
    for _ in energies.len()..budget {
        let mut best: Option<(f64, &mut u8)> = None;
        for (energy, bits) in energies.iter().zip(&mut bits).filter(|(_, bits)| **bits < MOST_BITS) {
            let gain = f64::from(*energy) * 0.25f64.powi(i32::from(*bits));
            if best.as_ref().is_none_or(|(most, _)| gain > *most) {
                best = Some((gain, bits));
            }
        }
        if let Some((_, bits)) = best {
            *bits += 1;
        }
    }
    bits
}

/// The dimensions coded at one width.
#[derive(Debug, Clone)]
struct Group {
    bits: u8,
    dims: Vec<usize>,
    quantizer: TurboQuant,
}

impl Group {
    /// Bytes of the codes: [`packed_key_bytes`]'s rule for one width.
    const fn code_bytes(&self) -> usize {
        let n = self.dims.len();
        match self.bits {
            3 => 3 * n.div_ceil(8),
            bits if bits <= PACKED_BITS => (n * bits as usize).div_ceil(8),
            _ => n,
        }
    }

    /// Bits of a code as stored.
    const fn stored_bits(&self) -> u8 {
        if self.bits <= PACKED_BITS { self.bits } else { 8 }
    }
}

/// The quantizer of one layer's KV head.
///
/// ```
/// # use kvplan_core::codec::{BlockGtq, Pairing};
/// // two blocks of two dimensions: the first at 4 bits, the second at 1
/// let quantizer = BlockGtq::new(Pairing::Halves, 4, &[4, 1]).unwrap();
/// assert_eq!(quantizer.row_bytes(), 1 + 1 + 2 * 2);
/// let bytes = quantizer.encode(&[3.0, 0.1, -4.0, 0.1]).unwrap();
/// let back = quantizer.decode(&bytes).unwrap();
/// assert!((back[0] - 3.0).abs() < 0.5 && (back[2] + 4.0).abs() < 0.5);
/// ```
#[derive(Debug, Clone)]
pub struct BlockGtq {
    dim: usize,
    groups: Vec<Group>,
}

impl BlockGtq {
    /// A quantizer for vectors of `dim` elements with `bits` per RoPE block, every width turned by
    /// [`Rotation::default_for`].
    ///
    /// # Errors
    /// As for [`BlockGtq::with_rotations`].
    pub fn new(pairing: Pairing, dim: usize, bits: &[u8]) -> Result<Self, ArithmeticError> {
        Self::with_rotations(pairing, dim, bits, |_, n| Rotation::default_for(n))
    }

    /// The same with the rotation that `rotation(bits, dimensions)` gives for each width in use.
    ///
    /// # Errors
    /// [`ArithmeticError::BlockWidths`] unless there is one width per block, [`ArithmeticError::Bits`] for one outside
    /// 1..=8, [`ArithmeticError::EmptyRow`] when `dim` is 0, [`ArithmeticError::Rotation`] for one that does not fit.
    pub fn with_rotations(
        pairing: Pairing,
        dim: usize,
        bits: &[u8],
        mut rotation: impl FnMut(u8, usize) -> Rotation,
    ) -> Result<Self, ArithmeticError> {
        if dim == 0 {
            return Err(ArithmeticError::EmptyRow);
        }
        if bits.len() * 2 != dim {
            return Err(ArithmeticError::BlockWidths { blocks: dim / 2, widths: bits.len() });
        }
        if let Some(bits) = bits.iter().copied().find(|b| !(1..=MOST_BITS).contains(b)) {
            return Err(ArithmeticError::Bits { bits });
        }
        let mut groups = Vec::new();
        for width in 1..=MOST_BITS {
            let blocks = bits.iter().enumerate().filter(|(_, b)| **b == width);
            let dims: Vec<usize> = blocks.flat_map(|(block, _)| pairing.dims(dim, block)).collect();
            if dims.is_empty() {
                continue;
            }
            let quantizer = TurboQuant::new(width, dims.len(), rotation(width, dims.len()))?;
            groups.push(Group { bits: width, dims, quantizer: quantizer.with_norm_correction() });
        }
        Ok(Self { dim, groups })
    }

    /// Dimensions per width, as the memory formulas take them.
    #[must_use]
    pub fn histogram(&self) -> BitHistogram {
        let mut histogram = BitHistogram::default();
        for group in &self.groups {
            if let Some(n) = histogram.0.get_mut(usize::from(group.bits - 1)) {
                *n = u64::try_from(group.dims.len()).unwrap_or(u64::MAX);
            }
        }
        histogram
    }

    /// Each width in use and its dimensions, in the order in which both are stored.
    pub fn groups(&self) -> impl Iterator<Item = (u8, &[usize])> {
        self.groups.iter().map(|group| (group.bits, group.dims.as_slice()))
    }

    /// Bytes of one key: [`packed_key_bytes`] of the histogram.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.groups.iter().map(|group| group.code_bytes() + NORM_BYTES).sum()
    }

    /// Encodes whole vectors.
    ///
    /// # Errors
    /// [`ArithmeticError::PartialRow`] and [`ArithmeticError::NonFinite`].
    pub fn encode(&self, keys: &[f32]) -> Result<Vec<u8>, ArithmeticError> {
        super::whole_finite_rows(NAME, NonFinite::Refused, self.dim, keys)?;
        let mut out = Vec::with_capacity(keys.len() / self.dim * self.row_bytes());
        for row in keys.chunks_exact(self.dim) {
            let mut norms = Vec::with_capacity(self.groups.len() * NORM_BYTES);
            for group in &self.groups {
                let part: Vec<f32> = group.dims.iter().filter_map(|d| row.get(*d)).copied().collect();
                let (norm, codes) = group.quantizer.quantize(&part);
                let end = out.len() + group.code_bytes();
                num::pack(group.stored_bits(), codes, &mut out);
                out.resize(end, 0);
                norms.extend(num::f16_bytes(norm));
            }
            out.extend(norms);
        }
        Ok(out)
    }

    /// Decodes what [`BlockGtq::encode`] gives.
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

    fn decode_row(&self, row: &[u8], out: &mut Vec<f32>) {
        let codes: usize = self.groups.iter().map(Group::code_bytes).sum();
        let (mut codes, norms) = row.split_at(codes.min(row.len()));
        let start = out.len();
        out.resize(start + self.dim, 0.0);
        for (group, norm) in self.groups.iter().zip(norms.as_chunks().0) {
            let (own, rest) = codes.split_at(group.code_bytes().min(codes.len()));
            codes = rest;
            let codes = num::unpack(group.stored_bits(), own);
            let part = group.quantizer.dequantize(num::f16_value(*norm), codes);
            for (d, x) in group.dims.iter().zip(part) {
                if let Some(slot) = out.get_mut(start + d) {
                    *slot = x;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_that_outweighs_all_gets_eight_bits_and_no_more() {
        assert_eq!(allocate(&[1e9, 1.0, 1.0, 1.0], 3), [8, 2, 1, 1]);
        assert_eq!(allocate(&[1.0; 4], 2), [2; 4], "equals in order");
        assert_eq!(allocate(&[1.0; 3], 9), [8; 3], "no budget past eight bits");
        assert!(allocate(&[], 3).is_empty());
    }

    #[test]
    fn a_row_has_the_bytes_the_memory_formula_predicts() {
        for bits in [[1, 2, 3, 4, 5, 6, 7, 8], [3, 3, 3, 1, 1, 1, 1, 8], [2; 8], [3; 8]] {
            let quantizer = BlockGtq::new(Pairing::Interleaved, 16, &bits).unwrap();
            let predicted = packed_key_bytes(quantizer.histogram());
            assert_eq!(u64::try_from(quantizer.row_bytes()), Ok(predicted), "{bits:?}");
            assert_eq!(quantizer.encode(&[0.5; 32]).unwrap().len(), 2 * quantizer.row_bytes());
        }
    }

    #[test]
    fn blocks_that_do_not_describe_the_vector_are_refused() {
        let error = |bits: &[u8]| BlockGtq::new(Pairing::Halves, 4, bits).unwrap_err();
        assert_eq!(error(&[1]), ArithmeticError::BlockWidths { blocks: 2, widths: 1 });
        assert_eq!(error(&[1, 9]), ArithmeticError::Bits { bits: 9 });
        assert_eq!(error(&[1, 0]), ArithmeticError::Bits { bits: 0 });
        assert!(energies(Pairing::Halves, 3, &[0.0; 3], &[0.0; 3]).is_err());
        assert!(energies(Pairing::Halves, 2, &[], &[0.0; 2]).is_err());
    }

    #[test]
    fn energy_is_half_of_both_means_per_block() {
        let (q, k) = ([1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 2.0]);
        // interleaved: q (1 + 4)/2, (9 + 16)/2; k 1, 4
        assert_eq!(energies(Pairing::Interleaved, 4, &q, &k).unwrap(), [1.75, 8.25]);
        // halves: q (1 + 9)/2, (4 + 16)/2; k 0, 1 + 4
        assert_eq!(energies(Pairing::Halves, 4, &q, &k).unwrap(), [2.5, 7.5]);
    }
}
