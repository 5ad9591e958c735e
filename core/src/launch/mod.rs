//! Launching an engine: from a plan to the command line that realises it, and from a pasted command line to a request.
//!
//! - `words` splits pasted text as a shell would, `program` finds what it starts;
//! - `flags` knows every flag an engine's own parser accepts (data, read out of its source at the version modelled);
//! - `table` is the form of the rows that tie an option of ours to a flag; each engine's rows stand in the file of its
//!   name and serve both directions;
//! - `read` goes from text to a request, with what was taken, what was left and why;
//! - `export` goes from a request to a command or a file, with the defaults that would bite written out.

mod cluster;
mod compose;
mod exllamav3;
mod export;
mod flags;
mod llama_cpp;
mod lm_studio;
mod lmcache;
mod lora;
mod mlx;
mod model;
mod ollama;
mod program;
mod read;
mod sglang;
mod table;
mod tensorrt_llm;
mod vllm;
mod words;
mod yaml;

pub use export::{ConfigFile, Launch, Target, export};
pub use model::named as named_model;
pub use read::{Ignored, Reading, Taken, Why, read};
