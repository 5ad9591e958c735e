/// `shared/stream.wgsl`: bytes written one after the other from a word boundary on.
pub(in crate::cpu) struct Stream<'a> {
    dst: &'a mut [u32],
    word: usize,
    pending: u32,
    bits: u32,
}

impl<'a> Stream<'a> {
    pub(in crate::cpu) fn begin(dst: &'a mut [u32], byte: u32) -> Self {
        Self { dst, word: byte as usize >> 2, pending: 0, bits: 0 }
    }

    /// Appends the low `bits` (at most 16) of `value`, whose other bits are zero.
    pub(in crate::cpu) fn put(&mut self, value: u32, bits: u32) {
        self.pending |= value << self.bits;
        self.bits += bits;
        if self.bits >= 32 {
            self.dst[self.word] = self.pending;
            self.word += 1;
            self.bits -= 32;
            self.pending = value >> (bits - self.bits);
        }
    }

    /// Appends four bytes.
    pub(in crate::cpu) fn put_word(&mut self, value: u32) {
        self.put(value & 0xffff, 16);
        self.put(value >> 16, 16);
    }

    pub(in crate::cpu) fn end(self) {
        if self.bits > 0 {
            self.dst[self.word] = self.pending;
        }
    }
}
