use crate::shader::Window;

/// `quantize/window.wgsl`.
pub fn window(params: &Window, src: &[u32], dst: &mut [u32]) {
    let half = |at: u32| u32::from(half::f16::from_f32(f32::from_bits(src[at as usize])).to_bits());
    for word in 0..params.elements / 2 {
        let at = params.first + word * 2;
        dst[(params.to + word) as usize] = half(at) | (half(at + 1) << 16);
    }
}
