// KIVI's keys at any width: per head and group of tokens the codes of one channel after the other, then the scales of all
// channels, then their minima. Import as `kv`, after the layout's constants.

#import shared/window as kv
#import shared/bytes as kv
#import shared/kivi_decode
#import shared/no_factors as kv

// Words of a channel's codes: its block has an f16 scale and minimum besides. And the bits of a code.
const kv_CHANNEL: u32 = (kv_BYTES - 4u) / 4u;
const kv_BITS: u32 = kv_CHANNEL * 32u / kv_ELEMENTS;

fn kv_packed_tokens(length: u32) -> u32 {
    return length - length % kv_RESIDUAL;
}

fn kv_record(at: Place, head: u32) -> Record {
    let packed = kv_packed_tokens(at.length);
    if at.token >= packed {
        return kv_window(at, at.token - packed, head);
    }
    let page = at.slot / kv_ELEMENTS;
    let group = params.kv_side.base + page * params.kv_side.page_bytes + head * params.kv_side.head_bytes;
    let scales = group + params.kv_side.head_dim * kv_CHANNEL * 4u;
    return Record(group, scales, 0u, head, at.slot % kv_ELEMENTS);
}

// What tokens share of four channels: their words, the record's token in the lowest bits, the scales and the minima.
struct kv_Channels {
    words: vec4<u32>,
    scales: vec4<f32>,
    minima: vec4<f32>,
}

fn kv_channels(record: Record, element: u32) -> kv_Channels {
    let bit = record.inside * kv_BITS;
    let word = record.codes / 4u + element * kv_CHANNEL + bit / 32u;
    let words = vec4<u32>(
        kv_words[word],
        kv_words[word + kv_CHANNEL],
        kv_words[word + 2u * kv_CHANNEL],
        kv_words[word + 3u * kv_CHANNEL],
    );
    return kv_Channels(
        words >> vec4<u32>(bit & 31u),
        kv_halves4(record.scales + element * 2u),
        kv_halves4(record.scales + (params.kv_side.head_dim + element) * 2u),
    );
}

// Four channels of the record's token, or of one so many later in the same word.
fn kv_channels4(channels: kv_Channels, later: u32) -> vec4<f32> {
    let codes = (channels.words >> vec4<u32>(later * kv_BITS)) & vec4<u32>((1u << kv_BITS) - 1u);
    return kivi_decoded(codes, channels.scales, channels.minima);
}

fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    if kv_in_window(record) {
        return kv_window_load4(record, element);
    }
    return kv_channels4(kv_channels(record, element), 0u);
}

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    if kv_in_window(record) {
        return kv_window_load16(record, element);
    }
    return mat4x4<f32>(
        kv_channels4(kv_channels(record, element), 0u),
        kv_channels4(kv_channels(record, element + 4u), 0u),
        kv_channels4(kv_channels(record, element + 8u), 0u),
        kv_channels4(kv_channels(record, element + 12u), 0u),
    );
}

// Packed tokens that share words: four slots from a multiple of four on.
const kv_TOGETHER: u32 = 4u;

// Four channels of each of them.
fn kv_together4(record: Record, element: u32) -> mat4x4<f32> {
    let channels = kv_channels(record, element);
    return mat4x4<f32>(
        kv_channels4(channels, 0u),
        kv_channels4(channels, 1u),
        kv_channels4(channels, 2u),
        kv_channels4(channels, 3u),
    );
}
