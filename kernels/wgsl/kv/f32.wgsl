#import shared/record as kv
#import shared/sixteen as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv

fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = (record.codes >> 2u) + record.first + element;
    return bitcast<vec4<f32>>(vec4<u32>(kv_words[at], kv_words[at + 1u], kv_words[at + 2u], kv_words[at + 3u]));
}
