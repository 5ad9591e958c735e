//! Caches larger than one binding: on a device that binds little, and with a limit so small that little is much.

use crate::common::{Random, gpu};
use kvplan_core::codec::Codec;
use kvplan_kernels::cpu::{self, oracle};
use kvplan_kernels::gpu::{Buffer, Choice, Gpu, GpuError, block_on};
use kvplan_kernels::op::{Cache, CodecKernels, Segment, Shape, Span, Tensor};

const LIMIT: u64 = 300 << 10;

fn limited() -> Gpu {
    block_on(Gpu::open_limited(&Choice::Fastest, LIMIT)).unwrap()
}

fn shape() -> Shape {
    Shape {
        sequences: 1,
        heads: 4,
        kv_heads: 2,
        head_dim: 64,
        queries: 1,
        window: 0,
        capacity: 2900,
        scale: 0.125,
        sinks: true,
    }
}

/// Packed bytes of one side, and what they say.
fn side(kernels: &CodecKernels, seed: u32) -> (Vec<u8>, Vec<f32>) {
    let side = &kernels.key;
    let tensor = Tensor { tokens: shape().capacity, heads: 2, head_dim: 64 };
    let mut random = Random::new(seed);
    let plain: Vec<u32> = (0..tensor.elements()).map(|_| random.normal().to_bits()).collect();
    let mut words = vec![0; side.bytes(tensor).unwrap().div_ceil(4) as usize];
    (side.quantize_cpu)(&side.rows(tensor, Span::default()).unwrap(), &plain, &[], &mut words);
    let mut values = vec![0; plain.len()];
    let packed = side.packed(tensor, Span::default()).unwrap();
    cpu::dequantize::rows(&side.decoder, &packed, &words, &[], &mut values);
    (
        words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        values.into_iter().map(f32::from_bits).collect(),
    )
}

fn within(what: &str, out: &[f32], oracle: &oracle::Oracle) {
    assert_eq!(out.len(), oracle.output.len());
    for (i, x) in out.iter().enumerate() {
        let (error, bound) = ((f64::from(*x) - oracle.output[i]).abs(), oracle.bound[i]);
        assert!(error <= bound && bound < 1e-2, "{what}: element {i} is {x}, off by {error:e} > {bound:e}");
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_cache_that_no_binding_holds_is_attended_to_in_runs() {
    let gpu = limited();
    for (codec, runs_wanted) in
        [(Codec::F16, vec![0..1024, 1024..2048, 2048..2900]), (Codec::Q8_0, vec![0..2048, 2048..2900])]
    {
        let kernels = CodecKernels::of(codec).unwrap();
        let ((k, k_values), (v, v_values)) = (side(kernels, 3), side(kernels, 4));
        let row = k.len() / shape().capacity as usize;
        let refused = block_on(gpu.buffer("all of it", k.len() as u64)).unwrap_err();
        assert!(matches!(refused, GpuError::BindingTooLarge { limit: LIMIT, .. }), "{refused}");
        let runs = shape().runs(kernels, gpu.largest_binding()).unwrap();
        assert_eq!(runs, runs_wanted);
        let upload = |bytes: &[u8]| -> Vec<Buffer> {
            let part = |run: &std::ops::Range<u32>| &bytes[run.start as usize * row..run.end as usize * row];
            runs.iter().map(|run| block_on(gpu.upload("part", part(run))).unwrap()).collect()
        };
        let (k, v) = (upload(&k), upload(&v));
        // A sequence that fills the cache, and one that ends in its first part.
        for (length, window) in [(2900, 0), (2900, 1500), (700, 0)] {
            let lengths = block_on(gpu.upload_words("lengths", &[length])).unwrap();
            let sinks = Random::new(8).normals(4);
            let sink_logits = block_on(gpu.upload_values("sinks", &sinks)).unwrap();
            let segments: Vec<Segment<'_>> = runs
                .iter()
                .zip(k.iter().zip(&v))
                .map(|(run, (k, v))| Segment {
                    first: run.start,
                    tokens: run.end - run.start,
                    cache: Cache { sinks: &sink_logits, ..Cache::new(k, v, &lengths) },
                })
                .collect();
            for queries in [1, 37] {
                let shape = Shape { queries, window, ..shape() };
                let q = Random::new(queries).normals((queries * 4 * 64) as usize);
                let oracle = oracle::attention(&shape, 2900, &q, &k_values, &v_values, &[length], &sinks);
                let queued = block_on(gpu.upload_values("q", &q)).unwrap();
                let out = block_on(gpu.buffer("out", queued.bytes())).unwrap();
                let parts = |bytes| block_on(gpu.buffer("parts", bytes)).unwrap();
                if queries == 1 {
                    let parts = parts(shape.decode_parts_bytes(&segments));
                    let launches = shape.decode_over(kernels, &queued, &segments, &parts, &out).unwrap();
                    block_on(gpu.run(&launches)).unwrap();
                    within("decode", &block_on(gpu.read_values(&out)).unwrap(), &oracle);
                }
                let parts = parts(shape.prefill_parts_bytes(&segments));
                let launches = shape.prefill_over(kernels, &queued, &segments, &parts, &out).unwrap();
                block_on(gpu.run(&launches)).unwrap();
                within("prefill", &block_on(gpu.read_values(&out)).unwrap(), &oracle);
            }
        }
    }
}

/// 32 768 tokens of 8 heads of 128 in 16 bits are 64 MiB; twice as many fill the limit of 128 MiB, one more passes it.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn runs_follow_from_the_devices_limit() {
    let kernels = CodecKernels::of(Codec::F16).unwrap();
    let shape =
        |sequences, capacity| Shape { sequences, capacity, heads: 8, kv_heads: 8, head_dim: 128, ..shape() };
    let runs = |sequences, capacity| shape(sequences, capacity).runs(kernels, gpu().largest_binding());
    assert_eq!(runs(1, 65_536).unwrap(), vec![0..65_536]);
    assert_eq!(runs(1, 65_537).unwrap(), vec![0..65_536, 65_536..65_537]);
    assert_eq!(runs(3, 65_536).unwrap(), vec![0..21_760, 21_760..43_520, 43_520..65_280, 65_280..65_536]);
    assert!(matches!(runs(257, 65_536), Err(GpuError::BindingTooLarge { .. })));
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn segments_that_leave_a_gap_are_refused() {
    let kernels = CodecKernels::of(Codec::F16).unwrap();
    let buffer = crate::common::fresh(1 << 20);
    let whole = Segment::whole(Cache::new(&buffer, &buffer, &buffer), 100);
    let refused = |segments: &[Segment<'_>]| {
        let shape = Shape { capacity: 200, ..shape() };
        shape.decode_over(kernels, &buffer, segments, &buffer, &buffer).unwrap_err().to_string()
    };
    assert!(refused(&[]).contains("0 tokens in all"));
    assert!(refused(&[whole]).contains("100 tokens in all"));
    assert!(refused(&[whole, Segment { first: 101, ..whole }]).contains("token 100 comes next"));
    assert!(refused(&[whole, Segment { first: 100, tokens: 0, ..whole }]).contains("0 tokens at 100"));
}
