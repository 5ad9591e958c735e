// Step 3 of 3 of the naive form: one invocation per query and four columns.

#import shared/attention

@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> v_words: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(0) @binding(5) var<storage, read> beside: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4<f32>>;

#import shared/slot
#import kv/*.value as v

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let columns = params.head_dim / 4u;
    if id.x >= columns {
        return;
    }
    let sequence = id.z / params.heads;
    let head = id.z % params.heads;
    let kv_head = head / (params.heads / params.kv_heads);
    let length = lengths[sequence];
    let first = (id.z * params.queries + id.y) * params.capacity;
    var sum = vec4<f32>(0.0f);
    for (var key = 0u; key < length; key++) {
        sum += weights[first + key] * v_load4(v_record(place(sequence, key, length), kv_head), id.x * 4u);
    }
    out[((sequence * params.queries + id.y) * params.heads + head) * columns + id.x] = sum;
}
