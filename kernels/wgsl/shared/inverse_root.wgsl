// 1/√n of a power of two, as f32 rounds the root and then the quotient.
fn inverse_root(n: u32) -> f32 {
    let power = firstTrailingBit(n);
    let whole = bitcast<f32>((127u - power / 2u) << 23u);
    return select(whole, whole * bitcast<f32>(0x3f3504f3u), (power & 1u) == 1u);
}
