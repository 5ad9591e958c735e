use super::scale;
use crate::shader::Rows;

/// `scale_at` of `shared/row_scale.wgsl`: the scale for the head of an element.
pub(in crate::cpu) fn scale_at(params: &Rows, beside: &[u32], index: usize) -> f32 {
    // A flat index of no more elements than 32 bits count.
    let head = u32::try_from(index).unwrap_or(0) / params.head_dim % params.heads;
    scale(beside, params.beside, params.beside_words, head)
}

/// `scaled`: an element's bits after division by its head's scale.
pub(in crate::cpu) fn scaled(params: &Rows, src: &[u32], beside: &[u32], index: usize) -> u32 {
    if params.beside_words == 0 {
        return src[index];
    }
    (f32::from_bits(src[index]) / scale_at(params, beside, index)).to_bits()
}
