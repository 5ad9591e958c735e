// For decoders whose keys share nothing. Import as `kv`.

// Keys that are read together, and four elements of each.
const kv_TOGETHER: u32 = 1u;

fn kv_together4(record: Record, element: u32) -> mat4x4<f32> {
    return mat4x4<f32>();
}

// How many tokens of a sequence are packed, the oldest ones.
fn kv_packed_tokens(length: u32) -> u32 {
    return length;
}
