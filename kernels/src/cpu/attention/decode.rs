use super::{LOWEST, dot};
use crate::cpu::kv::Load4;
use crate::cpu::shared::slot;
use crate::shader::{self, Attention};

/// `attention/decode.wgsl`. `GROUP` changes which workgroup a head belongs to and nothing else, so heads are walked one
/// by one.
#[expect(clippy::too_many_arguments, reason = "one per binding")]
pub fn decode(
    load4: Load4,
    params: &Attention,
    q: &[f32],
    k: &[u32],
    v: &[u32],
    table: &[u32],
    lengths: &[u32],
    parts: &mut [f32],
) {
    let tokens = shader::attention::decode::F16.constant("SPLIT").unwrap_or(1);
    let dim = params.head_dim as usize;
    let per_kv = params.heads / params.kv_heads;
    for sequence in 0..params.sequences {
        let length = lengths[sequence as usize];
        let oldest = if params.window > 0 { length - length.min(params.window) } else { 0 };
        for head in 0..params.heads {
            let column0 = head / per_kv * params.head_dim;
            let query = &q[(sequence * params.heads + head) as usize * dim..][..dim];
            for split in 0..params.splits {
                let begin = (oldest + split * tokens).min(length);
                let count = tokens.min(length - begin);
                let mut weights = Vec::new();
                let mut top = LOWEST;
                for t in 0..count {
                    let row = slot(params, table, sequence, begin + t) * params.k_row_bytes;
                    let mut score = 0.0;
                    for c in (0..params.head_dim).step_by(4) {
                        score += dot(load4(k, row, column0 + c), &query[c as usize..]);
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
                let part = ((sequence * params.heads + head) * params.splits + split) as usize * (dim + 4);
                let out = &mut parts[part..][..dim + 4];
                out.fill(0.0);
                for t in 0..count {
                    let row = slot(params, table, sequence, begin + t) * params.v_row_bytes;
                    for c in (0..params.head_dim).step_by(4) {
                        let value = load4(v, row, column0 + c);
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
