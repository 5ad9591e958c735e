//! Weights: parameters against published counts, bytes against published files and what llama.cpp loads.
#![cfg(test)]

use kvplan_core::plan::{ModelRef, Request, answer_line, plan_model};
use kvplan_core::spec::gguf::GgmlType;
use kvplan_core::spec::tensors::{StoredType, Tensor, TensorTable};
use kvplan_core::spec::{catalog, hf};
use kvplan_core::unit::{Bytes, Elements};
use kvplan_core::weights::{self, FileType, TableUse, WeightFormat};
use kvplan_tests::configs::{Config, configs, manifest, more};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().skip(1).map(|line| line.split(',').collect()).collect()
}

/// Published counts by file, of whole tensors: NVFP4 repackagings count two codes as one.
fn published() -> BTreeMap<String, u64> {
    let manifest = manifest().unwrap();
    let count =
        |line: &str| line.split(',').find_map(|cell| cell.parse().ok().filter(|n: &u64| *n > 1_000_000));
    let file = |line: &str| line.split(',').nth(1).map(str::to_owned);
    let rows = manifest.lines().skip(1).filter_map(|line| Some((file(line)?, count(line)?)));
    rows.filter(|(file, _)| !file.contains("NVFP4")).collect()
}

/// Every config with the published count of its model: a further config of a model has the model's.
fn counted() -> Vec<(Config, u64)> {
    let published = published();
    let of = |file: &str| published.get(file).copied();
    let own = configs().unwrap().into_iter().filter_map(|config| Some((of(&config.file)?, config)));
    let further = more()
        .unwrap()
        .into_iter()
        .filter_map(|more| Some((of(&format!("{}.json", more.model.replace('/', "__")))?, more.config)));
    own.chain(further).map(|(count, config)| (config, count)).collect()
}

/// Files whose count differs from ours, by how much (ours − published), and why.
const EXPLAINED: &str = include_str!("../data/weights/counts.csv");

#[test]
fn parameters_are_the_published_ones_to_the_last_or_differ_by_a_named_amount() {
    let mut explained: BTreeMap<&str, i128> =
        rows(EXPLAINED).into_iter().map(|row| (row[0], row[1].parse().unwrap())).collect();
    let (mut exact, mut off) = (0, Vec::new());
    for (config, total) in counted() {
        let Ok(record) = hf::import_record(&config.parse().unwrap()) else { continue };
        let Some(shape) = record.shape else { continue };
        let ours = shape.parameters().unwrap();
        let with_mtp = ours.total + ours.mtp;
        if [ours.total, with_mtp].contains(&total) {
            exact += 1;
            continue;
        }
        let difference = i128::from(with_mtp) - i128::from(total);
        if explained.remove(config.file.as_str()) != Some(difference) {
            off.push(format!("{},{difference},?", config.file));
        }
    }
    println!("{exact} exact");
    assert!(off.is_empty(), "unexplained:\n{}", off.join("\n"));
    assert!(explained.is_empty(), "explained and not seen: {explained:?}");
    assert!(exact >= 125, "{exact} exact");
}

/// Models of which the collection has no count, or one that stands for more than the text model.
#[test]
fn parameters_are_what_cards_and_papers_say_within_their_rounding() {
    for row in rows(include_str!("../data/weights/cards.csv")) {
        let (published, within): (u64, u64) = (row[1].parse().unwrap(), row[2].parse().unwrap());
        let ours = catalog::find(row[0]).unwrap().record().shape.as_ref().unwrap().parameters().unwrap();
        assert!(
            ours.total.abs_diff(published) <= within,
            "{}: {}, published {published}",
            row[0],
            ours.total
        );
    }
}

/// The catalogued models whose weights have no formula, and why. This list only gets shorter.
#[test]
fn five_models_of_the_catalogue_have_no_weights_by_format_and_each_says_why() {
    let refused: Vec<(String, String)> = catalog::all()
        .map(Result::unwrap)
        .filter(|spec| spec.record().shape.is_none())
        .map(|spec| (spec.id().to_owned(), spec.record().shape_unknown.clone().unwrap_or_default()))
        .collect();
    let known = [
        // Its file leaves out the experts.
        ("dbrx", "`dbrx`"),
        ("ring-flash-linear-2.0", "`bailing_moe_linear`"),
        // A time mixing that nothing here was held to.
        ("rwkv-5-world-3b", "`rwkv5`"),
        // An encoder beside the layers.
        ("t5-small", "`t5`"),
        ("whisper-tiny", "`whisper`"),
    ];
    let names = refused.iter().map(|(id, _)| id.as_str());
    assert_eq!(names.collect::<Vec<_>>(), known.map(|(id, _)| id));
    for ((id, why), (_, named)) in refused.iter().zip(known) {
        assert!(why.contains(named), "{id}: {why}");
        let plan = ask(&json!({ "model": id, "context": 64, "weights": { "format": "bf16" } }));
        assert_eq!(plan["error"]["field"], "weights.format", "{plan}");
        assert!(plan["error"]["message"].as_str().unwrap().contains(named), "{plan}");
    }
}

#[test]
fn mixtures_give_published_files_their_size() {
    let (mut within, mut off) = (0, Vec::new());
    for row in rows(include_str!("../data/weights/sizes.csv")) {
        let (model, format) = (row[0], row[1]);
        let (bytes, half): (u64, u64) = (row[2].parse().unwrap(), row[3].parse().unwrap());
        let Ok(spec) = catalog::find(model) else { continue };
        let Ok(found) = weights::of(spec, WeightFormat::parse(format).unwrap().in_gguf()) else { continue };
        // Published sizes are with or without prediction layers, as the converter of the day had it.
        let ours = [found.loaded().unwrap().get(), found.checkpoint().unwrap().get()];
        let misses = ours.map(|ours| ours.abs_diff(bytes));
        if misses.iter().any(|miss| *miss <= half) {
            within += 1;
        } else {
            off.push(format!("{model} {format}: ours {}, published {bytes} ± {half}", ours[0]));
        }
    }
    println!("{within} within rounding; off: {off:#?}");
    let known = ["qwen2.5-1.5b Q4_K_M", "qwen3.6-27b Q4_K_M", "gemma-3-4b Q4_0"];
    for line in off {
        assert!(known.iter().any(|known| line.starts_with(known)), "{line}");
    }
    assert!(within >= 37, "{within}");
}

/// The engine's figure for complete files whose matrices are all one type and whose embedding and head are Q6_K.
#[test]
fn the_tensors_are_those_that_llama_cpp_loads() {
    // Files whose note says otherwise: an unused tensor more (qwen3-next), another vocabulary (gemma-3-4b), other types
    // outside the experts (gpt-oss).
    let skip = ["qwen3-next-80b-a3b", "gemma-3-4b", "gpt-oss-20b"];
    let mut equal = 0;
    for row in rows(include_str!("../data/weights/engine_loads.csv")) {
        let (model, kind, bytes) = (row[0], row[1], row[2].parse::<u64>().unwrap());
        let Ok(spec) = catalog::find(model) else { continue };
        let Some(shape) = spec.record().shape.as_ref().filter(|_| !skip.contains(&model)) else { continue };
        let one = |name: &str, dims: &[u64]| {
            let elements: u64 = dims.iter().product();
            let kept = ["norm", ".bias", "conv1d", "shortconv.conv", "ffn_gate_inp", "ssm_dt"];
            if dims.len() < 2 || name == "ssm_a" || kept.iter().any(|part| name.contains(part)) {
                return elements * 4;
            }
            let outside = name.starts_with("output") || name.starts_with("token_embd");
            let experts = name.contains("_exps");
            match (kind, outside, dims[0].is_multiple_of(256)) {
                ("f16", ..) => elements * 2,
                ("mxfp4", false, _) if experts => elements / 32 * 17,
                ("mxfp4", ..) | (_, _, false) => elements / 32 * 34,
                (_, true, true) => elements / 256 * 210,
                (_, false, true) => elements / 256 * 144,
            }
        };
        let layers = shape.layers.iter().map(|kind| &shape.kinds[usize::from(*kind)]);
        let ours: u64 = layers.chain([&shape.model]).flatten().map(|(name, dims)| one(name, dims)).sum();
        println!("{model} {kind} {ours} {bytes}");
        assert_eq!(ours, bytes, "{model} {kind}");
        equal += 1;
    }
    assert!(equal >= 13, "{equal}");
}

#[test]
fn every_name_of_a_format_is_taken_back() {
    for name in WeightFormat::names() {
        let format = WeightFormat::parse(&name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(WeightFormat::parse(&format.name()), Some(format), "{name}");
    }
    assert_eq!(WeightFormat::parse("q4_k_m"), Some(WeightFormat::Gguf(FileType::Q4KM)));
    assert_eq!(WeightFormat::parse("q4_k_xl"), None);
}

#[test]
fn layers_and_ends_add_up_and_a_mixture_of_experts_reads_a_part() {
    let spec = catalog::find("qwen3-30b-a3b").unwrap();
    let found = weights::of(spec, WeightFormat::parse("bf16").unwrap()).unwrap();
    let layers: u64 = found.layers().unwrap().iter().map(|l| l.total().unwrap().get()).sum();
    let sum = layers + found.input().unwrap().get() + found.output().unwrap().get();
    assert_eq!(sum, found.loaded().unwrap().get());
    // The publisher's count, two bytes each.
    assert_eq!(sum, 2 * 30_532_122_624);
    // 128 experts of three matrices of 2048 × 768 in each of 48 layers.
    let experts: u64 = found.layers().unwrap().iter().map(|l| l.experts.get()).sum();
    assert_eq!(experts, 2 * 48 * 128 * 3 * 2048 * 768);
    // "3.3B activated" (Qwen3-30B-A3B model card), of which the embedding is looked up and not read.
    let active = found.active().unwrap().get() / 2 + 2048 * 151_936;
    assert!((3_300_000_000..3_400_000_000).contains(&active), "{active}");
}

fn ask(request: &Value) -> Value {
    serde_json::from_str(&answer_line(&request.to_string())).unwrap()
}

fn on_llama_cpp(model: &str, format: &str) -> Value {
    json!({
        "model": model, "engine": { "name": "llama.cpp" }, "context": 4096, "weights": { "format": format },
        "hardware": [{ "device": "gpu", "memory_bytes": 1u64 << 40 }]
    })
}

/// llama.cpp's own table of bits per weight for one model, and sizes that llama-bench printed to the byte.
#[test]
fn a_plan_by_format_says_the_published_size_of_the_file() {
    let exact =
        |row: &Vec<&str>| (row[0] == "llama-3.1-8b" || row[3] == "0") && !row[0].starts_with("llama-3.3");
    let mut asked = 0;
    for row in rows(include_str!("../data/weights/sizes.csv")).into_iter().filter(exact) {
        let (published, half): (u64, u64) = (row[2].parse().unwrap(), row[3].parse().unwrap());
        let plan = ask(&on_llama_cpp(row[0], row[1]));
        let ours = plan["weights"]["bytes"].as_u64().unwrap();
        assert!(ours.abs_diff(published) <= half, "{} {}: {ours}, published {published}", row[0], row[1]);
        assert_eq!(plan["weights"]["basis"], "derived");
        let held: u64 =
            plan["devices"].as_array().unwrap().iter().map(|d| d["weights_bytes"].as_u64().unwrap()).sum();
        // A head that is the embedding is in host memory and, again, on the device.
        let again = if row[0] == "llama-3.2-1b" { 128_256 * 2048 / 256 * 210 } else { 0 };
        assert_eq!(held, ours + again, "{} {}", row[0], row[1]);
        asked += 1;
    }
    assert!(asked >= 25, "{asked} rows");
}

#[test]
fn experts_kept_in_host_memory_leave_the_rest_of_their_layers_on_the_device() {
    let mut request = on_llama_cpp("qwen3-30b-a3b", "BF16");
    request["engine"]["n_cpu_moe"] = json!(48);
    let plan = ask(&request);
    let devices = plan["devices"].as_array().unwrap();
    let bytes =
        |name: &str| devices.iter().find(|d| d["name"] == name).unwrap()["weights_bytes"].as_u64().unwrap();
    // 128 experts of three matrices of 2048 × 768 in 48 layers, and the embedding; the publisher's count is the whole.
    let (experts, embedding) = (48 * 128 * 3 * 2048 * 768, 2048 * 151_936);
    assert_eq!(bytes("CPU"), 2 * (experts + embedding));
    // llama.cpp keeps norms and routers as 32-bit floats: 2 more bytes for each of them.
    let wide: u64 = 48 * (2048 * 128 + 2 * 2048 + 2 * 128) + 2048;
    assert_eq!(bytes("gpu"), 2 * (30_532_122_624 - experts - embedding) + 2 * wide);
}

#[test]
fn a_format_that_is_none_and_one_the_engine_cannot_load_are_refused_by_name() {
    let error = ask(&json!({ "model": "qwen3-8b", "context": 1, "weights": { "format": "Q9_X" } }));
    assert_eq!(error["error"]["field"], "weights.format");
    assert_eq!(error["error"]["value"], "Q9_X");
    assert!(error["error"]["message"].as_str().unwrap().contains("Q4_K_M"));
    let error = ask(&on_llama_cpp("qwen3-8b", "awq"));
    assert_eq!(
        (&error["error"]["kind"], &error["error"]["field"]),
        (&json!("engine-refuses"), &json!("weights.format"))
    );
    for (weights, field) in [
        (json!({ "bytes": -1 }), "weights.bytes"),
        (json!({ "parameters": 1 }), "weights"),
        (json!({}), "weights"),
        (json!({ "bytes": 1, "format": "bf16" }), "weights"),
    ] {
        let error = ask(&json!({ "model": "qwen3-8b", "context": 1, "weights": weights }));
        assert_eq!(error["error"]["kind"], "invalid", "{error}");
        assert!(error["error"]["field"].as_str().unwrap().starts_with(field), "{error}");
    }
}

/// A GGUF's tensor table of the model, every tensor in f16.
fn table(model: &str) -> TensorTable {
    let shape = catalog::find(model).unwrap().record().shape.clone().unwrap();
    let tensor = |name: String, dims: &[u64]| {
        let elements: u64 = dims.iter().product();
        let (stored, bytes) = (StoredType::Ggml(GgmlType::F16), Bytes::new(2 * elements));
        Tensor { name, shape: dims.to_vec(), stored, elements: Elements::new(elements), bytes }
    };
    let outside = shape.model.iter().map(|(name, dims)| tensor(format!("{name}.weight"), dims));
    let layers = shape.layers.iter().enumerate().flat_map(|(il, kind)| {
        let of = move |(name, dims): (&String, &Vec<u64>)| tensor(format!("blk.{il}.{name}.weight"), dims);
        shape.kinds[usize::from(*kind)].iter().map(of)
    });
    TensorTable::new(outside.chain(layers).collect()).unwrap()
}

/// The publisher's 30,532,122,624 parameters in 2 bytes each; a token meets 8 of 128 experts.
#[test]
fn an_opened_files_weights_are_exact_and_its_experts_are_read_in_part() {
    let model = catalog::find("qwen3-30b-a3b").unwrap();
    let used = TableUse { layers: Some(48), experts_used: Some(8) };
    let file = weights::of_file(&table("qwen3-30b-a3b"), used).unwrap();
    let model = model.clone().with_weights(file);
    let request: Request = serde_json::from_value(json!({
        "model": "qwen3-30b-a3b", "engine": { "name": "llama.cpp" }, "context": 4096,
        "hardware": [{ "device": "rtx-pro-6000-blackwell" }]
    }))
    .unwrap();
    let plan = plan_model(&model, &request).unwrap();
    let shown = plan.weights.unwrap();
    assert_eq!((shown.bytes.get(), shown.basis.into()), (2 * 30_532_122_624, "exact"));
    // What a token reads is in 8 of 128 experts, and one row of the embedding.
    let (routed, embedding) = (48 * 128 * 3 * 2048 * 768, 2048 * 151_936);
    let read = 30_532_122_624 - routed + routed / 16 - embedding + 2048;
    assert_eq!(shown.active_bytes.unwrap().get(), 2 * read);
    assert!(plan.speed.is_some(), "{:?}", plan.assumptions);
    // Weights that are asked for win over the file's.
    let other = Request { weights: Some(kvplan_core::plan::WeightsRequest::Bytes(7)), ..request };
    assert_eq!(plan_model(&model, &other).unwrap().weights.unwrap().bytes.get(), 7);
    assert!(matches!(other.model, ModelRef::Id(_)));
}
