#import shared/window as kv
#import shared/bytes as kv
#import shared/kivi_decode
#import layout/kivi4.key as KIVI4_KEY

fn kv_record(at: Place, head: u32) -> Record {
    let packed = at.length - at.length % KIVI4_KEY_RESIDUAL;
    if at.token >= packed {
        return kv_window(at, at.token - packed, head);
    }
    let page = at.slot / KIVI4_KEY_ELEMENTS;
    let group = params.kv_side.base + page * params.kv_side.page_bytes + head * params.kv_side.head_bytes;
    let scales = group + params.kv_side.head_dim * 16u;
    return Record(group, scales, 0u, head, at.slot % KIVI4_KEY_ELEMENTS);
}

// KIVI's keys at 4 bits: 16 bytes of codes per channel, then the scales of all channels, then their minima.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    if kv_in_window(record) {
        return kv_window_load4(record, element);
    }
    let bit = record.inside * 4u;
    let first = record.codes + element * 16u + bit / 8u;
    let bytes = vec4<u32>(kv_byte(first), kv_byte(first + 16u), kv_byte(first + 32u), kv_byte(first + 48u));
    let codes = (bytes >> vec4<u32>(bit & 7u)) & vec4<u32>(15u);
    let scales = record.scales + element * 2u;
    let minima = scales + params.kv_side.head_dim * 2u;
    return kivi_decoded(
        codes,
        vec4<f32>(kv_half(scales), kv_half(scales + 2u), kv_half(scales + 4u), kv_half(scales + 6u)),
        vec4<f32>(kv_half(minima), kv_half(minima + 2u), kv_half(minima + 4u), kv_half(minima + 6u)),
    );
}
