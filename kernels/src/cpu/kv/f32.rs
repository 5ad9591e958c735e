/// `kv/f32.wgsl`.
#[must_use]
pub fn f32(words: &[u32], row: u32, element: u32) -> [f32; 4] {
    let at = ((row >> 2) + element) as usize;
    [0, 1, 2, 3].map(|i| f32::from_bits(words[at + i]))
}
