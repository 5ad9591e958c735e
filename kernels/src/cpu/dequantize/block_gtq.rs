use crate::cpu::shared::{key_group, key_norm, turn};
use crate::shader::KeyBlocks;

/// `dequantize/block_gtq.wgsl`.
pub fn block_gtq(params: &KeyBlocks, src: &[u32], table: &[u32], dst: &mut [u32]) {
    let byte = |at: u32| src[(at / 4) as usize] >> (at % 4 * 8) & 0xff;
    let two_bytes = |at: u32| byte(at) | (byte(at + 1) << 8);
    for token in 0..params.tokens {
        let row = params.base + token * params.row_bytes;
        let key = token * params.stride + params.first;
        for g in 0..params.groups {
            let group = key_group(table, g);
            let level = |i: u32| {
                let bit = group.codes + i * group.stored;
                let code = two_bytes(row + bit / 8) >> (bit % 8) & ((1 << group.stored) - 1);
                f32::from_bits(table[(group.levels + code) as usize])
            };
            let mut x: Vec<f32> = (0..group.n).map(level).collect();
            let length = turn::norm(&x);
            x.iter_mut().for_each(|x| *x /= length);
            turn::turned_back(&mut x);
            let bytes = two_bytes(row + key_norm(params, g)).to_le_bytes();
            let norm = half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
            for (i, x) in x.into_iter().enumerate() {
                let dim = table[group.dims as usize + i];
                dst[(key + dim) as usize] = (x * norm).to_bits();
            }
        }
    }
}
