use kvplan_core::codec::tables::{
    TURBO_CUTS_2, TURBO_CUTS_3, TURBO_CUTS_4, TURBO_LEVELS_2, TURBO_LEVELS_3, TURBO_LEVELS_4,
};
use kvplan_core::codec::{Block, Codec};

use crate::cpu::shared::{Cuts, Staging, turn};
use crate::shader::Rows;

const BLOCK: usize = 128;
/// 1/√128.
const SCALE: f32 = std::f32::consts::FRAC_1_SQRT_2 / 8.0;
/// Norms up to this count as zero.
const LEAST: f32 = 1e-10;

/// One of the types: levels, cuts, block, and where a code goes in a block that begins at a bit.
struct Turbo {
    levels: &'static [f32],
    cuts: &'static [f32],
    block: Block,
    put: fn(&mut Staging, u32, u32, u32),
}

impl Turbo {
    fn level(&self, code: u32) -> f32 {
        let (code, half) = (code as usize, self.levels.len());
        if code < half { -self.levels[half - 1 - code] } else { self.levels[code - half] }
    }

    fn block(&self, given: &[f32; BLOCK], cuts: &Cuts, bit: u32, out: &mut Staging) {
        let length = turn::norm(given);
        let inverse = if length > LEAST { 1.0 / length } else { 0.0 };
        let mut x = given.map(|x| x * inverse);
        turn::negate(&mut x, false);
        turn::butterflies(&mut x);
        x = x.map(|x| x * SCALE);
        turn::negate(&mut x, true);
        let codes = x.map(|x| cuts.code(x));
        let norm = length / turn::norm(&codes.map(|code| self.level(code)));
        for (i, code) in (0..).zip(codes) {
            (self.put)(out, bit, i, code);
        }
        out.put(bit, u32::from(half::f16::from_f32(norm).to_bits()), 16);
    }

    #[expect(clippy::cast_possible_truncation, reason = "a block's size")]
    fn rows(&self, params: &Rows, src: &[u32], dst: &mut [u32]) {
        let bytes = self.block.bytes as u32;
        let cuts = Cuts::at(self.cuts);
        let blocks = params.width.div_ceil(BLOCK as u32);
        for unit in 0..params.rows.div_ceil(params.rows_per_unit) {
            let first = unit * params.rows_per_unit;
            let count = params.rows_per_unit.min(params.rows - first);
            let mut out = Staging::cleared(count * blocks * bytes);
            for block in 0..count * blocks {
                let row = (first + block / blocks) * params.width;
                let column = block % blocks * BLOCK as u32;
                let mut given = [0.0; BLOCK];
                for i in 0..(params.width - column).min(BLOCK as u32) {
                    given[i as usize] = f32::from_bits(src[(row + column + i) as usize]);
                }
                self.block(&given, &cuts, block * bytes * 8, &mut out);
            }
            out.write(dst, first * blocks * bytes / 4);
        }
    }
}

const TURBO2: Turbo = Turbo {
    levels: &TURBO_LEVELS_2,
    cuts: &TURBO_CUTS_2,
    block: Codec::Turbo2_0.layout().key.packing.block(),
    put: |out, block, i, code| out.put(block + 16 + i * 2, code, 2),
};
const TURBO3: Turbo = Turbo {
    levels: &TURBO_LEVELS_3,
    cuts: &TURBO_CUTS_3,
    block: Codec::Turbo3_0.layout().key.packing.block(),
    put: |out, block, i, code| {
        out.put(block + 16 + i * 2, code & 3, 2);
        out.put(block + 34 * 8 + i, code >> 2, 1);
    },
};
const TURBO4: Turbo = Turbo {
    levels: &TURBO_LEVELS_4,
    cuts: &TURBO_CUTS_4,
    block: Codec::Turbo4_0.layout().key.packing.block(),
    put: |out, block, i, code| out.put(block + 32 + i * 4, code, 4),
};

/// `quantize/turbo2_0.wgsl`.
pub fn turbo2_0(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    TURBO2.rows(params, src, dst);
}

/// `quantize/turbo3_0.wgsl`.
pub fn turbo3_0(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    TURBO3.rows(params, src, dst);
}

/// `quantize/turbo4_0.wgsl`.
pub fn turbo4_0(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    TURBO4.rows(params, src, dst);
}
