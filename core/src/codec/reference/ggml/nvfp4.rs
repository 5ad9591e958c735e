//! ggml's `nvfp4`: per 64 elements four UE4M3 scales, then four groups of 8 bytes; in each group of 16 the nibbles of
//! byte j are the elements j and j + 8. There is no scale per tensor.

use super::{E2M1_DOUBLED, half_split, joined, nearest_e2m1, num};
use crate::codec::reference::Arithmetic;

const GROUP: usize = 16;

pub(in crate::codec) const NVFP4: Arithmetic = Arithmetic::finite(
    |_, _, values, out| {
        for block in values.as_chunks::<64>().0 {
            let groups = block.as_chunks::<GROUP>().0;
            let scales: Vec<u8> = groups.iter().map(|group| encode_scale(num::amax(group) / 6.0)).collect();
            out.extend(&scales);
            for (group, scale) in groups.iter().zip(scales) {
                let d = half_scale(scale);
                out.extend(half_split(&group.map(|x| nearest_e2m1(x, d))));
            }
        }
    },
    |_, row, out| {
        for [d0, d1, d2, d3, codes @ ..] in row.as_chunks::<36>().0 {
            for (scale, group) in [d0, d1, d2, d3].into_iter().zip(codes.as_chunks::<8>().0) {
                let d = half_scale(*scale);
                let value = |q: u8| E2M1_DOUBLED.get(usize::from(q)).copied().unwrap_or_default();
                out.extend(joined(group).map(|q| f32::from(value(q)) * d));
            }
        }
    },
);

/// Unsigned E4M3, half **up**; everything from 256 becomes 448, which is the format's quirk.
fn encode_scale(x: f32) -> u8 {
    const LARGEST: u8 = 0x7e;
    if x <= 0.0 {
        return 0;
    }
    let bits = x.to_bits();
    let exponent = i32::from(num::byte(bits >> 23)) - 127 + 7;
    if exponent <= 0 {
        // Multiples of 2^-9; a subnormal never rounds up into the normals.
        return num::low_byte(x * 512.0 + 0.5).min(7);
    }
    if exponent >= 15 {
        return LARGEST;
    }
    let rounded = (bits >> 20) + (bits >> 19 & 1);
    let code = rounded - ((127 - 7) << 3);
    if code >= 15 << 3 { LARGEST } else { num::byte(code) }
}

/// Half the UE4M3 scale, since the codes' values are kept doubled.
fn half_scale(code: u8) -> f32 {
    if code == 0x7f {
        return 0.0;
    }
    let (exponent, mantissa) = (code >> 3 & 0x0f, f32::from(code & 7));
    let value = if exponent == 0 {
        mantissa * 2f32.powi(-9)
    } else {
        (1.0 + mantissa / 8.0) * 2f32.powi(i32::from(exponent) - 7)
    };
    value * 0.5
}
