//! GGUF headers: read or refused, and alike through every source.
#![no_main]

use kvplan_core::spec::gguf::{Fault, GgufError, Header, merge, read};
use kvplan_core::spec::source::Prefix;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = read(&mut &*bytes);
    // The first half says the same, or asks for more.
    let half = &bytes[..bytes.len() / 2];
    match read(&mut Prefix { bytes: half, file_len: bytes.len() as u64 }) {
        Err(GgufError { fault: Fault::NotFetched { have, need }, .. }) => {
            assert_eq!(have, half.len() as u64);
            assert!(need > have);
        }
        other => assert_eq!(format!("{other:?}"), format!("{whole:?}")),
    }
    if let Ok(header) = whole {
        consistent(&header, bytes);
        let _ = merge(vec![header.clone(), header]);
    }
});

fn consistent(header: &Header, bytes: &[u8]) {
    let sum: u64 = header.tensors.tensors().iter().map(|t| t.bytes.get()).sum();
    assert_eq!(header.tensors.bytes().get(), sum);
    assert!(header.data_bytes.get() >= sum);
    assert!(header.header_bytes.get() <= bytes.len() as u64);
    for (key, _) in header.metadata.iter() {
        let _ = (header.metadata.opt_u64(key), header.metadata.opt_bool(key), header.metadata.opt_str(key));
        if let Ok(Some(each)) = header.metadata.opt_u64_or_array(key) {
            let _ = each.expand(key, u64::MAX);
        }
    }
}
