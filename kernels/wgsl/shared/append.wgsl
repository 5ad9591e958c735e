// New rows into a cache: `rows` packed rows, end to end, each to the slot that `append_slot` names.

#import shared/grid

struct Append {
    rows: u32,
    row_bytes: u32,
    first_token: u32,
    page_size: u32,
    ring: u32,
}

@group(0) @binding(0) var<uniform> params: Append;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read_write> cache: array<atomic<u32>>;

// One invocation per word of a row: rows need not begin on a word, and two rows may then share one.
fn append_word(index: u32) {
    let words = (params.row_bytes + 6u) >> 2u;
    let row = index / words;
    if row >= params.rows {
        return;
    }
    let start = append_slot(params.first_token + row) * params.row_bytes;
    let end = start + params.row_bytes;
    let word = (start >> 2u) + index % words;
    let begin = max(word << 2u, start);
    let to = min((word << 2u) + 4u, end);
    if begin >= to {
        return;
    }
    let at = row * params.row_bytes + (begin - start);
    let shift = (at & 3u) * 8u;
    var value = src[at >> 2u] >> shift;
    if shift > 0u && (at & 3u) + (to - begin) > 4u {
        value |= src[(at >> 2u) + 1u] << (32u - shift);
    }
    if to - begin == 4u {
        atomicStore(&cache[word], value);
        return;
    }
    let mask = ((1u << ((to - begin) * 8u)) - 1u) << ((begin & 3u) * 8u);
    atomicAnd(&cache[word], ~mask);
    atomicOr(&cache[word], (value << ((begin & 3u) * 8u)) & mask);
}
