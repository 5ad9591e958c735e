//! How fast: a roofline whose efficiencies were fitted to published measurements and are there to read.
//!
//! One decode step on one device takes
//!
//! ```text
//! t = max( W / (e·BW) + K / (ek·BW), 2·P·B / (c·F) ) + L·τ
//! ```
//!
//! W weights read, K cache and state read, L layers, P parameters applied to each of B tokens, BW and F the device's
//! peaks. `max` is softened (a 4-norm), since near the corner both cost. A mixture of experts reads its routed experts in
//! the share `1 − (1 − k/E)^B` that B tokens touch. Several devices in turn (layer split, parts in host memory) add up;
//! tensor parallel ones divide. A prompt is the same roofline over a batch of `n_ubatch` tokens, with attention's own
//! arithmetic beside the weights'.
//!
//! `e`, `ek`, `c`, `τ` are priors ([`Priors`]) times the exponential of fitted [`Coefficients::effects`], named by what
//! they belong to: device class, engine, device, model, weight format and its family. A name that was not measured counts
//! zero, so an unseen device gets its class's figure. `cargo xtask fit-speed` makes them; `docs/speed.md` says how well they do.
//!
//! Rates and times are floats; bytes come in as integers.

mod coefficients;
mod estimate;
mod family;
mod inputs;
mod terms;

pub use coefficients::{Coefficients, Interval, Priors, coefficients};
pub use estimate::{Bound, Efficiencies, Range, SpeedEstimate, estimate, estimate_with};
pub use inputs::{
    Backend, Era, Overrides, Part, Prompt, Rates, SpeedEngine, SpeedInputs, Split, Transfer, TransferKind,
    WeightsRead,
};
pub use terms::{Phase, Sum, Term, Terms, device_effect, spread_keys, terms};

/// A count as a float: exact up to 2^53, past it rounded, which a rate does not notice.
#[expect(
    clippy::cast_precision_loss,
    reason = "rates and times are floats; 53 bits are more than they carry"
)]
pub(crate) const fn real(n: u64) -> f64 {
    n as f64
}
