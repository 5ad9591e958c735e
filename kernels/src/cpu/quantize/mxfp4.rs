use kvplan_core::codec::{Block, Codec};

use crate::cpu::shared::{Stream, amax, blocks, e2m1_value, floats};
use crate::shader::Rows;

const LAYOUT: Block = Codec::Mxfp4.layout().key.packing.block();

/// The nearest code; of equally near ones the first. `half` is half the scale.
fn code(x: f32, half: f32) -> u32 {
    let error = |code: u8| (2.0 * e2m1_value(code) * half - x).abs();
    let mut best = (0, error(0));
    for code in 1..16 {
        if error(code) < best.1 {
            best = (code, error(code));
        }
    }
    u32::from(best.0)
}

/// ⌊log2 x⌋ where log2 is rounded to f32 first, from how far x is below a power of two: see the shader.
fn floor_log2(x: f32) -> i32 {
    let bits = x.to_bits();
    let lead = (bits & 0x7f_ffff).leading_zeros().saturating_sub(8);
    let (significand, exponent) = match bits >> 23 {
        0 => ((bits & 0x7f_ffff) << lead, -149 - lead.cast_signed()),
        biased => ((bits & 0x7f_ffff) | 0x80_0000, biased.cast_signed() - 150),
    };
    let k = exponent + 24;
    let size = if k > 0 { k - 1 } else { -k }.unsigned_abs();
    let units = [0, 1, 2, 5, 11, 22, 44, 88][size.max(1).ilog2() as usize];
    k - 1 + i32::from(k != 0 && size > 0 && (1 << 24) - significand <= units)
}

fn block(values: &[u32], out: &mut Stream<'_>) {
    let amax = amax(floats(values));
    let e = if amax > 0.0 { u32::from((floor_log2(amax) + 125).to_le_bytes()[0]) } else { 0 };
    let half = f32::from_bits(if e < 2 { 0x20_0000 << e } else { (e - 1) << 23 });
    out.put(e, 8);
    for i in 0..values.len() / 2 {
        let low = code(f32::from_bits(values[i]), half);
        out.put(low | (code(f32::from_bits(values[i + values.len() / 2]), half) << 4), 8);
    }
}

/// `quantize/mxfp4.wgsl`.
pub fn mxfp4(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    blocks(params, src, dst, (LAYOUT, 4), block);
}
