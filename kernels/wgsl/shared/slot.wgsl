#import shared/place

// Whether the cache may be a ring, or behind a block table. A pipeline that is told it is neither goes without the
// divisions: some drivers work out both sides of every branch.
override RING: bool = true;
override PAGED: bool = true;

// The slot of a sequence's token: contiguous, a ring, or through the block table.
fn slot(sequence: u32, token: u32) -> u32 {
    var at = token - params.first;
    if RING && params.ring > 0u {
        at = at % params.ring;
    }
    if PAGED && params.page_size > 0u {
        let page = table[sequence * params.pages + at / params.page_size];
        return page * params.page_size + at % params.page_size;
    }
    return sequence * params.capacity + at;
}

fn place(sequence: u32, token: u32, length: u32) -> Place {
    return Place(sequence, token, slot(sequence, token), length);
}
