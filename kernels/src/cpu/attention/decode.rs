use super::{LOWEST, dot};
use crate::cpu::kv::{Decoder, Packed};
use crate::cpu::shared::place;
use crate::shader::{self, Attention};

/// `attention/decode.wgsl`. `GROUP` and `NEIGHBOURS` change which workgroup a head belongs to and nothing else, so heads
/// are walked one by one.
#[expect(clippy::too_many_arguments, reason = "one per binding")]
pub fn decode(
    key: &Decoder,
    value: &Decoder,
    params: &Attention,
    q: &[f32],
    k: &[u32],
    v: &[u32],
    table: &[u32],
    lengths: &[u32],
    beside: &[u32],
    parts: &mut [f32],
) {
    let tokens = shader::attention::decode::F16.constant("SPLIT").unwrap_or(1);
    let dim = params.head_dim as usize;
    let k = Packed { words: k, beside, geometry: &params.k_side };
    let v = Packed { words: v, beside, geometry: &params.v_side };
    let per_kv = params.heads / params.kv_heads;
    for sequence in 0..params.sequences {
        let length = lengths[sequence as usize];
        let oldest = if params.window > 0 { length - length.min(params.window) } else { 0 };
        for head in 0..params.heads {
            let kv_head = head / per_kv;
            let query = &q[(sequence * params.heads + head) as usize * dim..][..dim];
            // Splits past this launch's come out empty; the launch they belong to comes later.
            for split in 0..params.splits - params.first_split {
                let end = length.min(params.last);
                let begin = (oldest.max(params.first) + split * tokens).min(end);
                let count = tokens.min(end - begin);
                let mut weights = Vec::new();
                let mut top = LOWEST;
                for t in 0..count {
                    let at = place(params, table, sequence, begin + t, length);
                    let record = (key.record)(&k, at, kv_head);
                    let mut score = 0.0;
                    for c in (0..params.head_dim).step_by(4) {
                        score += dot((key.load4)(&k, record, c), &query[c as usize..]);
                    }
                    score *= params.scale;
                    weights.push(score);
                    top = top.max(score);
                }
                let mut total = 0.0;
                for weight in &mut weights {
                    *weight = (*weight - top).exp();
                    total += *weight;
                }
                let part = ((sequence * params.heads + head) * params.splits + params.first_split + split)
                    as usize
                    * (dim + 4);
                let out = &mut parts[part..][..dim + 4];
                out.fill(0.0);
                for t in 0..count {
                    let at = place(params, table, sequence, begin + t, length);
                    let record = (value.record)(&v, at, kv_head);
                    for c in (0..params.head_dim).step_by(4) {
                        let value = (value.load4)(&v, record, c);
                        for i in 0..4 {
                            out[c as usize + i] += weights[t as usize] * value[i];
                        }
                    }
                }
                out[dim] = top;
                out[dim + 1] = total;
            }
        }
    }
}
