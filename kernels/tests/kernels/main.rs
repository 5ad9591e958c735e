//! Every kernel against its twin, and the twins against `kvplan-core`'s reference arithmetic. What needs a GPU is
//! reported as ignored where there is none.

#![expect(clippy::unwrap_used, reason = "tests may, and so may what they share")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "test inputs are small"
)]

mod attention;
mod baseline;
mod block_gtq;
mod codec;
mod common;
mod engine;
mod exact;
mod latent;
mod link;
mod model;
mod movement;
mod rotate;
mod runner;
mod segment;
mod shaders;
mod sizes;
