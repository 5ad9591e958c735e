//! Request lines: every one is answered with one line of JSON, a plan or an error.
#![no_main]

use kvplan_core::plan::answer_line;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|line: &str| {
    let answer = answer_line(line);
    assert!(!answer.contains('\n'));
    assert!(
        serde_json::from_str::<Value>(&answer)
            .is_ok_and(|a| a.get("kv").is_some() != a.get("error").is_some())
    );
});
