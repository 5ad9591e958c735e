//! What of a model's parameters one token meets.

use super::Component;
use crate::spec::shape::{ROPE_TABLE, Shape, Tensors, is_routed};
use crate::unit::Overflow;

/// Parameters of a model's trunk and ends, by who reads them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// All of them; a tied head counts once.
    pub total: u64,
    /// Of them, routed experts.
    pub routed: u64,
    /// Of them, tables that are looked up and not read: embeddings, unless they are the head.
    pub looked_up: u64,
    /// Routed experts of a layer; 0 for a dense model.
    pub experts: u64,
    /// Of them, used for one token.
    pub active_experts: u64,
}

impl Applied {
    /// Counts a shape's parameters.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn of(shape: &Shape) -> Result<Self, Overflow> {
        let mut found = Self::default();
        let mut add = |tensors: &Tensors, layers: u64| -> Result<(), Overflow> {
            for (name, dims) in tensors.iter().filter(|(name, _)| *name != ROPE_TABLE) {
                let one = dims.iter().try_fold(1u64, |n, d| n.checked_mul(*d)).ok_or(Overflow)?;
                let all = one.checked_mul(layers).ok_or(Overflow)?;
                found.total = found.total.checked_add(all).ok_or(Overflow)?;
                if is_routed(name) {
                    found.routed = found.routed.checked_add(all).ok_or(Overflow)?;
                    found.experts = found.experts.max(dims.last().copied().unwrap_or(0));
                }
                let is_head = shape.tied && name == "token_embd";
                if Component::of_gguf(name) == Component::TokenEmbedding && !is_head {
                    found.looked_up = found.looked_up.checked_add(all).ok_or(Overflow)?;
                }
            }
            Ok(())
        };
        add(&shape.model, 1)?;
        for (kind, tensors) in shape.kinds.iter().enumerate() {
            let layers = shape.layers.iter().filter(|k| usize::from(**k) == kind).count();
            add(tensors, u64::try_from(layers).map_err(|_| Overflow)?)?;
        }
        found.active_experts = shape.experts_used.unwrap_or(0).min(found.experts);
        Ok(found)
    }

    /// Parameters that one token is multiplied with.
    #[must_use]
    pub fn per_token(&self) -> u64 {
        let used = u128::from(self.routed) * u128::from(self.active_experts);
        let used = used.checked_div(u128::from(self.experts)).unwrap_or(0);
        let rest = self.total.saturating_sub(self.routed).saturating_sub(self.looked_up);
        rest.saturating_add(u64::try_from(used).unwrap_or(u64::MAX))
    }

    /// Of so many bytes of all weights, those read in every step and those of routed experts, as if every parameter were
    /// equally wide.
    #[must_use]
    pub fn parts_of(&self, bytes: u64) -> (u64, u64) {
        let share = |part: u64| {
            let of = u128::from(bytes) * u128::from(part);
            of.checked_div(u128::from(self.total)).and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
        };
        (share(self.total.saturating_sub(self.routed).saturating_sub(self.looked_up)), share(self.routed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::catalog;

    fn of(id: &str) -> Applied {
        Applied::of(catalog::find(id).unwrap().record().shape.as_ref().unwrap()).unwrap()
    }

    /// Counts of `model-specs/sources/speed-models.csv`, taken from the publishers' configs by hand.
    #[test]
    fn a_token_meets_what_the_publishers_say_is_active() {
        let moe = of("gpt-oss-120b");
        // 128 experts of 36 layers: three matrices, and three biases of 2880 each that the table leaves out.
        let biases = 36 * 128 * 3 * 2880;
        assert_eq!(
            (moe.total, moe.routed, moe.looked_up),
            (116_829_156_672, 114_661_785_600 + biases, 579_133_440)
        );
        assert_eq!((moe.experts, moe.active_experts), (128, 4));
        // "5.1B active parameters" (model card).
        assert_eq!(moe.per_token() / 100_000_000, 51);
        let dense = of("llama-3.1-8b");
        assert_eq!((dense.total, dense.looked_up, dense.experts), (8_030_261_248, 525_336_576, 0));
        // A tied head is read whole.
        assert_eq!(of("qwen2.5-1.5b").looked_up, 0);
    }

    #[test]
    fn a_bare_total_is_cut_by_the_parameters_it_stands_for() {
        let moe = of("qwen3-30b-a3b");
        let (dense, routed) = moe.parts_of(2 * moe.total);
        assert_eq!((dense, routed), (2 * (moe.total - moe.routed - moe.looked_up), 2 * moe.routed));
    }
}
