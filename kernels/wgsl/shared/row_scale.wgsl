// Values under the scale that lies beside the cache: one per tensor, one per head, or none, which is 1.

#import shared/exact

// The scale's bits for the head of an element.
fn scale_at(index: u32) -> u32 {
    if params.beside_words == 0u {
        return bitcast<u32>(1.0f);
    }
    let head = index / params.head_dim % params.heads;
    return beside[params.beside + head % params.beside_words];
}

// The element's bits after division by its head's scale.
fn scaled(index: u32) -> u32 {
    if params.beside_words == 0u {
        return src[index];
    }
    return exact_div(src[index], scale_at(index));
}
