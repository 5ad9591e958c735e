//! `attention/*`: the same splits and tiles as the shaders, in f32. A decoder per side is what the shaders import.

mod decode;
mod latent;
mod merge;
mod naive;
mod prefill;

pub use decode::decode;
pub use latent::latent;
pub use merge::merge;
pub use naive::{naive_output, naive_scores, naive_softmax};
pub use prefill::prefill;

/// Lower than any score, as in `shared/attention.wgsl`.
const LOWEST: f32 = -3.0e38;

fn dot(a: [f32; 4], b: &[f32]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
}
