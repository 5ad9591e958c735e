#import table/iq4_nl_levels

// The level of a code: four to a word, signed bytes.
fn iq4_level(code: u32) -> f32 {
    let word = IQ4_NL_LEVELS[code >> 2u];
    return f32(bitcast<i32>(word << (24u - (code & 3u) * 8u)) >> 24u);
}
