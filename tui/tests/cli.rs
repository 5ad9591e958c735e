//! The command line as a person meets it: what is printed where, and the exit code.
//!
//! `cargo insta review` (or `INSTA_UPDATE=always`) after a deliberate change; the diff is the review.

#![expect(clippy::unwrap_used, reason = "a test that cannot run the program has failed")]

#[path = "cli/streams.rs"]
mod streams;

use std::process::{Command, Output};

/// Runs `kvplan` and shows everything a caller can see of it.
fn kvplan(args: &[&str]) -> String {
    shown(args, &Command::new(env!("CARGO_BIN_EXE_kvplan")).args(args).output().unwrap())
}

fn shown(args: &[&str], output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    let mut all = format!("$ kvplan {}\n{}", args.join(" "), text(&output.stdout));
    if !output.stderr.is_empty() {
        all.push_str("--- stderr\n");
        all.push_str(&text(&output.stderr));
    }
    all.push_str(&format!("--- exit {code}\n"));
    all
}

#[test]
fn a_plan_without_an_engine_sums_up_three() {
    insta::assert_snapshot!(kvplan(&["plan", "qwen3-8b", "--context", "128k"]));
}

#[test]
fn a_plan_for_one_engine_explains_itself() {
    insta::assert_snapshot!(kvplan(&[
        "plan",
        "qwen3-8b",
        "-c",
        "5000",
        "-s",
        "3",
        "-e",
        "llama.cpp",
        "--cache",
        "q8_0",
        "--explain"
    ]));
}

#[test]
fn a_plan_with_a_device_opens_with_the_verdict() {
    insta::assert_snapshot!(kvplan(&[
        "plan",
        "qwen3.6-27b",
        "-c",
        "128k",
        "-e",
        "llama.cpp",
        "-d",
        "rtx-5090",
        "--ram",
        "64GiB",
        "-w",
        "15.5GiB",
        "--in-use",
        "1GiB",
        "--keep-free",
        "1GiB"
    ]));
}

#[test]
fn a_plan_that_is_over_names_the_excess_and_exits_1() {
    insta::assert_snapshot!(kvplan(&[
        "plan",
        "llama-3.1-70b",
        "-c",
        "128k",
        "-e",
        "llama.cpp",
        "-d",
        "rtx-5090",
        "-d",
        "rtx-3090",
        "-w",
        "42GB"
    ]));
}

#[test]
fn three_engines_on_one_device_say_whether_they_fit() {
    insta::assert_snapshot!(kvplan(&["plan", "qwen3-8b", "-c", "128k", "-d", "rtx-4090", "-w", "4.7GB"]));
}

#[test]
fn weights_are_named_by_their_format() {
    insta::assert_snapshot!(kvplan(&[
        "plan",
        "qwen3-8b",
        "-c",
        "32k",
        "-e",
        "llama.cpp",
        "-d",
        "rtx-4090",
        "-w",
        "Q4_K_M"
    ]));
}

#[test]
fn a_fixed_pool_shows_what_it_has_left() {
    insta::assert_snapshot!(kvplan(&[
        "plan",
        "qwen3-8b",
        "-c",
        "32k",
        "-e",
        "vllm",
        "-o",
        "kv_cache_memory_bytes=16GiB"
    ]));
}

#[test]
fn a_refusal_names_field_value_and_reason_and_exits_2() {
    let args = ["plan", "qwen3-8b", "-c", "4k", "-e", "llama.cpp", "-v", "q8_0", "-o", "flash_attn=off"];
    insta::assert_snapshot!(kvplan(&args));
}

#[test]
fn an_unknown_model_answers_with_the_nearest() {
    insta::assert_snapshot!(kvplan(&["plan", "qwen3-8bb", "-c", "4k"]));
}

#[test]
fn an_error_under_json_is_an_object_on_standard_output_too() {
    insta::assert_snapshot!(kvplan(&["plan", "qwen3-8b", "--json"]));
}

#[test]
fn a_plan_under_json_is_the_contract_object() {
    insta::assert_snapshot!(kvplan(&["plan", "qwen3-8b", "-c", "32k", "--json"]));
}

#[test]
fn engines_and_cache_types_stand_side_by_side() {
    insta::assert_snapshot!(kvplan(&["compare", "qwen3-8b", "-c", "32k"]));
}

#[test]
fn a_sweep_is_answered_in_its_order_on_any_number_of_threads_and_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let asked = folder.path().join("asked.jsonl");
    std::fs::write(
        &asked,
        "{\"model\":\"qwen3-8b\",\"context\":{\"from\":1024,\"to\":65536,\"times\":2},\"sequences\":[1,2]}\n",
    )
    .unwrap();
    let run = |args: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_kvplan")).arg("batch").arg(&asked).args(args).output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    let lines = run(&[]);
    assert_eq!(lines.iter().filter(|b| **b == b'\n').count(), 14);
    assert_eq!(run(&["--jobs", "3"]), lines);
    assert_eq!(run(&["--format", "csv"]).iter().filter(|b| **b == b'\n').count(), 15);
    let table = folder.path().join("plans.parquet");
    assert!(run(&["--format", "parquet", "--output", table.to_str().unwrap()]).is_empty());
    let bytes = std::fs::read(&table).unwrap();
    assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
}

#[test]
fn engines_and_cache_types_are_compared_on_devices() {
    insta::assert_snapshot!(kvplan(&[
        "compare",
        "qwen3-8b",
        "-e",
        "llama.cpp,vllm",
        "-t",
        "f16,bf16,q8_0,fp8_e4m3",
        "-w",
        "Q8_0",
        "-d",
        "rtx-4060-ti-16gb",
        "-d",
        "rtx-5090"
    ]));
    insta::assert_snapshot!(kvplan(&[
        "compare",
        "llama-3.1-8b",
        "-e",
        "llama.cpp",
        "-t",
        "f16,q8_0,q4_0",
        "-c",
        "64k",
        "-w",
        "Q4_K_M",
        "-d",
        "rtx-3060-12gb",
        "-d",
        "rtx-3090:2"
    ]));
}

#[test]
fn the_longest_context_that_fits_is_named_with_what_is_beyond_it() {
    insta::assert_snapshot!(kvplan(&[
        "fit",
        "qwen3.6-27b",
        "-e",
        "llama.cpp",
        "-d",
        "rtx-5090",
        "-w",
        "Q4_K_M",
        "--in-use",
        "1GiB"
    ]));
}

#[test]
fn the_most_sequences_and_the_best_split_of_several_devices() {
    let machine = ["-e", "vllm", "-d", "h200-sxm-141gb:8", "-w", "688586727753"];
    insta::assert_snapshot!(kvplan(&[&["fit", "deepseek-v3", "-c", "128k"][..], &machine].concat()));
    insta::assert_snapshot!(kvplan(&[&["fit", "deepseek-v3", "-l", "split"][..], &machine].concat()));
}

#[test]
fn the_best_cache_type_shows_what_was_measured_of_it() {
    insta::assert_snapshot!(kvplan(&[
        "fit",
        "llama-3.1-8b",
        "-e",
        "llama.cpp",
        "-c",
        "64k",
        "-s",
        "1",
        "-d",
        "rtx-3060-12gb",
        "-w",
        "5GB",
        "--json"
    ]));
}

#[test]
fn what_fits_nowhere_says_by_how_much_and_exits_1() {
    insta::assert_snapshot!(kvplan(&[
        "fit",
        "llama-3.1-70b",
        "-e",
        "llama.cpp",
        "-d",
        "rtx-5090",
        "-w",
        "42GB"
    ]));
    insta::assert_snapshot!(kvplan(&["fit", "llama-3.1-70b", "-e", "llama.cpp", "-w", "42GB"]));
}

#[test]
fn the_engines_list_their_options() {
    insta::assert_snapshot!(kvplan(&["engines"]));
}

#[test]
fn the_help_names_every_command() {
    insta::assert_snapshot!(kvplan(&["--help"]));
}

#[test]
fn a_plan_is_exported_as_the_command_that_realises_it() {
    insta::assert_snapshot!(kvplan(&[
        "export",
        "llama.cpp",
        "qwen3.6-27b",
        "-c",
        "32k",
        "-s",
        "2",
        "--cache",
        "q8_0"
    ]));
    insta::assert_snapshot!(kvplan(&["export", "vllm", "qwen3-8b", "-c", "32k", "-s", "8", "--json"]));
}

#[test]
fn a_log_is_set_beside_the_plan_and_a_difference_exits_1() {
    let logs = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/logs");
    let run = |args: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_kvplan")).args(args).current_dir(logs).output().unwrap();
        shown(args, &output)
    };
    insta::assert_snapshot!(run(&["reconcile", "vllm-0.17-qwen3.5-35b-a3b.log"]));
    insta::assert_snapshot!(run(&["reconcile", "sglang-qwen3-235b.log", "-m", "qwen3-235b-a22b"]));
}

#[test]
fn a_command_line_is_told_what_was_taken_and_what_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let line = "HF_TOKEN=secret vllm serve Qwen/Qwen3-8B --max-model-len 32K -tp 2 --port 8000 --swap-space 4 \
                --quantization fp8 --api-key abc";
    std::fs::write(folder.path().join("start.sh"), line).unwrap();
    let args = ["reconcile", "start.sh"];
    let output =
        Command::new(env!("CARGO_BIN_EXE_kvplan")).args(args).current_dir(folder.path()).output().unwrap();
    let shown = shown(&args, &output);
    assert!(!shown.contains("secret") && !shown.contains("abc"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn files_beside_the_model_weigh_what_they_are_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    for (name, size) in [("mmproj.gguf", 1000), ("a.gguf", 300), ("b.gguf", 50)] {
        std::fs::write(folder.path().join(name), vec![0; size]).unwrap();
    }
    let line = "llama-server -m Qwen3-8B-Q4_K_M.gguf -c 4096 -np 1 --mmproj mmproj.gguf \
                --lora a.gguf --lora-scaled b.gguf:0.5 --lora elsewhere.gguf";
    std::fs::write(folder.path().join("start.sh"), line).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    let output =
        command.args(["reconcile", "start.sh", "--json"]).current_dir(folder.path()).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["request"]["extras"], serde_json::json!({ "projector_bytes": 1000, "lora_bytes": 350 }));
    let left: Vec<&serde_json::Value> =
        said["ignored"].as_array().unwrap().iter().map(|left| &left["value"]).collect();
    assert_eq!(left, ["elsewhere.gguf"], "a file that is not here is said to be left");
}

#[test]
fn nothing_is_exported_that_the_engine_refuses() {
    insta::assert_snapshot!(kvplan(&[
        "export",
        "llama.cpp",
        "qwen3-8b",
        "-c",
        "4k",
        "-v",
        "q8_0",
        "-o",
        "flash_attn=off"
    ]));
}

#[test]
fn a_config_is_imported_as_a_readable_spec() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    // Qwen3-8B's published dimensions.
    let config = r#"{"model_type": "qwen3", "num_hidden_layers": 36, "hidden_size": 4096, "num_attention_heads": 32,
        "num_key_value_heads": 8, "head_dim": 128, "torch_dtype": "bfloat16", "vocab_size": 151936,
        "max_position_embeddings": 40960}"#;
    std::fs::write(&path, config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kvplan")).arg("import").arg(&path).output().unwrap();
    insta::with_settings!({filters => vec![(r#"name = "[^"]*""#, "name = \"[folder]\"")]}, {
        insta::assert_snapshot!(shown(&["import", "config.json"], &output));
    });
}

#[test]
fn a_file_that_is_nothing_known_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "not a config").unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_kvplan")).arg("plan").arg(&path).args(["-c", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("notes.txt"));
}
