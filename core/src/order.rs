//! Short lists in order. The standard library's sort is compiled anew for every type it sorts, some five kilobytes each in
//! a module that a browser loads; this one sorts positions, and is compiled once.

use std::cmp::Ordering;

/// Sorts a list; equal entries stay as they stand.
pub fn by<T>(list: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let order = {
        let mut at = |a: usize, b: usize| match (list.get(a), list.get(b)) {
            (Some(a), Some(b)) => compare(a, b),
            (None, _) | (_, None) => Ordering::Equal,
        };
        positions(list.len(), &mut at)
    };
    for (place, &from) in order.iter().enumerate() {
        // What stood there may have been swapped on, to the place its own entry came from.
        let mut from = from;
        while from < place {
            from = order.get(from).copied().unwrap_or(place);
        }
        list.swap(place, from);
    }
}

/// [`by`] a key.
pub fn by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    by(list, |a, b| key(a).cmp(&key(b)));
}

/// The value of a key in a list in order of its keys; begun where the key is new. What a map does, compiled anew for every
/// type too, in a tenth of its code.
pub fn slot<K: Ord, V: Default>(list: &mut Vec<(K, V)>, key: K) -> &mut V {
    let at = match list.binary_search_by(|(other, _)| other.cmp(&key)) {
        Ok(at) => at,
        Err(at) => {
            list.insert(at, (key, V::default()));
            at
        }
    };
    &mut list[at].1
}

fn positions(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|&a, &b| compare(a, b));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_list_of_slots_is_the_standard_librarys_map(added: Vec<(u8, u32)>) {
            let (mut list, mut map) = (Vec::new(), std::collections::BTreeMap::<u8, u64>::new());
            for (key, n) in added {
                *slot::<u8, u64>(&mut list, key) += u64::from(n);
                *map.entry(key).or_default() += u64::from(n);
            }
            prop_assert_eq!(list, map.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn the_order_is_that_of_the_standard_library(list: Vec<(u8, u32)>) {
            let (mut ours, mut theirs) = (list.clone(), list);
            by_key(&mut ours, |(key, _)| *key);
            theirs.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(ours, theirs);
        }
    }
}
