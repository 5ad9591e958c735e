#import shared/record as kv
#import shared/bytes as kv
#import shared/scale as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import shared/fp8
#import shared/e2m1
#import layout/nvfp4

// Bits of a code: how far the plane of scales is from the plane of codes.
const kv_CODE_BITS: u32 = 4u;

// The scale of a group: the tensor's, which lies beside the cache, times the group's own in a plane behind the codes.
fn kv_group_scale(record: Record, group: u32) -> f32 {
    let scales = params.kv_side.head_dim / NVFP4_ELEMENTS;
    var at = record.scales + group;
    if params.kv_side.swizzled > 0u {
        // Four slots' scales trade places: the group's quarter chooses the slot, the slot the place in the quarter.
        let quarter = scales / 4u;
        let slot = record.inside / 4u * 4u + group / quarter;
        let column = group % quarter * 4u + record.inside % 4u;
        at = record.scales + (slot - record.inside) * params.kv_side.plane_token_bytes + column;
    }
    return fp8_e4m3_values(kv_byte(at)).x * kv_scale(record.head);
}

// NVFP4: nibbles in the order of elements, a scale per 16.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let codes = kv_bytes4(record.codes + element / 2u);
    return e2m1_values(codes) * kv_group_scale(record, element / NVFP4_ELEMENTS);
}

// A group.
fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let first = kv_bytes4(record.codes + element / 2u);
    let second = kv_bytes4(record.codes + element / 2u + 4u);
    return mat4x4<f32>(
        e2m1_values(first),
        e2m1_values(first >> 16u),
        e2m1_values(second),
        e2m1_values(second >> 16u),
    ) * kv_group_scale(record, element / NVFP4_ELEMENTS);
}
