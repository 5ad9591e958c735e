// A token of a sequence, and where it is.
struct Place {
    sequence: u32,
    // Its position, 0 for the oldest.
    token: u32,
    // Where the cache keeps it.
    slot: u32,
    // Tokens of its sequence.
    length: u32,
}

// Where one head's elements of one token lie.
struct Record {
    // Byte at which the codes begin: of the head's record, or of the row of all heads.
    codes: u32,
    // Byte at which the record's scales begin, where they lie in a plane of their own.
    scales: u32,
    // The head's first element, counted from `codes`: not 0 only where blocks run through the row of all heads.
    first: u32,
    head: u32,
    // The slot inside its page.
    inside: u32,
}
