//! Every collected config, imported, must cache what an independent analysis of the same file says.
#![cfg(test)]

use kvplan_core::cache::{Retention, Role};
use kvplan_core::plan::{ModelRef, Plan, Request, plan};
use kvplan_core::spec::{Mixer, ModelSpec, hf};
use kvplan_tests::configs::{Expected, configs, expected};
use serde_json::Value;
use std::collections::BTreeMap;

/// Long enough to fill every window, and a multiple of every stride.
const LONG: u64 = 1 << 20;
/// A multiple of every stride.
const STEP: u64 = 1280;

fn planned(config: &Value, context: u64, encoder: u64, mtp: u64) -> Plan {
    let mut request = Request::of(ModelRef::Hf(config.clone()));
    request.context = Some(context);
    request.encoder_tokens = Some(encoder);
    request.mtp = mtp;
    for slot in
        [&mut request.cache.kv, &mut request.cache.indexer, &mut request.cache.state, &mut request.cache.conv]
    {
        *slot = Some("f16".to_owned());
    }
    plan(&request).unwrap()
}

fn bytes(plan: &Plan, wanted: impl Fn(Role) -> bool) -> u64 {
    plan.kv.by_role.iter().filter(|(role, _)| wanted(*role)).map(|(_, bytes)| bytes.get()).sum()
}

fn kind(mixers: &[Mixer]) -> &'static str {
    match mixers {
        [] => "none",
        [Mixer::Full(_)] => "full",
        [Mixer::Window(_) | Mixer::Chunk(_)] => "window",
        [Mixer::Mla(_), ..] => "mla",
        [Mixer::Compressed(c)] if c.ratio == 0 => "window",
        [Mixer::Compressed(c)] if c.indexer_dim.is_some() => "csa",
        [Mixer::Compressed(_)] => "hca",
        [Mixer::Cross(_)] => "cross",
        [Mixer::Shared(_)] => "shared",
        [_] => "state",
        [Mixer::Full(_), Mixer::Cross(_)] => "full+cross",
        [_, _, ..] => "hybrid",
    }
}

/// The row as we would have written it.
fn ours(config: &Value) -> Result<Expected, String> {
    let spec: ModelSpec =
        hf::import(config).map_err(|e| format!("{} at {}: {}", e.kind, e.field, e.message))?;
    let mut layer_kinds = BTreeMap::new();
    let (mut window, mut window_bytes) = (None, 0);
    let mut states = (0, 0, 0);
    for layer in spec.layers() {
        *layer_kinds.entry(kind(layer.mixers()).to_owned()).or_insert(0) += 1;
        let mut has_state = false;
        for store in layer.stores() {
            let width = store.width().unwrap().get();
            match (store.role, store.retention) {
                (_, Retention::Window(w) | Retention::Chunk(w)) => {
                    assert!(window.is_none_or(|known| known == w), "two windows in one model");
                    window = Some(w);
                    window_bytes += 2 * width;
                }
                (Role::ConvState, _) => (has_state, states.1) = (true, width),
                (Role::RecurrentState, _) => (has_state, states.2) = (true, width),
                _ => {}
            }
        }
        states.0 += u64::from(has_state);
    }
    let mtp_layers = u64::try_from(spec.mtp_count()).unwrap();
    let (short, long) = (planned(config, LONG, 0, 0), planned(config, LONG + STEP, 0, 0));
    let growth = |wanted: fn(Role) -> bool| {
        let grown = bytes(&long, wanted) - bytes(&short, wanted);
        assert_eq!(grown % STEP, 0);
        f64::from(u32::try_from(grown / STEP).unwrap())
    };
    let with_mtp = |context: u64| planned(config, context, 0, mtp_layers).kv.payload_bytes.get();
    let all = (with_mtp(LONG + STEP) - with_mtp(LONG)) / STEP;
    let trunk = (long.kv.payload_bytes.get() - short.kv.payload_bytes.get()) / STEP;
    let encoded = planned(config, LONG, 1000, 0);
    Ok(Expected {
        file: String::new(),
        layer_kinds,
        growing_bytes_per_token: growth(|role| role != Role::Indexer),
        window_bytes_per_token: window_bytes,
        window,
        indexer_bytes_per_token: growth(|role| role == Role::Indexer),
        state_layers: (states.0 > 0).then_some(states.0),
        conv_elems_per_layer: states.1,
        recurrent_elems_per_layer: states.2,
        cross_bytes_per_encoder_token: bytes(&encoded, |r| matches!(r, Role::CrossK | Role::CrossV)) / 1000,
        mtp_layers,
        mtp_bytes_per_token: all - trunk,
    })
}

/// Dimension-only files that must be refused: the fields that shape their states are absent.
const REFUSED: &[(&str, &str)] = &[
    ("tiiuae__Falcon-H1-34B-Instruct.json", "missing-field at mamba_n_heads"),
    ("tiiuae__Falcon-H1-3B-Instruct.json", "missing-field at mamba_n_heads"),
    ("Zyphra__Zamba2-7B-Instruct.json", "missing-field at n_mamba_heads"),
];

/// Where the analysis is wrong, and why.
const DISAGREE: &[(&str, &str)] = &[(
    "NX-AI__xLSTM-7b.json",
    "the analysis found no state shape; the file gives 8 heads and factors 0.5 and 1.0 of a hidden size of 4096",
)];

#[test]
fn every_config_caches_what_the_independent_analysis_says() {
    let files: BTreeMap<String, Value> =
        configs().unwrap().into_iter().map(|c| (c.file.clone(), c.parse().unwrap())).collect();
    let mut wrong = Vec::new();
    for row in expected().unwrap() {
        let found = ours(&files[&row.file]);
        let disagrees = DISAGREE.iter().any(|(file, _)| *file == row.file);
        let refused = REFUSED.iter().find(|(file, _)| *file == row.file);
        match (found, refused) {
            (Err(message), Some((_, field))) => assert!(message.contains(field), "{}: {message}", row.file),
            (Err(message), None) => wrong.push(format!("{}: refused: {message}", row.file)),
            (Ok(_), Some(_)) => wrong.push(format!("{}: not refused", row.file)),
            (Ok(mut found), None) => {
                found.file.clone_from(&row.file);
                let agrees = format!("{found:?}") == format!("{row:?}");
                if agrees == disagrees {
                    wrong.push(format!("found    {found:?}\nexpected {row:?}\n"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// One file per architecture, every field in turn removed or spoiled: an answer or a worded refusal, never a panic and
/// never an endless list.
#[test]
fn no_spoiled_field_makes_the_importer_panic() {
    let mut seen = std::collections::BTreeSet::new();
    let mut imports = 0;
    for config in configs().unwrap() {
        let whole = config.parse().unwrap();
        let text = if whole.get("text_config").is_some() { "/text_config" } else { "" };
        let model_type =
            whole.pointer(text).unwrap().get("model_type").cloned().unwrap_or_default().to_string();
        if !seen.insert(model_type) {
            continue;
        }
        let keys: Vec<String> = whole.pointer(text).unwrap().as_object().unwrap().keys().cloned().collect();
        for key in keys {
            let spoilt = [
                Value::Null,
                Value::from(0),
                Value::from(-1),
                Value::from(u64::MAX),
                Value::from(0.5),
                Value::from(""),
                Value::from(vec![1_000_000_000u64]),
                serde_json::json!({ "a": 1 }),
            ];
            for value in spoilt {
                let mut config = whole.clone();
                config.pointer_mut(text).unwrap()[&key] = value;
                imports += 1;
                if let Err(error) = hf::import(&config) {
                    assert!(!error.message.is_empty(), "{key}");
                }
            }
        }
    }
    assert!(seen.len() > 90 && imports > 10_000, "{} architectures, {imports} imports", seen.len());
}
