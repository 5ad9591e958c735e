/// `shared/staging.wgsl`: the packed bytes of one unit of rows.
pub(in crate::cpu) struct Staging {
    words: Vec<u32>,
}

impl Staging {
    pub(in crate::cpu) fn cleared(bytes: u32) -> Self {
        Self { words: vec![0; bytes.div_ceil(4) as usize] }
    }

    /// Puts the low `bits` (at most 16) of `value`, whose other bits are zero, at bit `at`.
    pub(in crate::cpu) fn put(&mut self, at: u32, value: u32, bits: u32) {
        let (word, shift) = ((at >> 5) as usize, at & 31);
        self.words[word] |= value << shift;
        if shift + bits > 32 {
            self.words[word + 1] |= value >> (32 - shift);
        }
    }

    pub(in crate::cpu) fn write(self, dst: &mut [u32], word: u32) {
        dst[word as usize..][..self.words.len()].copy_from_slice(&self.words);
    }
}
