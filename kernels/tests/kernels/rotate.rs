//! The rotation before quantizing, bit for bit.

use crate::common::{Random, bits, gpu, read, values};
use kvplan_core::codec::Rotation;
use kvplan_kernels::cpu;
use kvplan_kernels::gpu::block_on;
use kvplan_kernels::op::{hadamard, hadamard_params};

/// Whole runs of 1024: Gaussian rows, rows of zeros and of one element, and numbers of every exponent whose sums cancel,
/// round and fall below the normal numbers.
fn inputs() -> Vec<f32> {
    let mut random = Random::new(5);
    let mut out = random.normals(3 * 1024);
    out.extend((0..1024).map(|i| if i % 2 == 0 { 0.0 } else { -0.0 }));
    out.extend((0..1024).map(|i| if i == 77 { -3.5 } else { 0.0 }));
    out.extend((0..1024).map(|i| if i % 64 < 32 { 1.25 } else { -1.25 }));
    out.extend((0..1024).map(|i| f32::from_bits(0x0080_0000 + i * 0x1_0003)));
    out.extend((0..1024).map(|i| f32::from_bits(1 + i)));
    // Largest sums that stay finite: 1024 terms over √1024.
    out.extend((0..1024).map(|_| random.normal().signum() * 1.0e36));
    out.extend((0..4096).map(|_| f32::from_bits(random.word() & 0xbfff_ffff)));
    out
}

const WIDTHS: [u32; 7] = [1, 2, 32, 64, 128, 256, 1024];

fn twin(width: u32, input: &[f32]) -> Vec<u32> {
    let mut out = bits(input);
    cpu::rotate::hadamard(&hadamard_params(width, input.len() as u64 * 4).unwrap(), &mut out);
    out
}

#[test]
fn the_twin_turns_as_core_does() {
    for width in WIDTHS {
        let input = inputs();
        let mut want = input.clone();
        Rotation::hadamard(width as usize).unwrap().apply(&mut want).unwrap();
        assert!(twin(width, &input) == bits(&want), "{width}");
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_turns_bit_for_bit_as_the_twin_does_at_both_ends_of_the_range() {
    for width in WIDTHS {
        // A last tile that is not full, where the width allows one.
        for runs in [inputs().len() / width as usize, 1, 3] {
            let input = &inputs()[..runs * width as usize];
            let buffer = values(input);
            block_on(gpu().run(&[hadamard(width, &buffer).unwrap()])).unwrap();
            let (got, want) = (read(&buffer), twin(width, input));
            let wrong = (0..want.len()).find(|i| got[*i] != want[*i]);
            let seen = wrong.map(|i| (i, f32::from_bits(got[i]), f32::from_bits(want[i])));
            assert_eq!(seen, None, "runs of {width}");
        }
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_second_turn_brings_every_value_back() {
    let input = Random::new(9).normals(1 << 20);
    let buffer = values(&input);
    block_on(gpu().run(&[hadamard(64, &buffer).unwrap()])).unwrap();
    let turned = block_on(gpu().read_values(&buffer)).unwrap();
    let moved = turned.iter().zip(&input).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
    assert!(moved > 1_000_000, "{moved} values moved");
    block_on(gpu().run(&[hadamard(64, &buffer).unwrap()])).unwrap();
    let back = block_on(gpu().read_values(&buffer)).unwrap();
    assert!(back.iter().zip(&input).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_width_that_no_transform_has_or_that_does_not_divide_the_values_is_refused() {
    let buffer = values(&[0.0; 96]);
    for (width, word) in [(0, "power"), (48, "power"), (2048, "1024"), (64, "whole runs")] {
        let error = hadamard(width, &buffer).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    hadamard(32, &buffer).unwrap();
}
