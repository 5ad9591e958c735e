/// `kv/bf16.wgsl`.
#[must_use]
pub fn bf16(words: &[u32], row: u32, element: u32) -> [f32; 4] {
    [0, 1, 2, 3].map(|i| half::bf16::from_bits(super::half_word(words, row + (element + i) * 2)).to_f32())
}
