//! Groups whose pages have several sizes, packed side by side in one block (DeepSeek-V4).
//!
//! Layers that need blocks for the same tokens form a bucket. A bucket with as many layers of each page size is a
//! repeating pattern; buckets are cut into groups of about the same number of repeats, chosen so that rounding up
//! costs the fewest repeats in total (`_get_packed_kv_cache_groups`).

use super::grouping::{Group, Layers, Shape, member, whole};
use super::spec::Class;
use crate::error::PlanError;
use crate::unit::Overflow;

/// Layers that need blocks for the same tokens, by page size.
struct Bucket {
    layers: Vec<usize>,
    pages: Vec<Page>,
}

struct Page {
    bytes: u64,
    layers: Vec<usize>,
    count: usize,
}

impl Bucket {
    /// As many layers of each page size.
    fn balanced(&self) -> bool {
        self.pages.windows(2).all(|w| matches!(w, [a, b] if a.count == b.count))
    }

    fn repeats(&self) -> usize {
        self.pages.iter().map(|p| p.count).max().unwrap_or(0)
    }

    fn len(&self) -> usize {
        self.pages.iter().map(|p| p.count).sum()
    }

    /// Bytes of the widest of `n` groups.
    fn widest(&self, n: usize) -> Result<u64, Overflow> {
        self.pages.iter().try_fold(0u64, |sum, p| {
            let most = u64::try_from(p.count.div_ceil(n.max(1))).map_err(|_| Overflow)?;
            sum.checked_add(most.checked_mul(p.bytes).ok_or(Overflow)?).ok_or(Overflow)
        })
    }
}

/// Groups layers of a block-outermost layout.
pub(super) fn pack(layers: &[Layers], stages: usize) -> Result<Vec<Group>, PlanError> {
    let buckets = buckets(layers)?;
    let mixed = buckets.iter().filter(|b| b.balanced() && b.pages.len() > 1).map(Bucket::repeats).max();
    let per_group = mixed.map(|floor| {
        let repeats: Vec<usize> = buckets.iter().filter(|b| b.balanced()).map(Bucket::repeats).collect();
        least_padding(&repeats, floor)
    });
    let is_state = |b: &Bucket| {
        b.layers.first().and_then(|&i| layers.get(i)).is_some_and(|l| match l.spec.class {
            Class::Mamba { .. } => true,
            Class::Window { .. } | Class::WindowMla { .. } => per_group.is_none(),
            Class::Full(_) | Class::Mla | Class::Chunk { .. } | Class::Cross => false,
        })
    };
    let planned = |b: &Bucket| match per_group {
        Some(d) if b.balanced() => b.repeats().div_ceil(d.max(1)),
        _ => 1,
    };
    let mut anchor = 0;
    for b in &buckets {
        anchor = b.widest(if is_state(b) { b.len() } else { planned(b) })?.max(anchor);
    }
    let mut groups = Vec::new();
    for b in &buckets {
        let mut count = planned(b);
        if let (true, Some(first)) =
            (anchor > 0 && is_state(b), b.layers.first().and_then(|&i| layers.get(i)))
        {
            let fit = usize::try_from((anchor / first.spec.page()?.max(1)).max(1)).map_err(|_| Overflow)?;
            count = count.max(b.len().div_ceil(fit));
        }
        if count <= 1 {
            groups.push(whole(layers, &b.layers, Shape::PerLayer, stages));
            continue;
        }
        let repeats = b.pages.iter().map(|p| p.count).min().unwrap_or(0);
        for nth in 0..count {
            groups.push(every_nth_repeat(layers, b, nth, count, repeats, stages));
        }
    }
    Ok(groups)
}

fn every_nth_repeat(
    layers: &[Layers],
    bucket: &Bucket,
    nth: usize,
    count: usize,
    repeats: usize,
    stages: usize,
) -> Group {
    let mut members = Vec::new();
    for page in &bucket.pages {
        let mut before = 0usize;
        for (i, l) in page.layers.iter().filter_map(|&i| layers.get(i).map(|l| (i, l))) {
            let here = (0..l.stages.len())
                .filter(|at| before + at < repeats && (before + at) % count == nth)
                .filter_map(|at| l.stages.get(at).copied());
            let member = member(i, &l.spec, here, stages);
            if member.per_stage.iter().any(|&n| n > 0) {
                members.push(member);
            }
            before += l.stages.len();
        }
    }
    Group { shape: Shape::PerLayer, members }
}

fn buckets(layers: &[Layers]) -> Result<Vec<Bucket>, PlanError> {
    let mut buckets: Vec<Bucket> = Vec::new();
    for (i, l) in layers.iter().enumerate() {
        let home = buckets.iter_mut().find(|b| {
            b.layers.first().and_then(|&j| layers.get(j)).is_some_and(|f| f.spec.same_type_as(&l.spec))
        });
        let bucket = match home {
            Some(bucket) => bucket,
            None => {
                buckets.push(Bucket { layers: Vec::new(), pages: Vec::new() });
                let last = buckets.len() - 1;
                &mut buckets[last]
            }
        };
        bucket.layers.push(i);
        let bytes = l.spec.page()?;
        match bucket.pages.iter_mut().find(|p| p.bytes == bytes) {
            Some(page) => {
                page.layers.push(i);
                page.count += l.stages.len();
            }
            None => bucket.pages.push(Page { bytes, layers: vec![i], count: l.stages.len() }),
        }
    }
    Ok(buckets)
}

/// The group length d ≥ `floor` that rounds `repeats` up by the least in total; of equals, the longest.
fn least_padding(repeats: &[usize], floor: usize) -> usize {
    let floor = floor.max(1);
    let most = repeats.iter().copied().max().unwrap_or(floor);
    let padding = |d: usize| repeats.iter().map(|x| (d - x % d) % d).sum::<usize>();
    (floor..=most.max(floor)).rev().min_by_key(|&d| padding(d)).unwrap_or(floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deepseek_v4_flash_cuts_its_43_windows_into_22_and_21() {
        // Buckets of 43 windows, 21 CSA states and 20 HCA states (vllm/0084 of the truth rows).
        assert_eq!(least_padding(&[43, 21, 20], 21), 22);
    }

    #[test]
    fn of_equal_paddings_the_longer_group_wins() {
        assert_eq!(least_padding(&[12, 6], 2), 6);
    }
}
