// Vectors of 16 to 512 elements, a power of two, as codes of a codebook after a Hadamard transform, in plain f32. Where that
// is not certain (`turn_doubt`; one vector in twenty) the norm comes out as TURNED_DOUBTED, and the kernel that follows does the
// vector again on integers. Import after `TURNED_BITS` and these are defined: `vector_length`; `vectors`, how many there are;
// `given(vector, element)`, `signs_before` and `signs_after` (of 16 elements from one on, a bit each), `factor` (what turned
// elements are multiplied by, given the norm), `cut_at` and `level_at` (bits), `TURNED_CORRECTED` (whether the norm is divided by the
// length of the levels), `vector_bytes`, `put_eight` and `norm_bit` of a vector that begins at a bit.
//
// An invocation takes sixteen successive elements: four levels of butterflies in registers, two more per exchange through
// workgroup memory, which goes by vectors of four. On a GPU the bound is the values' bytes as long as there are few exchanges.

#import shared/turn
#import shared/staging

const LANES: u32 = 64u;
// Elements of a workgroup.
const UNIT: u32 = 1024u;
const CUTS: u32 = (1u << TURNED_BITS) - 1u;

var<workgroup> columns: array<vec4<f32>, 256>;
var<workgroup> squares: array<f32, LANES>;
// Where codes change, and the levels they change to; the level of code 0 last.
var<workgroup> cuts: array<vec2<f32>, CUTS + 1u>;

fn four_butterflies(v: vec4<f32>) -> vec4<f32> {
    let pairs = vec4<f32>(v.x + v.y, v.x - v.y, v.z + v.w, v.z - v.w);
    return vec4<f32>(pairs.xy + pairs.zw, pairs.xy - pairs.zw);
}

fn column_butterflies(m: mat4x4<f32>) -> mat4x4<f32> {
    let pairs = mat4x4<f32>(m[0] + m[1], m[0] - m[1], m[2] + m[3], m[2] - m[3]);
    return mat4x4<f32>(pairs[0] + pairs[2], pairs[1] + pairs[3], pairs[0] - pairs[2], pairs[1] - pairs[3]);
}

// Negates the elements whose bits are set.
fn negated(v: vec4<f32>, signs: u32) -> vec4<f32> {
    let bits = (vec4<u32>(signs) << vec4<u32>(31u, 30u, 29u, 28u)) & vec4<u32>(EXACT_SIGN);
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ bits);
}

fn given4(vector: u32, element: u32) -> vec4<f32> {
    let bits = vec4<u32>(
        given(vector, element),
        given(vector, element + 1u),
        given(vector, element + 2u),
        given(vector, element + 3u),
    );
    return bitcast<vec4<f32>>(bits);
}

// Four coordinates' codes and levels, and by how much more than they can be off they miss the nearest cut.
struct Coded {
    codes: vec4<u32>,
    levels: vec4<f32>,
    certain: vec4<f32>,
}

fn coded(x: vec4<f32>, n: u32) -> Coded {
    var codes = vec4<u32>(0u);
    var levels = vec4<f32>(cuts[CUTS].y);
    var nearest = vec4<f32>(3.0e38f);
    for (var i = 0u; i < CUTS; i++) {
        let cut = cuts[i];
        let over = x >= vec4<f32>(cut.x);
        codes += select(vec4<u32>(0u), vec4<u32>(1u), over);
        levels = select(levels, vec4<f32>(cut.y), over);
        nearest = min(nearest, abs(x - cut.x));
    }
    let doubt = vec4<f32>(turn_doubt(x.x, n), turn_doubt(x.y, n), turn_doubt(x.z, n), turn_doubt(x.w, n));
    return Coded(codes, levels, nearest - 1.01f * doubt);
}

// The sum of what the invocations of a vector left in `squares`; a barrier must come first.
fn summed(first: u32, count: u32) -> f32 {
    var sum = 0.0f;
    for (var i = 0u; i < count; i++) {
        sum += squares[first + i];
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = vector_length();
    let count = vectors();
    let begin = (id.y * groups.x + id.x) * (UNIT / n);
    if begin >= count {
        return;
    }
    let here = min(UNIT / n, count - begin);
    let each = n / 16u;
    let inside = lane / each;
    let element = lane % each * 16u;
    let takes = inside < here;
    let vector = begin + min(inside, here - 1u);
    staged_clear(lane, LANES, here * vector_bytes(n));
    if lane <= CUTS {
        cuts[lane] = vec2<f32>(
            bitcast<f32>(cut_at(min(lane, CUTS - 1u), n)),
            bitcast<f32>(level_at(select(lane + 1u, 0u, lane == CUTS), n)),
        );
    }

    let before = signs_before(element);
    var own = mat4x4<f32>(
        given4(vector, element),
        given4(vector, element + 4u),
        given4(vector, element + 8u),
        given4(vector, element + 12u),
    );
    squares[lane] = dot(own[0], own[0]) + dot(own[1], own[1]) + dot(own[2], own[2]) + dot(own[3], own[3]);
    own = column_butterflies(mat4x4<f32>(
        four_butterflies(negated(own[0], before)),
        four_butterflies(negated(own[1], before >> 4u)),
        four_butterflies(negated(own[2], before >> 8u)),
        four_butterflies(negated(own[3], before >> 12u)),
    ));
    for (var i = 0u; i < 4u; i++) {
        columns[lane * 4u + i] = own[i];
    }
    workgroupBarrier();
    // Two levels at a time, between columns 2^bit and twice as many apart; one where only one is left.
    for (var bit = 2u; (4u << bit) < n; bit += 2u) {
        let first = (lane & ((1u << bit) - 1u)) | ((lane >> bit) << (bit + 2u));
        let a = columns[first];
        let b = columns[first + (1u << bit)];
        let c = columns[first + (2u << bit)];
        let d = columns[first + (3u << bit)];
        var all = mat4x4<f32>(a + b, a - b, c + d, c - d);
        if (8u << bit) < n {
            all = mat4x4<f32>(all[0] + all[2], all[1] + all[3], all[0] - all[2], all[1] - all[3]);
        }
        columns[first] = all[0];
        columns[first + (1u << bit)] = all[1];
        columns[first + (2u << bit)] = all[2];
        columns[first + (3u << bit)] = all[3];
        workgroupBarrier();
    }

    let length = sqrt(summed(inside * each, each));
    let times = factor(length, n);
    let after = signs_after(element);
    let a = coded(negated(columns[lane * 4u] * times, after), n);
    let b = coded(negated(columns[lane * 4u + 1u] * times, after >> 4u), n);
    let c = coded(negated(columns[lane * 4u + 2u] * times, after >> 8u), n);
    let d = coded(negated(columns[lane * 4u + 3u] * times, after >> 12u), n);
    let bit = inside * vector_bytes(n) * 8u;
    let certain = min(min(a.certain, b.certain), min(c.certain, d.certain));
    var doubts = !turn_plain(length) || !(min(min(certain.x, certain.y), min(certain.z, certain.w)) > 0.0f);
    var norm = length;
    var off = f32(n + 48u);
    if TURNED_CORRECTED {
        workgroupBarrier();
        squares[lane] = dot(a.levels, a.levels) + dot(b.levels, b.levels) + dot(c.levels, c.levels) + dot(d.levels, d.levels);
        workgroupBarrier();
        norm = length / sqrt(summed(inside * each, each));
        // Two norms and a quotient.
        off = f32(2u * n + 96u);
    }
    if takes {
        put_eight(bit, element, a.codes, b.codes);
        put_eight(bit, element + 8u, c.codes, d.codes);
        doubts = doubts || turn_half_in_doubt(norm, off);
        if doubts || element == 0u {
            // Doubts of any invocation make it this, whatever the norm is.
            staged_put(bit + norm_bit(n), select(half_f16(bitcast<u32>(norm)) & TURNED_DOUBTED, TURNED_DOUBTED, doubts), 16u);
        }
    }
    workgroupBarrier();
    staged_write(lane, LANES, begin * vector_bytes(n) / 4u, here * vector_bytes(n));
}
