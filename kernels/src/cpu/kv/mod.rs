//! `kv/*`: four elements of one head's vector of one token, and where that vector lies.

mod bf16;
mod block_gtq;
mod f16;
mod f32;
mod fp8;
mod iq4_nl;
mod kivi;
mod mxfp4;
mod nvfp4;
mod per_token_head;
mod q4_0;
mod q4_1;
mod q5_0;
mod q5_1;
mod q8_0;
mod turbo;
mod turboquant;

pub use bf16::BF16;
pub use block_gtq::BLOCK_GTQ;
pub(crate) use block_gtq::{HEAD_WORDS, LEVELS_WORD};
pub use f16::F16;
pub use f32::F32;
pub(super) use fp8::fp8_e4m3_value;
pub use fp8::{FP8_E4M3, FP8_E5M2};
pub use iq4_nl::IQ4_NL;
pub use kivi::{KIVI2_KEY, KIVI2_VALUE, KIVI4_KEY, KIVI4_VALUE};
pub use mxfp4::MXFP4;
pub use nvfp4::NVFP4;
pub use per_token_head::{FP8_PER_TOKEN_HEAD, INT4_PER_TOKEN_HEAD, INT8_PER_TOKEN_HEAD};
pub use q4_0::Q4_0;
pub use q4_1::Q4_1;
pub use q5_0::Q5_0;
pub use q5_1::Q5_1;
pub use q8_0::Q8_0;
pub use turbo::{TURBO2_0, TURBO3_0, TURBO4_0};
pub use turboquant::{
    TURBOQUANT_K3, TURBOQUANT_K4, TURBOQUANT_MSE_2, TURBOQUANT_MSE_3, TURBOQUANT_MSE_4, TURBOQUANT_V3,
    TURBOQUANT_V4,
};

pub use super::shared::{Packed, Place, Record, record};

/// A decoder's twin: the two functions a file of `kv/` defines.
#[derive(Debug, Clone, Copy)]
pub struct Decoder {
    /// `kv_record`: [`record`] unless the layout groups tokens.
    pub record: fn(&Packed<'_>, Place, u32) -> Record,
    /// `kv_load4`: elements `element..element + 4` of a record, `element` a multiple of 4.
    pub load4: fn(&Packed<'_>, Record, u32) -> [f32; 4],
}

impl Decoder {
    /// A decoder whose records lie where the geometry says.
    pub(super) const fn new(load4: fn(&Packed<'_>, Record, u32) -> [f32; 4]) -> Self {
        Self { record, load4 }
    }
}

impl Packed<'_> {
    /// `kv_byte`.
    pub(super) fn byte(&self, at: u32) -> u8 {
        self.words[at as usize >> 2].to_le_bytes()[(at & 3) as usize]
    }

    /// `kv_bytes4`.
    pub(super) fn bytes4(&self, at: u32) -> [u8; 4] {
        [0, 1, 2, 3].map(|i| self.byte(at + i))
    }

    /// `kv_bytes2`.
    pub(super) fn bytes2(&self, at: u32) -> u16 {
        u16::from_le_bytes([self.byte(at), self.byte(at + 1)])
    }

    /// `kv_half`.
    pub(super) fn half(&self, at: u32) -> f32 {
        half::f16::from_bits(self.bytes2(at)).to_f32()
    }
}

/// A level of a symmetric codebook whose positive half is given.
fn signed_level(code: u32, half: &[f32]) -> f32 {
    let code = code as usize;
    if code < half.len() { -half[half.len() - 1 - code] } else { half[code - half.len()] }
}
