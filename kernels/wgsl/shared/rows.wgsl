// What every quantize and dequantize kernel is given: rows of `width` values, end to end on both sides.
struct Rows {
    rows: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> params: Rows;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;
