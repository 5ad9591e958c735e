// New records into a cache: `rows` tokens of `dst_side.heads` records each, every one to the slot that `append_slot`
// names and there to the place its geometry gives.

#import shared/grid
#import shared/geometry

struct Append {
    dst_side: Geometry,
    rows: u32,
    // Bytes of one record.
    record_bytes: u32,
    first_token: u32,
    // Tokens per page of the block table.
    page_size: u32,
    ring: u32,
    // Where the records are: the first byte, and bytes from one token and from one head to the next.
    src_base: u32,
    src_row_bytes: u32,
    src_head_bytes: u32,
}

@group(0) @binding(0) var<uniform> params: Append;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read_write> cache: array<atomic<u32>>;

// The four bytes from `at` on, of which `count` are read.
fn src_bytes(at: u32, count: u32) -> u32 {
    let shift = (at & 3u) * 8u;
    var value = src[at >> 2u] >> shift;
    if shift > 0u && (at & 3u) + count > 4u {
        value |= src[(at >> 2u) + 1u] << (32u - shift);
    }
    return value;
}

// Bytes `begin..to` of the cache, all in one word: records need not begin on a word, and two may then share one.
fn cache_put(begin: u32, to: u32, value: u32) {
    let word = begin >> 2u;
    if to - begin == 4u {
        atomicStore(&cache[word], value);
        return;
    }
    let shift = (begin & 3u) * 8u;
    let mask = ((1u << ((to - begin) * 8u)) - 1u) << shift;
    atomicAnd(&cache[word], ~mask);
    atomicOr(&cache[word], (value << shift) & mask);
}

// The first byte of a head's record in a slot.
fn record_byte(slot: u32, head: u32) -> u32 {
    let page = slot / params.dst_side.page_tokens;
    let inside = slot % params.dst_side.page_tokens;
    return params.dst_side.base + page * params.dst_side.page_bytes + inside * params.dst_side.token_bytes
        + head * params.dst_side.head_bytes;
}

// One invocation per word of a record.
fn append_word(index: u32) {
    let words = (params.record_bytes + 6u) >> 2u;
    let record = index / words;
    let row = record / params.dst_side.heads;
    let head = record % params.dst_side.heads;
    if row >= params.rows {
        return;
    }
    let start = record_byte(append_slot(params.first_token + row), head);
    let end = start + params.record_bytes;
    let word = (start >> 2u) + index % words;
    let begin = max(word << 2u, start);
    let to = min((word << 2u) + 4u, end);
    if begin >= to {
        return;
    }
    let at = params.src_base + row * params.src_row_bytes + head * params.src_head_bytes + (begin - start);
    cache_put(begin, to, src_bytes(at, to - begin));
}
