//! FP4 with block scales as the GPU engines keep it: per row a plane of codes (even element in the low nibble), then a
//! plane of scales.

use super::{Arithmetic, Scaling, fp8::E4M3_FN, num};
use crate::codec::tables::{E2M1, E2M1_MIDPOINTS as MIDPOINTS};

const GROUP: usize = 16;

/// What becomes of a value exactly half-way.
#[derive(Clone, Copy)]
enum Tie {
    /// To the even code (hardware).
    Even,
    /// To the greater magnitude.
    Up,
}

/// The E2M1 code of `x`, saturating at 6.
fn encode(x: f32, tie: Tie) -> u8 {
    let magnitude = (0u8..).zip(MIDPOINTS).fold(0, |code, (below, midpoint)| {
        let up = match tie {
            Tie::Even => x.abs() > midpoint || (x.abs() == midpoint && below % 2 == 1),
            Tie::Up => x.abs() >= midpoint,
        };
        code + u8::from(up)
    });
    magnitude | if x.is_sign_negative() { 8 } else { 0 }
}

fn decode(code: u8) -> f32 {
    let magnitude = E2M1.get(usize::from(code & 7)).copied().unwrap_or_default();
    if code & 8 == 0 { magnitude } else { -magnitude }
}

fn pack(codes: &[u8; GROUP]) -> impl Iterator<Item = u8> {
    codes.as_chunks::<2>().0.iter().map(|[low, high]| low | high << 4)
}

/// Encodes rows whose groups of 16 have one scale byte each.
fn rows(dim: usize, values: &[f32], out: &mut Vec<u8>, group: impl Fn(&[f32; GROUP]) -> (u8, [u8; GROUP])) {
    for row in values.chunks_exact(dim) {
        let mut scales = Vec::with_capacity(dim / GROUP);
        for values in row.as_chunks::<GROUP>().0 {
            let (scale, codes) = group(values);
            scales.push(scale);
            out.extend(pack(&codes));
        }
        out.append(&mut scales);
    }
}

fn row_values(dim: usize, row: &[u8], out: &mut Vec<f32>, scale: impl Fn(u8) -> f32) {
    let (codes, scales) = row.split_at(dim / 2);
    for (group, s) in codes.as_chunks::<{ GROUP / 2 }>().0.iter().zip(scales) {
        let s = scale(*s);
        out.extend(group.iter().flat_map(|b| [b & 0x0f, b >> 4]).map(|code| decode(code) * s));
    }
}

/// NVFP4: the scale of a group is E4M3(amax/6/t) for the tensor's scale t, its codes E2M1(x/(scale·t)), half to even. The
/// divisions are exact here; hardware multiplies by approximate reciprocals and can differ at exact ties only.
pub(in crate::codec) const NVFP4: Arithmetic = Arithmetic {
    scaling: Scaling::Own { encode: encode_nvfp4, decode: decode_nvfp4 },
    ..Arithmetic::finite(
        |_, dim, values, out| encode_nvfp4(1.0, dim, values, out),
        |dim, row, out| decode_nvfp4(1.0, dim, row, out),
    )
};

fn encode_nvfp4(tensor: f32, dim: usize, values: &[f32], out: &mut Vec<u8>) {
    let inverse_tensor = num::reciprocal(tensor);
    rows(dim, values, out, |group| {
        let scale = E4M3_FN.encode(inverse_tensor * (num::amax(group) / 6.0));
        let inverse = num::reciprocal(E4M3_FN.decode(scale) * num::reciprocal(inverse_tensor));
        (scale, group.map(|x| encode(x * inverse, Tie::Even)))
    });
}

fn decode_nvfp4(tensor: f32, dim: usize, row: &[u8], out: &mut Vec<f32>) {
    row_values(dim, row, out, |s| E4M3_FN.decode(s) * tensor);
}

/// NVFP4 that tries the scale amax/4 as well, which makes the largest element exactly 4, and keeps it where the group's
/// square error is smaller. Summing errors in element order is ours; the tensor's scale is 1.
pub(in crate::codec) const NVFP4_4OVER6: Arithmetic = Arithmetic::finite(
    |_, dim, values, out| {
        rows(dim, values, out, |group| {
            let amax = num::amax(group);
            let by = |largest: f32| {
                let scale = E4M3_FN.encode(amax / largest);
                let d = E4M3_FN.decode(scale);
                let codes = group.map(|x| encode(x * num::reciprocal(d), Tie::Even));
                let off = group.iter().zip(codes).map(|(x, code)| (decode(code) * d - x).powi(2));
                (off.sum::<f32>(), scale, codes)
            };
            let (six, four) = (by(6.0), by(4.0));
            let best = if four.0 < six.0 { four } else { six };
            (best.1, best.2)
        });
    },
    |dim, row, out| decode_nvfp4(1.0, dim, row, out),
);

/// Where vLLM keeps the scale of group `group` of token `token` of a page's values on hardware before SM 12: the
/// (token row, column) it lies at instead, among `groups` scales per token. Four tokens' scales trade places:
/// row ⌊t/4⌋·4 + ⌊g/(G/4)⌋, column (g mod G/4)·4 + t mod 4. Keys' scales, and values' from SM 12 on, lie where they are.
/// `None` when 4 does not divide `groups` or the group is not one of them.
///
/// ```
/// # use kvplan_core::codec::nvfp4_swizzled_scale;
/// // head width 64: four scales per token, so four tokens are transposed
/// assert_eq!(nvfp4_swizzled_scale(1, 2, 4), Some((2, 1)));
/// assert_eq!(nvfp4_swizzled_scale(6, 0, 4), Some((4, 2)));
/// assert_eq!(nvfp4_swizzled_scale(0, 0, 6), None);
/// ```
#[must_use]
pub const fn nvfp4_swizzled_scale(token: usize, group: usize, groups: usize) -> Option<(usize, usize)> {
    if groups == 0 || !groups.is_multiple_of(4) || group >= groups {
        return None;
    }
    let quarter = groups / 4;
    Some((token / 4 * 4 + group / quarter, group % quarter * 4 + token % 4))
}

/// SGLang's block-16 recipe: the scale is 2^⌈log2(max(amax/6, 1e-10))⌉ with bias 127, ties go up.
pub(in crate::codec) const E2M1_BLOCK16: Arithmetic = Arithmetic::finite(
    |_, dim, values, out| {
        rows(dim, values, out, |group| {
            let scale = ceil_log2((num::amax(group) / 6.0).max(1e-10)) + 127;
            let scale = num::byte(scale.clamp(0, 255).cast_unsigned());
            let d = num::e8m0(scale);
            (scale, group.map(|x| encode(x / d, Tie::Up)))
        });
    },
    |dim, row, out| row_values(dim, row, out, num::e8m0),
);

/// The least k with 2^k ≥ x, for normal positive x.
fn ceil_log2(x: f32) -> i32 {
    let bits = x.to_bits();
    let floor = i32::from(num::byte(bits >> 23)) - 127;
    floor + i32::from(bits & 0x007f_ffff != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// quant.md 9.2 / the `e2m1_ties` vectors: what each recipe makes of exact half-way points.
    #[test]
    fn ties_go_to_even_in_nvfp4_and_up_in_the_block_16_recipe() {
        let values = |tie| MIDPOINTS.map(|x| decode(encode(x, tie)));
        assert_eq!(values(Tie::Even), [0.0, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0]);
        assert_eq!(values(Tie::Up), [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]);
    }

    #[test]
    fn four_over_six_keeps_whichever_scale_errs_less() {
        use crate::codec::{Codec, Route};
        // multiples of 4/4 up to 4: exact under amax/4, not under E4M3(4/6) = 0.6875
        let fits_four = [4.0, 3.0, 2.0, 1.0, -4.0, -3.0, -2.0, -1.0, 0.5, 1.5, 4.0, 3.0, 2.0, 1.0, -0.5, 0.0];
        let fits_six = fits_four.map(|x| if x == 4.0 { 6.0 } else { x });
        let through = |codec: Codec, x: &[f32]| {
            codec.decode(GROUP, &codec.encode(Route::Reference, GROUP, x).unwrap()).unwrap()
        };
        assert_eq!(through(Codec::Nvfp4FourOverSix, &fits_four), fits_four);
        assert_ne!(through(Codec::Nvfp4, &fits_four), fits_four);
        assert_eq!(through(Codec::Nvfp4FourOverSix, &fits_six), fits_six);
        assert_eq!(through(Codec::Nvfp4FourOverSix, &[0.0; GROUP]), [0.0; GROUP]);
    }

    #[test]
    fn swizzling_moves_every_scale_of_a_page_to_a_place_of_its_own() {
        for groups in [4usize, 8, 16] {
            let all = (0..16).flat_map(|t| (0..groups).map(move |g| (t, g)));
            let mut places: Vec<_> =
                all.clone().filter_map(|(t, g)| nvfp4_swizzled_scale(t, g, groups)).collect();
            places.sort_unstable();
            assert_eq!(places, all.collect::<Vec<_>>());
        }
    }
}
