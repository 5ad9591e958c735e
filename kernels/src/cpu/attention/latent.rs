use super::{LOWEST, dot};
use crate::cpu::kv::{Decoder, Packed};
use crate::cpu::shared::place;
use crate::shader::{self, Attention};

/// `attention/latent.wgsl`. Rows share a workgroup's tiles and nothing else, so they are walked one by one.
#[expect(clippy::too_many_arguments, reason = "one per binding")]
pub fn latent(
    key: &Decoder,
    params: &Attention,
    q: &[f32],
    k: &[u32],
    table: &[u32],
    lengths: &[u32],
    beside: &[u32],
    parts: &mut [f32],
) {
    let tile = |name| shader::attention::latent::F16.constant(name).unwrap_or(1);
    let (tile_rows, tile_keys) = (tile("ROWS"), tile("KEYS"));
    let (dim, value_dim) = (params.head_dim as usize, params.value_dim as usize);
    let k = Packed { words: k, beside, geometry: &params.k_side };
    let rows = params.queries * params.heads;
    for sequence in 0..params.sequences {
        let length = lengths[sequence as usize];
        let position = length - params.queries;
        for row in 0..rows {
            // A tile of rows walks the tokens that any of them sees.
            let last_row = (row / tile_rows * tile_rows + tile_rows).min(rows) - 1;
            let last_key = (position + last_row / params.heads + 1).min(params.last);
            let sees = position + row / params.heads;
            let query = &q[(sequence * rows + row) as usize * dim..][..dim];
            for split in 0..params.splits - params.first_split {
                let begin = params.first.saturating_add(split * params.split).min(last_key);
                let end = begin.saturating_add(params.split).min(last_key);
                let mut sum = vec![0.0f32; value_dim];
                let (mut top, mut total) = (LOWEST, 0.0f32);
                for first_key in (begin..end).step_by(tile_keys as usize) {
                    let keys: Vec<_> = (first_key..end.min(first_key + tile_keys))
                        .filter(|key| *key <= sees)
                        .map(|at| (key.record)(&k, place(params, table, sequence, at, length), 0))
                        .collect();
                    let before = top;
                    let mut weights = Vec::new();
                    for record in &keys {
                        let mut score = 0.0;
                        for c in (0..params.head_dim).step_by(4) {
                            score += dot((key.load4)(&k, *record, c), &query[c as usize..]);
                        }
                        weights.push(score * params.scale);
                        top = top.max(score * params.scale);
                    }
                    let rescale = (before - top).exp();
                    total *= rescale;
                    for value in &mut sum {
                        *value *= rescale;
                    }
                    for (record, weight) in keys.iter().zip(weights) {
                        let weight = (weight - top).exp();
                        total += weight;
                        for c in (0..params.value_dim).step_by(4) {
                            let value = (key.load4)(&k, *record, c);
                            for i in 0..4 {
                                sum[c as usize + i] += weight * value[i];
                            }
                        }
                    }
                }
                let part = (sequence * rows + row) * params.splits + params.first_split + split;
                let out = &mut parts[part as usize * (value_dim + 4)..][..value_dim + 4];
                out[..value_dim].copy_from_slice(&sum);
                out[value_dim..].copy_from_slice(&[top, total, 0.0, 0.0]);
            }
        }
    }
}
