//! What goes through the streams of the program: batches, widths, completions, schemas, what drivers say.

use super::kvplan;
use std::io::Write as _;
use std::process::{Command, Stdio};

#[test]
fn batch_is_a_pure_filter() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kvplan"))
        .arg("batch")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines =
        "{\"id\":\"a\",\"model\":\"qwen3-8b\",\"context\":1}\n\n{\"id\":\"b\",\"model\":\"none-such\"}\n";
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0]["kv"]["bytes_per_token"], 147_456);
    assert_eq!(answers[1]["error"]["kind"], "unknown-model");
}

#[test]
fn no_line_of_a_human_answer_is_wider_than_80_columns() {
    for args in [
        &["plan", "qwen3-8b", "-c", "1M", "-s", "64", "--explain"][..],
        &["compare", "qwen3-8b", "-c", "1M"],
        &["compare", "qwen3-8b", "-d", "rtx-5090", "-d", "rtx-3090:2", "-w", "Q8_0"],
        &["fit", "qwen3.6-27b", "-e", "llama.cpp", "-d", "rtx-5090", "-w", "Q4_K_M"],
        &["fit", "deepseek-v3", "-e", "vllm", "-d", "h200-sxm-141gb:8", "-w", "688586727753"],
        &["codecs"],
        &["models"],
        &["hardware"],
        &["engines"],
        &["export", "vllm", "qwen3-8b", "-c", "1M", "-s", "64"],
        &["export", "llama.cpp", "qwen3-8b", "-c", "1M", "-s", "4", "--cache", "q8_0"],
    ] {
        let output = kvplan(args);
        let wide: Vec<&str> = output.lines().filter(|l| l.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{args:?}: {wide:#?}");
    }
}

#[rstest::rstest]
#[case("bash")]
#[case("zsh")]
#[case("fish")]
fn completions_are_generated_for(#[case] shell: &str) {
    let output = kvplan(&["completions", shell]);
    assert!(output.contains("compare") && output.contains("context"), "{output}");
}

#[rstest::rstest]
#[case("request")]
#[case("plan")]
#[case("spec")]
#[case("hardware")]
fn the_checked_in_schema_is_what_the_types_say_for(#[case] form: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_kvplan")).args(["schema", form]).output().unwrap();
    let file = format!("{}/../model-specs/schema/{form}.json", env!("CARGO_MANIFEST_DIR"));
    let carried = std::fs::read_to_string(&file).unwrap();
    assert!(
        carried == String::from_utf8_lossy(&output.stdout),
        "run `cargo xtask schemas` and review the diff"
    );
}

/// The kernel's own figure, not ours.
#[cfg(target_os = "linux")]
/// Mesa complains of a missing XDG_RUNTIME_DIR on standard error, which is a file here and no terminal.
#[test]
fn what_drivers_say_while_they_are_asked_stands_before_no_answer() {
    for args in [&["hardware", "--detected"][..], &["validate", "--list-adapters"]] {
        let mut kvplan = Command::new(env!("CARGO_BIN_EXE_kvplan"));
        let output = kvplan.args(args).env_remove("XDG_RUNTIME_DIR").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("XDG_RUNTIME_DIR"), "{said}");
        // Who has no adapter is still told so.
        assert_eq!(output.status.success(), said.is_empty(), "{said}");
    }
}

#[test]
fn this_machine_is_detected_with_the_memory_the_kernel_says_it_has() {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
    let bytes = line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024;
    let json = |args: &[&str]| -> serde_json::Value {
        let output = Command::new(env!("CARGO_BIN_EXE_kvplan")).args(args).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let found = json(&["hardware", "--detected", "--json"]);
    assert_eq!(found["host"]["memory_bytes"], bytes);
    let plan =
        json(&["plan", "smollm2-135m", "-c", "2k", "-e", "llama.cpp", "-w", "Q8_0", "-d", "local", "--json"]);
    let cards = found["cards"].as_array().unwrap().len();
    let devices = plan["devices"].as_array().unwrap();
    assert!(cards > 0 || devices.iter().any(|device| device["capacity_bytes"] == bytes), "{devices:?}");
}
