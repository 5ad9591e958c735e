// The integer arithmetic itself, for its test: x·y, x/y, x+y, roundf(x), (u8)(int) x, f16(x).

#import shared/grid
#import shared/half
#import shared/exact

@group(0) @binding(0) var<storage, read> pairs: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> results: array<array<u32, 6>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = grid_index(id, groups, 64u);
    if at >= arrayLength(&pairs) {
        return;
    }
    let x = pairs[at].x;
    let y = pairs[at].y;
    results[at] = array<u32, 6>(
        exact_mul(x, y), exact_div(x, y), exact_add(x, y), exact_round_away(x), exact_low_byte(x), half_f16(x),
    );
}
