//! What is dropped, pasted or opened, understood: as a module of its own, for importers, logs and command lines are much
//! code and most visits need none of it.
//!
//! - [`answer`]: what crosses from this module to the planner's, as JSON. The planner's module is compiled with this part
//!   alone.
//! - [`read`]: what a text or a file is.
//! - [`write`](mod@write): what the page gives as a file.
//! - [`written`]: a model described by hand.
//! - `module`: what `web/page/main.js` calls, in a browser.

pub mod answer;
#[cfg(all(target_arch = "wasm32", feature = "read"))]
pub mod module;
#[cfg(feature = "read")]
pub mod read;
#[cfg(feature = "read")]
pub mod write;
#[cfg(feature = "read")]
pub mod written;
