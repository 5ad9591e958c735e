//! What several twins share, as `wgsl/shared/` does for shaders.

mod number;
mod record;
mod row_scale;
mod stream;

pub(super) use number::low_byte;
pub use record::{Packed, Place, Record, record};
pub(super) use record::{place, scale};
pub(super) use row_scale::scaled;
pub(super) use stream::Stream;
