use half::f16;

use crate::cpu::shared::Stream;
use crate::shader::Rows;

const GROUP: usize = 32;

fn rounded(x: f32) -> f32 {
    f16::from_f32(x).to_f32()
}

/// `shared/kivi.wgsl`: a group's scale and minimum.
struct Group {
    scale: f32,
    lowest: f32,
    top: f32,
}

impl Group {
    fn of(halves: &[f32; GROUP], bits: u32) -> Self {
        let (mut lowest, mut highest) = (f32::MAX, -f32::MAX);
        for x in halves {
            lowest = if *x < lowest { *x } else { lowest };
            highest = if *x > highest { *x } else { highest };
        }
        let top = if bits == 2 { 3.0 } else { 15.0 };
        Self { scale: rounded(rounded(highest - lowest) / top), lowest, top }
    }

    fn code(&self, half: f32) -> u32 {
        let step = rounded(rounded(half - self.lowest) / self.scale);
        if step.is_nan() {
            0
        } else {
            u32::from(crate::cpu::shared::low_byte(step.min(self.top).round_ties_even()))
        }
    }

    /// Scale and minimum as stored.
    fn meta(&self) -> [u32; 2] {
        [self.scale, self.lowest].map(|x| u32::from(f16::from_f32(x).to_bits()))
    }
}

/// `shared/kivi_key.wgsl`.
fn keys(params: &Rows, src: &[u32], dst: &mut [u32], bits: u32) {
    let (width, dim) = (params.width as usize, params.head_dim as usize);
    let words = bits as usize;
    for tokens in 0..params.rows as usize / GROUP {
        for pair in 0..width / 2 {
            let (head, channel) = (pair * 2 / dim, pair * 2 % dim);
            let codes = (tokens * params.heads as usize + head) * dim * (words + 1);
            let scales = codes + dim * words + channel / 2;
            let (mut scale, mut lowest) = (0, 0);
            for i in 0..2 {
                let halves: [f32; GROUP] = std::array::from_fn(|t| {
                    rounded(f32::from_bits(src[(tokens * GROUP + t) * width + pair * 2 + i]))
                });
                let group = Group::of(&halves, bits);
                let [s, m] = group.meta();
                scale |= s << (16 * i);
                lowest |= m << (16 * i);
                for w in 0..words {
                    let mut word = 0;
                    for j in 0..GROUP / words {
                        word |= group.code(halves[w * (GROUP / words) + j]) << (j * words);
                    }
                    dst[codes + (channel + i) * words + w] = word;
                }
            }
            dst[scales] = scale;
            dst[scales + dim / 2] = lowest;
        }
    }
}

/// `shared/kivi_value.wgsl`.
fn values(params: &Rows, src: &[u32], dst: &mut [u32], bits: u32) {
    let groups = params.width / 32;
    for row in 0..params.rows {
        let mut out = Stream::begin(dst, row * groups * (4 * bits + 4));
        let mut metas = Vec::new();
        for g in 0..groups {
            let first = (row * params.width + g * 32) as usize;
            let halves: [f32; GROUP] = std::array::from_fn(|i| rounded(f32::from_bits(src[first + i])));
            let group = Group::of(&halves, bits);
            metas.push(group.meta());
            for half in halves {
                out.put(group.code(half), bits);
            }
        }
        for which in 0..2 {
            for meta in &metas {
                out.put(meta[which], 16);
            }
        }
        out.end();
    }
}

/// `quantize/kivi2_key.wgsl`.
pub fn kivi2_key(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    keys(params, src, dst, 2);
}

/// `quantize/kivi4_key.wgsl`.
pub fn kivi4_key(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    keys(params, src, dst, 4);
}

/// `quantize/kivi2_value.wgsl`.
pub fn kivi2_value(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    values(params, src, dst, 2);
}

/// `quantize/kivi4_value.wgsl`.
pub fn kivi4_value(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    values(params, src, dst, 4);
}
