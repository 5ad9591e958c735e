// One query per sequence over a packed cache, the tokens split over workgroups; `attention/merge` joins the parts.
//
// A workgroup takes one sequence, SPLIT tokens and up to four query heads: of one KV head, or of neighbouring KV heads
// that have fewer. An invocation takes four columns of four elements, the same ones of every token it sees, so that its
// share of the queries and of the sums stays in registers and each packed word is read and decoded once for all heads of
// a group. The four follow one another: what sixteen elements of a block share is read once. Invocations left over take
// other tokens. What goes through workgroup memory: a
// token's shares of a score, its weight, and at the end the sums of invocations that took the same columns. A split is
// one softmax: no rescaling inside.
//
// A step is a vector of four scores: one token under four heads, two under two, four under one. Where tokens share code
// words and scales (`kv_TOGETHER`), a workgroup keeps to one KV head and reads each word once for them.
//
// On a GPU the bound is the cache's bytes: neighbours read in order, several loads are under way in each invocation, and
// the splits keep all processors busy whatever the number of sequences. Workgroups go by heads first: those that run at
// the same time read neighbouring bytes of the same tokens.

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

const LANES: u32 = 32u;
const SPLIT: u32 = 256u;
// Four columns of four for each invocation.
const MAX_HEAD_DIM: u32 = 16u * LANES;
const SHARES: u32 = 512u;
const LEADERS: u32 = 4u;
// Factors of keys that are kept at a time, for decoders that have any.
const FACTORS: u32 = 512u;
const FACTORS_KEPT: u32 = max(1u, FACTORS * min(k_FACTORS, 1u));

// Query heads of a KV head, and KV heads, that a workgroup takes: 1, 2 or 4 in all. Several KV heads have all their query
// heads here.
override GROUP: u32 = 4u;
override NEIGHBOURS: u32 = 1u;
override HEADS: u32 = GROUP * NEIGHBOURS;
// Whether heads are whole sixteens of elements.
override WHOLE: bool = false;
// Tokens of a step.
override TOKENS: u32 = 4u / HEADS;
// Keys of a step.
override KEYS: u32 = 4u / GROUP;

// Shares of a tile's scores; at the end, of one head's sums.
var<workgroup> shares: array<vec4<f32>, SHARES>;
// A step's scores, then weights.
var<workgroup> weights: array<vec4<f32>, SPLIT>;
var<workgroup> lanes: array<vec4<f32>, LANES>;
var<workgroup> leaders: array<vec4<f32>, LEADERS>;
var<workgroup> factors: array<f32, FACTORS_KEPT>;

// The element this invocation's columns begin at and the last column's, the queries in them and the sums: four of each head.
var<private> first_element: u32;
var<private> last_element: u32;
var<private> queries: array<vec4<f32>, 16>;
var<private> sums: array<vec4<f32>, 16>;

// This invocation's columns of a key, and of a value. A column past the row is the last one again.
fn key(record: Record) -> mat4x4<f32> {
    if WHOLE {
        return k_load16(record, first_element);
    }
    return mat4x4<f32>(
        k_load4(record, min(first_element, last_element)),
        k_load4(record, min(first_element + 4u, last_element)),
        k_load4(record, min(first_element + 8u, last_element)),
        k_load4(record, min(first_element + 12u, last_element)),
    );
}

fn value(record: Record) -> mat4x4<f32> {
    if WHOLE {
        return v_load16(record, first_element);
    }
    return mat4x4<f32>(
        v_load4(record, min(first_element, last_element)),
        v_load4(record, min(first_element + 4u, last_element)),
        v_load4(record, min(first_element + 8u, last_element)),
        v_load4(record, min(first_element + 12u, last_element)),
    );
}

// The record of a key of a tile, its factors found by whoever measured it.
fn key_record(at: Place, head: u32, index: u32) -> Record {
    for (var i = 0u; i < k_FACTORS; i++) {
        k_factors[i] = factors[index * k_FACTORS + i];
    }
    return k_record_measured(at, head);
}

// This invocation's share of the dot products of one key with the queries of the heads from `first` on.
fn dots(record: Record, first: u32) -> vec4<f32> {
    let at = first * 4u;
    let four = key(record);
    let a = four[0];
    let b = four[1];
    let c = four[2];
    let d = four[3];
    var score = vec4<f32>(0.0f);
    score.x = dot(a, queries[at + 0u]) + dot(b, queries[at + 1u]) + dot(c, queries[at + 2u]) + dot(d, queries[at + 3u]);
    if GROUP > 1u {
        score.y = dot(a, queries[at + 4u]) + dot(b, queries[at + 5u]) + dot(c, queries[at + 6u]) + dot(d, queries[at + 7u]);
    }
    if GROUP > 2u {
        score.z = dot(a, queries[at + 8u]) + dot(b, queries[at + 9u]) + dot(c, queries[at + 10u]) + dot(d, queries[at + 11u]);
        score.w = dot(a, queries[at + 12u]) + dot(b, queries[at + 13u]) + dot(c, queries[at + 14u]) + dot(d, queries[at + 15u]);
    }
    return score;
}

// Column i of keys that are read together, a column of the matrix each: its part of their dot products, again a column for
// each key, a row for each head.
fn column_dots(keys: mat4x4<f32>, i: u32) -> mat4x4<f32> {
    let first = queries[i] * keys;
    if GROUP == 1u {
        return transpose(mat4x4<f32>(first, first, first, first));
    }
    let second = queries[4u + i] * keys;
    if GROUP == 2u {
        return transpose(mat4x4<f32>(first, second, first, first));
    }
    return transpose(mat4x4<f32>(first, second, queries[8u + i] * keys, queries[12u + i] * keys));
}

// This invocation's share of the dot products of keys that are read together.
fn together_dots(record: Record) -> mat4x4<f32> {
    return column_dots(k_together4(record, min(first_element, last_element)), 0u)
        + column_dots(k_together4(record, min(first_element + 4u, last_element)), 1u)
        + column_dots(k_together4(record, min(first_element + 8u, last_element)), 2u)
        + column_dots(k_together4(record, min(first_element + 12u, last_element)), 3u);
}

// Adds one value under the weights of the heads from `first` on.
fn add(record: Record, first: u32, weight: vec4<f32>) {
    let at = first * 4u;
    let four = value(record);
    let a = four[0];
    let b = four[1];
    let c = four[2];
    let d = four[3];
    sums[at + 0u] += weight.x * a;
    sums[at + 1u] += weight.x * b;
    sums[at + 2u] += weight.x * c;
    sums[at + 3u] += weight.x * d;
    if GROUP > 1u {
        sums[at + 4u] += weight.y * a;
        sums[at + 5u] += weight.y * b;
        sums[at + 6u] += weight.y * c;
        sums[at + 7u] += weight.y * d;
    }
    if GROUP > 2u {
        sums[at + 8u] += weight.z * a;
        sums[at + 9u] += weight.z * b;
        sums[at + 10u] += weight.z * c;
        sums[at + 11u] += weight.z * d;
        sums[at + 12u] += weight.w * a;
        sums[at + 13u] += weight.w * b;
        sums[at + 14u] += weight.w * c;
        sums[at + 15u] += weight.w * d;
    }
}

// The invocation's share of one head's sums, by column.
fn share(head: u32, column: u32) -> vec4<f32> {
    return select(
        select(sums[column], sums[4u + column], head == 1u),
        select(sums[8u + column], sums[12u + column], head == 3u),
        head > 1u,
    );
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let per_kv = params.heads / params.kv_heads;
    let tiles = (per_kv + GROUP - 1u) / GROUP;
    let kv_head = id.x / tiles * NEIGHBOURS;
    let first_in_kv = id.x % tiles * GROUP;
    let heads = min(HEADS, NEIGHBOURS * per_kv - first_in_kv);
    let first_head = id.z * params.heads + kv_head * per_kv + first_in_kv;
    let width = params.head_dim / 4u;

    let length = lengths[id.z];
    let oldest = select(0u, length - min(length, params.window), params.window > 0u);
    let end = min(length, params.last);
    let begin = min(max(oldest, params.first) + id.y * SPLIT, end);
    let count = min(SPLIT, end - begin);
    let newest = begin + max(count, 1u) - 1u;
    let steps = (count + TOKENS - 1u) / TOKENS;

    // Invocations to a row, and rows at a time. A column past the row has a query of zeros.
    let across = (width + 3u) / 4u;
    let slices = LANES / across;
    let slice = lane / across;
    let place_in_row = lane % across;
    let first_column = place_in_row * 4u;
    let takes = slice < slices;
    first_element = first_column * 4u;
    last_element = (width - 1u) * 4u;
    for (var i = 0u; i < 4u; i++) {
        let column = first_column + i;
        for (var head = 0u; head < HEADS; head++) {
            let query = q[(first_head + min(head, heads - 1u)) * width + min(column, width - 1u)];
            queries[head * 4u + i] = select(vec4<f32>(0.0f), query, column < width);
        }
    }

    var highest = vec4<f32>(LOWEST);
    var tile_steps = SHARES / across;
    if k_FACTORS > 0u {
        tile_steps = min(tile_steps, FACTORS / (KEYS * max(k_FACTORS, 1u)));
    }
    // Steps whose keys are read together, as many tokens as GROUP steps have: of packed ones, where a part begins with such.
    var joined_steps = 0u;
    if k_TOGETHER > 1u && (begin - params.first) % k_TOGETHER == 0u {
        tile_steps -= tile_steps % GROUP;
        joined_steps = (clamp(k_packed_tokens(length), begin, end) - begin) / k_TOGETHER * GROUP;
    }
    for (var tile = 0u; tile < steps; tile += tile_steps) {
        let some = min(tile_steps, steps - tile);
        // What a key's elements have in common is found once, by one invocation, not by all that read of it.
        if k_FACTORS > 0u {
            for (var i = lane; i < some * KEYS; i += LANES) {
                let t = begin + (tile + i / KEYS) * TOKENS + i % KEYS / NEIGHBOURS;
                _ = k_record(place(id.z, min(t, newest), length), kv_head + i % NEIGHBOURS);
                for (var f = 0u; f < k_FACTORS; f++) {
                    factors[i * k_FACTORS + f] = k_factors[f];
                }
            }
            workgroupBarrier();
        }
        // Keys that are read together: steps of the tile.
        var joined = 0u;
        if k_TOGETHER > 1u {
            joined = clamp(joined_steps, tile, tile + some) - tile;
            if takes {
                for (var s = slice * GROUP; s < joined; s += slices * GROUP) {
                    let four = together_dots(k_record(place(id.z, begin + (tile + s) * TOKENS, length), kv_head));
                    let at = s * across + place_in_row;
                    if GROUP == 1u {
                        shares[at] = vec4<f32>(four[0].x, four[1].x, four[2].x, four[3].x);
                    }
                    if GROUP == 2u {
                        shares[at] = vec4<f32>(four[0].xy, four[1].xy);
                        shares[at + across] = vec4<f32>(four[2].xy, four[3].xy);
                    }
                    if GROUP > 2u {
                        shares[at] = four[0];
                        shares[at + across] = four[1];
                        shares[at + 2u * across] = four[2];
                        shares[at + 3u * across] = four[3];
                    }
                }
            }
        }
        if takes {
            for (var s = joined + slice; s < some; s += slices) {
                let t = begin + (tile + s) * TOKENS;
                let first = s * KEYS;
                var score = dots(key_record(place(id.z, t, length), kv_head, first), 0u);
                if GROUP == 2u {
                    let second = place(id.z, min(t + 1u / NEIGHBOURS, newest), length);
                    score = vec4<f32>(score.xy, dots(key_record(second, kv_head + NEIGHBOURS - 1u, first + 1u), 2u * (NEIGHBOURS - 1u)).xy);
                }
                if GROUP == 1u {
                    let second = place(id.z, min(t + 1u / NEIGHBOURS, newest), length);
                    let third = place(id.z, min(t + 2u / NEIGHBOURS, newest), length);
                    let fourth = place(id.z, min(t + 3u / NEIGHBOURS, newest), length);
                    score.y = dots(key_record(second, kv_head + 1u % NEIGHBOURS, first + 1u), 1u % NEIGHBOURS).x;
                    score.z = dots(key_record(third, kv_head + 2u % NEIGHBOURS, first + 2u), 2u % NEIGHBOURS).x;
                    score.w = dots(key_record(fourth, kv_head + 3u % NEIGHBOURS, first + 3u), 3u % NEIGHBOURS).x;
                }
                shares[s * across + place_in_row] = score;
            }
        }
        workgroupBarrier();
        for (var s = lane; s < some; s += LANES) {
            var score = vec4<f32>(0.0f);
            for (var i = 0u; i < across; i++) {
                score += shares[s * across + i];
            }
            let t = (tile + s) * TOKENS;
            let token = t + vec4<u32>(0u, 1u, 2u, 3u) / HEADS;
            score = select(vec4<f32>(LOWEST), score * params.scale, token < vec4<u32>(count));
            weights[tile + s] = score;
            highest = max(highest, score);
        }
        workgroupBarrier();
    }

    // The highest score of each head: of some invocations, then of all.
    lanes[lane] = highest;
    workgroupBarrier();
    if lane < LEADERS {
        for (var other = lane; other < LANES; other += LEADERS) {
            highest = max(highest, lanes[other]);
        }
        leaders[lane] = highest;
    }
    workgroupBarrier();
    var top = max(max(leaders[0], leaders[1]), max(leaders[2], leaders[3]));
    if TOKENS > 1u {
        top = max(top, top.zwxy);
    }
    if TOKENS == 4u {
        top = max(top, top.yxwz);
    }
    var sum = vec4<f32>(0.0f);
    for (var s = lane; s < steps; s += LANES) {
        let score = weights[s];
        let weight = select(exp(score - top), vec4<f32>(0.0f), score == vec4<f32>(LOWEST));
        weights[s] = weight;
        sum += weight;
    }
    lanes[lane] = sum;
    workgroupBarrier();

    if takes {
        for (var s = slice; s < steps; s += slices) {
            let weight = weights[s];
            let t = begin + s * TOKENS;
            add(v_record(place(id.z, t, length), kv_head), 0u, weight);
            if GROUP == 2u {
                let second = place(id.z, min(t + 1u / NEIGHBOURS, newest), length);
                add(v_record(second, kv_head + NEIGHBOURS - 1u), 2u * (NEIGHBOURS - 1u), weight.zwxy);
            }
            if GROUP == 1u {
                let second = place(id.z, min(t + 1u / NEIGHBOURS, newest), length);
                let third = place(id.z, min(t + 2u / NEIGHBOURS, newest), length);
                let fourth = place(id.z, min(t + 3u / NEIGHBOURS, newest), length);
                add(v_record(second, kv_head + 1u % NEIGHBOURS), 1u % NEIGHBOURS, weight.yyyy);
                add(v_record(third, kv_head + 2u % NEIGHBOURS), 2u % NEIGHBOURS, weight.zzzz);
                add(v_record(fourth, kv_head + 3u % NEIGHBOURS), 3u % NEIGHBOURS, weight.wwww);
            }
        }
    }
    var total = vec4<f32>(0.0f);
    if lane == 0u {
        for (var other = 0u; other < LANES; other++) {
            total += lanes[other];
        }
        if TOKENS > 1u {
            total += total.zwxy;
        }
        if TOKENS == 4u {
            total += total.yxwz;
        }
    }
    for (var head = 0u; head < HEADS; head++) {
        if takes {
            for (var i = 0u; i < 4u; i++) {
                let column = first_column + i;
                if column < width {
                    shares[slice * width + column] = share(head, i);
                }
            }
        }
        workgroupBarrier();
        let part = ((first_head + head) * params.splits + params.first_split + id.y) * (width + 1u);
        if head < heads {
            for (var c = lane; c < width; c += LANES) {
                var joined = shares[c];
                for (var other = 1u; other < slices; other++) {
                    joined += shares[other * width + c];
                }
                parts[part + c] = joined;
            }
            if lane == 0u {
                parts[part + width] = vec4<f32>(top[head], total[head], 0.0f, 0.0f);
            }
        }
        workgroupBarrier();
    }
}
