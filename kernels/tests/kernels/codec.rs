//! Quantize and dequantize, byte for byte, for both sides of every codec.

use crate::common::{Random, adversarial, bits, fresh, gpu, read, upload, values, words};
use kvplan_core::codec::{Axis, Codec, Route, RowCoder};
use kvplan_kernels::cpu::dequantize;
use kvplan_kernels::gpu::{GpuError, block_on};
use kvplan_kernels::op::{Beside, CODECS, CodecKernels, Domain, SideKernels, Span, Tensor};

/// A name, a tensor's shape and its values.
struct Input {
    name: &'static str,
    tensor: Tensor,
    values: Vec<f32>,
}

impl Input {
    fn new(name: &'static str, heads: u32, head_dim: u32, values: Vec<f32>) -> Self {
        let tokens = values.len() as u32 / heads / head_dim;
        Self { name, tensor: Tensor { tokens, heads, head_dim }, values }
    }
}

/// What every side of every codec is given. Odd numbers of blocks and of rows are among it.
fn inputs() -> Vec<Input> {
    let mut random = Random::new(11);
    let spread: Vec<f32> = (0..64 * 40).map(|_| random.finite()).collect();
    // K as models have it: a few channels much larger than the rest.
    let outliers = |random: &mut Random, count: usize, width: usize| -> Vec<f32> {
        (0..count).map(|i| random.normal() * if i % width % 37 == 3 { 30.0 } else { 0.7 }).collect()
    };
    // As a bf16 model writes them: few significant bits, many ties.
    let bf16 = random.normals(128 * 500).iter().map(|x| half::bf16::from_f32(*x).to_f32()).collect();
    vec![
        Input::new("adversarial", 1, 64, adversarial()),
        Input::new("all exponents", 1, 64, spread),
        Input::new("bf16 values", 1, 128, bf16),
        Input::new("one block", 1, 32, random.normals(32)),
        Input::new("an odd number of blocks", 3, 32, random.normals(96 * 7)),
        Input::new("a head of 64", 1, 64, random.normals(64 * 65)),
        Input::new("8 heads of 128", 8, 128, outliers(&mut random, 1024 * 33, 1024)),
        Input::new("heads that no block divides", 2, 80, random.normals(160 * 13)),
    ]
}

/// Whether the side's layout takes the shape; if not, the kernels must refuse it.
fn takes(side: &SideKernels, tensor: Tensor) -> bool {
    side.bytes(tensor).is_ok()
}

/// `kvplan-core`'s coder of the rows that the layout packs on their own.
fn coder(side: &SideKernels, tensor: Tensor) -> RowCoder {
    let Tensor { heads, head_dim, .. } = tensor;
    let width = if side.layout().packing.axis() == Axis::Head { head_dim } else { heads * head_dim };
    side.codec.rows(side.side, Route::Reference, width as usize).unwrap()
}

/// The bytes `kvplan-core` writes.
fn reference(side: &SideKernels, input: &Input) -> Vec<u8> {
    coder(side, input.tensor).encode(&input.values).unwrap()
}

fn twin(side: &SideKernels, input: &Input) -> Vec<u32> {
    let params = side.rows(input.tensor, Span::default()).unwrap();
    let mut out = vec![0xDEAD_BEEF; side.bytes(input.tensor).unwrap().div_ceil(4) as usize];
    (side.quantize_cpu)(&params, &bits(&input.values), &[], &mut out);
    out
}

fn twin_decoded(side: &SideKernels, tensor: Tensor, packed: &[u32]) -> Vec<u32> {
    let mut out = vec![0; tensor.elements() as usize];
    dequantize::rows(&side.decoder, &side.packed(tensor, Span::default()).unwrap(), packed, &[], &mut out);
    out
}

/// Runs `f` on every side of every codec with every input it takes, and says how many there were.
fn all(f: impl Fn(&SideKernels, &Input, &str)) {
    let inputs = inputs();
    for side in CODECS.iter().flat_map(CodecKernels::sides) {
        let mut taken = 0;
        for input in inputs.iter().filter(|input| takes(side, input.tensor)) {
            f(side, input, &format!("{:?} of {}, {}", side.side, side.codec, input.name));
            taken += 1;
        }
        assert!(taken >= 5, "{} took {taken} inputs", side.codec);
    }
}

#[test]
fn the_twins_encode_as_the_reference_does() {
    all(|side, input, what| assert_eq!(twin(side, input), words(&reference(side, input)), "{what}"));
}

#[test]
fn the_twins_decode_as_the_reference_does() {
    all(|side, input, what| {
        if side.domain == Domain::Plain {
            let encoded = reference(side, input);
            let decoded = coder(side, input.tensor).decode(&encoded).unwrap();
            let out = twin_decoded(side, input.tensor, &words(&encoded));
            assert!(same_numbers(&out, &bits(&decoded)), "{what}");
        }
    });
}

/// Equal bits, any NaN equal to any other (a scale that overflowed to infinity times a code of zero).
fn same_numbers(a: &[u32], b: &[u32]) -> bool {
    let nan = |x: u32| f32::from_bits(x).is_nan();
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || nan(*a) && nan(*b))
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_encodes_as_the_reference_does_and_fills_what_core_predicts() {
    all(|side, input, what| {
        let encoded = reference(side, input);
        let (src, dst) = (values(&input.values), fresh(side.bytes(input.tensor).unwrap()));
        assert_eq!(dst.bytes(), encoded.len() as u64, "{what}");
        block_on(gpu().run(&side.quantize(input.tensor, &src, Beside::NOTHING, &dst).unwrap())).unwrap();
        let got = block_on(gpu().read(&dst)).unwrap();
        let wrong = got.iter().zip(&encoded).position(|(a, b)| a != b);
        assert_eq!(wrong, None, "first wrong byte; {what}");
    });
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_decodes_as_the_twin_does() {
    all(|side, input, what| {
        let packed = twin(side, input);
        let (src, dst) = (upload(&packed), fresh(input.values.len() as u64 * 4));
        block_on(gpu().run(&[side.dequantize(input.tensor, &src, Beside::NOTHING, &dst).unwrap()])).unwrap();
        let (got, out) = (read(&dst), twin_decoded(side, input.tensor, &packed));
        let wrong = (0..out.len()).find(|i| !same_numbers(&got[*i..=*i], &out[*i..=*i]));
        assert_eq!(wrong.map(|i| (i, got[i], out[i])), None, "{what}");
    });
}

fn q8_0() -> &'static SideKernels {
    &CodecKernels::of(Codec::Q8_0).unwrap().key
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn one_flipped_bit_in_a_packed_cache_is_caught() {
    let input = Input::new("two blocks", 1, 64, Random::new(3).normals(64));
    let mut packed = twin(q8_0(), &input);
    let (src, dst) = (upload(&packed), fresh(256));
    packed[5] ^= 1 << 9;
    block_on(gpu().run(&[q8_0().dequantize(input.tensor, &src, Beside::NOTHING, &dst).unwrap()])).unwrap();
    assert!(!same_numbers(&read(&dst), &twin_decoded(q8_0(), input.tensor, &packed)));
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
fn what_no_layout_holds_or_no_buffer_contains_is_refused() {
    let (small, large) = (fresh(64), fresh(4096));
    let tensor = |tokens, head_dim| Tensor { tokens, heads: 1, head_dim };
    let width = q8_0().quantize(tensor(1, 40), &large, Beside::NOTHING, &large).unwrap_err();
    assert!(width.to_string().contains("40"), "{width}");
    let room = q8_0().quantize(tensor(2, 64), &large, Beside::NOTHING, &small).unwrap_err();
    assert!(room.to_string().contains("136 packed"), "{room}");
    let key = Span { first: 15, words: 2 };
    let beside = Beside { buffer: Some(&small), key, ..Beside::NOTHING };
    let error = q8_0().quantize(tensor(1, 64), &large, beside, &large).unwrap_err();
    assert!(error.to_string().contains("16 words"), "{error}");
    let beside = Beside { key, ..Beside::NOTHING };
    assert!(q8_0().dequantize(tensor(1, 64), &large, beside, &large).is_err());
}

/// `pairs.txt` and the table of codecs are two lists of the same thing.
#[test]
fn every_row_of_the_table_uses_the_shaders_of_its_own_name() {
    for kernels in CODECS {
        let name = kernels.codec.name();
        assert_eq!(kernels.decode.name, format!("attention/decode/{name}"));
        assert_eq!(kernels.prefill.name, format!("attention/prefill/{name}"));
        for side in kernels.sides() {
            assert_eq!(side.codec, kernels.codec);
            let part = |name: &str| name.rsplit('/').next().map(str::to_owned);
            assert_eq!(part(side.dequantize.name), part(side.naive.name), "{name}");
        }
    }
}
