// turbo2_0: four codes to a byte.

#import layout/turbo2_0
#import table/turbo_levels_2 as level
#import table/turbo_cuts_2 as cut

const TURBO_BITS: u32 = 2u;
const TURBO_BYTES: u32 = TURBO2_0_BYTES;

fn put(block: u32, i: u32, code: u32) {
    staged_put(block + TURBO2_0_QS * 8u + i * 2u, code, 2u);
}

fn put_eight(block: u32, i: u32, first: vec4<u32>, second: vec4<u32>) {
    staged_put(block + TURBO2_0_QS * 8u + i * 2u, eight(first, second, 2u), 16u);
}
