use super::turned_codes::{direction, turned_codes};
use crate::cpu::shared::{Cuts, Staging, key_group, key_norm, turn};
use crate::shader::KeyBlocks;

/// Keys of a workgroup: they end on a word.
const KEYS: u32 = 64;

/// `quantize/block_gtq.wgsl`.
pub fn block_gtq(params: &KeyBlocks, src: &[u32], table: &[u32], dst: &mut [u32]) {
    for first in (0..params.tokens).step_by(KEYS as usize) {
        let count = KEYS.min(params.tokens - first);
        let mut out = Staging::cleared(count * params.row_bytes);
        for g in 0..params.groups {
            let group = key_group(table, g);
            let cuts = Cuts::listed(&table[group.cuts as usize..][..(1 << group.bits) - 1]);
            let dims = &table[group.dims as usize..][..group.n as usize];
            for row in 0..count {
                let key = (first + row) * params.stride + params.first;
                let given: Vec<f32> =
                    dims.iter().map(|dim| f32::from_bits(src[(key + dim) as usize])).collect();
                let (norm, codes) = turned_codes(given, &cuts, direction, turn::turned);
                let bit = row * params.row_bytes * 8;
                for (i, code) in (0..).zip(codes) {
                    out.put(bit + group.codes + i * group.stored, code, group.stored);
                }
                let norm = half::f16::from_f32(norm).to_bits();
                out.put(bit + key_norm(params, g) * 8, u32::from(norm), 16);
            }
        }
        out.write(dst, (params.base + first * params.row_bytes) / 4);
    }
}
