// Joins the parts of a row of scores: one workgroup per query (y counts them over all sequences) and head, one
// invocation per four columns. A sink is a logit that takes weight and gives nothing.

#import shared/attention

@group(0) @binding(1) var<storage, read> parts: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> sinks: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let head = id.y * params.heads + id.x;
    let columns = params.value_dim / 4u;
    let record = columns + 1u;
    let first = head * params.splits * record;
    if lane >= columns {
        return;
    }
    var top = LOWEST;
    if params.sinks > 0u {
        top = sinks[id.x];
    }
    for (var split = 0u; split < params.splits; split++) {
        top = max(top, parts[first + split * record + columns].x);
    }
    var total = 0.0f;
    if params.sinks > 0u {
        total = exp(sinks[id.x] - top);
    }
    var sum = vec4<f32>(0.0f);
    for (var split = 0u; split < params.splits; split++) {
        let at = first + split * record;
        let state = parts[at + columns];
        let weight = exp(state.x - top);
        total += weight * state.y;
        sum += weight * parts[at + lane];
    }
    out[head * columns + lane] = sum / total;
}
