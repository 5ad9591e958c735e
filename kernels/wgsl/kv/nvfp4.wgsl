#import shared/record as kv
#import shared/bytes as kv
#import shared/scale as kv
#import shared/fp8
#import shared/e2m1
#import layout/nvfp4

// Bits of a code: how far the plane of scales is from the plane of codes.
const kv_CODE_BITS: u32 = 4u;

// NVFP4: nibbles in the order of elements, a scale per 16 in a plane of their own, the tensor's scale beside the cache.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let scales = params.kv_side.head_dim / NVFP4_ELEMENTS;
    let group = element / NVFP4_ELEMENTS;
    var at = record.scales + group;
    if params.kv_side.swizzled > 0u {
        // Four slots' scales trade places: the group's quarter chooses the slot, the slot the place in the quarter.
        let quarter = scales / 4u;
        let slot = record.inside / 4u * 4u + group / quarter;
        let column = group % quarter * 4u + record.inside % 4u;
        at = record.scales + (slot - record.inside) * params.kv_side.plane_token_bytes + column;
    }
    let codes = kv_bytes4(record.codes + element / 2u);
    return e2m1_values(codes) * (fp8_e4m3_values(kv_byte(at)).x * kv_scale(record.head));
}
