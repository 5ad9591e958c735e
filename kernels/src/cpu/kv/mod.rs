//! `kv/*`: four elements of a packed row. `row` is the row's first byte, `element` a multiple of 4.

mod bf16;
mod f16;
mod f32;
mod fp8_e4m3;
mod q4_0;
mod q8_0;

pub use bf16::bf16;
pub use f16::f16;
pub use f32::f32;
pub use fp8_e4m3::fp8_e4m3;
pub use q4_0::q4_0;
pub use q8_0::q8_0;

/// A decoder: words of the cache, row, element.
pub type Load4 = fn(&[u32], u32, u32) -> [f32; 4];

/// The two bytes at `byte`, which is even.
fn half_word(words: &[u32], byte: u32) -> u16 {
    let bytes = words[byte as usize >> 2].to_le_bytes();
    let at = (byte & 2) as usize;
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The four bytes at `byte`, which is even.
fn bytes4(words: &[u32], byte: u32) -> [u8; 4] {
    let (low, high) = (half_word(words, byte).to_le_bytes(), half_word(words, byte + 2).to_le_bytes());
    [low[0], low[1], high[0], high[1]]
}
