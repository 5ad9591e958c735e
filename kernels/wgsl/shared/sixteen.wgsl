// Sixteen elements as four loads of four: for decoders with nothing to share between them. Import as `kv`.

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        kv_load4(record, element),
        kv_load4(record, element + 4u),
        kv_load4(record, element + 8u),
        kv_load4(record, element + 12u),
    );
}
