#import shared/record_in_rows as kv
#import shared/window as kv
#import shared/bytes as kv
#import shared/kivi_decode
#import layout/kivi2.value as KIVI2_VALUE

fn kv_record(at: Place, head: u32) -> Record {
    let packed = at.length - min(at.length, KIVI2_VALUE_RESIDUAL);
    if at.token >= packed {
        return kv_window(at, at.token - packed, head);
    }
    var record = kv_record_in_rows(at, head);
    record.scales = record.codes + params.kv_side.head_dim * 2u / 8u;
    return record;
}

// KIVI's values at 2 bits: the codes of all channels, then the scales of their groups of 32, then the minima.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    if kv_in_window(record) {
        return kv_window_load4(record, element);
    }
    let word = kv_byte(record.codes + element / 4u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(3u);
    let scale = record.scales + element / KIVI2_VALUE_ELEMENTS * 2u;
    let lowest = scale + params.kv_side.head_dim / KIVI2_VALUE_ELEMENTS * 2u;
    return kivi_decoded(codes, vec4<f32>(kv_half(scale)), vec4<f32>(kv_half(lowest)));
}
