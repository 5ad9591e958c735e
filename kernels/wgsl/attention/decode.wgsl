// One query per sequence over a packed cache, the tokens split over workgroups; `attention/merge` joins the parts.
//
// A workgroup takes one sequence, one KV head, up to GROUP of its query heads, and SPLIT tokens. Each K and V element is
// decoded once for the whole group of heads, which is what grouped queries save. Scores: one invocation per token.
// Output: neighbouring invocations take neighbouring columns, so V is read in order; the invocations left over take
// other tokens, and their sums are joined at the end. A split is one softmax: no rescaling inside it.
//
// On a GPU the bound is the cache's bytes: every packed word is fetched once per group of heads, and the splits keep all
// processors busy whatever the number of sequences.

#import shared/attention

@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k_words: array<u32>;
@group(0) @binding(3) var<storage, read> v_words: array<u32>;
@group(0) @binding(4) var<storage, read> table: array<u32>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(0) @binding(6) var<storage, read> beside: array<u32>;
// Per sequence, head and split: head_dim/4 vectors of the weighted sum, then (max, sum of weights, 0, 0).
@group(0) @binding(7) var<storage, read_write> parts: array<vec4<f32>>;

#import shared/slot
#import kv/*.key as k
#import kv/*.value as v

const LANES: u32 = 128u;
const SPLIT: u32 = 256u;
const MAX_GROUP: u32 = 4u;
const MAX_HEAD_DIM: u32 = 512u;

// Query heads a workgroup takes: 1, 2 or 4.
override GROUP: u32 = 4u;

var<workgroup> queries: array<vec4<f32>, MAX_GROUP * MAX_HEAD_DIM / 4u>;
// A token's scores, then weights: one component per query head.
var<workgroup> weights: array<vec4<f32>, SPLIT>;
var<workgroup> shared_lanes: array<vec4<f32>, LANES>;

fn reduce_max(lane: u32, value: vec4<f32>) -> vec4<f32> {
    shared_lanes[lane] = value;
    workgroupBarrier();
    for (var step = LANES / 2u; step > 0u; step /= 2u) {
        if lane < step {
            shared_lanes[lane] = max(shared_lanes[lane], shared_lanes[lane + step]);
        }
        workgroupBarrier();
    }
    let result = shared_lanes[0];
    workgroupBarrier();
    return result;
}

fn reduce_sum(lane: u32, value: vec4<f32>) -> vec4<f32> {
    shared_lanes[lane] = value;
    workgroupBarrier();
    for (var step = LANES / 2u; step > 0u; step /= 2u) {
        if lane < step {
            shared_lanes[lane] += shared_lanes[lane + step];
        }
        workgroupBarrier();
    }
    let result = shared_lanes[0];
    workgroupBarrier();
    return result;
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let per_kv = params.heads / params.kv_heads;
    let tiles = (per_kv + GROUP - 1u) / GROUP;
    let kv_head = id.y / tiles;
    let first_in_kv = id.y % tiles * GROUP;
    let group = min(GROUP, per_kv - first_in_kv);
    let first_head = id.z * params.heads + kv_head * per_kv + first_in_kv;
    let columns = params.head_dim / 4u;

    let length = lengths[id.z];
    let oldest = select(0u, length - min(length, params.window), params.window > 0u);
    let end = min(length, params.last);
    let begin = min(max(oldest, params.first) + id.x * SPLIT, end);
    let count = min(SPLIT, end - begin);

    for (var i = lane; i < GROUP * columns; i += LANES) {
        let head = i / columns;
        queries[i] = select(vec4<f32>(0.0f), q[(first_head + min(head, group - 1u)) * columns + i % columns], head < group);
    }
    workgroupBarrier();

    var highest = vec4<f32>(LOWEST);
    for (var t = lane; t < count; t += LANES) {
        let record = k_record(place(id.z, begin + t, length), kv_head);
        var score = vec4<f32>(0.0f);
        for (var c = 0u; c < columns; c++) {
            let key = k_load4(record, c * 4u);
            score.x += dot(key, queries[c]);
            if GROUP > 1u {
                score.y += dot(key, queries[columns + c]);
            }
            if GROUP > 2u {
                score.z += dot(key, queries[2u * columns + c]);
                score.w += dot(key, queries[3u * columns + c]);
            }
        }
        score *= params.scale;
        weights[t] = score;
        highest = max(highest, score);
    }
    let top = reduce_max(lane, highest);
    var sum = vec4<f32>(0.0f);
    for (var t = lane; t < count; t += LANES) {
        let weight = exp(weights[t] - top);
        weights[t] = weight;
        sum += weight;
    }
    let total = reduce_sum(lane, sum);

    let slices = LANES / columns;
    let column = lane % columns;
    let slice = lane / columns;
    var o0 = vec4<f32>(0.0f);
    var o1 = vec4<f32>(0.0f);
    var o2 = vec4<f32>(0.0f);
    var o3 = vec4<f32>(0.0f);
    if slice < slices {
        for (var t = slice; t < count; t += slices) {
            let value = v_load4(v_record(place(id.z, begin + t, length), kv_head), column * 4u);
            let weight = weights[t];
            o0 += weight.x * value;
            if GROUP > 1u {
                o1 += weight.y * value;
            }
            if GROUP > 2u {
                o2 += weight.z * value;
                o3 += weight.w * value;
            }
        }
    }
    for (var head = 0u; head < GROUP; head++) {
        shared_lanes[lane] = select(select(o0, o1, head == 1u), select(o2, o3, head == 3u), head > 1u);
        workgroupBarrier();
        let part = ((first_head + head) * params.splits + params.first_split + id.x) * (columns + 1u);
        if head < group && lane < columns {
            var joined = shared_lanes[lane];
            for (var other = 1u; other < slices; other++) {
                joined += shared_lanes[other * columns + lane];
            }
            parts[part + lane] = joined;
        }
        if head < group && lane == 0u {
            parts[part + columns] = vec4<f32>(top[head], total[head], 0.0f, 0.0f);
        }
        workgroupBarrier();
    }
}
