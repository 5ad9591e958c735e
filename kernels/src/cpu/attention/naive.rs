use super::{LOWEST, dot};
use crate::cpu::kv::{Decoder, Packed};
use crate::cpu::shared::place;
use crate::shader::Attention;

/// `attention/naive_scores.wgsl`.
#[expect(clippy::too_many_arguments, reason = "one per binding")]
pub fn naive_scores(
    decoder: &Decoder,
    params: &Attention,
    q: &[f32],
    k: &[u32],
    table: &[u32],
    lengths: &[u32],
    beside: &[u32],
    scores: &mut [f32],
) {
    let k = Packed { words: k, beside, geometry: &params.k_side };
    let per_kv = params.heads / params.kv_heads;
    for z in 0..params.sequences * params.heads {
        let (sequence, head) = (z / params.heads, z % params.heads);
        let length = lengths[sequence as usize];
        for index in 0..params.queries {
            let query = ((sequence * params.queries + index) * params.heads + head) * params.head_dim;
            let sees = length - params.queries + index;
            for key in 0..params.capacity {
                let seen = key < length && key <= sees && (params.window == 0 || key + params.window > sees);
                let mut score = LOWEST;
                if seen {
                    let at = place(params, table, sequence, key, length);
                    let record = (decoder.record)(&k, at, head / per_kv);
                    score = 0.0;
                    for c in (0..params.head_dim).step_by(4) {
                        let key = (decoder.load4)(&k, record, c);
                        score += dot(key, &q[(query + c) as usize..]);
                    }
                    score *= params.scale;
                }
                scores[((z * params.queries + index) * params.capacity + key) as usize] = score;
            }
        }
    }
}

/// `attention/naive_softmax.wgsl`.
pub fn naive_softmax(params: &Attention, sinks: &[f32], scores: &mut [f32]) {
    let rows = params.queries as usize;
    for (at, row) in scores.chunks_exact_mut(params.capacity as usize).enumerate() {
        let sink = (params.sinks > 0).then(|| sinks[at / rows % params.heads as usize]);
        let top = row.iter().copied().fold(sink.unwrap_or(LOWEST), f32::max);
        let mut total = sink.map_or(0.0, |sink| (sink - top).exp());
        for score in row.iter_mut() {
            *score = if *score == LOWEST { 0.0 } else { (*score - top).exp() };
            total += *score;
        }
        for score in row {
            *score /= total;
        }
    }
}

/// `attention/naive_output.wgsl`.
#[expect(clippy::too_many_arguments, reason = "one per binding")]
pub fn naive_output(
    decoder: &Decoder,
    params: &Attention,
    weights: &[f32],
    v: &[u32],
    table: &[u32],
    lengths: &[u32],
    beside: &[u32],
    out: &mut [f32],
) {
    let v = Packed { words: v, beside, geometry: &params.v_side };
    let per_kv = params.heads / params.kv_heads;
    for z in 0..params.sequences * params.heads {
        let (sequence, head) = (z / params.heads, z % params.heads);
        for index in 0..params.queries {
            let at = ((sequence * params.queries + index) * params.heads + head) * params.head_dim;
            let first = (z * params.queries + index) * params.capacity;
            for c in (0..params.head_dim).step_by(4) {
                let mut sum = [0.0f32; 4];
                for key in 0..lengths[sequence as usize] {
                    let at = place(params, table, sequence, key, lengths[sequence as usize]);
                    let record = (decoder.record)(&v, at, head / per_kv);
                    let value = (decoder.load4)(&v, record, c);
                    for i in 0..4 {
                        sum[i] += weights[(first + key) as usize] * value[i];
                    }
                }
                out[(at + c) as usize..][..4].copy_from_slice(&sum);
            }
        }
    }
}
