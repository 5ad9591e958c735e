//! Publishers' JSON: whatever serde accepts comes back as serde reads it, the rest is tagged or refused.
#![no_main]

use kvplan_core::spec::{gguf::Metadata, json};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let lenient = json::parse(bytes);
    if let Ok(strict) = serde_json::from_slice::<Value>(bytes) {
        assert_eq!(lenient.as_ref().ok(), Some(&strict));
    }
    if let Ok(Value::Object(map)) = lenient {
        let _ = Metadata::from_json(&map);
    }
});
