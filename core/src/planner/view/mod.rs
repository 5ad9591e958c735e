//! What the panels show, in the words and the order of both planners: figures with their marks, no drawing.
//!
//! - [`words`]: letters, labels, tooltips and growth of the parts of memory.
//! - [`text`]: byte figures in the chosen unit.
//! - [`headline`]: does it fit, what binds, what next.
//! - [`fixes`]: ways out of a plan that is over or refused, each with its price.
//! - [`memory`]: a bar a device, by what the bytes are and how they grow.
//! - [`copies`]: what of it another rank holds too.
//! - [`serving`]: conversations held at full and at usual length, and copies of the placement for so many sessions.
//! - [`drafts`]: models that could draft for the model.
//! - [`curve`]: bytes against context, with the capacity and where the context stands.
//! - [`layers`]: a letter a layer.
//! - [`table`]: alternatives, each a request that can be taken.
//! - [`unknown`]: what is left to say and to do where a model is not understood.
//! - [`why`]: the arithmetic behind the selected figure.
//! - [`change`]: what the last action did to the figures.

pub mod change;
pub mod copies;
pub mod curve;
pub mod drafts;
pub mod fixes;
pub mod headline;
pub mod layers;
pub mod memory;
pub mod serving;
pub mod table;
pub mod text;
pub mod unknown;
pub mod why;
pub mod words;

#[cfg(test)]
mod tests;
