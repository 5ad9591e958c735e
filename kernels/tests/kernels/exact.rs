//! `shared/exact.wgsl`: single precision on integers.

use crate::common::{Random, fresh, gpu, read, upload};
use kvplan_kernels::gpu::{Dispatch, block_on};
use kvplan_kernels::shader;

/// NaN by one pattern: their signs and payloads are nobody's promise.
fn canonical(bits: u32) -> u32 {
    if f32::from_bits(bits).is_nan() { 0x7fc0_0000 } else { bits }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn integer_arithmetic_rounds_as_ieee_754_does() {
    let mut random = Random::new(7);
    let edges = [
        0,
        1,
        2,
        0x7f_ffff,
        0x80_0000,
        0x80_0001,
        0x3380_0000,
        0x3f00_0000,
        0x3eff_ffff,
        0x3f7f_ffff,
        0x3f80_0000,
        0x3f80_0001,
        0x3fc0_0000,
        0x4000_0000,
        0x4108_0000,
        0x42fe_0000,
        0x4b00_0000,
        0x4aff_ffff,
        0x4f00_0000,
        0x477f_e000,
        0x477f_efff,
        0x477f_f000,
        0x7f00_0000,
        0x7f7f_ffff,
        0x7f80_0000,
        0x7fc0_0000,
        0x3300_0000,
        0x3300_0001,
        0x3380_0001,
        0x387f_ffff,
        0x3880_0000,
        0x0d00_0000,
        0x72ff_ffff,
    ];
    let signed: Vec<u32> = edges.iter().flat_map(|e| [*e, *e | 0x8000_0000]).collect();
    let mut pairs: Vec<[u32; 2]> = signed.iter().flat_map(|x| signed.iter().map(|y| [*x, *y])).collect();
    for i in 0..60_000 {
        let x = random.finite().to_bits();
        // Half of them near each other in magnitude, where sums cancel and round.
        let near = (x & 0xff80_0000).wrapping_add((random.word() % 5) << 23) ^ (random.word() & 0x807f_ffff);
        let y = if i % 2 == 0 { random.finite().to_bits() } else { near };
        pairs.push([x, y]);
    }
    let input = upload(pairs.as_flattened());
    let output = fresh(pairs.len() as u64 * 24);
    let launch =
        Dispatch::new(&shader::probe::EXACT).buffers([&input, &output]).invocations(pairs.len() as u64);
    block_on(gpu().run(&[launch])).unwrap();
    for ([a, b], got) in pairs.iter().zip(read(&output).as_chunks::<6>().0) {
        let (x, y) = (f32::from_bits(*a), f32::from_bits(*b));
        let byte = if x.abs() < 2_147_483_648.0 { (x as i32 & 0xff) as u32 } else { 0 };
        let f16 = u32::from(half::f16::from_f32(x).to_bits());
        let want = [(x * y).to_bits(), (x / y).to_bits(), (x + y).to_bits(), x.round().to_bits(), byte, f16];
        for (i, name) in ["product", "quotient", "sum", "round"].iter().enumerate() {
            assert_eq!(canonical(got[i]), canonical(want[i]), "{name} of {x:e} ({a:#x}) and {y:e} ({b:#x})");
        }
        assert_eq!(got[4], want[4], "low byte of {x:e}");
        assert_eq!(got[5], want[5], "f16 of {x:e} ({a:#x})");
    }
}
