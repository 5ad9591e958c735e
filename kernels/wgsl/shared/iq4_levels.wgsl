#import table/iq4_nl_levels as iq4_nl_word

// The levels of codes: four to a word, signed bytes. The word by selections, the byte by shifts: a table in memory costs a
// load per element, and some drivers write it anew for every look.
fn iq4_levels(codes: vec4<u32>) -> vec4<f32> {
    let words = iq4_nl_word_four(codes >> vec4<u32>(2u));
    let shift = vec4<u32>(24u) - (codes & vec4<u32>(3u)) * vec4<u32>(8u);
    return vec4<f32>(bitcast<vec4<i32>>(words << shift) >> vec4<u32>(24u));
}

fn iq4_level(code: u32) -> f32 {
    let word = iq4_nl_word(code >> 2u);
    return f32(bitcast<i32>(word << (24u - (code & 3u) * 8u)) >> 24u);
}
