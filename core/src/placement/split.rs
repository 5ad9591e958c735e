//! llama.cpp's layer split: which device has which layer.
//!
//! `i_start = max(L + 1 − ngl, 0)`: layers before it stay on the host, as the token embeddings always do; index L is the
//! output layer. The rest go by cumulative shares in single precision, as the engine computes them
//! (llama.cpp 0c1e57098, `llama_model::load_tensors`).

use super::Place;
use crate::unit::Bytes;

/// Where layers 0 … L − 1 and the output layer are. `gpu_layers`: how many, `None` for all; `shares`: as given, or none
/// to split by `free`.
#[must_use]
pub fn layer_split(
    layers: usize,
    gpu_layers: Option<usize>,
    shares: Option<&[f32]>,
    free: &[Bytes],
) -> Vec<Place> {
    let all = layers.saturating_add(1);
    let wanted = gpu_layers.unwrap_or(all);
    let start = all.saturating_sub(wanted);
    let active = if free.is_empty() { 0 } else { wanted.min(all) };
    let bounds = cumulative(shares, free);
    (0..all)
        .map(|il| {
            if il < start || il - start >= active {
                return Place::Host;
            }
            let at = single(il - start) / single(active);
            // `std::upper_bound`: the first device whose bound is beyond.
            let device = bounds.iter().position(|bound| *bound > at).unwrap_or(bounds.len());
            Place::Device(device.min(free.len().saturating_sub(1)))
        })
        .collect()
}

/// Cumulative shares, the last of them 1.
fn cumulative(shares: Option<&[f32]>, free: &[Bytes]) -> Vec<f32> {
    let given = shares.filter(|s| s.iter().take(free.len()).any(|share| *share != 0.0));
    let mut sum = 0.0f32;
    let mut bounds: Vec<f32> = (0..free.len())
        .map(|i| {
            sum += match given {
                Some(shares) => shares.get(i).copied().unwrap_or(0.0),
                None => free.get(i).map_or(0.0, |bytes| bytes_as_single(bytes.get())),
            };
            sum
        })
        .collect();
    for bound in &mut bounds {
        *bound /= sum;
    }
    bounds
}

#[expect(clippy::cast_precision_loss, reason = "llama.cpp converts layer counts to float")]
const fn single(n: usize) -> f32 {
    n as f32
}

#[expect(clippy::cast_precision_loss, reason = "llama.cpp keeps a device's free bytes as float")]
const fn bytes_as_single(n: u64) -> f32 {
    n as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn on(places: &[Place], device: usize) -> usize {
        places.iter().filter(|p| **p == Place::Device(device)).count()
    }

    #[test]
    fn one_offloaded_layer_moves_only_the_output() {
        let places = layer_split(32, Some(1), None, &[Bytes::new(GIB)]);
        assert_eq!((on(&places, 0), places[32]), (1, Place::Device(0)));
    }

    #[test]
    fn uneven_cards_split_by_what_is_free_on_them() {
        let places = layer_split(47, None, None, &[Bytes::new(32 * GIB), Bytes::new(16 * GIB)]);
        assert_eq!((on(&places, 0), on(&places, 1)), (32, 16));
    }

    #[test]
    fn shares_that_are_all_zero_count_as_none() {
        let free = [Bytes::new(GIB), Bytes::new(GIB)];
        assert_eq!(layer_split(9, None, Some(&[0.0, 0.0]), &free), layer_split(9, None, None, &free));
        assert_eq!(on(&layer_split(9, None, Some(&[0.0, 1.0]), &free), 1), 10);
    }

    #[test]
    fn without_a_device_everything_is_on_the_host() {
        assert!(layer_split(4, None, None, &[]).iter().all(|p| *p == Place::Host));
    }
}
