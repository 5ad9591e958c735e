//! What one tensor-parallel rank keeps: heads are shared, and repeated where there are more ranks than heads; latent
//! and one-head rows are repeated on every rank; states are shared by heads and groups.

use crate::error::PlanError;
use crate::spec::{Mixer, ModelSpec};

impl ModelSpec {
    /// The model as one of `tp` ranks keeps it.
    ///
    /// # Errors
    /// `invalid` where heads neither divide nor repeat evenly.
    pub fn rank_of(&self, tp: u64) -> Result<Self, PlanError> {
        if tp <= 1 {
            return Ok(self.clone());
        }
        self.with_mixers(|mixer| mixer.shard(tp))
    }
}

impl Mixer {
    /// Leaves what one of `tp` ranks keeps.
    fn shard(&mut self, tp: u64) -> Result<(), PlanError> {
        match self {
            Self::Full(a) => repeat(&mut a.kv_heads, "kv_heads", tp),
            Self::Window(a) => repeat(&mut a.kv_heads, "kv_heads", tp),
            Self::Chunk(a) => repeat(&mut a.kv_heads, "kv_heads", tp),
            Self::Cross(a) => repeat(&mut a.kv_heads, "kv_heads", tp),
            // One row for all heads: every rank keeps it whole.
            Self::Mla(_) | Self::Compressed(_) | Self::Shared(_) => Ok(()),
            Self::Mamba1(a) => share(&mut a.inner, "inner", tp),
            Self::Mamba2(a) => {
                share(&mut a.heads, "heads", tp)?;
                // Groups that do not divide are repeated, one a rank.
                a.groups = if a.groups.is_multiple_of(tp) { a.groups / tp } else { 1 };
                Ok(())
            }
            Self::GatedDelta(a) => {
                share(&mut a.k_heads, "k_heads", tp)?;
                share(&mut a.v_heads, "v_heads", tp)
            }
            Self::Kda(a) => share(&mut a.heads, "heads", tp),
            Self::Lightning(a) => share(&mut a.heads, "heads", tp),
            Self::ShortConv(a) => share(&mut a.width, "width", tp),
            Self::Rwkv(a) => share(&mut a.hidden, "hidden", tp),
            Self::RgLru(a) => share(&mut a.width, "width", tp),
            Self::Mlstm(a) => share(&mut a.heads, "heads", tp),
        }
    }
}

/// Heads that may be repeated.
fn repeat(heads: &mut u64, what: &str, tp: u64) -> Result<(), PlanError> {
    if *heads > 0 && tp.is_multiple_of(*heads) {
        *heads = 1;
        return Ok(());
    }
    share(heads, what, tp)
}

/// Heads, or channels, that must divide.
fn share(n: &mut u64, what: &str, tp: u64) -> Result<(), PlanError> {
    if !n.is_multiple_of(tp) {
        let message = format!("{n} {what} of a layer do not divide over {tp} ranks");
        return Err(PlanError::invalid("placement.tp", message).with_value(tp));
    }
    *n /= tp;
    Ok(())
}
