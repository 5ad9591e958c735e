use super::LOWEST;
use crate::shader::Attention;

/// `attention/merge.wgsl`.
pub fn merge(params: &Attention, parts: &[f32], sinks: &[f32], out: &mut [f32]) {
    let dim = params.value_dim as usize;
    let splits = params.splits as usize;
    for head in 0..(params.sequences * params.queries * params.heads) as usize {
        let records = &parts[head * splits * (dim + 4)..][..splits * (dim + 4)];
        let sink = (params.sinks > 0).then(|| sinks[head % params.heads as usize]);
        let mut top = sink.unwrap_or(LOWEST);
        for record in records.chunks_exact(dim + 4) {
            top = top.max(record[dim]);
        }
        let mut total = sink.map_or(0.0, |sink| (sink - top).exp());
        let out = &mut out[head * dim..][..dim];
        out.fill(0.0);
        for record in records.chunks_exact(dim + 4) {
            let weight = (record[dim] - top).exp();
            total += weight * record[dim + 1];
            for i in 0..dim {
                out[i] += weight * record[i];
            }
        }
        for value in out {
            *value /= total;
        }
    }
}
