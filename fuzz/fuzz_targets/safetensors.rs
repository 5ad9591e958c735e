//! Safetensors files and indexes: read or refused.
#![no_main]

use kvplan_core::spec::safetensors::{Index, parse, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = read(&mut &*bytes) {
        let end = header.header_bytes.get() + header.tensors.bytes().get();
        assert_eq!(end, bytes.len() as u64 + header.missing_bytes.get());
    }
    // Without the length field, which a fuzzer seldom gets right.
    if let Ok(header) = parse(bytes, 0)
        && let Ok(index) = Index::parse(bytes)
    {
        let _ = index.merge(vec![("a".to_owned(), header)]);
    }
    if let Ok(index) = Index::parse(bytes) {
        assert!(!index.shards().is_empty());
    }
});
