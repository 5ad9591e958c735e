//! The kernels that ours are measured against compute the same: a baseline that does something else measures nothing.

use crate::common::{Random, fresh, gpu, read, upload, values};
use kvplan_core::codec::Codec;
use kvplan_kernels::gpu::{Dispatch, block_on};
use kvplan_kernels::op::{Addressing, Beside, CODECS, Cache, CodecKernels, Shape, Span, Tensor, launch};
use kvplan_kernels::shader::Shader;

#[expect(unreachable_pub, reason = "generated for whoever takes it in")]
mod generated {
    use kvplan_kernels::shader::*;
    include!(concat!(env!("OUT_DIR"), "/baselines.rs"));
}

/// `baseline/KIND/NAME`, where there is one.
fn baseline(kind: &str, of: &Shader) -> Option<&'static Shader> {
    let name = of.name.rsplit('/').next().unwrap();
    generated::BASELINES.iter().copied().find(|shader| shader.name == format!("baseline/{kind}/{name}"))
}

const TENSOR: Tensor = Tensor { tokens: 70, heads: 2, head_dim: 64 };

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_row_to_an_invocation_encodes_and_decodes_the_same_bytes() {
    let (mut compared, mut turned, mut channels) = (0, 0, 0);
    for side in CODECS.iter().flat_map(CodecKernels::sides) {
        // Tokens enough for a packed group before KIVI's window, and the width that every kernel decodes.
        let tensor = Tensor { tokens: 170, heads: 2, head_dim: 128 };
        let src = values(&Random::new(4).normals(tensor.elements() as usize));
        let bytes = side.bytes(tensor).unwrap();
        let (packed, again) = (fresh(bytes), fresh(bytes));
        block_on(gpu().run(&side.quantize(tensor, &src, Beside::NOTHING, &packed).unwrap())).unwrap();
        let rows = side.rows(tensor, Span::default()).unwrap();
        let unit = side.quantize.constant("UNIT").unwrap_or(u32::MAX);
        if let Some(shader) = baseline("quantize", side.quantize).filter(|_| rows.width.is_multiple_of(unit))
        {
            let launch = Dispatch::new(shader).params(rows.bytes()).buffers([&src, &src, &again]);
            block_on(gpu().run(&[launch.invocations(u64::from(rows.rows))])).unwrap();
            assert!(read(&again) == read(&packed), "{}", shader.name);
            compared += 1;
        }
        if let Some(shader) = baseline("channels", side.quantize) {
            let encode = side.quantize(tensor, &src, Beside::NOTHING, &again).unwrap();
            let launch = Dispatch::new(shader).params(rows.bytes()).buffers([&src, &src, &again]);
            let pairs = launch.invocations(u64::from(rows.width / 2));
            // The tokens of a window follow, as they are.
            let launches: Vec<_> = [pairs].into_iter().chain(encode.into_iter().skip(1)).collect();
            block_on(gpu().run(&launches)).unwrap();
            assert!(read(&again) == read(&packed), "{}", shader.name);
            channels += 1;
        }
        if let Some(shader) = baseline("turned", side.quantize) {
            let launch = |shader| Dispatch::new(shader).params(rows.bytes()).buffers([&src, &src, &again]);
            let pairs = launch(shader).invocations(tensor.elements().div_ceil(256));
            let encode = side.quantize(tensor, &src, Beside::NOTHING, &again).unwrap();
            let launches: Vec<_> = [pairs].into_iter().chain(encode.into_iter().skip(1)).collect();
            block_on(gpu().run(&launches)).unwrap();
            assert!(read(&again) == read(&packed), "{}", shader.name);
            turned += 1;
        }
        let shader = baseline("dequantize", side.dequantize).unwrap();
        let (want, got) = (fresh(src.bytes()), fresh(src.bytes()));
        block_on(gpu().run(&[side.dequantize(tensor, &packed, Beside::NOTHING, &want).unwrap()])).unwrap();
        let params = side.packed(tensor, Span::default()).unwrap();
        let launch = Dispatch::new(shader).params(params.bytes()).buffers([&packed, &packed, &got]);
        block_on(gpu().run(&[launch.invocations(u64::from(tensor.tokens * tensor.heads))])).unwrap();
        assert!(read(&got) == read(&want), "{}", shader.name);
    }
    // Both sides of f16, bf16, fp8_e4m3, q8_0 and q4_0 at least; of three turbo and three MSE types, and three kinds of keys.
    assert!(compared >= 10, "{compared}");
    assert_eq!(turned, 15);
    // Keys of KIVI at two widths.
    assert_eq!(channels, 2);
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_head_to_an_invocation_attends_to_the_same() {
    for codec in [Codec::F16, Codec::Q4_0] {
        let kernels = CodecKernels::of(codec).unwrap();
        let shape = Shape {
            sequences: 1,
            heads: 6,
            kv_heads: TENSOR.heads,
            head_dim: TENSOR.head_dim,
            queries: 1,
            window: 50,
            capacity: TENSOR.tokens,
            scale: 0.125,
            sinks: false,
        };
        let mut random = Random::new(6);
        let mut pack = |side: &kvplan_kernels::op::SideKernels| {
            let (src, packed) =
                (values(&random.normals(TENSOR.elements() as usize)), fresh(side.bytes(TENSOR).unwrap()));
            block_on(gpu().run(&side.quantize(TENSOR, &src, Beside::NOTHING, &packed).unwrap())).unwrap();
            packed
        };
        let (k, v) = (pack(&kernels.key), pack(&kernels.value));
        let (q, lengths) = (values(&random.normals(6 * 64)), upload(&[67]));
        let (want, got, parts) = (fresh(q.bytes()), fresh(q.bytes()), fresh(shape.parts_bytes()));
        let cache = Cache::new(&k, &v, &lengths);
        block_on(gpu().run(&shape.decode(kernels, &q, cache, &parts, &want).unwrap())).unwrap();
        let params = shape.params(kernels, &Addressing::default()).unwrap();
        let by_head = launch(baseline("decode", kernels.decode).unwrap(), &params);
        let buffers = [&q, &k, &v, &lengths, &lengths, &lengths, &got];
        block_on(gpu().run(&[by_head.buffers(buffers).invocations(6)])).unwrap();
        let [got, want] = [&got, &want].map(|buffer| block_on(gpu().read_values(buffer)).unwrap());
        assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-4), "{codec}");
    }
}

/// What a large tensor is encoded with, on a small one whose units do not divide by the run.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn several_units_to_an_invocation_encode_the_same_bytes() {
    let mut compared = 0;
    for side in CODECS.iter().map(|kernels| &kernels.key) {
        if !side.quantize.overrides.contains(&"RUN") {
            continue;
        }
        let tensor = Tensor { tokens: 67, heads: 1, head_dim: 64 };
        let src = values(&Random::new(5).normals(tensor.elements() as usize));
        let bytes = side.bytes(tensor).unwrap();
        let (packed, again) = (fresh(bytes), fresh(bytes));
        let mut launches = side.quantize(tensor, &src, Beside::NOTHING, &packed).unwrap();
        block_on(gpu().run(&launches)).unwrap();
        let rows = side.rows(tensor, Span::default()).unwrap();
        let units = tensor.elements().div_ceil(u64::from(side.quantize.constant("UNIT").unwrap()));
        let encode = Dispatch::new(side.quantize).params(rows.bytes()).buffers([&src, &src, &again]);
        launches = vec![encode.constant("RUN", 4).invocations(units.div_ceil(4))];
        launches.extend(side.then.map(|then| {
            let blocks = tensor.elements() / u64::from(then.constant("BLOCK").unwrap());
            Dispatch::new(then).params(rows.bytes()).buffers([&src, &src, &again]).invocations(blocks)
        }));
        block_on(gpu().run(&launches)).unwrap();
        assert!(read(&again) == read(&packed), "{}", side.codec);
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}
