//! From lines of a reservation to bytes on each place, by the layers that carry them.

use super::Place;
use crate::engine::{Carriers, StoreLine};
use crate::error::PlanError;
use crate::spec::ModelSpec;
use crate::unit::{Bytes, Overflow};

/// Which of a model's layers a cache is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// The trunk.
    #[default]
    Trunk,
    /// The trunk and the first so many multi-token-prediction layers.
    WithMtp(u64),
    /// The multi-token-prediction layers alone.
    MtpOnly,
}

/// How many layers of each kind each place has.
#[derive(Debug, Clone)]
pub(crate) struct Census {
    /// By kind, then by place.
    kinds: Vec<Vec<u64>>,
    all: Vec<u64>,
    empty: Vec<u64>,
}

impl Census {
    /// Counts the layers in `scope`; `at` says where the layer of each index is (trunk first, then prediction layers),
    /// as an index of `places`.
    pub(crate) fn of(model: &ModelSpec, scope: Scope, places: usize, at: impl Fn(usize) -> usize) -> Self {
        let trunk = model.layer_count();
        let mut census = Self {
            kinds: vec![vec![0; places]; model.kinds().len()],
            all: vec![0; places],
            empty: vec![0; places],
        };
        let mut count = |kind: u16, place: usize| {
            let bare = model.kinds().get(usize::from(kind)).is_some_and(|k| k.mixers().is_empty());
            let by_kind = census.kinds.get_mut(usize::from(kind)).and_then(|row| row.get_mut(place));
            let empty = if bare { census.empty.get_mut(place) } else { None };
            for n in [by_kind, census.all.get_mut(place), empty].into_iter().flatten() {
                *n += 1;
            }
        };
        if scope != Scope::MtpOnly {
            for (il, kind) in model.order().iter().enumerate() {
                count(*kind, at(il));
            }
        }
        let drafted = match scope {
            Scope::Trunk => 0,
            Scope::WithMtp(n) => usize::try_from(n).unwrap_or(usize::MAX),
            Scope::MtpOnly => usize::MAX,
        };
        for (i, kind) in model.mtp_order().iter().take(drafted).enumerate() {
            count(*kind, at(trunk + i));
        }
        census
    }

    /// The bytes of a line by place.
    pub(crate) fn split(&self, line: &StoreLine) -> Result<Vec<Bytes>, PlanError> {
        let counts = match line.carriers {
            Carriers::Any => None,
            Carriers::Kind(kind) => self.kinds.get(usize::from(kind)),
            Carriers::Empty => Some(&self.empty),
        };
        match counts.filter(|counts| counts.iter().sum::<u64>() == line.layers && line.layers > 0) {
            Some(counts) if line.allocated.get().is_multiple_of(line.layers) => {
                let each = Bytes::new(line.allocated.get() / line.layers);
                counts.iter().map(|n| Ok(each.times(*n)?)).collect()
            }
            Some(counts) => portions(line.allocated, counts),
            None => self.evenly(line.allocated),
        }
    }

    /// Layers of a kind in a place.
    pub(crate) fn of_kind(&self, kind: usize, place: usize) -> u64 {
        self.kinds.get(kind).and_then(|row| row.get(place)).copied().unwrap_or(0)
    }

    /// Bytes that belong to no layer in particular, by the layers of each place.
    pub(crate) fn evenly(&self, bytes: Bytes) -> Result<Vec<Bytes>, PlanError> {
        portions(bytes, &self.all)
    }
}

/// `bytes` in proportion to `counts`, adding up exactly.
pub(crate) fn portions(bytes: Bytes, counts: &[u64]) -> Result<Vec<Bytes>, PlanError> {
    let whole: u64 = counts.iter().sum();
    let (mut seen, mut given) = (0u64, 0u64);
    let mut parts = Vec::with_capacity(counts.len());
    for count in counts {
        seen += count;
        let upto =
            if whole == 0 { 0 } else { u128::from(bytes.get()) * u128::from(seen) / u128::from(whole) };
        let upto = u64::try_from(upto).map_err(|_| Overflow)?;
        parts.push(Bytes::new(upto - given));
        given = upto;
    }
    if whole == 0
        && let Some(first) = parts.first_mut()
    {
        *first = bytes;
    }
    Ok(parts)
}

/// The index of a place among `devices` and the host after them.
pub(crate) const fn index(place: Place, devices: usize) -> usize {
    match place {
        Place::Device(device) => device,
        Place::Host => devices,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_add_up_to_the_byte() {
        let parts = portions(Bytes::new(100), &[1, 1, 1]).unwrap();
        assert_eq!(parts.iter().map(|b| b.get()).collect::<Vec<_>>(), [33, 33, 34]);
        assert_eq!(portions(Bytes::new(7), &[0, 0]).unwrap(), [Bytes::new(7), Bytes::ZERO]);
    }
}
