use crate::cpu::shared::{key_group, turn};
use crate::shader::KeyBlocks;

/// `rotate/block_gtq.wgsl`.
pub fn block_gtq(params: &KeyBlocks, src: &[u32], table: &[u32], dst: &mut [u32]) {
    for token in 0..params.tokens {
        let query = token * params.stride + params.first;
        let mut done = query as usize;
        for group in (0..params.groups).map(|g| key_group(table, g)) {
            let dims = &table[group.dims as usize..][..group.n as usize];
            let mut x: Vec<f32> =
                dims.iter().map(|dim| f32::from_bits(src[(query + dim) as usize])).collect();
            turn::turned(&mut x);
            for x in x {
                dst[done] = x.to_bits();
                done += 1;
            }
        }
    }
}
