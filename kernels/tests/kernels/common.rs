//! Inputs, and the one device the tests share.

use std::sync::OnceLock;

use kvplan_kernels::gpu::{Buffer, Choice, Gpu, block_on};
use kvplan_tests::capture::{file, floats};

/// The device, opened once per process.
pub(crate) fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| block_on(Gpu::open(&Choice::Fastest)).unwrap())
}

pub(crate) fn upload(words: &[u32]) -> Buffer {
    block_on(gpu().upload_words("words", words)).unwrap()
}

pub(crate) fn values(values: &[f32]) -> Buffer {
    block_on(gpu().upload_values("values", values)).unwrap()
}

pub(crate) fn fresh(bytes: u64) -> Buffer {
    block_on(gpu().buffer("output", bytes)).unwrap()
}

pub(crate) fn read(buffer: &Buffer) -> Vec<u32> {
    block_on(gpu().read_words(buffer)).unwrap()
}

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// Bytes as words, the last one filled up with zeros.
pub(crate) fn words(bytes: &[u8]) -> Vec<u32> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

/// Marsaglia's xorshift: the same numbers everywhere.
pub(crate) struct Random(u32);

impl Random {
    pub(crate) fn new(seed: u32) -> Self {
        Self(seed.max(1))
    }

    pub(crate) fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f32 {
        (self.word() >> 8) as f32 / 16_777_216.0
    }

    /// Gaussian by the sum of twelve.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }

    pub(crate) fn normals(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.normal()).collect()
    }

    /// Any finite f32, all exponents alike.
    pub(crate) fn finite(&mut self) -> f32 {
        loop {
            let x = f32::from_bits(self.word());
            if x.is_finite() {
                return x;
            }
        }
    }
}

/// Layer 0's keys or values of the capture's first 128 tokens: 3 heads of 64.
pub(crate) fn captured(side: &str) -> Vec<f32> {
    floats(&file(&format!("smollm2-135m.L0.{side}.plain.f32.bin.gz")).unwrap())
}

/// Rows of 32 whose greatest value lies a few units in the last place below a power of two, for every power of two.
pub(crate) fn just_below_powers_of_two() -> Vec<f32> {
    let mut random = Random::new(23);
    let mut out = Vec::new();
    for exponent in 1..255u32 {
        for below in [1, 2, 3, 5, 6, 11, 12, 22, 23, 44, 45, 88] {
            let top = f32::from_bits((exponent << 23) - below);
            out.extend((0..32).map(|i| if i == 7 { top } else { top * (random.unit() - 0.5) }));
        }
    }
    out
}

/// Rows of 64 that look for trouble: zeros of both signs, ties, subnormals, one huge value, what overflows a scale.
pub(crate) fn adversarial() -> Vec<f32> {
    let mut out = Vec::new();
    let mut row = |f: &dyn Fn(usize) -> f32| out.extend((0..64).map(f));
    row(&|_| 0.0);
    row(&|i| if i % 2 == 0 { -0.0 } else { 0.0 });
    // At amax 127 the scale is 1: every half is a tie.
    row(&|i| if i == 5 { 127.0 } else { i as f32 - 31.5 });
    row(&|i| if i == 5 { -8.0 } else { (i % 17) as f32 - 8.5 });
    row(&|i| if i == 40 { 8.0 } else { ((i * 7) % 33) as f32 / 2.0 - 8.0 });
    // Ties of f16, bf16 and FP8, and their neighbours.
    row(&|i| f32::from_bits(0x3f7f_1000 + i as u32 * 0x800));
    row(&|i| f32::from_bits(0x3f7f_8000 + i as u32 * 0x4000));
    row(&|i| f32::from_bits(0x3f88_0000 + (i as u32) * 0x8_0000));
    row(&|i| (i as f32 + 0.5) * 2f32.powi(-9));
    row(&|i| (i as f32 + 0.5) * 2f32.powi(-24));
    row(&|i| f32::from_bits((i as u32 + 1) * 0x1_0001));
    row(&|i| f32::from_bits(1 + i as u32 % 3));
    row(&|i| f32::from_bits(0x007f_ffe0 + i as u32));
    row(&|i| if i == 13 { 3.0e38 } else { (i as f32 - 30.0) * 1.0e-3 });
    row(&|i| if i == 60 { -6.0e4 } else { 0.01 * i as f32 });
    row(&|i| [447.9, 448.0, 463.99, 464.0, 465.0, 1.0e6, 65519.99, 65520.0][i % 8]);
    row(&|i| if i % 2 == 0 { 1.0e-38 } else { -1.1754944e-38 });
    row(&|i| f32::MAX / (i as f32 + 1.0));
    out
}
