// What every quantize kernel is given: rows of `width` values, end to end on both sides. A row is what the layout packs
// on its own: one head's vector, or the row of all heads of a token.
struct Rows {
    rows: u32,
    width: u32,
    // Bytes of a row's code.
    row_bytes: u32,
    // Elements of one head's vector, and heads: row elements are counted modulo heads · head_dim.
    heads: u32,
    head_dim: u32,
    // Rows that one invocation takes, so that it begins and ends on a word; for kernels that go by rows.
    rows_per_unit: u32,
    // What the encoder is told beside the values: its first word in `beside`, and how many words.
    beside: u32,
    beside_words: u32,
}

@group(0) @binding(0) var<uniform> params: Rows;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read> beside: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<u32>;
