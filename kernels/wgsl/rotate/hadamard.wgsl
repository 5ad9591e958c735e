// The normalised Walsh–Hadamard transform of every run of `width` elements, in place; doing it again undoes it. As
// llama.cpp computes it: each element times f32(1/√width) first, then butterflies from the narrowest to the widest, in
// f32. Every bit counts, since what follows may round: the product is computed on integers, which no device fuses with
// the sum after it.
//
// With signs it is D₂·H·D₁, as some formats turn their vectors: D₁ negates elements before the first sum, D₂ after the
// last. With another scale it is the inverse of a transform that has none.
//
// A workgroup takes TILE elements, whole runs of them. On a GPU the bound is the values' bytes, read and written once.

#import shared/exact

// Element i of a run is negated where bit i is set; the bits of 512 elements, over and over.
struct Signs {
    w0: u32,
    w1: u32,
    w2: u32,
    w3: u32,
    w4: u32,
    w5: u32,
    w6: u32,
    w7: u32,
    w8: u32,
    w9: u32,
    w10: u32,
    w11: u32,
    w12: u32,
    w13: u32,
    w14: u32,
    w15: u32,
}

struct Turn {
    before: Signs,
    after: Signs,
    elements: u32,
    width: u32,
    // f32(1/√width) of the normalised transform.
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Turn;
@group(0) @binding(1) var<storage, read_write> values: array<u32>;

const LANES: u32 = 64u;
// Whether any element is negated at all.
override SIGNED: bool = true;
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

// The sign bit to flip of an element, where its run begins at a multiple of `width`.
fn flip(signs: Signs, element: u32) -> u32 {
    if !SIGNED {
        return 0u;
    }
    var words = array<u32, 16>(signs.w0, signs.w1, signs.w2, signs.w3, signs.w4, signs.w5, signs.w6, signs.w7,
        signs.w8, signs.w9, signs.w10, signs.w11, signs.w12, signs.w13, signs.w14, signs.w15);
    let at = element % params.width;
    return ((words[(at >> 5u) & 15u] >> (at & 31u)) & 1u) << 31u;
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
        tile[i] = exact_mul(values[first + i], bitcast<u32>(params.scale)) ^ flip(params.before, i);
    }
    for (var half = 1u; half < params.width; half *= 2u) {
        workgroupBarrier();
        for (var pair = lane; pair < count / 2u; pair += LANES) {
            let low = 2u * pair - (pair & (half - 1u));
            let a = tile[low];
            let b = tile[low + half];
            tile[low] = add(a, b);
            tile[low + half] = add(a, b ^ EXACT_SIGN);
        }
    }
    workgroupBarrier();
    for (var i = lane; i < count; i += LANES) {
        values[first + i] = tile[i] ^ flip(params.after, i);
    }
}
