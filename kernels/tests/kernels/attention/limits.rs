//! How far a driver that leaves loops early can be asked to go.

use super::*;

/// As many tokens, in tiles of 32, as a driver that leaves long loops takes: one tile more is too much.
fn longest(rounds: impl Fn(u32) -> u64) -> u32 {
    let most = gpu().loop_rounds().unwrap_or(65_535);
    (1..).map(|tiles| tiles * 32).find(|n| rounds(n + 32) > most).unwrap()
}

/// Fails unless a driver that leaves long loops is not given these launches. Others take them.
fn left(launches: &[Dispatch<'_>]) {
    let result = block_on(gpu().run(launches));
    let Some(most) = gpu().loop_rounds() else { return result.map(|_| ()).unwrap() };
    let error = result.unwrap_err().to_string();
    assert!(error.contains(&format!("leaves them after {most}")), "{error}");
}

/// What `prefill_rounds` counts is what a driver that leaves long loops counts: one tile below its limit all is right.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn prefill_is_right_as_far_as_the_driver_lets_loops_run_and_refused_beyond() {
    for (codec, head_dim, heads) in
        [(Codec::F16, 64, (1, 1)), (Codec::F16, 128, (2, 1)), (Codec::Turboquant4bitNc, 128, (1, 1))]
    {
        let kernels = CodecKernels::of(codec).unwrap();
        let of = |capacity| Shape { queries: 3, ..shape(heads.0, heads.1, head_dim, capacity) };
        let tokens = longest(|tokens| of(tokens).prefill_rounds(kernels));
        let case = Case::new(codec, of(tokens), &[tokens]);
        case.check("prefill", &case.contiguous(|cache| case.prefill(cache)));
        let case = Case::new(codec, of(tokens + 32), &[tokens + 32]);
        case.contiguous(|cache| {
            let (q, out) = (values(&case.q), case.out());
            left(&[case.shape.prefill(kernels, &q, cache, &out).unwrap()]);
        });
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_naive_form_is_right_as_far_as_the_driver_lets_loops_run_and_refused_beyond() {
    let kernels = CodecKernels::of(Codec::F16).unwrap();
    let of = |capacity| Shape { queries: 2, ..shape(1, 1, 64, capacity) };
    let tokens = longest(|tokens| of(tokens).naive_rounds(kernels));
    let case = Case::new(Codec::F16, of(tokens), &[tokens]);
    case.check("naive", &case.contiguous(|cache| case.naive(cache)));
    let case = Case::new(Codec::F16, of(tokens + 32), &[tokens + 32]);
    case.contiguous(|cache| {
        let (q, out, scores) = (values(&case.q), case.out(), fresh(case.shape.scores_bytes()));
        left(&case.shape.naive(kernels, &q, cache, &scores, &out).unwrap());
    });
}

/// Keys whose whole vector is read to find a record, under the shapes whose invocations find the most of them.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn decode_is_right_or_refused_where_every_record_takes_a_loop() {
    let kernels = CodecKernels::of(Codec::Turboquant4bitNc).unwrap();
    for (heads, kv_heads, head_dim) in [(1, 1, 512), (4, 4, 256), (4, 4, 512)] {
        let shape = shape(heads, kv_heads, head_dim, 300);
        let case = Case::new(Codec::Turboquant4bitNc, shape, &[300]);
        if gpu().leaves(shape.decode_rounds(kernels)).is_none() {
            case.check("decode", &case.contiguous(|cache| case.decode(cache)));
            continue;
        }
        case.contiguous(|cache| {
            let (q, out, parts) = (values(&case.q), case.out(), fresh(case.shape.parts_bytes()));
            left(&case.shape.decode(kernels, &q, cache, &parts, &out).unwrap());
        });
    }
}
