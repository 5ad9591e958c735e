// Encoding turned vectors with an invocation per pair of them, which end on a word, one vector after the other: what
// `shared/turned_plain` is measured against. Vectors in doubt are left to the same second kernel.

#import turned/*
#import shared/grid

var<private> turned: array<f32, 512>;
var<private> places: array<f32, CUTS>;

fn sign_of(signs: u32, x: f32) -> f32 {
    return select(x, -x, (signs & 1u) == 1u);
}

// One vector, whose record begins at a bit.
fn alone(vector: u32, n: u32, bit: u32) {
    var sum = 0.0f;
    for (var i = 0u; i < n; i++) {
        let x = bitcast<f32>(given(vector, i));
        sum += x * x;
        turned[i] = sign_of(signs_before(i), x);
    }
    let length = sqrt(sum);
    for (var half = 1u; half < n; half *= 2u) {
        for (var pair = 0u; pair < n / 2u; pair++) {
            let low = 2u * pair - (pair & (half - 1u));
            let a = turned[low];
            let b = turned[low + half];
            turned[low] = a + b;
            turned[low + half] = a - b;
        }
    }
    let times = factor(length, n);
    var doubts = !turn_plain(length);
    var square = 0.0f;
    for (var i = 0u; i < n; i++) {
        let x = sign_of(signs_after(i), turned[i] * times);
        let doubt = turn_doubt(x, n);
        var code = 0u;
        for (var c = 0u; c < CUTS; c++) {
            code += u32(x >= places[c]);
            doubts = doubts || !(abs(x - places[c]) > doubt);
        }
        let level = bitcast<f32>(level_at(code, n));
        square += level * level;
        put(bit, i, code);
    }
    let norm = select(length, length / sqrt(square), TURNED_CORRECTED);
    doubts = doubts || turn_half_in_doubt(norm, f32(2u * n + 96u));
    staged_put(bit + norm_bit(n), select(half_f16(bitcast<u32>(norm)), TURNED_DOUBTED, doubts), 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let first = 2u * grid_index(id, groups, 64u);
    if first >= vectors() {
        return;
    }
    let n = vector_length();
    for (var c = 0u; c < CUTS; c++) {
        places[c] = bitcast<f32>(cut_at(c, n));
    }
    let here = min(2u, vectors() - first);
    staged_clear(0u, 1u, here * vector_bytes(n));
    for (var v = 0u; v < here; v++) {
        alone(first + v, n, v * vector_bytes(n) * 8u);
    }
    staged_write(0u, 1u, first * vector_bytes(n) / 4u, here * vector_bytes(n));
}
