use super::scale;
use crate::shader::Rows;

/// `shared/row_scale.wgsl`: an element's bits after division by its head's scale.
pub(in crate::cpu) fn scaled(params: &Rows, src: &[u32], beside: &[u32], index: usize) -> u32 {
    if params.beside_words == 0 {
        return src[index];
    }
    // A flat index of no more elements than 32 bits count.
    let head = u32::try_from(index).unwrap_or(0) / params.head_dim % params.heads;
    let scale = scale(beside, params.beside, params.beside_words, head);
    (f32::from_bits(src[index]) / scale).to_bits()
}
