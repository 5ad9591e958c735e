// Many queries per sequence over a packed cache, tile by tile with a running softmax: the S×S scores never exist.
//
// A workgroup takes 32 queries of one head. Scores of 32×32 tiles: each invocation computes 4 queries × 2 keys from
// tiles staged in workgroup memory, 6 loads for 8 dot products of 4. Output: each invocation keeps 8 queries × 4
// columns, 9 loads for 32 multiply-adds. Heads wider than 128 are done 128 columns at a time, in workgroups of their
// own; in heads of 64 and less the invocations left over take the other half of the keys.
//
// On a GPU the bound is arithmetic; the tile sizes are what fits 16 KiB, the least a device promises.

#import shared/attention

@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k_words: array<u32>;
@group(0) @binding(3) var<storage, read> v_words: array<u32>;
@group(0) @binding(4) var<storage, read> table: array<u32>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(0) @binding(6) var<storage, read> beside: array<u32>;
@group(0) @binding(7) var<storage, read> sinks: array<f32>;
@group(0) @binding(8) var<storage, read_write> out: array<vec4<f32>>;

#import shared/slot
#import kv/*.key as k
#import kv/*.value as v

const LANES: u32 = 128u;
const QUERIES: u32 = 32u;
const KEYS: u32 = 32u;
const CHUNK: u32 = 8u;
const ROWS: u32 = 8u;
const PASS_COLUMNS: u32 = 32u;

// Columns of four that the output is laid over: 16 for heads of up to 64, else 32.
override COLUMNS: u32 = 32u;

// Chunks of Q and K, or rows of V.
var<workgroup> stage: array<vec4<f32>, 512>;
var<workgroup> weights: array<f32, QUERIES * KEYS>;
var<workgroup> tops: array<f32, QUERIES>;
var<workgroup> totals: array<f32, QUERIES>;
var<workgroup> rescales: array<f32, QUERIES>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let columns = params.head_dim / 4u;
    let passes = (columns + PASS_COLUMNS - 1u) / PASS_COLUMNS;
    let sequence = id.z / passes;
    let first_column = id.z % passes * PASS_COLUMNS;
    let pass_columns = min(PASS_COLUMNS, columns - first_column);
    let head = id.y;
    let kv_head = head / (params.heads / params.kv_heads);
    let first_query = id.x * QUERIES;
    let queries = min(QUERIES, params.queries - first_query);

    // Position of this tile's first query, and the keys its queries see between them.
    let length = lengths[sequence];
    let position = length - params.queries + first_query;
    let last_key = min(position + queries, params.last);
    let oldest = max(select(0u, position + 1u - min(position + 1u, params.window), params.window > 0u), params.first);

    // This invocation's place in the score tile and in the output.
    let score_row = lane / 16u * 4u;
    let score_key = lane % 16u * 2u;
    let column = lane % COLUMNS;
    let row = lane / COLUMNS % 4u * ROWS;
    let slice = lane / (4u * COLUMNS);
    let slices = PASS_COLUMNS / COLUMNS;

    if lane < QUERIES {
        tops[lane] = LOWEST;
        totals[lane] = 0.0f;
    }
    var o0 = vec4<f32>(0.0f);
    var o1 = vec4<f32>(0.0f);
    var o2 = vec4<f32>(0.0f);
    var o3 = vec4<f32>(0.0f);
    var o4 = vec4<f32>(0.0f);
    var o5 = vec4<f32>(0.0f);
    var o6 = vec4<f32>(0.0f);
    var o7 = vec4<f32>(0.0f);

    for (var first_key = oldest; first_key < last_key; first_key += KEYS) {
        let keys = min(KEYS, last_key - first_key);
        var s0 = vec4<f32>(0.0f);
        var s1 = vec4<f32>(0.0f);
        for (var chunk = 0u; chunk < columns; chunk += CHUNK) {
            let width = min(CHUNK, columns - chunk);
            workgroupBarrier();
            for (var i = lane; i < QUERIES * CHUNK; i += LANES) {
                let c = i % CHUNK;
                let r = i / CHUNK;
                if c < width {
                    let query = (sequence * params.queries + first_query + min(r, queries - 1u)) * params.heads + head;
                    stage[c * QUERIES + r] = q[query * columns + chunk + c];
                    let key = place(sequence, first_key + min(r, keys - 1u), length);
                    stage[256u + c * KEYS + r] = k_load4(k_record(key, kv_head), (chunk + c) * 4u);
                }
            }
            workgroupBarrier();
            for (var c = 0u; c < width; c++) {
                let at = c * QUERIES + score_row;
                let q0 = stage[at];
                let q1 = stage[at + 1u];
                let q2 = stage[at + 2u];
                let q3 = stage[at + 3u];
                let k0 = stage[256u + c * KEYS + score_key];
                let k1 = stage[257u + c * KEYS + score_key];
                s0 += vec4<f32>(dot(q0, k0), dot(q1, k0), dot(q2, k0), dot(q3, k0));
                s1 += vec4<f32>(dot(q0, k1), dot(q1, k1), dot(q2, k1), dot(q3, k1));
            }
        }
        // A query sees the keys up to itself and no older than its window.
        for (var r = 0u; r < 4u; r++) {
            let sees = position + score_row + r;
            for (var j = 0u; j < 2u; j++) {
                let key = first_key + score_key + j;
                let visible = score_key + j < keys && key <= sees && (params.window == 0u || key + params.window > sees);
                weights[(score_row + r) * KEYS + score_key + j] = select(LOWEST, select(s0[r], s1[r], j == 1u) * params.scale, visible);
            }
        }
        workgroupBarrier();
        if lane < QUERIES {
            var top = tops[lane];
            for (var j = 0u; j < KEYS; j++) {
                top = max(top, weights[lane * KEYS + j]);
            }
            rescales[lane] = exp(tops[lane] - top);
            tops[lane] = top;
        }
        workgroupBarrier();
        for (var i = lane; i < QUERIES * KEYS; i += LANES) {
            let score = weights[i];
            weights[i] = select(exp(score - tops[i / KEYS]), 0.0f, score == LOWEST);
        }
        workgroupBarrier();
        if lane < QUERIES {
            var total = totals[lane] * rescales[lane];
            for (var j = 0u; j < KEYS; j++) {
                total += weights[lane * KEYS + j];
            }
            totals[lane] = total;
        }
        o0 *= rescales[row];
        o1 *= rescales[row + 1u];
        o2 *= rescales[row + 2u];
        o3 *= rescales[row + 3u];
        o4 *= rescales[row + 4u];
        o5 *= rescales[row + 5u];
        o6 *= rescales[row + 6u];
        o7 *= rescales[row + 7u];
        for (var block = 0u; block < keys; block += 16u) {
            let rows = min(16u, keys - block);
            workgroupBarrier();
            for (var i = lane; i < rows * COLUMNS; i += LANES) {
                let c = i % COLUMNS;
                if c < pass_columns {
                    let key = place(sequence, first_key + block + i / COLUMNS, length);
                    stage[i] = v_load4(v_record(key, kv_head), (first_column + c) * 4u);
                }
            }
            workgroupBarrier();
            for (var j = slice; j < rows; j += slices) {
                let value = stage[j * COLUMNS + column];
                let at = row * KEYS + block + j;
                o0 += weights[at] * value;
                o1 += weights[at + KEYS] * value;
                o2 += weights[at + 2u * KEYS] * value;
                o3 += weights[at + 3u * KEYS] * value;
                o4 += weights[at + 4u * KEYS] * value;
                o5 += weights[at + 5u * KEYS] * value;
                o6 += weights[at + 6u * KEYS] * value;
                o7 += weights[at + 7u * KEYS] * value;
            }
        }
    }
    workgroupBarrier();
    if slice == 1u {
        stage[row * COLUMNS + column] = o0;
        stage[(row + 1u) * COLUMNS + column] = o1;
        stage[(row + 2u) * COLUMNS + column] = o2;
        stage[(row + 3u) * COLUMNS + column] = o3;
        stage[(row + 4u) * COLUMNS + column] = o4;
        stage[(row + 5u) * COLUMNS + column] = o5;
        stage[(row + 6u) * COLUMNS + column] = o6;
        stage[(row + 7u) * COLUMNS + column] = o7;
    }
    workgroupBarrier();
    if slice > 0u || column >= pass_columns {
        return;
    }
    for (var r = 0u; r < ROWS; r++) {
        if row + r >= queries {
            break;
        }
        var sum = o0;
        switch r {
            case 1u: { sum = o1; }
            case 2u: { sum = o2; }
            case 3u: { sum = o3; }
            case 4u: { sum = o4; }
            case 5u: { sum = o5; }
            case 6u: { sum = o6; }
            case 7u: { sum = o7; }
            default: {}
        }
        if slices > 1u {
            sum += stage[(row + r) * COLUMNS + column];
        }
        let query = (sequence * params.queries + first_query + row + r) * params.heads + head;
        if params.raw > 0u {
            let part = (query * params.splits + params.first_split) * (columns + 1u);
            out[part + first_column + column] = sum;
            if first_column + column == 0u {
                out[part + columns] = vec4<f32>(tops[row + r], totals[row + r], 0.0f, 0.0f);
            }
            continue;
        }
        var total = totals[row + r];
        if params.sinks > 0u {
            // The sink may be the highest logit: then what was summed shrinks.
            let top = max(tops[row + r], sinks[head]);
            let shrink = exp(tops[row + r] - top);
            sum *= shrink;
            total = total * shrink + exp(sinks[head] - top);
        }
        out[query * columns + first_column + column] = sum / total;
    }
}
