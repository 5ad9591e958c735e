//! Bytes to the device and back, whatever their number and place.

use crate::common::{Random, fresh, gpu};
use kvplan_kernels::gpu::{GpuError, POISON, block_on};
use kvplan_kernels::model::{fit, held_out};
use kvplan_kernels::op::{Direction, link_samples};

fn noise(seed: u32, count: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.word().to_le_bytes()[1]).collect()
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn every_byte_arrives_and_comes_back_whatever_the_size() {
    for size in [1usize, 2, 3, 4, 5, 17, 34, 68, 4095, 65_537, (4 << 20) + 3] {
        let (bytes, buffer) = (noise(size as u32, size), fresh(size as u64));
        let sent = block_on(gpu().send(&buffer, 0, &bytes)).unwrap();
        let (back, fetched) = block_on(gpu().fetch(&buffer, 0..size as u64)).unwrap();
        assert!(back == bytes, "{size}");
        // A second way of reading, so that both ways would have to be wrong alike.
        assert!(block_on(gpu().read(&buffer)).unwrap() == bytes, "{size}");
        for transfer in [sent, fetched] {
            assert_eq!(transfer.bytes, (size as u64).next_multiple_of(4));
            assert!(transfer.link > 0.0 && transfer.total >= transfer.link, "{transfer:?}");
        }
    }
}

/// Token rows of 34 bytes end anywhere in a word; what lies beside the part must neither arrive nor change.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_part_goes_to_its_place_and_leaves_the_rest_alone() {
    let buffer = fresh(103);
    let mut want = POISON.to_le_bytes().repeat(26);
    want.truncate(103);
    for (offset, count) in [(0usize, 8), (20, 44), (96, 7), (100, 3), (40, 0)] {
        let bytes = noise(offset as u32 + 1, count);
        want[offset..offset + count].copy_from_slice(&bytes);
        block_on(gpu().send(&buffer, offset as u64, &bytes)).unwrap();
        assert_eq!(block_on(gpu().read(&buffer)).unwrap(), want, "{count} bytes at {offset}");
    }
    for (start, end) in [(0usize, 103), (1, 2), (3, 9), (34, 68), (101, 103), (50, 50)] {
        let (bytes, transfer) = block_on(gpu().fetch(&buffer, start as u64..end as u64)).unwrap();
        assert_eq!(bytes, want[start..end], "{start}..{end}");
        assert!(transfer.bytes.is_multiple_of(4) && transfer.bytes >= (end - start) as u64);
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn what_does_not_fit_or_would_touch_a_neighbour_is_refused() {
    let buffer = fresh(40);
    let send = |offset, count| block_on(gpu().send(&buffer, offset, &noise(1, count))).unwrap_err();
    let range = |start, end| GpuError::Range { label: "output".into(), start, end, bytes: 40 };
    assert_eq!(send(36, 8), range(36, 44));
    assert_eq!(send(u64::MAX - 3, 8), range(u64::MAX - 3, u64::MAX));
    assert_eq!(send(2, 4), GpuError::Unaligned { label: "output".into(), offset: 2, end: 6 });
    assert_eq!(send(4, 5), GpuError::Unaligned { label: "output".into(), offset: 4, end: 9 });
    assert_eq!(block_on(gpu().fetch(&buffer, 8..41)).unwrap_err(), range(8, 41));
    #[expect(clippy::reversed_empty_ranges, reason = "what is refused")]
    let reversed = block_on(gpu().fetch(&buffer, 9..8)).unwrap_err();
    assert_eq!(reversed, range(9, 8));
    assert!(block_on(gpu().read(&buffer)).unwrap() == POISON.to_le_bytes().repeat(10));
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn runs_over_the_link_are_samples_of_the_time_model() {
    let sizes: Vec<u64> = (14..23).map(|i| 1u64 << i).collect();
    for direction in [Direction::ToDevice, Direction::ToHost] {
        let samples = block_on(link_samples(gpu(), direction, &sizes, 3)).unwrap();
        assert_eq!(samples.iter().map(|sample| sample.bytes).collect::<Vec<_>>(), sizes);
        let model = fit(&samples).unwrap();
        assert!(model.bandwidth().is_some_and(|rate| rate > 1e6), "{direction:?}: {model:?}");
        // Other programs share this processor: the fit's own runs say whether it is one, not how good it is.
        assert!(held_out(&model, &samples).median < 1.0, "{direction:?}: {samples:?}");
    }
}
