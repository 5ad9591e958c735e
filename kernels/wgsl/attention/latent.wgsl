// Attention over one latent row per token, which all query heads share (MLA, absorbed form): a score takes the whole
// row, the output its first `value_dim` elements. Decoding and prefill are one kernel: rows are (query, head) pairs.
//
// A workgroup takes ROWS rows of one sequence and one split of the tokens, tile by tile with a running softmax. Scores:
// Q and K are staged in chunks; an invocation computes four rows × one key, 5 loads for 4 dot products of 4. Output: an
// invocation keeps four columns of all ROWS rows, so each element is decoded once per workgroup. `attention/merge` joins
// the splits.
//
// On a GPU a cache of one sequence under 128 heads is bound by arithmetic (128 heads read the same bytes), under a few
// heads by bytes; splits keep all processors busy while decoding.

#import shared/attention

@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k_words: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<u32>;
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
@group(0) @binding(5) var<storage, read> beside: array<u32>;
// Per sequence, row and split: value_dim/4 vectors of the weighted sum, then (max, sum of weights, 0, 0).
@group(0) @binding(6) var<storage, read_write> parts: array<vec4<f32>>;

#import shared/slot
#import kv/*.key as k

const LANES: u32 = 128u;
const ROWS: u32 = 16u;
const GROUPS: u32 = ROWS / 4u;
const KEYS: u32 = 32u;
const CHUNK: u32 = 8u;
// Tokens of a split while decoding.
const SPLIT: u32 = 256u;
const MAX_VALUE_DIM: u32 = 4u * LANES;

// Chunks of Q, then of K.
var<workgroup> stage: array<vec4<f32>, (ROWS + KEYS) * CHUNK>;
// Per key, weights of four rows at a time.
var<workgroup> weights: array<vec4<f32>, KEYS * GROUPS>;
var<workgroup> tops: array<vec4<f32>, GROUPS>;
var<workgroup> totals: array<vec4<f32>, GROUPS>;
var<workgroup> rescales: array<vec4<f32>, GROUPS>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let columns = params.head_dim / 4u;
    let value_columns = params.value_dim / 4u;
    let all_rows = params.queries * params.heads;
    let first_row = id.y * ROWS;
    let rows = min(ROWS, all_rows - first_row);
    let sequence = id.z;

    // Tokens that any of these rows sees, and of them this split's.
    let length = lengths[sequence];
    let position = length - params.queries;
    let last_key = min(position + (first_row + rows - 1u) / params.heads + 1u, params.last);
    let begin = min(params.first + id.x * params.split, last_key);
    let end = min(begin + params.split, last_key);

    // This invocation's four rows and its key in the score tile.
    let group = lane / KEYS;
    let key_lane = lane % KEYS;
    var sees = vec4<u32>(0u);
    for (var r = 0u; r < 4u; r++) {
        sees[r] = position + min(first_row + group * 4u + r, all_rows - 1u) / params.heads;
    }

    if lane < GROUPS {
        tops[lane] = vec4<f32>(LOWEST);
        totals[lane] = vec4<f32>(0.0f);
    }
    var o: array<vec4<f32>, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        o[r] = vec4<f32>(0.0f);
    }
    for (var first_key = begin; first_key < end; first_key += KEYS) {
        let keys = min(KEYS, end - first_key);
        var score = vec4<f32>(0.0f);
        for (var chunk = 0u; chunk < columns; chunk += CHUNK) {
            let width = min(CHUNK, columns - chunk);
            workgroupBarrier();
            for (var i = lane; i < ROWS * CHUNK; i += LANES) {
                let c = i % CHUNK;
                if c < width {
                    let row = sequence * all_rows + first_row + min(i / CHUNK, rows - 1u);
                    stage[c * ROWS + i / CHUNK] = q[row * columns + chunk + c];
                }
            }
            for (var i = lane; i < KEYS * CHUNK; i += LANES) {
                let c = i % CHUNK;
                if c < width {
                    let key = place(sequence, first_key + min(i / CHUNK, keys - 1u), length);
                    stage[ROWS * CHUNK + c * KEYS + i / CHUNK] = k_load4(k_record(key, 0u), (chunk + c) * 4u);
                }
            }
            workgroupBarrier();
            for (var c = 0u; c < width; c++) {
                let at = c * ROWS + group * 4u;
                let key = stage[ROWS * CHUNK + c * KEYS + key_lane];
                score += vec4<f32>(dot(stage[at], key), dot(stage[at + 1u], key), dot(stage[at + 2u], key), dot(stage[at + 3u], key));
            }
        }
        let visible = vec4<bool>(key_lane < keys) & (vec4<u32>(first_key + key_lane) <= sees);
        score = select(vec4<f32>(LOWEST), score * params.scale, visible);
        weights[key_lane * GROUPS + group] = score;
        workgroupBarrier();
        if lane < GROUPS {
            var top = tops[lane];
            for (var j = 0u; j < KEYS; j++) {
                top = max(top, weights[j * GROUPS + lane]);
            }
            rescales[lane] = exp(tops[lane] - top);
            tops[lane] = top;
        }
        workgroupBarrier();
        weights[key_lane * GROUPS + group] = select(vec4<f32>(0.0f), exp(score - tops[group]), visible);
        workgroupBarrier();
        if lane < GROUPS {
            var total = totals[lane] * rescales[lane];
            for (var j = 0u; j < KEYS; j++) {
                total += weights[j * GROUPS + lane];
            }
            totals[lane] = total;
        }
        if lane < value_columns {
            for (var g = 0u; g < GROUPS; g++) {
                let rescale = rescales[g];
                o[4u * g] *= rescale.x;
                o[4u * g + 1u] *= rescale.y;
                o[4u * g + 2u] *= rescale.z;
                o[4u * g + 3u] *= rescale.w;
            }
            for (var j = 0u; j < keys; j++) {
                let value = k_load4(k_record(place(sequence, first_key + j, length), 0u), lane * 4u);
                for (var g = 0u; g < GROUPS; g++) {
                    let weight = weights[j * GROUPS + g];
                    o[4u * g] += weight.x * value;
                    o[4u * g + 1u] += weight.y * value;
                    o[4u * g + 2u] += weight.z * value;
                    o[4u * g + 3u] += weight.w * value;
                }
            }
        }
    }
    workgroupBarrier();
    for (var r = 0u; r < ROWS; r++) {
        if r < rows {
            let row = sequence * all_rows + first_row + r;
            let part = (row * params.splits + params.first_split + id.x) * (value_columns + 1u);
            if lane < value_columns {
                parts[part + lane] = o[r];
            }
            if lane == 0u {
                parts[part + value_columns] = vec4<f32>(tops[r / 4u][r % 4u], totals[r / 4u][r % 4u], 0.0f, 0.0f);
            }
        }
    }
}
