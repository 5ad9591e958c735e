//! The rotation before quantizing, bit for bit.

use crate::common::{Random, bits, fresh, gpu, read, upload, values};
use kvplan_core::codec::Rotation;
use kvplan_kernels::convert::{turn_back, turn_queries};
use kvplan_kernels::cpu::{self, oracle};
use kvplan_kernels::gpu::block_on;
use kvplan_kernels::op::{
    CODECS, Cache, CodecKernels, Domain, Shape, Span, Tensor, Turned, hadamard, hadamard_params, turn,
    turn_params,
};

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

/// Keys and values that a codec stores turned, plain queries and plain outputs: all turning is the device's.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn attention_over_turned_vectors_gives_what_plain_ones_would() {
    let tensor = Tensor { tokens: 300, heads: 2, head_dim: 128 };
    let shape = Shape {
        sequences: 1,
        heads: 6,
        kv_heads: 2,
        head_dim: 128,
        queries: 1,
        window: 0,
        capacity: 300,
        scale: 0.25,
        sinks: false,
    };
    let turning = |kernels: &&CodecKernels| kernels.sides().iter().any(|side| side.domain != Domain::Plain);
    let mut seen = 0;
    for kernels in CODECS.iter().filter(turning) {
        let mut random = Random::new(31);
        let asked = random.normals(6 * 128);
        let [(k, k_plain), (v, v_plain)] = kernels.sides().map(|side| {
            let input = bits(&random.normals(tensor.elements() as usize));
            let mut packed = vec![0; side.bytes(tensor).unwrap().div_ceil(4) as usize];
            side.quantize_twin(tensor, &input, Span::default(), &[], &mut packed).unwrap();
            let mut decoded = vec![0; tensor.elements() as usize];
            let params = side.packed(tensor, Span::default()).unwrap();
            cpu::dequantize::rows(&side.decoder, &params, &packed, &[], &mut decoded);
            let decoded: Vec<f32> = decoded.into_iter().map(f32::from_bits).collect();
            (upload(&packed), turn_back(side.domain, 128, &decoded))
        });
        let want = oracle::attention(&shape, 300, &asked, &k_plain, &v_plain, &[300], &[]).output;
        let lengths = upload(&[300]);
        let off_by = |turned: bool| {
            let (q, out, parts) = (values(&asked), fresh(6 * 128 * 4), fresh(shape.parts_bytes()));
            let cache = Cache::new(&k, &v, &lengths);
            let launches = if turned {
                shape.decode_plain(kernels, &q, cache, &parts, &out).unwrap()
            } else {
                shape.decode(kernels, &q, cache, &parts, &out).unwrap().to_vec()
            };
            block_on(gpu().run(&launches)).unwrap();
            let got = block_on(gpu().read_values(&out)).unwrap();
            got.iter().zip(&want).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
        };
        let (turned, as_it_is) = (off_by(true), off_by(false));
        assert!(turned < 1e-4, "{}: off by {turned}", kernels.codec);
        assert!(as_it_is > 1e-2, "{}: off by {as_it_is} only without any turning", kernels.codec);
        seen += 1;
    }
    // The fork's three, vLLM's three of keys alone, the three of TurboQuant's own layout, vLLM's int4.
    assert!(seen >= 10, "{seen}");
}

/// The kernel against the same turns in double precision, signs before and after, with and without 1/√n.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn queries_and_outputs_are_turned_as_in_double_precision() {
    let input = Random::new(12).normals(12 * 128);
    let domains: Vec<Domain> = CODECS.iter().flat_map(CodecKernels::sides).map(|side| side.domain).collect();
    for domain in domains.into_iter().filter(|domain| *domain != Domain::Plain) {
        for (what, want) in [
            (Turned::Queries, turn_queries(domain, 128, &input)),
            (Turned::Outputs, turn_back(domain, 128, &input)),
        ] {
            let buffer = values(&input);
            let launch = turn(domain, 128, what, &buffer).unwrap().unwrap();
            block_on(gpu().run(&[launch])).unwrap();
            let got = block_on(gpu().read_values(&buffer)).unwrap();
            assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-5), "{domain:?} {what:?}");
            let params = turn_params(domain, 128, what, buffer.bytes()).unwrap().unwrap();
            let mut twin = bits(&input);
            cpu::rotate::hadamard(&params, &mut twin);
            assert!(read(&buffer) == twin, "{domain:?} {what:?}");
        }
    }
    let buffer = values(&input);
    assert!(turn(Domain::Plain, 128, Turned::Queries, &buffer).unwrap().is_none());
}
