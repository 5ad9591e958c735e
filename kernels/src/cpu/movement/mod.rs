//! `movement/*`: bytes from place to place.

use crate::shader::{Append, Copy};

/// `movement/copy.wgsl`.
pub fn copy(params: &Copy, src: &[u32], dst: &mut [u32]) {
    let words = (params.words as usize).next_multiple_of(4).min(src.len());
    dst[..words].copy_from_slice(&src[..words]);
}

/// `movement/append.wgsl`.
pub fn append(params: &Append, src: &[u32], cache: &mut [u32]) {
    records(params, src, cache, |token| token);
}

/// `movement/append_paged.wgsl`.
pub fn append_paged(params: &Append, src: &[u32], cache: &mut [u32], table: &[u32]) {
    records(params, src, cache, |token| paged(params, table, token));
}

/// `movement/append_ring.wgsl`.
pub fn append_ring(params: &Append, src: &[u32], cache: &mut [u32]) {
    records(params, src, cache, |token| token % params.ring);
}

/// `movement/append_swizzled.wgsl`.
pub fn append_swizzled(params: &Append, src: &[u32], cache: &mut [u32], table: &[u32]) {
    let quarter = params.record_bytes / 4;
    for row in 0..params.rows {
        let token = params.first_token + row;
        let slot = if params.page_size > 0 { paged(params, table, token) } else { token };
        for head in 0..params.dst_side.heads {
            for scale in 0..params.record_bytes {
                let to = record_byte(params, slot / 4 * 4 + scale / quarter, head)
                    + scale % quarter * 4
                    + slot % 4;
                put(cache, to, byte(src, source(params, row, head) + scale));
            }
        }
    }
}

/// `append_word` of `shared/append.wgsl`, byte by byte.
fn records(params: &Append, src: &[u32], cache: &mut [u32], slot: impl Fn(u32) -> u32) {
    for row in 0..params.rows {
        for head in 0..params.dst_side.heads {
            let start = record_byte(params, slot(params.first_token + row), head);
            for i in 0..params.record_bytes {
                put(cache, start + i, byte(src, source(params, row, head) + i));
            }
        }
    }
}

fn paged(params: &Append, table: &[u32], token: u32) -> u32 {
    table[(token / params.page_size) as usize] * params.page_size + token % params.page_size
}

fn source(params: &Append, row: u32, head: u32) -> u32 {
    params.src_base + row * params.src_row_bytes + head * params.src_head_bytes
}

fn record_byte(params: &Append, slot: u32, head: u32) -> u32 {
    let g = &params.dst_side;
    g.base + slot / g.page_tokens * g.page_bytes + slot % g.page_tokens * g.token_bytes + head * g.head_bytes
}

fn byte(words: &[u32], at: u32) -> u32 {
    (words[at as usize >> 2] >> (8 * (at & 3))) & 0xff
}

fn put(words: &mut [u32], at: u32, value: u32) {
    let shift = 8 * (at & 3);
    let word = &mut words[at as usize >> 2];
    *word = (*word & !(0xff << shift)) | (value << shift);
}
