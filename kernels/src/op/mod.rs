//! What callers ask for: launches of the kernels with their parameters, constants and grid filled in.

mod attention;
mod block_gtq;
mod block_gtq_cache;
mod codec;
mod geometry;
mod latent;
mod link;
mod movement;
mod pack;
mod rotate;
mod rounds;
mod segment;
mod table;

pub use attention::{Addressing, Cache, Shape, launch};
pub use block_gtq::{BlockGtqKeys, HeadKeys};
pub use block_gtq_cache::BlockGtqCache;
pub use codec::{Beside, CodecKernels, Domain, Hadamard, SideKernels, Widths};
pub use geometry::{Arrangement, Span, Tensor};
pub use latent::Latent;
pub use link::{Direction, link_samples};
pub use movement::{Destination, Placement, append, copy};
pub use rotate::{Turned, hadamard, hadamard_params, turn, turn_params};
pub use segment::Segment;
pub use table::CODECS;

use crate::gpu::GpuError;
use crate::shader::Shader;

fn refuse<T>(shader: &Shader, message: impl Into<String>) -> Result<T, GpuError> {
    Err(GpuError::Arguments { shader: shader.name, message: message.into() })
}

fn word(shader: &Shader, what: &str, value: u64) -> Result<u32, GpuError> {
    u32::try_from(value).or_else(|_| refuse(shader, format!("{what} is {value}, past 32 bits")))
}
