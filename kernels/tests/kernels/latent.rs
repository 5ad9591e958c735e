//! Attention over latent rows (MLA) against f64: every codec's bytes, DeepSeek's shapes, tokens in several buffers.

use crate::common::{Random, fresh, gpu, upload, values};
use kvplan_core::codec::Codec;
use kvplan_kernels::cpu::{self, oracle};
use kvplan_kernels::gpu::{Buffer, block_on};
use kvplan_kernels::op::{
    CODECS, Cache, CodecKernels, Domain, Latent, Placement, Segment, Shape, Span, Tensor, append,
};

struct Case {
    latent: Latent,
    kernels: &'static CodecKernels,
    lengths: Vec<u32>,
    q: Vec<f32>,
    /// Packed, token by token, and what the bytes say.
    rows: Vec<u32>,
    values: Vec<f32>,
}

/// DeepSeek V2 and V3: a row of 512 latent and 64 rotary elements; heads of 128 + 64 before absorption.
fn deepseek(heads: u32, queries: u32, capacity: u32) -> Latent {
    let scale = 1.0 / 192f32.sqrt();
    Latent { sequences: 2, heads, width: 576, value_width: 512, queries, capacity, scale }
}

/// The codecs whose rows can be latent: not turned, and laid out for 576 elements of one head.
fn codecs() -> Vec<&'static CodecKernels> {
    let one = Tensor { tokens: 1, heads: 1, head_dim: 576 };
    let fits = |kernels: &&CodecKernels| {
        kernels.key.domain == Domain::Plain && kernels.key.rows(one, Span::default()).is_ok()
    };
    CODECS.iter().filter(fits).collect()
}

impl Case {
    fn new(kernels: &'static CodecKernels, latent: Latent, lengths: &[u32]) -> Self {
        let mut random = Random::new(latent.heads * 77 + latent.capacity);
        let side = &kernels.key;
        let tensor = Tensor { tokens: latent.sequences * latent.capacity, heads: 1, head_dim: latent.width };
        let plain: Vec<u32> = (0..tensor.elements()).map(|_| random.normal().to_bits()).collect();
        let mut rows = vec![0; side.bytes(tensor).unwrap().div_ceil(4) as usize];
        (side.quantize_cpu)(&side.rows(tensor, Span::default()).unwrap(), &plain, &[], &mut rows);
        let mut values = vec![0; plain.len()];
        let packed = side.packed(tensor, Span::default()).unwrap();
        cpu::dequantize::rows(&side.decoder, &packed, &rows, &[], &mut values);
        let q = random.normals((latent.sequences * latent.queries * latent.heads * latent.width) as usize);
        let values = values.into_iter().map(f32::from_bits).collect();
        Self { latent, kernels, lengths: lengths.to_vec(), q, rows, values }
    }

    /// Attention in which a row is key and value at once; of its output, the first elements are the latent form's.
    fn check(&self, what: &str, out: &[f32]) {
        let Latent { sequences, heads, width, queries, capacity, scale, .. } = self.latent;
        let shape = Shape {
            sequences,
            heads,
            kv_heads: 1,
            head_dim: width,
            queries,
            window: 0,
            capacity,
            scale,
            sinks: false,
        };
        let Self { q, values, lengths, .. } = self;
        let oracle = oracle::attention(&shape, capacity as usize, q, values, values, lengths, &[]);
        let (width, value_width) = (width as usize, self.latent.value_width as usize);
        assert_eq!(out.len() / value_width, oracle.output.len() / width);
        let largest = values.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        for (i, x) in out.iter().enumerate() {
            let at = i / value_width * width + i % value_width;
            let (error, bound) = ((f64::from(*x) - oracle.output[at]).abs(), oracle.bound[at]);
            assert!(bound < 2e-3 * f64::from(largest), "a bound of {bound} would let anything pass");
            let codec = self.kernels.codec;
            assert!(
                error <= bound,
                "{what} {codec} {:?}: element {i} is {x}, off by {error:e} > {bound:e}",
                self.latent
            );
        }
    }

    fn out_bytes(&self) -> u64 {
        self.q.len() as u64 / u64::from(self.latent.width) * u64::from(self.latent.value_width) * 4
    }

    fn attend(&self, segments: &[Segment<'_>]) -> Vec<f32> {
        let (q, out) = (values(&self.q), fresh(self.out_bytes()));
        let parts = fresh(self.latent.parts_bytes(segments));
        let launches = self.latent.attend(self.kernels, &q, segments, &parts, &out).unwrap();
        block_on(gpu().run(&launches)).unwrap();
        block_on(gpu().read_values(&out)).unwrap()
    }

    fn gpu(&self) -> Vec<f32> {
        let [rows, lengths] = [&self.rows, &self.lengths].map(|words| upload(words));
        self.attend(&[Segment::whole(Cache::new(&rows, &rows, &lengths), self.latent.capacity)])
    }

    fn twin(&self) -> Vec<f32> {
        let nothing = fresh(4);
        let segment = Segment::whole(Cache::new(&nothing, &nothing, &nothing), self.latent.capacity);
        let params = self.latent.params(self.kernels, &segment).unwrap();
        let mut parts = vec![f32::NAN; self.latent.parts_bytes(&[segment]) as usize / 4];
        let mut out = vec![f32::NAN; self.out_bytes() as usize / 4];
        let decoder = &self.kernels.key.decoder;
        cpu::attention::latent(decoder, &params, &self.q, &self.rows, &[], &self.lengths, &[], &mut parts);
        cpu::attention::merge(&params, &parts, &[], &mut out);
        out
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn every_row_codec_has_a_latent_form_that_agrees_with_f64() {
    let codecs = codecs();
    for needed in [Codec::F16, Codec::Bf16, Codec::Fp8E4m3, Codec::Q8_0, Codec::Q4_0] {
        assert!(codecs.iter().any(|kernels| kernels.codec == needed), "{needed}");
    }
    for kernels in codecs {
        // 20 heads: the second tile of rows has four, and while a prompt is read it spans two queries.
        for (queries, lengths) in [(1, [70, 1]), (5, [70, 5])] {
            let case = Case::new(kernels, deepseek(20, queries, 70), &lengths);
            case.check("latent twin", &case.twin());
            case.check("latent", &case.gpu());
        }
    }
}

/// DeepSeek V3 has 128 heads, V2 Lite 16; a split is 256 tokens.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn deepseeks_head_counts_decode_over_several_splits() {
    for (codec, heads, tokens) in [(Codec::F16, 128, 300), (Codec::Q8_0, 128, 260), (Codec::Fp8E4m3, 16, 531)]
    {
        let kernels = CodecKernels::of(codec).unwrap();
        let case = Case::new(kernels, deepseek(heads, 1, tokens), &[tokens, tokens - 7]);
        case.check("latent", &case.gpu());
    }
}

/// Other widths, the narrowest and one that is all value.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn widths_other_than_deepseeks_are_taken() {
    let kernels = CodecKernels::of(Codec::Bf16).unwrap();
    for (width, value_width) in [(4, 4), (96, 32), (512, 512), (640, 260)] {
        let latent = Latent { width, value_width, ..deepseek(5, 3, 40) };
        let case = Case::new(kernels, latent, &[40, 33]);
        case.check("latent", &case.gpu());
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn latent_rows_are_found_in_pages_and_in_several_buffers() {
    let kernels = CodecKernels::of(Codec::Q8_0).unwrap();
    let latent = Latent { sequences: 1, ..deepseek(16, 1, 320) };
    for (queries, length) in [(1, 301), (4, 301)] {
        let case = Case::new(kernels, Latent { queries, ..latent }, &[length]);
        let row_bytes = 612;
        let [rows, lengths] = [&case.rows, &case.lengths].map(|words| upload(words));
        let part = |first: u32, tokens: u32| {
            let range = u64::from(first * row_bytes)..u64::from((first + tokens) * row_bytes);
            let (bytes, _) = block_on(gpu().fetch(&rows, range)).unwrap();
            block_on(gpu().upload("rows", &bytes)).unwrap()
        };

        let table = upload(&[3, 9, 0, 7, 1, 8, 2, 6, 4, 5]);
        let placement = Placement::Paged { table: &table, page_size: 32 };
        let paged = fresh(u64::from(320 * row_bytes));
        block_on(gpu().run(&[append(&rows, &paged, placement, 0, 320, row_bytes).unwrap()])).unwrap();
        let cache = Cache { placement, ..Cache::new(&paged, &paged, &lengths) };
        case.check("paged latent", &case.attend(&[Segment::whole(cache, 320)]));

        // The middle one ends inside a split, the last one is empty for this length.
        let cuts = [(0, 256), (256, 30), (286, 34)];
        let buffers: Vec<Buffer> = cuts.iter().map(|(first, tokens)| part(*first, *tokens)).collect();
        let segments: Vec<Segment<'_>> = cuts
            .iter()
            .zip(&buffers)
            .map(|((first, tokens), buffer)| Segment {
                first: *first,
                tokens: *tokens,
                cache: Cache::new(buffer, buffer, &lengths),
            })
            .collect();
        case.check("segmented latent", &case.attend(&segments));
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn what_the_latent_kernel_cannot_do_is_refused() {
    let buffer = fresh(1 << 16);
    let kernels = CodecKernels::of(Codec::F16).unwrap();
    let whole = Segment::whole(Cache::new(&buffer, &buffer, &buffer), 8);
    let latent = Latent { sequences: 1, ..deepseek(2, 1, 8) };
    let refused = |latent: Latent, segments: &[Segment<'_>]| {
        latent.attend(kernels, &buffer, segments, &buffer, &buffer).unwrap_err().to_string()
    };
    assert!(refused(Latent { value_width: 516, ..latent }, &[whole]).contains("516 of 576"));
    assert!(refused(Latent { value_width: 0, ..latent }, &[whole]).contains("0 of 576"));
    assert!(refused(Latent { width: 256, ..latent }, &[whole]).contains("512 of 256"));
    assert!(refused(Latent { heads: 0, ..latent }, &[whole]).contains("0 heads"));
    assert!(refused(Latent { heads: 128, ..latent }, &[whole]).contains("parts of 65536 bytes"));
    assert!(refused(latent, &[Segment { first: 4, ..whole }]).contains("token 0 comes next"));
    assert!(refused(latent, &[Segment { tokens: 7, ..whole }]).contains("7 tokens in all"));
    let ring = Cache { placement: Placement::Ring { slots: 8 }, ..whole.cache };
    assert!(refused(latent, &[Segment { cache: ring, ..whole }]).contains("ring"));
    let turned = CODECS.iter().find(|kernels| kernels.key.domain != Domain::Plain);
    if let Some(kernels) = turned {
        let error = latent.attend(kernels, &buffer, &[whole], &buffer, &buffer).unwrap_err();
        assert!(error.to_string().contains("turned"), "{error}");
    }
}

/// What `rounds` counts is what a driver that leaves long loops counts: one tile below its limit all is right.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_prompt_is_right_as_far_as_the_driver_lets_loops_run_and_refused_beyond() {
    let kernels = CodecKernels::of(Codec::F16).unwrap();
    let of = |capacity| Latent { sequences: 1, ..deepseek(2, 3, capacity) };
    let most = gpu().loop_rounds().unwrap_or(65_535);
    let tokens =
        (1..).map(|tiles| tiles * 32).find(|n| of(0).rounds(kernels, n + 32) > most).unwrap_or_default();
    let case = Case::new(kernels, of(tokens), &[tokens]);
    case.check("prefill", &case.gpu());
    let case = Case::new(kernels, of(tokens + 32), &[tokens + 32]);
    let [rows, lengths] = [&case.rows, &case.lengths].map(|words| upload(words));
    let segments = [Segment::whole(Cache::new(&rows, &rows, &lengths), case.latent.capacity)];
    let (q, out) = (values(&case.q), fresh(case.out_bytes()));
    let parts = fresh(case.latent.parts_bytes(&segments));
    let result = block_on(gpu().run(&case.latent.attend(kernels, &q, &segments, &parts, &out).unwrap()));
    let refusal = gpu().leaves(case.latent.rounds(kernels, tokens + 32));
    assert_eq!(result.is_err(), refusal.is_some(), "{result:?}");
}
