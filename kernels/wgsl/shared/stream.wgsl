// Bytes written one after the other into `dst`, from a word boundary on; a last partial word is filled with zeros.

var<private> stream_word: u32;
var<private> stream_pending: u32;
var<private> stream_bits: u32;

fn stream_begin(byte: u32) {
    stream_word = byte >> 2u;
    stream_pending = 0u;
    stream_bits = 0u;
}

// Appends the low `bits` (at most 16) of `value`, whose other bits are zero.
fn stream_put(value: u32, bits: u32) {
    stream_pending |= value << stream_bits;
    stream_bits += bits;
    if stream_bits >= 32u {
        dst[stream_word] = stream_pending;
        stream_word += 1u;
        stream_bits -= 32u;
        stream_pending = value >> (bits - stream_bits);
    }
}

fn stream_end() {
    if stream_bits > 0u {
        dst[stream_word] = stream_pending;
    }
}
