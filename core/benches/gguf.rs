//! How long a header takes: 10 MB with a vocabulary of 150,000 tokens must stay under 10 ms.

#[path = "../tests/common/mod.rs"]
mod common;

use divan::Bencher;
use divan::counter::BytesCount;
use kvplan_core::spec::gguf;

fn main() {
    divan::main();
}

#[divan::bench]
fn header_of_150k_tokens(bencher: Bencher<'_, '_>) {
    let bytes = common::large_vocabulary();
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench(|| gguf::read(&mut divan::black_box(bytes.as_slice())));
}
