#import shared/record as kv
#import shared/sixteen as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv

fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = (record.codes >> 2u) + ((record.first + element) >> 1u);
    return vec4<f32>(unpack2x16float(kv_words[at]), unpack2x16float(kv_words[at + 1u]));
}
