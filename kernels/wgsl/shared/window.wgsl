// Tokens that stay in f16: per sequence and token all heads' vectors, the oldest first. Import as `kv`.

#import shared/place

// No record's scales begin here.
const kv_in_f16: u32 = 0xffffffffu;

fn kv_window(at: Place, index: u32, head: u32) -> Record {
    let vector = (index * params.kv_side.heads + head) * params.kv_side.head_dim * 2u;
    let codes = params.kv_side.window + at.sequence * params.kv_side.window_bytes + vector;
    return Record(codes, kv_in_f16, 0u, head, index);
}

fn kv_in_window(record: Record) -> bool {
    return record.scales == kv_in_f16;
}

fn kv_window_load4(record: Record, element: u32) -> vec4<f32> {
    let at = (record.codes + element * 2u) >> 2u;
    return vec4<f32>(unpack2x16float(kv_words[at]), unpack2x16float(kv_words[at + 1u]));
}

fn kv_window_load16(record: Record, element: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        kv_window_load4(record, element),
        kv_window_load4(record, element + 4u),
        kv_window_load4(record, element + 8u),
        kv_window_load4(record, element + 12u),
    );
}
