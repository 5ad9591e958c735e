//! Quantize and dequantize, byte for byte, for both sides of every codec.

use crate::common::{
    Random, adversarial, bits, captured, fresh, gpu, just_below_powers_of_two, read, upload, values, words,
};
use kvplan_core::codec::tables::VLLM_INT4_SIGNS;
use kvplan_core::codec::{Codec, EncodedTensor, Route, Side, StaticScale, TensorShape};
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
        Input::new("runs of zeros", 1, 32, zeros_between(&mut random)),
        Input::new("short heads", 3, 4, random.normals(12 * 7)),
        Input::new("an odd width", 1, 20, random.normals(20 * 9)),
        Input::new("wide heads", 1, 512, random.normals(512 * 3)),
        Input::new("just below powers of two", 1, 32, just_below_powers_of_two()),
        Input::new("a model's keys", 3, 64, captured("k")),
        Input::new("a model's values", 3, 64, captured("v")),
    ]
}

/// Blocks of 32, most of them zeros: at the beginning, at the end, and in runs of one to six.
fn zeros_between(random: &mut Random) -> Vec<f32> {
    let mut out = vec![0.0; 32 * 3];
    for run in [1, 0, 2, 3, 0, 0, 4, 5, 6, 1, 2] {
        out.extend(random.normals(32));
        out.extend(vec![1.0e-16; 32 * run]);
    }
    out
}

/// What `kvplan-core` makes of the tensor.
fn encoded(side: &SideKernels, input: &Input) -> EncodedTensor {
    let Tensor { tokens, heads, head_dim } = input.tensor;
    let [tokens, heads, dim] = [tokens, heads, head_dim].map(|n| n as usize);
    let shape = TensorShape { tokens, heads, dim };
    side.codec.encode_tensor(side.side, Route::Reference, shape, &input.values).unwrap()
}

/// The bytes `kvplan-core` writes.
fn reference(side: &SideKernels, input: &Input) -> Vec<u8> {
    let tensor = encoded(side, input);
    [tensor.packed(), tensor.window()].concat()
}

/// The first byte that differs. A scale of `iq4_nl` that is NaN on both sides (a sum of squares past f32's range) is not
/// looked at: which NaN a device computes is nobody's promise.
fn first_wrong(side: &SideKernels, got: &[u8], reference: &[u8]) -> Option<usize> {
    assert_eq!(got.len(), reference.len());
    let block = side.layout().packing.block().bytes as usize;
    let undefined = |at: usize| {
        let d = at / block * block;
        let nan = |bytes: &[u8]| half::f16::from_le_bytes([bytes[d], bytes[d + 1]]).is_nan();
        side.codec == Codec::Iq4Nl && at - d < 2 && nan(got) && nan(reference)
    };
    (0..got.len()).find(|at| got[*at] != reference[*at] && !undefined(*at))
}

fn twin(side: &SideKernels, input: &Input) -> Vec<u32> {
    let mut out = vec![0xDEAD_BEEF; side.bytes(input.tensor).unwrap().div_ceil(4) as usize];
    side.quantize_twin(input.tensor, &bits(&input.values), Span::default(), &[], &mut out).unwrap();
    out
}

fn twin_decoded(side: &SideKernels, tensor: Tensor, packed: &[u32]) -> Vec<u32> {
    let mut out = vec![0; tensor.elements() as usize];
    dequantize::rows(&side.decoder, &side.packed(tensor, Span::default()).unwrap(), packed, &[], &mut out);
    out
}

/// Whether the side's layout and kernels take the shape; if not, they must refuse it.
fn takes(side: &SideKernels, tensor: Tensor) -> bool {
    side.bytes(tensor).is_ok() && side.rows(tensor, Span::default()).is_ok()
}

/// Runs `f` on every side of every codec with every input it takes: at least so many.
fn each(least: usize, takes: impl Fn(&SideKernels, Tensor) -> bool, f: impl Fn(&SideKernels, &Input, &str)) {
    let inputs = inputs();
    for side in CODECS.iter().flat_map(CodecKernels::sides) {
        let mut taken = 0;
        for input in inputs.iter().filter(|input| takes(side, input.tensor)) {
            f(side, input, &format!("{:?} of {}, {}", side.side, side.codec, input.name));
            taken += 1;
        }
        assert!(taken >= least, "{} took {taken} inputs", side.codec);
    }
}

/// The inputs a side encodes; what its layout does not take, the kernels must refuse.
fn all(f: impl Fn(&SideKernels, &Input, &str)) {
    each(5, takes, f);
}

/// The inputs a side decodes.
fn decodable(f: impl Fn(&SideKernels, &Input, &str)) {
    each(2, |side, tensor| takes(side, tensor) && side.packed(tensor, Span::default()).is_ok(), f);
}

#[test]
fn the_twins_encode_as_the_reference_does() {
    all(|side, input, what| {
        let got: Vec<u8> = twin(side, input).iter().flat_map(|word| word.to_le_bytes()).collect();
        let reference = reference(side, input);
        let wrong = first_wrong(side, got.get(..reference.len()).unwrap(), &reference);
        assert_eq!(wrong, None, "first wrong byte; {what}");
    });
}

#[test]
fn the_twins_decode_as_the_reference_does() {
    decodable(|side, input, what| {
        if side.domain == Domain::Plain {
            let decoded = encoded(side, input).decode().unwrap();
            let out = twin_decoded(side, input.tensor, &words(&reference(side, input)));
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
        assert_eq!(first_wrong(side, &got, &encoded), None, "first wrong byte; {what}");
    });
}

/// Keys that are brought to their length when decoded carry a sum over the vector, which the device may add up in its own
/// way: two sums of d terms, a root of 2 ULP and a product.
fn nearly(side: &SideKernels, a: u32, b: u32) -> bool {
    let [a, b] = [a, b].map(f32::from_bits);
    let corrected =
        matches!(side.codec, Codec::Turboquant4bitNc | Codec::TurboquantK3v4Nc | Codec::Turboquant3bitNc);
    corrected && side.side == Side::Key && (a - b).abs() <= a.abs() * 1e-6
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_decodes_as_the_twin_does() {
    decodable(|side, input, what| {
        let packed = twin(side, input);
        let (src, dst) = (upload(&packed), fresh(input.values.len() as u64 * 4));
        block_on(gpu().run(&[side.dequantize(input.tensor, &src, Beside::NOTHING, &dst).unwrap()])).unwrap();
        let (got, out) = (read(&dst), twin_decoded(side, input.tensor, &packed));
        let same = |i: &usize| same_numbers(&got[*i..=*i], &out[*i..=*i]) || nearly(side, got[*i], out[*i]);
        let wrong = (0..out.len()).find(|i| !same(i));
        assert_eq!(wrong.map(|i| (i, got[i], out[i])), None, "{what}");
    });
}

/// One scale for the tensor or one per head, outside the cache, on both sides of the buffer that holds them.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn scales_beside_the_cache_are_divided_by_and_multiplied_back() {
    let per_head = [0.37, 1.0, 3.0e-3, 20.5].map(|scale| StaticScale::new(scale).unwrap());
    let mut random = Random::new(31);
    let input = Input::new("4 heads", 4, 64, random.normals(256 * 21));
    let words: Vec<u32> = [0.0].into_iter().chain(per_head.map(StaticScale::get)).map(f32::to_bits).collect();
    let buffer = upload(&words);
    for codec in [Codec::Fp8E4m3, Codec::Fp8E5m2, Codec::Nvfp4] {
        for count in [1, 4] {
            let span = Span { first: 1, words: count };
            let scales = &per_head[..count as usize];
            let encoded = codec.encode_scaled(scales, 64, &input.values).unwrap();
            let decoded = codec.decode_scaled(scales, 64, &encoded).unwrap();
            for side in CodecKernels::of(codec).unwrap().sides() {
                let what = format!("{count} scales, {:?} of {codec}", side.side);
                let mut twin = vec![0; encoded.len() / 4];
                let rows = side.rows(input.tensor, span).unwrap();
                (side.quantize_cpu)(&rows, &bits(&input.values), &words, &mut twin);
                assert_eq!(twin, crate::common::words(&encoded), "twin, {what}");

                let beside = Beside { buffer: Some(&buffer), key: span, value: span };
                let (src, dst) = (values(&input.values), fresh(encoded.len() as u64));
                block_on(gpu().run(&side.quantize(input.tensor, &src, beside, &dst).unwrap())).unwrap();
                assert_eq!(block_on(gpu().read(&dst)).unwrap(), encoded, "{what}");
                let back = fresh(src.bytes());
                block_on(gpu().run(&[side.dequantize(input.tensor, &dst, beside, &back).unwrap()])).unwrap();
                assert!(same_numbers(&read(&back), &bits(&decoded)), "decoded, {what}");
                let mut out = vec![0; decoded.len()];
                let packed = side.packed(input.tensor, span).unwrap();
                dequantize::rows(&side.decoder, &packed, &twin, &words, &mut out);
                assert!(same_numbers(&out, &bits(&decoded)), "twin decoded, {what}");
            }
        }
    }
}

/// What the decoder of a turned format gives, turned back by the operations of `kvplan-core`'s reference.
#[test]
fn int4_decodes_to_the_turned_vector() {
    let side = &CodecKernels::of(Codec::Int4PerTokenHead).unwrap().value;
    for input in inputs().iter().filter(|input| takes(side, input.tensor)) {
        let dim = input.tensor.head_dim as usize;
        let encoded = reference(side, input);
        let mut turned: Vec<f32> =
            twin_decoded(side, input.tensor, &words(&encoded)).into_iter().map(f32::from_bits).collect();
        for vector in turned.chunks_exact_mut(dim) {
            let mut half = 1;
            while half < dim {
                for pair in vector.chunks_exact_mut(2 * half) {
                    for i in 0..half {
                        (pair[i], pair[i + half]) = (pair[i] + pair[i + half], pair[i] - pair[i + half]);
                    }
                }
                half *= 2;
            }
            for (i, x) in vector.iter_mut().enumerate() {
                let negative = VLLM_INT4_SIGNS[i / 128] >> (i % 128) & 1 == 1;
                *x = if negative { -*x } else { *x } / dim as f32;
            }
        }
        let decoded = self::encoded(side, input).decode().unwrap();
        assert!(same_numbers(&bits(&turned), &bits(&decoded)), "{}", input.name);
    }
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
    for (codec, takes) in [
        (Codec::Int4PerTokenHead, "powers of two from 2 to 512"),
        (Codec::TurboquantMse3, "powers of two from 16 to 512"),
    ] {
        let side = &CodecKernels::of(codec).unwrap().key;
        let turned = side.quantize(tensor(1, 96), &large, Beside::NOTHING, &large).unwrap_err().to_string();
        assert!(turned.contains("96") && turned.contains(takes), "{turned}");
    }
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
