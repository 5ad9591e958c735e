use kvplan_core::codec::tables::IQ4_NL_LEVELS;
use kvplan_core::codec::{Block, Codec};

use crate::cpu::shared::{Nibbles, Stream, blocks, extreme, f16, floats};
use crate::shader::Rows;

const LAYOUT: Block = Codec::Iq4Nl.layout().key.packing.block();

fn level(code: u32) -> f32 {
    f32::from(IQ4_NL_LEVELS[code as usize])
}

fn code(x: f32) -> u32 {
    (0..15).fold(0, |code, low| if x - level(low) >= level(low + 1) - x { low + 1 } else { code })
}

/// `codes` are those of the block before, which a block without a scale repeats.
fn block(values: &[u32], codes: &mut [u32; 32], out: &mut Stream<'_>) {
    let extreme = extreme(floats(values));
    let mut d = 0.0;
    if extreme.abs() >= 1e-15 {
        let inverse = 1.0 / (extreme / level(0));
        let (mut qx, mut qq) = (0.0f32, 0.0f32);
        for (i, x) in floats(values).enumerate() {
            codes[i] = code(inverse * x);
            let q = level(codes[i]);
            qx += x * x * q * x;
            qq += x * x * q * q;
        }
        d = qx / qq;
    }
    out.put(f16(d), 16);
    Nibbles::of(*codes).put(out);
}

/// `quantize/iq4_nl.wgsl`, then `quantize/iq4_nl_repeat.wgsl`.
pub fn iq4_nl(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    let mut codes = [0; 32];
    blocks(params, src, dst, (LAYOUT, 2), |values, out| block(values, &mut codes, out));
}
