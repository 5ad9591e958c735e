//! What a hostile file can make the readers allocate: a bounded multiple of its own length, counted by the allocator.
//!
//! One test, since the count is the whole process's.

mod common;

use common::{ARRAY, Order, T, U8, V, Writer, header};
use kvplan_core::spec::source::Prefix;
use kvplan_core::spec::{gguf, json, safetensors};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A message, and a map's first node.
const FIXED: usize = 4096;
/// A key of 15 bytes costs a map entry, a tensor of 27 bytes a table entry, an array entry of one byte eight.
const HEADER_MULTIPLE: usize = 12;
/// `{"":0},` costs a map node; that is `serde_json`'s tree.
const JSON_MULTIPLE: usize = 192;

/// Everything allocated while `run` runs, freed or not.
fn allocated<T>(run: impl FnOnce() -> T) -> usize {
    let region = Region::new(ALLOCATOR);
    let kept = run();
    let bytes = region.change().bytes_allocated;
    drop(kept);
    bytes
}

fn check_gguf(bytes: &[u8]) -> usize {
    let used = allocated(|| gguf::read(&mut &*bytes));
    assert!(used <= HEADER_MULTIPLE * bytes.len() + FIXED, "{used} bytes for {}", bytes.len());
    used
}

fn check_json(bytes: &[u8]) -> usize {
    let used = allocated(|| json::parse(bytes));
    assert!(used <= JSON_MULTIPLE * bytes.len() + FIXED, "{used} bytes for {}", bytes.len());
    used
}

fn check_safetensors(json: &[u8]) {
    let file = [&(json.len() as u64).to_le_bytes()[..], json].concat();
    let used = allocated(|| safetensors::read(&mut file.as_slice()));
    assert!(used <= HEADER_MULTIPLE * file.len() + FIXED, "{used} bytes for {}", file.len());
    let used = allocated(|| safetensors::Index::parse(json));
    assert!(used <= HEADER_MULTIPLE * json.len() + FIXED, "{used} bytes for {}", json.len());
}

fn dense_headers() -> Vec<Vec<u8>> {
    let names: Vec<String> = (0..20_000u32).map(|i| format!("{i:x}")).collect();
    let keys: Vec<(&str, V)> = names.iter().map(|n| (n.as_str(), V::U8(1))).collect();
    let arrays: Vec<(&str, V)> =
        names.iter().take(50).map(|n| (n.as_str(), V::Arr(U8, vec![V::U8(1); 4096]))).collect();
    let tensors: Vec<T> = names.iter().map(|n| T(n.clone(), vec![], 0, 0)).collect();
    let empty: Vec<T> = names.iter().map(|n| T(n.clone(), vec![0, 0, 0, 0], 0, 0)).collect();
    vec![
        header(Order::Little, 3, &keys, &[]),
        header(Order::Big, 3, &arrays, &[]),
        header(Order::Little, 3, &[], &tensors),
        header(Order::Little, 3, &[], &empty),
    ]
}

/// A file that announces far more than it holds, whatever its length claims to be.
fn claims() -> Vec<u8> {
    let mut w = Writer::new(Order::Little, 3);
    w.u64(1 << 50);
    w.u64(1 << 50);
    w.str("k");
    w.u32(ARRAY);
    w.u32(U8);
    w.u64(4096);
    w.out
}

#[test]
fn no_file_makes_the_readers_allocate_more_than_a_bounded_multiple_of_it() {
    let mut large = 0;
    for bytes in dense_headers() {
        large = large.max(check_gguf(&bytes));
    }
    assert!(large > 100_000, "the allocator does not count");

    // A vocabulary is walked over: the window, the names of 723 tensors, and no more.
    let vocabulary = common::large_vocabulary();
    let used = allocated(|| gguf::read(&mut vocabulary.as_slice()));
    assert!(used < 1024 * 1024, "{used} bytes");

    // A file's length may be a claim, too: then a window and one kept array or string are the bound.
    let bytes = claims();
    let used = allocated(|| gguf::read(&mut Prefix { bytes: &bytes, file_len: u64::MAX }));
    assert!(used < 512 * 1024, "{used} bytes");
    let length = 99_000_000u64.to_le_bytes();
    let used = allocated(|| safetensors::read(&mut Prefix { bytes: &length, file_len: u64::MAX }));
    assert!(used < 512 * 1024, "{used} bytes");

    check_json(format!("[{}0]", r#"{"":0},"#.repeat(10_000)).as_bytes());
    check_json(format!("[{}0]", "NaN,".repeat(10_000)).as_bytes());
    check_json(format!("[{}0]", "0,".repeat(10_000)).as_bytes());
    check_json(format!("[{}0]", "[],".repeat(10_000)).as_bytes());
    let tensors: Vec<String> = (0..10_000)
        .map(|i| format!(r#""{i:x}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#))
        .collect();
    check_safetensors(format!("{{{}}}", tensors.join(",")).as_bytes());
    check_safetensors(
        format!(r#"{{"a":{{"dtype":"U8","shape":[{}0],"data_offsets":[0,0]}}}}"#, "0,".repeat(10_000))
            .as_bytes(),
    );

    let mut runner = TestRunner::default();
    let headers = dense_headers();
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    let mutations = (0..headers.len(), edits, 0..2000usize);
    runner
        .run(&mutations, |(which, edits, len)| {
            let mut bytes = headers[which][..len].to_vec();
            for (at, byte) in edits.into_iter().filter(|_| len > 0) {
                bytes[at.index(len)] = byte;
            }
            check_gguf(&bytes);
            check_json(&bytes);
            check_safetensors(&bytes);
            Ok(())
        })
        .unwrap();
}
