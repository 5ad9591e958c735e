// KIVI's values at any width: the codes of all channels, then the scales of their groups, then the minima. Import as `kv`,
// after the layout's constants.

#import shared/record_in_rows as kv
#import shared/window as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/kivi_decode

const kv_BITS: u32 = (kv_BYTES - 4u) * 8u / kv_ELEMENTS;

fn kv_packed_tokens(length: u32) -> u32 {
    return length - min(length, kv_RESIDUAL);
}

fn kv_record(at: Place, head: u32) -> Record {
    let packed = kv_packed_tokens(at.length);
    if at.token >= packed {
        return kv_window(at, at.token - packed, head);
    }
    var record = kv_record_in_rows(at, head);
    record.scales = record.codes + params.kv_side.head_dim * kv_BITS / 8u;
    return record;
}

// Scale and minimum of an element's group.
fn kv_scale_and_minimum(record: Record, element: u32) -> vec2<f32> {
    let scale = record.scales + element / kv_ELEMENTS * 2u;
    return vec2<f32>(kv_half(scale), kv_half(scale + params.kv_side.head_dim / kv_ELEMENTS * 2u));
}

// The four lowest codes of a word under their group's scale and minimum.
fn kv_decoded(word: u32, group: vec2<f32>) -> vec4<f32> {
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, kv_BITS, 2u * kv_BITS, 3u * kv_BITS)) & vec4<u32>((1u << kv_BITS) - 1u);
    return kivi_decoded(codes, vec4<f32>(group.x), vec4<f32>(group.y));
}

fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    if kv_in_window(record) {
        return kv_window_load4(record, element);
    }
    let bit = element * kv_BITS;
    return kv_decoded(kv_words[record.codes / 4u + bit / 32u] >> (bit & 31u), kv_scale_and_minimum(record, element));
}

// Half a group: one word of codes, or two.
fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    if kv_in_window(record) {
        return kv_window_load16(record, element);
    }
    let group = kv_scale_and_minimum(record, element);
    let word = record.codes / 4u + element * kv_BITS / 32u;
    let words = vec2<u32>(kv_words[word], kv_words[word + kv_BITS / 2u - 1u]);
    return mat4x4<f32>(
        kv_decoded(words.x, group),
        kv_decoded(words[kv_BITS / 8u] >> ((4u * kv_BITS) & 31u), group),
        kv_decoded(words[2u * kv_BITS / 8u] >> ((8u * kv_BITS) & 31u), group),
        kv_decoded(words[3u * kv_BITS / 8u] >> ((12u * kv_BITS) & 31u), group),
    );
}
