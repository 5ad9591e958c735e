// Step 2 of 3 of the naive form: one invocation per row of scores.

#import shared/attention

@group(0) @binding(1) var<storage, read> sinks: array<f32>;
@group(0) @binding(2) var<storage, read_write> scores: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.queries {
        return;
    }
    let first = (id.y * params.queries + id.x) * params.capacity;
    var top = LOWEST;
    var total = 0.0f;
    if params.sinks > 0u {
        top = sinks[id.y % params.heads];
    }
    for (var key = 0u; key < params.capacity; key++) {
        top = max(top, scores[first + key]);
    }
    if params.sinks > 0u {
        total = exp(sinks[id.y % params.heads] - top);
    }
    for (var key = 0u; key < params.capacity; key++) {
        let score = scores[first + key];
        let weight = select(exp(score - top), 0.0f, score == LOWEST);
        scores[first + key] = weight;
        total += weight;
    }
    for (var key = 0u; key < params.capacity; key++) {
        scores[first + key] /= total;
    }
}
