//! Decode and prefill attention against f64, within what WGSL's own error bounds allow.

mod layouts;
mod limits;

use crate::common::{Random, fresh, gpu, upload, values};
use kvplan_core::codec::Codec;
use kvplan_kernels::cpu::{self, oracle};
use kvplan_kernels::gpu::{Buffer, Dispatch, block_on};
use kvplan_kernels::op::{
    Addressing, Arrangement, Beside, CODECS, Cache, CodecKernels, Destination, Domain, Hadamard, Placement,
    Shape, SideKernels, Span, Tensor, append,
};

/// A cache of one codec with everything attention needs, on both sides.
struct Case {
    shape: Shape,
    kernels: &'static CodecKernels,
    lengths: Vec<u32>,
    q: Vec<f32>,
    sinks: Vec<f32>,
    /// Packed, token by token.
    k: Vec<u32>,
    v: Vec<u32>,
    /// What the packed bytes say.
    k_values: Vec<f32>,
    v_values: Vec<f32>,
}

fn decoded(side: &SideKernels, tensor: Tensor, packed: &[u32]) -> Vec<f32> {
    let mut out = vec![0; tensor.elements() as usize];
    let params = side.packed(tensor, Span::default()).unwrap();
    cpu::dequantize::rows(&side.decoder, &params, packed, &[], &mut out);
    out.into_iter().map(f32::from_bits).collect()
}

impl Case {
    fn new(codec: Codec, shape: Shape, lengths: &[u32]) -> Self {
        let kernels = CodecKernels::of(codec).unwrap();
        let mut random = Random::new(shape.head_dim + shape.heads * 31 + shape.capacity);
        let tokens = shape.sequences * shape.capacity;
        let tensor = Tensor { tokens, heads: shape.kv_heads, head_dim: shape.head_dim };
        let mut pack = |side: &SideKernels, spread: f32| {
            let values: Vec<u32> =
                (0..tensor.elements()).map(|_| (random.normal() * spread).to_bits()).collect();
            let mut packed = vec![0; side.bytes(tensor).unwrap().div_ceil(4) as usize];
            side.quantize_twin(tensor, &values, Span::default(), &[], &mut packed).unwrap();
            packed
        };
        // Keys spread enough for a softmax that decides.
        let (k, v) = (pack(&kernels.key, 2.0), pack(&kernels.value, 1.0));
        let mut q = random.normals((shape.sequences * shape.queries * shape.heads * shape.head_dim) as usize);
        if let Domain::Hadamard(Hadamard { normalized: false, .. }) = kernels.key.domain {
            // Keys are √d times as long as they were; queries turned for them are as much shorter.
            q.iter_mut().for_each(|x| *x /= (shape.head_dim as f32).sqrt());
        }
        let sinks = random.normals(shape.heads as usize);
        Self {
            shape,
            kernels,
            lengths: lengths.to_vec(),
            q,
            sinks,
            k_values: decoded(&kernels.key, tensor, &k),
            v_values: decoded(&kernels.value, tensor, &v),
            k,
            v,
        }
    }

    fn oracle(&self) -> oracle::Oracle {
        let Self { shape, q, k_values, v_values, lengths, sinks, .. } = self;
        oracle::attention(shape, shape.capacity as usize, q, k_values, v_values, lengths, sinks)
    }

    fn out(&self) -> Buffer {
        fresh(self.q.len() as u64 * 4)
    }

    /// Fails unless every element is within the oracle's bound, and the bound means something.
    fn check(&self, what: &str, out: &[f32]) {
        let oracle = self.oracle();
        let largest = self.v_values.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        let loosest = oracle.bound.iter().copied().fold(0.0, f64::max);
        assert!(loosest < 2e-3 * f64::from(largest), "a bound of {loosest} would let anything pass");
        assert_eq!(out.len(), oracle.output.len());
        for (i, x) in out.iter().enumerate() {
            let error = (f64::from(*x) - oracle.output[i]).abs();
            let bound = oracle.bound[i];
            assert!(
                error <= bound,
                "{what} {} {:?}: element {i} is {x}, off by {error:e} > {bound:e}",
                self.kernels.codec,
                self.shape
            );
        }
    }

    fn decode(&self, cache: Cache<'_>) -> Vec<f32> {
        let (q, out) = (values(&self.q), self.out());
        let parts = fresh(self.shape.parts_bytes());
        block_on(gpu().run(&self.shape.decode(self.kernels, &q, cache, &parts, &out).unwrap())).unwrap();
        block_on(gpu().read_values(&out)).unwrap()
    }

    fn prefill(&self, cache: Cache<'_>) -> Vec<f32> {
        let (q, out) = (values(&self.q), self.out());
        block_on(gpu().run(&[self.shape.prefill(self.kernels, &q, cache, &out).unwrap()])).unwrap();
        block_on(gpu().read_values(&out)).unwrap()
    }

    fn naive(&self, cache: Cache<'_>) -> Vec<f32> {
        let (q, out) = (values(&self.q), self.out());
        let scores = fresh(self.shape.scores_bytes());
        block_on(gpu().run(&self.shape.naive(self.kernels, &q, cache, &scores, &out).unwrap())).unwrap();
        block_on(gpu().read_values(&out)).unwrap()
    }

    /// Runs `f` with the whole cache uploaded, contiguous.
    fn contiguous<T>(&self, f: impl Fn(Cache<'_>) -> T) -> T {
        let [k, v, lengths] = [&self.k, &self.v, &self.lengths].map(|words| upload(words));
        let sinks = values(&self.sinks);
        f(Cache { sinks: &sinks, ..Cache::new(&k, &v, &lengths) })
    }
}

fn shape(heads: u32, kv_heads: u32, head_dim: u32, capacity: u32) -> Shape {
    let scale = 1.0 / (head_dim as f32).sqrt();
    Shape { sequences: 1, heads, kv_heads, head_dim, queries: 1, window: 0, capacity, scale, sinks: false }
}

/// Every head shape for two codecs, the first shape for the others: what compiling their shaders takes is the time the
/// tests take. In heads of 80 elements, blocks of 32 cross from one head to the next.
fn of_interest(kernels: &CodecKernels, shapes: &[(u32, u32, u32)]) -> Vec<(u32, u32, u32)> {
    let all = matches!(kernels.codec, Codec::F16 | Codec::Q8_0);
    shapes.iter().take(if all { shapes.len() } else { 1 }).copied().collect()
}

/// The shape with two sequences, the second a short one; with one, where a window follows the packed tokens.
fn sequences(kernels: &CodecKernels, shape: Shape, lengths: [u32; 2]) -> (Shape, Vec<u32>) {
    let window = kernels.sides().map(|side| side.layout().residual.window()) != [0; 2];
    let sequences = if window { 1 } else { 2 };
    (Shape { sequences, ..shape }, lengths[..sequences as usize].to_vec())
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn decode_agrees_with_f64_for_every_codec_head_shape_and_odd_length() {
    let shapes = [(6, 2, 128), (4, 4, 64), (8, 1, 64), (2, 1, 96), (4, 2, 80), (5, 1, 256)];
    for kernels in CODECS {
        for (heads, kv_heads, head_dim) in of_interest(kernels, &shapes) {
            let (shape, lengths) = sequences(kernels, shape(heads, kv_heads, head_dim, 531), [531, 1]);
            let case = Case::new(kernels.codec, shape, &lengths);
            case.check("decode", &case.contiguous(|cache| case.decode(cache)));
        }
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn windows_and_sinks_change_what_decode_and_prefill_see() {
    for codec in [Codec::F16, Codec::Q4_0] {
        for (window, sinks) in [(7, false), (300, true), (0, true)] {
            let shape = Shape { window, sinks, ..shape(8, 2, 64, 613) };
            let case = Case::new(codec, shape, &[613]);
            case.check("decode", &case.contiguous(|cache| case.decode(cache)));
            let case = Case::new(codec, Shape { queries: 70, ..shape }, &[333]);
            case.check("prefill", &case.contiguous(|cache| case.prefill(cache)));
            case.check("naive", &case.contiguous(|cache| case.naive(cache)));
        }
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn prefill_and_its_naive_form_agree_with_f64_for_every_codec_and_head_shape() {
    for kernels in CODECS {
        for (heads, kv_heads, head_dim) in
            of_interest(kernels, &[(2, 2, 128), (4, 2, 64), (3, 1, 96), (2, 1, 256)])
        {
            let shape = Shape { queries: 37, ..shape(heads, kv_heads, head_dim, 171) };
            let (shape, lengths) = sequences(kernels, shape, [171, 37]);
            let case = Case::new(kernels.codec, shape, &lengths);
            case.check("prefill", &case.contiguous(|cache| case.prefill(cache)));
            case.check("naive", &case.contiguous(|cache| case.naive(cache)));
        }
    }
}

/// KIVI's keys are read four tokens at a time: in groups that a part begins with, not where a window begins between two of
/// them, and not the tokens behind the packed ones. Rows of 96 and 160 elements make tiles of other lengths.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn keys_read_together_are_those_of_any_window_and_number_of_heads() {
    for (codec, heads, head_dim, window) in [
        (Codec::Kivi2, 4, 128, 0),
        (Codec::Kivi2, 4, 64, 301),
        (Codec::Kivi2, 8, 160, 0),
        (Codec::Kivi2, 8, 96, 302),
        (Codec::Kivi4, 4, 128, 300),
    ] {
        let shape = Shape { window, ..shape(heads, 4, head_dim, 613) };
        let case = Case::new(codec, shape, &[613]);
        case.check("decode", &case.contiguous(|cache| case.decode(cache)));
    }
}

/// Shorter than a block, a tile, a split or a window: one, two and three tokens, all of them asking.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn sequences_of_one_two_and_three_tokens_are_attended_to() {
    for codec in [Codec::F16, Codec::Q8_0, Codec::Nvfp4, Codec::Turboquant4bitNc, Codec::Kivi2] {
        for tokens in [1, 2, 3] {
            for (window, sinks) in [(0, false), (2, true)] {
                let shape = Shape { window, sinks, ..shape(4, 2, 64, tokens) };
                let case = Case::new(codec, shape, &[tokens]);
                case.check("decode", &case.contiguous(|cache| case.decode(cache)));
                let case = Case::new(codec, Shape { queries: tokens, ..shape }, &[tokens]);
                case.check("prefill", &case.contiguous(|cache| case.prefill(cache)));
                case.check("naive", &case.contiguous(|cache| case.naive(cache)));
            }
        }
    }
}

/// The twins walk as the shaders do; f64 says whether they walk right.
#[test]
fn the_twins_agree_with_f64() {
    for kernels in CODECS {
        let (key, value) = (&kernels.key.decoder, &kernels.value.decoder);
        let shape = Shape { window: 290, sinks: true, ..shape(4, 2, 128, 613) };
        let (shape, lengths) = sequences(kernels, shape, [613, 5]);
        let case = Case::new(kernels.codec, shape, &lengths);
        let params = shape.params(kernels, &Addressing::default()).unwrap();
        let Case { q, k, v, lengths, sinks, .. } = &case;
        let mut parts = vec![f32::NAN; shape.parts_bytes() as usize / 4];
        let mut out = vec![f32::NAN; case.q.len()];
        cpu::attention::decode(key, value, &params, q, k, v, &[], lengths, &[], &mut parts);
        cpu::attention::merge(&params, &parts, sinks, &mut out);
        case.check("decode twin", &out);

        let shape = Shape { queries: 37, ..shape };
        let (shape, lengths) = sequences(kernels, shape, [613, 50]);
        let case = Case::new(kernels.codec, shape, &lengths);
        let params = shape.params(kernels, &Addressing::default()).unwrap();
        let Case { q, k, v, lengths, sinks, .. } = &case;
        let mut out = vec![f32::NAN; case.q.len()];
        cpu::attention::prefill(key, value, &params, q, k, v, &[], lengths, &[], sinks, &mut out);
        case.check("prefill twin", &out);
        let mut scores = vec![f32::NAN; shape.scores_bytes() as usize / 4];
        cpu::attention::naive_scores(key, &params, q, k, &[], lengths, &[], &mut scores);
        cpu::attention::naive_softmax(&params, sinks, &mut scores);
        cpu::attention::naive_output(value, &params, &scores, v, &[], lengths, &[], &mut out);
        case.check("naive twin", &out);
    }
}

/// A key read from the wrong place is far outside the bound.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
#[should_panic(expected = "off by")]
fn one_flipped_bit_in_a_value_is_caught() {
    let mut case = Case::new(Codec::Q8_0, shape(2, 1, 64, 9), &[9]);
    // The top bit of a code in the newest token's second block.
    let bit = 8 * (8 * 68 + 34 + 2 + 7) + 6;
    case.v[bit / 32] ^= 1 << (bit % 32);
    case.check("decode", &case.contiguous(|cache| case.decode(cache)));
}
