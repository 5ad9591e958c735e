#import shared/window as kv
#import shared/bytes as kv
#import shared/kivi_decode
#import shared/no_factors as kv
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

// The codes of four channels of the record's token.
fn kv_codes(record: Record, element: u32) -> vec4<u32> {
    let bit = record.inside * 4u;
    let first = record.codes + element * 16u + bit / 8u;
    let bytes = vec4<u32>(kv_byte(first), kv_byte(first + 16u), kv_byte(first + 32u), kv_byte(first + 48u));
    return (bytes >> vec4<u32>(bit & 7u)) & vec4<u32>(15u);
}

fn kv_packed4(record: Record, element: u32) -> vec4<f32> {
    let scales = kv_halves4(record.scales + element * 2u);
    let minima = kv_halves4(record.scales + (params.kv_side.head_dim + element) * 2u);
    return kivi_decoded(kv_codes(record, element), scales, minima);
}

// KIVI's keys at 4 bits: 16 bytes of codes per channel, then the scales of all channels, then their minima.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    if kv_in_window(record) {
        return kv_window_load4(record, element);
    }
    return kv_packed4(record, element);
}

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    if kv_in_window(record) {
        return kv_window_load16(record, element);
    }
    return mat4x4<f32>(
        kv_packed4(record, element),
        kv_packed4(record, element + 4u),
        kv_packed4(record, element + 8u),
        kv_packed4(record, element + 12u),
    );
}
