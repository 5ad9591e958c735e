// The form everyone writes first, step 1 of 3: one invocation per score, all S×S of them in memory.

#import shared/attention

@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k_words: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(0) @binding(5) var<storage, read> beside: array<u32>;
// Per sequence, head and query: `capacity` scores.
@group(0) @binding(6) var<storage, read_write> scores: array<f32>;

#import shared/slot
#import kv/*.key as k

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let key = id.x;
    let sequence = id.z / params.heads;
    let head = id.z % params.heads;
    let length = lengths[sequence];
    if key >= params.capacity {
        return;
    }
    let columns = params.head_dim / 4u;
    let kv_head = head / (params.heads / params.kv_heads);
    let sees = length - params.queries + id.y;
    var score = LOWEST;
    if key < length && key <= sees && (params.window == 0u || key + params.window > sees) {
        let query = ((sequence * params.queries + id.y) * params.heads + head) * columns;
        let record = k_record(place(sequence, key, length), kv_head);
        score = 0.0f;
        for (var c = 0u; c < columns; c++) {
            score += dot(q[query + c], k_load4(record, c * 4u));
        }
        score *= params.scale;
    }
    scores[(id.z * params.queries + id.y) * params.capacity + key] = score;
}
