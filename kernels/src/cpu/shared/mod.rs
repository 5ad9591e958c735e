//! What several twins share, as `wgsl/shared/` does for shaders.

mod e2m1;
mod key_blocks;
mod minifloat;
mod nibbles;
mod number;
mod record;
mod row_scale;
mod staging;
mod stream;
pub(crate) mod turn;
mod walk;

pub(super) use e2m1::{e2m1_code, e2m1_value};
pub(super) use key_blocks::key_norm;
pub(crate) use key_blocks::{KEY_GROUP_WORDS, key_group};
pub(super) use minifloat::{E4M3, E5M2, MiniFloat};
pub(super) use nibbles::Nibbles;
pub(super) use number::{LEAST_SCALE, amax, extreme, f16, floats, low_byte, range, reciprocal};
pub use record::{Packed, Place, Record, record};
pub(super) use record::{place, scale};
pub(super) use row_scale::{scale_at, scaled};
pub(super) use staging::Staging;
pub(super) use stream::Stream;
pub(crate) use turn::Cuts;
pub(super) use walk::{blocks, vectors};
