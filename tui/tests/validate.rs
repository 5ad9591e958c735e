//! `kvplan validate` as a person and a script meet it. What needs a GPU is reported as ignored where there is none.

#![expect(clippy::unwrap_used, reason = "a test that cannot run the program has failed")]

use serde_json::{Map, Value};
use std::path::Path;
use std::process::{Command, Output};

fn kvplan(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kvplan")).arg("validate").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    assert!(!output.stdout.is_empty(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A value with every leaf replaced by the name of its type: what a script can rely on, without the figures.
fn form(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(number) => if number.is_f64() { "number" } else { "integer" }.into(),
        Value::String(_) => "string".into(),
        Value::Array(items) => Value::Array(items.first().map(form).into_iter().collect()),
        Value::Object(fields) => Value::Object(
            fields.iter().map(|(name, value)| (name.clone(), form(value))).collect::<Map<_, _>>(),
        ),
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_json_has_a_form_that_scripts_can_rely_on() {
    let output = kvplan(&["--codec", "q8_0", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut report = json(&output);
    // Only some backends tell what their allocator took.
    for side in ["k", "v"] {
        for case in report["cases"].as_array_mut().unwrap() {
            case[side]["allocator_bytes"] = 0.into();
        }
    }
    // What a fit finds depends on the machine.
    for series in report["time"]["series"].as_array_mut().unwrap() {
        for field in ["launch_seconds", "bytes_per_second", "operations_per_second"] {
            series[field] = 0.5.into();
        }
    }
    insta::assert_json_snapshot!(form(&report));
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_table_says_proved_and_how_far_the_time_model_is_off() {
    let output = kvplan(&["--codec", "q8_0,f16"]);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.starts_with("PROVED  2 codecs on 2 shapes"), "{out}");
    // 127 × 192 and 293 × 256 elements, K and V, of 34 bytes per 32.
    let bytes = 2 * (127 * 192 + 293 * 256) * 34 / 32;
    let row = out.lines().find(|line| line.trim_start().starts_with("q8_0")).unwrap();
    assert!(row.replace(',', "").contains(&format!(" {bytes} ")), "{row}");
    assert!(out.contains("held-out runs"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_models_layers_and_their_window_are_the_shapes() {
    let output = kvplan(&["--model", "gpt-oss-20b", "-c", "201", "--codec", "q8_0", "--no-timing", "--json"]);
    let report = json(&output);
    let shape = |at: usize, field: &str| report["cases"][at]["shape"][field].as_u64();
    let mut tokens = [shape(0, "tokens"), shape(1, "tokens")];
    tokens.sort_unstable();
    assert_eq!(tokens, [Some(128), Some(201)], "{report}");
    assert_eq!((shape(0, "heads"), shape(0, "kv_heads"), shape(0, "k_dim")), (Some(64), Some(8), Some(64)));
    assert_eq!(report["summary"]["failed"], 0);
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_report_is_one_page_that_fetches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proof.html");
    let output = kvplan(&["--codec", "q4_0,q8_0", "--report", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let page = std::fs::read_to_string(&path).unwrap();
    for needed in ["PROVED", "q4_0", "<svg", "held-out", "prefers-color-scheme: dark"] {
        assert!(page.contains(needed), "no {needed}");
    }
    for forbidden in ["<script", "http://", "https://", "src=", "@import", "<link"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert_eq!(page.matches("<section").count(), page.matches("</section>").count());
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn an_adapter_of_another_name_is_refused_with_those_there_are() {
    let listed = kvplan(&["--list-adapters"]);
    let name = text(&listed.stdout).lines().nth(1).unwrap().trim().split("  ").next().unwrap().to_owned();
    let output = kvplan(&["--adapter", "no such gpu"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains(&name), "{}", text(&output.stderr));
}

/// The driver list is emptied, as on a machine without a driver.
#[test]
#[cfg(target_os = "linux")]
fn without_an_adapter_it_says_so_and_what_to_do_and_exits_2() {
    let output = Command::new(env!("CARGO_BIN_EXE_kvplan"))
        .arg("validate")
        .env("VK_DRIVER_FILES", "/nonexistent")
        .env("VK_ICD_FILENAMES", "/nonexistent")
        .output()
        .unwrap();
    let words = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(output.stdout.is_empty());
    assert!(words.contains("no GPU adapter found") && words.contains("--cpu"), "{words}");
}

#[test]
fn the_twins_alone_need_no_adapter() {
    let output = kvplan(&["--cpu", "--codec", "q8_0,bf16", "--json"]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(report["processor"]["on"], "cpu");
    assert_eq!((&report["summary"]["ran"], &report["summary"]["failed"]), (&4.into(), &0.into()));
    assert!(report["time"].is_null());
}

#[test]
fn a_codec_without_kernels_is_refused_with_those_that_have_them() {
    let output = kvplan(&["--cpu", "--codec", "iq1_s"]);
    assert_eq!(output.status.code(), Some(2));
    let words = text(&output.stderr);
    assert!(words.contains("iq1_s") && words.contains("q8_0"), "{words}");
}

#[test]
fn a_capture_that_is_none_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.safetensors");
    std::fs::write(&path, "not tensors").unwrap();
    let output = kvplan(&["--cpu", "--capture", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("notes.safetensors"));
}

/// The bundled sample is itself a capture: given as a user's, it is the same case.
#[test]
fn a_users_own_capture_is_run() {
    let sample =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels/data/smollm2-135m.L10.127-tokens.safetensors");
    let output = kvplan(&["--cpu", "--codec", "q4_0", "--json", "--capture", sample.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mine = json(&output);
    let bundled = json(&kvplan(&["--cpu", "--codec", "q4_0", "--json"]));
    assert_eq!(mine["cases"].as_array().unwrap().len(), 1);
    assert_eq!(mine["cases"][0]["error"], bundled["cases"][0]["error"]);
    assert_eq!(mine["cases"][0]["error"]["real"], true);
}

#[test]
fn a_model_without_attention_layers_says_what_is_missing() {
    let output = kvplan(&["--cpu", "--model", "mamba-2.8b"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("mamba1"), "{}", text(&output.stderr));
}

/// Sent as soon as the program waits for it, long before the end of such a run.
#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_a_run_with_what_it_has_and_exit_code_2() {
    const SIGINT: u32 = 2;
    let child = Command::new(env!("CARGO_BIN_EXE_kvplan"))
        .args(["validate", "--cpu", "--full", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let caught = || {
        let status = std::fs::read_to_string(&status).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        u64::from_str_radix(&mask, 16).unwrap() >> (SIGINT - 1) & 1 == 1
    };
    while !caught() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let report = json(&output);
    assert_eq!(report["summary"]["cancelled"], true);
    let summary = |field: &str| report["summary"][field].as_u64().unwrap();
    let told = report["cases"].as_array().unwrap().len() as u64;
    assert_eq!(summary("ran") + summary("skipped"), told);
}

#[test]
fn a_codec_is_asked_for_by_the_name_it_is_reported_under() {
    let named = |name| {
        let output = kvplan(&["--cpu", "--no-timing", "--json", "--codec", name]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        json(&output)["cases"]
            .as_array()
            .unwrap()
            .iter()
            .map(|case| case["codec"].clone())
            .collect::<Vec<_>>()
    };
    let reported = named("block_gtq_k3v3");
    assert!(!reported.is_empty());
    assert_eq!(named(reported[0].as_str().unwrap()), reported);
}
