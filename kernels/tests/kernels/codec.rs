//! Quantize and dequantize, byte for byte.

use crate::common::{Random, adversarial, bits, fresh, gpu, read, upload, values, words};
use kvplan_core::codec::Route;
use kvplan_kernels::cpu::dequantize;
use kvplan_kernels::gpu::{GpuError, block_on};
use kvplan_kernels::op::{CODECS, CodecKernels};
use kvplan_kernels::shader::{Packed, Rows};

/// Name, width, values: whole rows of the width.
fn inputs() -> Vec<(&'static str, u32, Vec<f32>)> {
    let mut random = Random::new(11);
    let spread: Vec<f32> = (0..64 * 40).map(|_| random.finite()).collect();
    // K as models have it: a few channels much larger than the rest.
    let outliers = |random: &mut Random, count: usize, width: usize| -> Vec<f32> {
        (0..count).map(|i| random.normal() * if i % width % 37 == 3 { 30.0 } else { 0.7 }).collect()
    };
    vec![
        ("adversarial", 64, adversarial()),
        ("all exponents", 64, spread),
        // As a bf16 model writes them: few significant bits, many ties.
        (
            "bf16 values",
            128,
            random.normals(128 * 500).iter().map(|x| half::bf16::from_f32(*x).to_f32()).collect(),
        ),
        ("one block", 32, random.normals(32)),
        ("an odd number of blocks", 96, random.normals(96 * 7)),
        ("a head of 64", 64, random.normals(64 * 65)),
        ("8 heads of 128", 1024, outliers(&mut random, 1024 * 33, 1024)),
        ("two blocks less one row", 160, random.normals(160 * 13)),
    ]
}

fn packed_words(kernels: &CodecKernels, width: u32, rows: u32) -> usize {
    (kernels.row_bytes(width).unwrap() * u64::from(rows)).div_ceil(4).try_into().unwrap()
}

fn twin(kernels: &CodecKernels, width: u32, values: &[f32]) -> Vec<u32> {
    let rows = values.len() as u32 / width;
    let mut out = vec![0xDEAD_BEEF; packed_words(kernels, width, rows)];
    (kernels.quantize_cpu)(&Rows { rows, width }, &bits(values), &mut out);
    out
}

#[test]
fn the_twins_encode_as_the_reference_does() {
    for kernels in CODECS {
        for (name, width, values) in inputs() {
            let reference = kernels.codec.encode(Route::Reference, width as usize, &values).unwrap();
            assert_eq!(twin(kernels, width, &values), words(&reference), "{} of {name}", kernels.codec);
        }
    }
}

#[test]
fn the_twins_decode_as_the_reference_does() {
    for kernels in CODECS {
        for (name, width, values) in inputs() {
            let reference = kernels.codec.encode(Route::Reference, width as usize, &values).unwrap();
            let decoded = kernels.codec.decode(width as usize, &reference).unwrap();
            let row_bytes = kernels.row_bytes(width).unwrap().try_into().unwrap();
            let params = Packed { rows: values.len() as u32 / width, width, row_bytes };
            if width * kernels.codec.layout().key.packing.block().bytes as u32 % 2 == 1 {
                continue;
            }
            let mut out = vec![0; values.len()];
            dequantize::rows(kernels.load4, &params, &words(&reference), &mut out);
            assert!(same_numbers(&out, &bits(&decoded)), "{} of {name}", kernels.codec);
        }
    }
}

/// Equal bits, any NaN equal to any other (a scale that overflowed to infinity times a code of zero).
fn same_numbers(a: &[u32], b: &[u32]) -> bool {
    let nan = |x: u32| f32::from_bits(x).is_nan();
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || nan(*a) && nan(*b))
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_encodes_as_the_reference_does_and_fills_what_core_predicts() {
    for kernels in CODECS {
        for (name, width, input) in inputs() {
            let rows = input.len() as u32 / width;
            let reference = kernels.codec.encode(Route::Reference, width as usize, &input).unwrap();
            let src = values(&input);
            let dst = fresh(kernels.row_bytes(width).unwrap() * u64::from(rows));
            assert_eq!(dst.bytes(), reference.len() as u64, "{} of {name}", kernels.codec);
            block_on(gpu().run(&[kernels.quantize(rows, width, &src, &dst).unwrap()])).unwrap();
            let got = block_on(gpu().read(&dst)).unwrap();
            let wrong = got.iter().zip(&reference).position(|(a, b)| a != b);
            assert_eq!(wrong, None, "first wrong byte; {} of {name}", kernels.codec);
        }
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_decodes_as_the_twin_does() {
    for kernels in CODECS {
        for (name, width, input) in inputs() {
            let rows = input.len() as u32 / width;
            let packed = twin(kernels, width, &input);
            let src = upload(&packed);
            let dst = fresh(input.len() as u64 * 4);
            block_on(gpu().run(&[kernels.dequantize(rows, width, &src, &dst).unwrap()])).unwrap();
            let row_bytes = kernels.row_bytes(width).unwrap().try_into().unwrap();
            let mut out = vec![0; input.len()];
            dequantize::rows(kernels.load4, &Packed { rows, width, row_bytes }, &packed, &mut out);
            let got = read(&dst);
            let wrong = (0..out.len()).find(|i| !same_numbers(&got[*i..=*i], &out[*i..=*i]));
            assert_eq!(wrong.map(|i| (i, got[i], out[i])), None, "{} of {name}", kernels.codec);
        }
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn one_flipped_bit_in_a_packed_cache_is_caught() {
    let kernels = &CODECS[3];
    let input = Random::new(3).normals(64);
    let mut packed = twin(kernels, 64, &input);
    let src = upload(&packed);
    let dst = fresh(256);
    packed[5] ^= 1 << 9;
    block_on(gpu().run(&[kernels.dequantize(1, 64, &src, &dst).unwrap()])).unwrap();
    let mut out = vec![0; 64];
    dequantize::rows(kernels.load4, &Packed { rows: 1, width: 64, row_bytes: 68 }, &packed, &mut out);
    assert!(!same_numbers(&read(&dst), &out));
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn infinities_and_nan_are_refused_before_upload() {
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let error = block_on(gpu().upload_values("k", &[1.0, bad])).unwrap_err();
        assert!(matches!(error, GpuError::NonFinite { element: 1, .. }), "{error}");
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_width_that_no_block_divides_is_refused() {
    let buffer = fresh(4096);
    for kernels in &CODECS[3..] {
        let error = kernels.quantize(1, 40, &buffer, &buffer).unwrap_err();
        assert!(error.to_string().contains("40"), "{error}");
    }
}
