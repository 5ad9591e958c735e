// After quantize/iq4_nl: a block whose extreme is below 1e-15 has scale 0, and ggml leaves in its codes what the block
// before left in its buffer. So does this: the last block before a run of such blocks hands its codes to all of them, one
// invocation per block. A run at the very beginning keeps its zeros.

#import shared/rows
#import shared/grid
#import shared/exact
#import shared/iq4_extreme
#import layout/iq4_nl

// Elements per invocation.
const BLOCK: u32 = IQ4_NL_ELEMENTS;

fn without_scale(block: u32) -> bool {
    let at = block * IQ4_NL_BYTES;
    // The scale is looked at first: values need not be read again where there is one.
    if ((dst[at >> 2u] >> ((at & 2u) * 8u)) & 0xffffu) != 0u {
        return false;
    }
    var extreme = 0u;
    for (var i = block * BLOCK; i < (block + 1u) * BLOCK; i++) {
        extreme = max(extreme, src[i] & ~EXACT_SIGN);
    }
    return extreme < IQ4_LEAST_EXTREME;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let block = grid_index(id, groups, 64u);
    let blocks = params.rows * params.width / BLOCK;
    if block + 1u >= blocks || !without_scale(block + 1u) || without_scale(block) {
        return;
    }
    // Codes begin on a word or in the middle of one; here as four words.
    let begin = (block * IQ4_NL_BYTES + IQ4_NL_QS) >> 2u;
    var codes = vec4<u32>(dst[begin], dst[begin + 1u], dst[begin + 2u], dst[begin + 3u]);
    if block % 2u == 0u {
        let next = vec4<u32>(codes.yzw, dst[begin + 4u]);
        codes = (codes >> vec4<u32>(16u)) | (next << vec4<u32>(16u));
    }
    for (var other = block + 1u; other < blocks && without_scale(other); other++) {
        let to = (other * IQ4_NL_BYTES + IQ4_NL_QS) >> 2u;
        if other % 2u == 1u {
            dst[to] = codes.x;
            dst[to + 1u] = codes.y;
            dst[to + 2u] = codes.z;
            dst[to + 3u] = codes.w;
            continue;
        }
        // Half words at both ends belong to this block's scale and to the next one's.
        dst[to] = (dst[to] & 0xffffu) | (codes.x << 16u);
        dst[to + 1u] = (codes.x >> 16u) | (codes.y << 16u);
        dst[to + 2u] = (codes.y >> 16u) | (codes.z << 16u);
        dst[to + 3u] = (codes.z >> 16u) | (codes.w << 16u);
        dst[to + 4u] = (dst[to + 4u] & 0xffff0000u) | (codes.w >> 16u);
    }
}
