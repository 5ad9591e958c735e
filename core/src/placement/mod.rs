//! Where bytes live: which device has which layer, what each engine's ranks hold, what is free, and whether it fits.
//!
//! - [`machine`](Machine): the devices of a request, one by one;
//! - `split`: llama.cpp's layer split over devices and host memory;
//! - `layers`: a reservation's lines, dealt to places by the layers that carry them;
//! - `ranks`: tensor, pipeline, data, expert and decode-context parallelism;
//! - `shard`: what one tensor-parallel rank keeps of every kind of layer;
//! - `tenants`: a draft model, a projector, adapters;
//! - `mtp`: prediction layers that draft;
//! - `weights`: weights by layer, as far as they are known;
//! - `reads`: what one step of decoding reads of each place;
//! - [`case`](Case): a model, an engine, a scenario and a machine;
//! - [`bill`](Bill): what they come to by device;
//! - `compute`: llama.cpp's buffers for computing, `graph`: the stages they are the peak of;
//! - `pool`: the pool an engine will make of what is left;
//! - `reserves`: what vLLM and TensorRT-LLM keep for themselves;
//! - `buffers`: the same by cache, as llama.cpp lists its buffers;
//! - `fit`: the states, the spare and the doubt of a place;
//! - [`trial`](Trial): whether a question is held;
//! - `longest`: the largest context and the most sequences that are;
//! - `verdict`: the place that decides;
//! - `search`: the last number that is held, in few questions;
//! - `shown`: the form of the answer.

mod bill;
mod buffers;
mod case;
mod compute;
mod fit;
mod graph;
mod layers;
mod longest;
mod machine;
mod mtp;
mod pool;
mod ranks;
mod reads;
mod reserves;
mod search;
mod shard;
mod shown;
mod split;
mod tenants;
mod trial;
mod verdict;
mod weights;

pub use bill::Bill;
pub use case::Case;
pub use compute::ComputeLine;
pub use fit::{BoundBy, State};
pub use layers::Scope;
pub use machine::{HOST, Machine, Slot};
pub use pool::PoolShown;
pub use ranks::Ranks;
pub use reads::Reads;
pub use shown::{DeviceShown, FitShown};
pub use split::layer_split;
pub use tenants::{Draft, TenantLine, Tenants};
pub use trial::Trial;
pub use verdict::Verdict;
pub use weights::WeightMap;

/// Where something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the device of that index.
    Device(usize),
    /// In host memory.
    Host,
}
