//! Publishers' JSON: whatever serde accepts comes back as serde reads it, the rest is tagged or refused; and whatever
//! the importers understand is a model that can be planned or refused, never a panic.
#![no_main]

use kvplan_core::engine::EngineName;
use kvplan_core::plan::{EngineRequest, ModelRef, Request, plan_model};
use kvplan_core::spec::gguf::{Metadata, spec_file};
use kvplan_core::spec::{ModelSpec, hf, json};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|bytes: &[u8]| {
    let lenient = json::parse(bytes);
    if let Ok(strict) = serde_json::from_slice::<Value>(bytes) {
        assert_eq!(lenient.as_ref().ok(), Some(&strict));
    }
    let Ok(value) = lenient else { return };
    if let Ok(model) = hf::import(&value) {
        planned(&model);
    }
    if let Value::Object(map) = value
        && let Ok(metadata) = Metadata::from_json(&map)
        && let Ok(record) = spec_file(&metadata)
        && let Ok(model) = ModelSpec::try_from(record)
    {
        planned(&model);
    }
});

/// Every engine answers or refuses.
fn planned(model: &ModelSpec) {
    for name in [EngineName::Payload, EngineName::LlamaCpp, EngineName::Vllm] {
        let engine = EngineRequest { name, version: None, options: Map::new() };
        let model_ref = ModelRef::Id(String::new());
        let _ = plan_model(
            model,
            &Request { engine: Some(engine), context: Some(4097), ..Request::of(model_ref) },
        );
    }
}
