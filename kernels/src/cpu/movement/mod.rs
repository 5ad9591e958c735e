//! `movement/*`: bytes from place to place.

use crate::shader::{Append, Copy};

/// `movement/copy.wgsl`.
pub fn copy(params: &Copy, src: &[u32], dst: &mut [u32]) {
    let words = (params.words as usize).next_multiple_of(4).min(src.len());
    dst[..words].copy_from_slice(&src[..words]);
}

/// `movement/append.wgsl`.
pub fn append(params: &Append, src: &[u32], cache: &mut [u32]) {
    rows(params, src, cache, |token| token);
}

/// `movement/append_paged.wgsl`.
pub fn append_paged(params: &Append, src: &[u32], cache: &mut [u32], table: &[u32]) {
    rows(params, src, cache, |token| {
        table[(token / params.page_size) as usize] * params.page_size + token % params.page_size
    });
}

/// `movement/append_ring.wgsl`.
pub fn append_ring(params: &Append, src: &[u32], cache: &mut [u32]) {
    rows(params, src, cache, |token| token % params.ring);
}

/// `shared/append.wgsl`, byte by byte.
fn rows(params: &Append, src: &[u32], cache: &mut [u32], slot: impl Fn(u32) -> u32) {
    for row in 0..params.rows {
        let start = slot(params.first_token + row) * params.row_bytes;
        for byte in 0..params.row_bytes {
            let (from, to) = (row * params.row_bytes + byte, start + byte);
            let value = (src[from as usize >> 2] >> (8 * (from & 3))) & 0xff;
            let shift = 8 * (to & 3);
            let word = &mut cache[to as usize >> 2];
            *word = (*word & !(0xff << shift)) | (value << shift);
        }
    }
}
