// The normalised Walsh–Hadamard transform of every run of `width` elements, in place; doing it again undoes it. As
// llama.cpp computes it: each element times f32(1/√width) first, then butterflies from the narrowest to the widest, in
// f32. Every bit counts, since what follows may round: the product is computed on integers, which no device fuses with
// the sum after it.
//
// A workgroup takes TILE elements, whole runs of them. On a GPU the bound is the values' bytes, read and written once.

#import shared/exact

struct Turn {
    elements: u32,
    width: u32,
    // f32(1/√width)
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Turn;
@group(0) @binding(1) var<storage, read_write> values: array<u32>;

const LANES: u32 = 64u;
// The widest run.
const TILE: u32 = 1024u;

var<workgroup> tile: array<u32, TILE>;

// Whether a sum with another such number is neither subnormal, which a device may flush, nor infinite.
fn middle(x: u32) -> bool {
    let exponent = (x >> 23u) & 0xffu;
    return exponent > 24u && exponent < 253u;
}

// A sum of two f32 is rounded correctly on every device; the sign of a zero and the ends of the range are not promised.
fn add(a: u32, b: u32) -> u32 {
    if middle(a) && middle(b) {
        let sum = bitcast<f32>(a) + bitcast<f32>(b);
        if sum != 0.0f {
            return bitcast<u32>(sum);
        }
    }
    return exact_add(a, b);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = (id.y * groups.x + id.x) * TILE;
    if first >= params.elements {
        return;
    }
    let count = min(TILE, params.elements - first);
    for (var i = lane; i < count; i += LANES) {
        tile[i] = exact_mul(values[first + i], bitcast<u32>(params.scale));
    }
    for (var half = 1u; half < params.width; half *= 2u) {
        workgroupBarrier();
        for (var pair = lane; pair < count / 2u; pair += LANES) {
            let low = pair / half * 2u * half + pair % half;
            let a = tile[low];
            let b = tile[low + half];
            tile[low] = add(a, b);
            tile[low + half] = add(a, b ^ EXACT_SIGN);
        }
    }
    workgroupBarrier();
    for (var i = lane; i < count; i += LANES) {
        values[first + i] = tile[i];
    }
}
