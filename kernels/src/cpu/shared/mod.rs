//! What several twins share, as `wgsl/shared/` does for shaders.

mod number;
mod slot;
mod stream;

pub(super) use number::low_byte;
pub(super) use slot::slot;
pub(super) use stream::Stream;
