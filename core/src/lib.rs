//! Exact KV-cache footprints: how a number travels from a publisher's file to a plan.
//!
//! One road, in the order of the modules below:
//!
//! 1. [`spec`]: a publisher's `config.json`, a GGUF header, a safetensors header or a catalogued spec becomes a
//!    [`spec::ModelSpec`]: a list of layers, understood or refused.
//! 2. [`cache`]: every layer is a list of stores, each with a retention law: how many entries are kept after n tokens.
//! 3. [`codec`]: a store's entries become bytes under a block layout.
//! 4. [`engine`]: what an engine reserves for those entries: cells, pages, groups, padding; and what it refuses.
//! 5. [`plan`]: a parsed request walks the road and comes back as a plan.
//!
//! [`planner`] is the state of the interactive planners: what is set, what is looked at, and how to take it back.
//!
//! [`launch`] goes from a plan to the command line that realises it, and from a pasted command line back to a request.
//! [`reconcile`] reads an engine's start-up log and sets its figures beside the plan's.
//!
//! [`weights`] says what the model itself occupies.
//!
//! [`fit`] asks a plan backwards: the longest context, the most sequences that a machine holds.
//!
//! [`placement`] says on which device the bytes live and whether they fit, [`hardware`] what a machine holds and how
//! fast it is read, [`speed`] how fast it decodes.
//!
//! [`explain`] keeps the reason beside each figure, [`unit`] keeps bytes and tokens integers, [`error`] words what
//! cannot be answered, [`read`](mod@read) says where in a JSON value something is wrong,
//! [`order`] sorts.
#![deny(missing_docs)]

pub mod cache;
pub mod codec;
pub mod engine;
pub mod error;
pub mod explain;
pub mod fit;
pub mod hardware;
pub mod launch;
pub mod order;
pub mod placement;
pub mod plan;
pub mod planner;
pub mod read;
pub mod reconcile;
pub mod spec;
pub mod speed;
pub mod sweep;
pub mod unit;
pub mod weights;
