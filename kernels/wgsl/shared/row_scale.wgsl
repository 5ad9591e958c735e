// Values under the scale that lies beside the cache: one per tensor, one per head, or none.

#import shared/exact

// The element's bits after division by its head's scale.
fn scaled(index: u32) -> u32 {
    if params.beside_words == 0u {
        return src[index];
    }
    let head = index / params.head_dim % params.heads;
    return exact_div(src[index], beside[params.beside + head % params.beside_words]);
}
