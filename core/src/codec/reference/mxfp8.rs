//! MXFP8 (OCP Microscaling 1.0): per row a plane of E4M3 codes, then a plane of E8M0 scales, one per 32.
//!
//! The specification leaves the scale to the implementation; its own recipe is taken: 2^(⌊log2 amax⌋ − 8), where 8 is the
//! exponent of the largest E4M3 value, codes half to even and saturating. That the planes lie like NVFP4's is assumed.

use super::{Arithmetic, fp8::E4M3_FN, num};

const GROUP: usize = 32;
/// Exponent of 448.
const LARGEST_EXPONENT: u8 = 8;

pub(in crate::codec) const MXFP8: Arithmetic = Arithmetic::finite(
    |_, dim, values, out| {
        for row in values.chunks_exact(dim) {
            let groups = row.as_chunks::<GROUP>().0;
            let scales: Vec<u8> = groups.iter().map(|group| shared_exponent(num::amax(group))).collect();
            for (group, scale) in groups.iter().zip(&scales) {
                let scale = num::e8m0(*scale);
                out.extend(group.iter().map(|x| E4M3_FN.encode(x / scale)));
            }
            out.extend(scales);
        }
    },
    |dim, row, out| {
        let (codes, scales) = row.split_at(dim.min(row.len()));
        for (group, scale) in codes.as_chunks::<GROUP>().0.iter().zip(scales) {
            let scale = num::e8m0(*scale);
            out.extend(group.iter().map(|code| E4M3_FN.decode(*code) * scale));
        }
    },
);

/// The biased exponent of amax less 8, not below 0: a block of zeros or of values under 2^-119 gets the least scale.
fn shared_exponent(amax: f32) -> u8 {
    num::byte(amax.to_bits() >> 23).saturating_sub(LARGEST_EXPONENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec, Route};

    /// OCP Microscaling 1.0, §6.3: the block's largest element keeps its exponent at the top of E4M3's range.
    #[test]
    fn the_scale_brings_the_largest_element_under_512() {
        assert_eq!([1.0, 1.99, 2.0, 448.0, 0.0].map(shared_exponent), [119, 119, 120, 127, 0]);
        let mut row = [0.25; GROUP];
        row[5] = -3.0;
        let bytes = Codec::Mxfp8.encode(Route::Reference, GROUP, &row).unwrap();
        // -3 = -384·2^-7 and 1/4 = 32·2^-7
        assert_eq!((bytes[5], bytes[0], bytes[GROUP]), (0xfc, 0x60, 120));
        assert_eq!(Codec::Mxfp8.decode(GROUP, &bytes).unwrap(), row);
    }

    #[test]
    fn zeros_and_denormals_come_back_as_zeros_or_themselves() {
        for x in [0.0, -0.0, f32::from_bits(1), f32::MIN_POSITIVE] {
            let bytes = Codec::Mxfp8.encode(Route::Reference, GROUP, &[x; GROUP]).unwrap();
            let back = Codec::Mxfp8.decode(GROUP, &bytes).unwrap();
            assert!((back[0] - x).abs() <= x.abs(), "{x}: {}", back[0]);
            assert_eq!(back[0].is_sign_negative(), x.is_sign_negative());
        }
    }
}
