//! `kvplan encode --on gpu` and `decode --on gpu`: the bytes that other programs wrote (`core/tests/data/quant_vectors`),
//! and the CPU's own for every codec with kernels.

#![expect(clippy::unwrap_used, reason = "a test that cannot run the program has failed")]

use kvplan_core::codec::{Codec, Side};
use kvplan_kernels::op::{CODECS, Domain};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data/quant_vectors").join(name)
}

fn kvplan(command: &str, codec: &str, options: &[&str], input: &Path, output: &Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    program.args([command, "--codec", codec, "--dim", "128"]).args(options).arg(input).arg(output);
    program.output().unwrap()
}

/// What the program writes.
fn written(command: &str, codec: &str, options: &[&str], input: &Path) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let run = kvplan(command, codec, options, input, &path);
    assert_eq!(run.status.code(), Some(0), "{codec} {options:?}: {}", String::from_utf8_lossy(&run.stderr));
    std::fs::read(path).unwrap()
}

/// 64 rows that ggml 0.25.3 encoded and decoded: ties, zeros, outliers, subnormal scales.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_writes_and_reads_the_bytes_that_ggml_wrote() {
    let mut checked = 0;
    for kernels in CODECS {
        let codec = kernels.codec.name();
        let (packed, values) =
            (vector(&format!("{codec}.ref.bin")), vector(&format!("{codec}.ref.dequant.f32")));
        if !packed.is_file() {
            continue;
        }
        let encoded = written("encode", codec, &["--on", "gpu"], &vector("input.f32"));
        assert!(encoded == std::fs::read(&packed).unwrap(), "{codec}");
        let decoded = written("decode", codec, &["--on", "gpu"], &packed);
        assert!(decoded == std::fs::read(&values).unwrap(), "{codec}");
        checked += 1;
    }
    assert!(checked >= 4, "only {checked} codecs have vectors");
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_writes_what_the_cpu_writes_for_both_sides_of_every_codec() {
    for kernels in CODECS {
        for side in kernels.sides() {
            let name = if side.side == Side::Key { "k" } else { "v" };
            let codec = kernels.codec.name();
            // Rows alone have no cache's window, and some formats have no rows of keys.
            let rows = kernels.codec.rows(side.side, kvplan_core::codec::Route::Reference, 128);
            if side.layout().residual.window() > 0 || rows.is_err() {
                continue;
            }
            let on = |processor| ["--side", name, "--on", processor];
            let gpu = written("encode", codec, &on("gpu"), &vector("input.f32"));
            assert!(gpu == written("encode", codec, &on("cpu"), &vector("input.f32")), "{codec} {name}");
            let folder = tempfile::tempdir().unwrap();
            let packed = folder.path().join("packed");
            std::fs::write(&packed, &gpu).unwrap();
            let [gpu, cpu] = ["gpu", "cpu"].map(|on_what| written("decode", codec, &on(on_what), &packed));
            if side.domain == Domain::Plain {
                assert!(gpu == cpu, "{codec} {name}");
            }
        }
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_scale_outside_the_cache_is_taken_on_both() {
    let scaled = |on| written("encode", "fp8_e4m3", &["--scale", "0.37", "--on", on], &vector("input.f32"));
    assert!(scaled("gpu") == scaled("cpu"));
    assert!(scaled("gpu") != written("encode", "fp8_e4m3", &["--on", "gpu"], &vector("input.f32")));
}

#[test]
fn what_kernels_do_not_do_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for (codec, options, words) in [
        ("q8_0", &["--on", "gpu", "--route", "kv"][..], "--route kv"),
        ("iq1_s", &["--on", "gpu"], "no kernels"),
        ("q8_0", &["--scale", "2", "--on", "gpu"], "no scale from outside"),
        ("q8_0", &["--scale", "0"], "positive"),
        ("q8_0", &["--adapter", "x"], "--on gpu"),
    ] {
        let run = kvplan("encode", codec, options, &vector("input.f32"), &out);
        assert_eq!(run.status.code(), Some(2), "{codec} {options:?}");
        assert!(
            String::from_utf8_lossy(&run.stderr).contains(words),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
        assert!(!out.exists());
    }
    assert!(Codec::parse("iq1_s").is_some());
}
