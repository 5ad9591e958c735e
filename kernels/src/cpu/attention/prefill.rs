use super::{LOWEST, dot};
use crate::cpu::kv::{Decoder, Packed};
use crate::cpu::shared::place;
use crate::shader::{self, Attention};

/// `attention/prefill.wgsl`: per query, tiles of keys with a running softmax.
#[expect(clippy::too_many_arguments, reason = "one per binding")]
pub fn prefill(
    key: &Decoder,
    value: &Decoder,
    params: &Attention,
    q: &[f32],
    k: &[u32],
    v: &[u32],
    table: &[u32],
    lengths: &[u32],
    beside: &[u32],
    sinks: &[f32],
    out: &mut [f32],
) {
    let tile = |name| shader::attention::prefill::F16.constant(name).unwrap_or(1);
    let (queries, keys) = (tile("QUERIES"), tile("KEYS"));
    let dim = params.head_dim as usize;
    let k = Packed { words: k, beside, geometry: &params.k_side };
    let v = Packed { words: v, beside, geometry: &params.v_side };
    let per_kv = params.heads / params.kv_heads;
    for sequence in 0..params.sequences {
        let length = lengths[sequence as usize];
        for index in 0..params.queries {
            // A tile of queries walks the keys that any of them sees.
            let first_query = index / queries * queries;
            let position = length - params.queries + first_query;
            let last_key = (position + queries.min(params.queries - first_query)).min(params.last);
            let oldest = if params.window > 0 { position + 1 - params.window.min(position + 1) } else { 0 };
            let oldest = oldest.max(params.first);
            let sees = length - params.queries + index;
            for head in 0..params.heads {
                let kv_head = head / per_kv;
                let at = ((sequence * params.queries + index) * params.heads + head) as usize * dim;
                let query = &q[at..][..dim];
                let mut sum = vec![0.0f32; dim];
                let (mut top, mut total) = (LOWEST, 0.0f32);
                for first_key in (oldest..last_key).step_by(keys as usize) {
                    let tile: Vec<u32> = (first_key..last_key.min(first_key + keys))
                        .filter(|key| *key <= sees && (params.window == 0 || key + params.window > sees))
                        .collect();
                    let mut weights = Vec::new();
                    let before = top;
                    for at in &tile {
                        let at = place(params, table, sequence, *at, length);
                        let record = (key.record)(&k, at, kv_head);
                        let mut score = 0.0;
                        for c in (0..params.head_dim).step_by(4) {
                            score += dot((key.load4)(&k, record, c), &query[c as usize..]);
                        }
                        weights.push(score * params.scale);
                        top = top.max(score * params.scale);
                    }
                    let rescale = (before - top).exp();
                    total *= rescale;
                    for value in &mut sum {
                        *value *= rescale;
                    }
                    for (at, weight) in tile.iter().zip(weights) {
                        let weight = (weight - top).exp();
                        total += weight;
                        let at = place(params, table, sequence, *at, length);
                        let record = (value.record)(&v, at, kv_head);
                        for c in (0..params.head_dim).step_by(4) {
                            let value = (value.load4)(&v, record, c);
                            for i in 0..4 {
                                sum[c as usize + i] += weight * value[i];
                            }
                        }
                    }
                }
                if params.raw > 0 {
                    let part = (at / dim * params.splits as usize + params.first_split as usize) * (dim + 4);
                    out[part..][..dim].copy_from_slice(&sum);
                    out[part + dim..][..4].copy_from_slice(&[top, total, 0.0, 0.0]);
                    continue;
                }
                if params.sinks > 0 {
                    let sink = sinks[head as usize];
                    let with = top.max(sink);
                    let shrink = (top - with).exp();
                    total = total * shrink + (sink - with).exp();
                    for value in &mut sum {
                        *value *= shrink;
                    }
                }
                for i in 0..dim {
                    out[at + i] = sum[i] / total;
                }
            }
        }
    }
}
