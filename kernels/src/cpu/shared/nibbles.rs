use super::Stream;

/// `shared/nibbles.wgsl`: a block of 32 codes in ggml's order.
pub(in crate::cpu) struct Nibbles {
    words: [u32; 4],
    pub(in crate::cpu) fifth: u32,
}

impl Nibbles {
    /// Of the codes in element order.
    pub(in crate::cpu) fn of(codes: [u32; 32]) -> Self {
        let mut nibbles = Self { words: [0; 4], fifth: 0 };
        for i in 0..16 {
            let (low, high) = (codes[i], codes[i + 16]);
            nibbles.words[i / 4] |= ((low & 15) | ((high & 15) << 4)) << (i % 4 * 8);
            nibbles.fifth |= (((low >> 4) & 1) << i) | (((high >> 4) & 1) << (i + 16));
        }
        nibbles
    }

    pub(in crate::cpu) fn put(&self, out: &mut Stream<'_>) {
        for word in self.words {
            out.put_word(word);
        }
    }
}
