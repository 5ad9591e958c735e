// What every attention kernel is given.

#import shared/geometry

struct Attention {
    k_side: Geometry,
    v_side: Geometry,
    sequences: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    // Elements of a head of V and of the output.
    value_dim: u32,
    // Queries per sequence: its last `queries` tokens.
    queries: u32,
    // Tokens a query sees, itself included; 0 for all.
    window: u32,
    // Slots of a sequence in a contiguous cache.
    capacity: u32,
    // Tokens per page, and pages per sequence in the block table; 0 for a contiguous cache.
    page_size: u32,
    pages: u32,
    // Slots of a ring, 0 for none.
    ring: u32,
    // Parts that a sequence's tokens are split into, over all launches that share them, and the first of this launch.
    splits: u32,
    first_split: u32,
    // Tokens of a part, where the kernel does not fix them.
    split: u32,
    // The tokens these buffers hold: the first, and one past the last.
    first: u32,
    last: u32,
    // Whether prefill writes parts for `attention/merge` instead of the output.
    raw: u32,
    // Whether `sinks` holds a logit per head.
    sinks: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Attention;

const LOWEST: f32 = -3.0e38f;
