// Where one side (K or V) of a cache keeps its bytes. Rust fills it in from `kvplan-core`'s layout (`op::geometry`); a
// parameter block holds one per side, named after the side (`k_side`, `v_side`, `src_side`).
struct Geometry {
    // First byte of the side.
    base: u32,
    // Slots that are laid out together: a page of planes, a group over tokens; 1 where slot follows slot.
    page_tokens: u32,
    // Bytes from one page to the next.
    page_bytes: u32,
    // Bytes from one slot to the next inside a page.
    token_bytes: u32,
    // Bytes from one head's record to the next; 0 where blocks run through the row of all heads.
    head_bytes: u32,
    // Elements from one head to the next in such a row; else 0.
    head_elements: u32,
    // Scales in a plane of their own: its first byte inside the page, and its bytes per slot and per head.
    plane: u32,
    plane_token_bytes: u32,
    plane_head_bytes: u32,
    // Tokens kept in 16 bits: the window's first byte, and its bytes per sequence.
    window: u32,
    window_bytes: u32,
    // What the decoder is told beside the cache: its first word in `beside`, and how many words.
    beside: u32,
    beside_words: u32,
    // The side's shape.
    heads: u32,
    head_dim: u32,
    // Whether scales of values are transposed in groups of four slots, as one layout has them.
    swizzled: u32,
}
