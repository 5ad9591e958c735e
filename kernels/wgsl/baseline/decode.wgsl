// The one-query form of attention that needs no thought: an invocation per query head walks all of its tokens.
// What `attention/decode` is measured against; heads of up to 128, no sinks.

#import shared/attention

@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k_words: array<u32>;
@group(0) @binding(3) var<storage, read> v_words: array<u32>;
@group(0) @binding(4) var<storage, read> table: array<u32>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(0) @binding(6) var<storage, read> beside: array<u32>;
@group(0) @binding(7) var<storage, read_write> out: array<vec4<f32>>;

#import shared/slot
#import kv/*.key as k
#import kv/*.value as v

const MAX_COLUMNS: u32 = 32u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let columns = params.head_dim / 4u;
    if id.x >= params.sequences * params.heads || columns > MAX_COLUMNS {
        return;
    }
    let sequence = id.x / params.heads;
    let kv_head = id.x % params.heads / (params.heads / params.kv_heads);
    let length = lengths[sequence];
    let oldest = select(0u, length - min(length, params.window), params.window > 0u);
    var sum: array<vec4<f32>, MAX_COLUMNS>;
    for (var c = 0u; c < columns; c++) {
        sum[c] = vec4<f32>(0.0f);
    }
    var top = LOWEST;
    var total = 0.0f;
    for (var token = oldest; token < length; token++) {
        let at = place(sequence, token, length);
        let key = k_record(at, kv_head);
        var score = 0.0f;
        for (var c = 0u; c < columns; c++) {
            score += dot(k_load4(key, c * 4u), q[id.x * columns + c]);
        }
        score *= params.scale;
        let higher = max(top, score);
        let rescale = exp(top - higher);
        let weight = exp(score - higher);
        top = higher;
        total = total * rescale + weight;
        let value = v_record(at, kv_head);
        for (var c = 0u; c < columns; c++) {
            sum[c] = sum[c] * rescale + weight * v_load4(value, c * 4u);
        }
    }
    for (var c = 0u; c < columns; c++) {
        out[id.x * columns + c] = sum[c] / total;
    }
}
