#import shared/record as kv
#import shared/sixteen as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv

// bf16: the upper halves of f32.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = (record.codes >> 2u) + ((record.first + element) >> 1u);
    let low = kv_words[at];
    let high = kv_words[at + 1u];
    return bitcast<vec4<f32>>(vec4<u32>(low << 16u, low & 0xffff0000u, high << 16u, high & 0xffff0000u));
}
