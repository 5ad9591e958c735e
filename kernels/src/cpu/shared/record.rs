use crate::shader::{Attention, Geometry};

/// `Place`: a token of a sequence, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The sequence.
    pub sequence: u32,
    /// Its position, 0 for the oldest.
    pub token: u32,
    /// Where the cache keeps it.
    pub slot: u32,
    /// Tokens of its sequence.
    pub length: u32,
}

/// `Record`: where one head's elements of one token lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Byte at which the codes begin: of the head's record, or of the row of all heads.
    pub codes: u32,
    /// Byte at which the record's scales begin, where they lie in a plane of their own.
    pub scales: u32,
    /// The head's first element, counted from `codes`.
    pub first: u32,
    /// The head.
    pub head: u32,
    /// The slot inside its page.
    pub inside: u32,
}

/// One side of a cache as a decoder sees it.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    /// The cache.
    pub words: &'a [u32],
    /// What lies beside it.
    pub beside: &'a [u32],
    /// Where things are in it.
    pub geometry: &'a Geometry,
}

/// `shared/record.wgsl`.
#[must_use]
pub fn record(packed: &Packed<'_>, at: Place, head: u32) -> Record {
    let g = packed.geometry;
    let (page, inside) =
        if g.page_tokens > 1 { (at.slot / g.page_tokens, at.slot % g.page_tokens) } else { (at.slot, 0) };
    let begin = g.base + page * g.page_bytes;
    Record {
        codes: begin + inside * g.token_bytes + head * g.head_bytes,
        scales: begin + g.plane + inside * g.plane_token_bytes + head * g.plane_head_bytes,
        first: head * g.head_elements,
        head,
        inside,
    }
}

impl Packed<'_> {
    /// `shared/scale.wgsl`.
    pub(in crate::cpu) fn scale(&self, head: u32) -> f32 {
        scale(self.beside, self.geometry.beside, self.geometry.beside_words, head)
    }
}

/// The scale of a head: one per tensor, one per head, or none, which is 1.
pub(in crate::cpu) fn scale(beside: &[u32], first: u32, count: u32, head: u32) -> f32 {
    head.checked_rem(count).map_or(1.0, |at| f32::from_bits(beside[(first + at) as usize]))
}

/// `shared/slot.wgsl`: the slot of a sequence's token.
fn slot(params: &Attention, table: &[u32], sequence: u32, token: u32) -> u32 {
    let at = token - params.first;
    let at = if params.ring > 0 { at % params.ring } else { at };
    if let Some(page) = at.checked_div(params.page_size) {
        let page = table[(sequence * params.pages + page) as usize];
        return page * params.page_size + at % params.page_size;
    }
    sequence * params.capacity + at
}

/// `place` of `shared/slot.wgsl`.
pub(in crate::cpu) fn place(
    params: &Attention,
    table: &[u32],
    sequence: u32,
    token: u32,
    length: u32,
) -> Place {
    Place { sequence, token, slot: slot(params, table, sequence, token), length }
}
