#import shared/record_in_rows as kv
#import shared/window as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/kivi_decode
#import layout/kivi4.value as KIVI4_VALUE
#import shared/bits

fn kv_record(at: Place, head: u32) -> Record {
    let packed = at.length - min(at.length, KIVI4_VALUE_RESIDUAL);
    if at.token >= packed {
        return kv_window(at, at.token - packed, head);
    }
    var record = kv_record_in_rows(at, head);
    record.scales = record.codes + params.kv_side.head_dim * 4u / 8u;
    return record;
}

// Scale and minimum of an element's group.
fn kv_scale_and_minimum(record: Record, element: u32) -> vec2<f32> {
    let scale = record.scales + element / KIVI4_VALUE_ELEMENTS * 2u;
    return vec2<f32>(kv_half(scale), kv_half(scale + params.kv_side.head_dim / KIVI4_VALUE_ELEMENTS * 2u));
}

// KIVI's values at 4 bits: the codes of all channels, then the scales of their groups of 32, then the minima.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    if kv_in_window(record) {
        return kv_window_load4(record, element);
    }
    let scale = kv_scale_and_minimum(record, element);
    return kivi_decoded(nibbles(kv_bytes2(record.codes + element / 2u)), vec4<f32>(scale.x), vec4<f32>(scale.y));
}

// Half a group.
fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    if kv_in_window(record) {
        return kv_window_load16(record, element);
    }
    let both = kv_scale_and_minimum(record, element);
    let scale = vec4<f32>(both.x);
    let lowest = vec4<f32>(both.y);
    let first = kv_bytes4(record.codes + element / 2u);
    let second = kv_bytes4(record.codes + element / 2u + 4u);
    return mat4x4<f32>(
        kivi_decoded(nibbles(first), scale, lowest),
        kivi_decoded(nibbles(first >> 16u), scale, lowest),
        kivi_decoded(nibbles(second), scale, lowest),
        kivi_decoded(nibbles(second >> 16u), scale, lowest),
    );
}
