// turbo3_0: the low two bits of four codes to a byte, then the high bits of eight.

#import layout/turbo3_0
#import table/turbo_levels_3 as level
#import table/turbo_cuts_3 as cut

const TURBO_BITS: u32 = 3u;
const TURBO_BYTES: u32 = TURBO3_0_BYTES;

fn put(block: u32, i: u32, code: u32) {
    staged_put(block + TURBO3_0_QS * 8u + i * 2u, code & 3u, 2u);
    staged_put(block + TURBO3_0_SIGNS * 8u + i, code >> 2u, 1u);
}

fn put_eight(block: u32, i: u32, first: vec4<u32>, second: vec4<u32>) {
    staged_put(block + TURBO3_0_QS * 8u + i * 2u, eight(first & vec4<u32>(3u), second & vec4<u32>(3u), 2u), 16u);
    staged_put(block + TURBO3_0_SIGNS * 8u + i, eight(first >> vec4<u32>(2u), second >> vec4<u32>(2u), 1u), 8u);
}
