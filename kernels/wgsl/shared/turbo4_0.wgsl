// turbo4_0: even elements in the low nibbles, after two bytes that nobody uses.

#import layout/turbo4_0
#import table/turbo_levels_4 as level
#import table/turbo_cuts_4 as cut

const TURBO_BITS: u32 = 4u;
const TURBO_BYTES: u32 = TURBO4_0_BYTES;

fn put(block: u32, i: u32, code: u32) {
    staged_put(block + TURBO4_0_QS * 8u + i * 4u, code, 4u);
}

fn put_eight(block: u32, i: u32, first: vec4<u32>, second: vec4<u32>) {
    staged_put(block + TURBO4_0_QS * 8u + i * 4u, eight(first, second, 4u), 32u);
}
