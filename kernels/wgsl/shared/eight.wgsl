// Eight codes side by side, `bits` each.
fn eight(first: vec4<u32>, second: vec4<u32>, bits: u32) -> u32 {
    let places = vec4<u32>(0u, bits, 2u * bits, 3u * bits);
    let words = (first << places) | (second << (places + vec4<u32>(4u * bits)));
    return words.x | words.y | words.z | words.w;
}
