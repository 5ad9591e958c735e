//! The safetensors reader against the format's own implementations, and against contradictions.
#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic like the tests themselves")]

use kvplan_core::error::{ErrorKind, PlanError};
use kvplan_core::spec::safetensors::{
    Dtype, Header, Index, IndexError, SafetensorsError, needs_config, read,
};
use kvplan_core::spec::source::Prefix;
use kvplan_core::spec::tensors::StoredType;
use kvplan_core::unit::Bytes;
use proptest::prelude::*;
use rstest::rstest;
use safetensors::SafeTensors;
use serde_json::json;

/// Written by safetensors-python 0.8.0.
const PYTHONS: &[u8] = include_bytes!("data/safetensors-py.safetensors");

fn file(header: &str, data: usize) -> Vec<u8> {
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.resize(out.len() + data, 0);
    out
}

fn parse(mut bytes: &[u8]) -> Result<Header, SafetensorsError> {
    read(&mut bytes)
}

#[test]
fn a_file_of_the_python_library_reads_as_it_was_written() {
    let header = parse(PYTHONS).unwrap();
    let tensors: Vec<(&str, &[u64], &str, u64)> = header
        .tensors
        .tensors()
        .iter()
        .map(|t| (t.name.as_str(), t.shape.as_slice(), t.stored.name(), t.bytes.get()))
        .collect();
    assert_eq!(
        tensors,
        [
            ("b.bias", &[5][..], "F64", 40),
            ("s", &[], "F32", 4),
            ("a", &[2, 3], "F16", 12),
            ("c", &[4, 0], "I8", 0)
        ]
    );
    assert_eq!(header.metadata["format"], "np");
    assert_eq!((header.tensors.bytes(), header.missing_bytes), (Bytes::new(56), Bytes::ZERO));
    let totals = header.tensors.by_type().unwrap();
    assert_eq!(totals[&StoredType::Safetensors(Dtype::F64)].bytes, Bytes::new(40));
}

#[test]
fn dtypes_and_widths_are_those_of_the_formats_own_crate() {
    for dtype in Dtype::ALL {
        let theirs: safetensors::Dtype = serde_json::from_value(json!(dtype.name())).unwrap();
        assert_eq!(dtype.bits(), theirs.bitsize() as u64, "{}", dtype.name());
    }
}

#[test]
fn the_header_alone_is_enough_and_a_shorter_prefix_asks_for_it() {
    let whole = parse(PYTHONS).unwrap();
    let file_len = PYTHONS.len() as u64;
    let header_len = usize::try_from(whole.header_bytes.get()).unwrap();
    let of = |n: usize| read(&mut Prefix { bytes: &PYTHONS[..n], file_len });
    assert_eq!(of(header_len), Ok(whole.clone()));
    assert_eq!(of(100), Err(SafetensorsError::NotFetched { have: 100, need: header_len as u64 }));
    assert_eq!(of(0), Err(SafetensorsError::NotFetched { have: 0, need: 8 }));
    assert_eq!(parse(&PYTHONS[..header_len]).unwrap().missing_bytes, Bytes::new(56));
    assert!(matches!(parse(&PYTHONS[..header_len - 1]), Err(SafetensorsError::Truncated { .. })));
    assert!(matches!(parse(&[]), Err(SafetensorsError::Truncated { .. })));
}

#[test]
fn a_length_past_the_formats_limit_is_refused_unread() {
    let mut source = Prefix { bytes: &100_000_001u64.to_le_bytes(), file_len: u64::MAX };
    assert_eq!(read(&mut source), Err(SafetensorsError::TooLong(100_000_001)));
}

#[rstest]
#[case::hole(r#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}"#, 8)]
#[case::overlap(
    r#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}}"#, 6
)]
#[case::size(r#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,5]}}"#, 5)]
#[case::backwards(r#"{"a":{"dtype":"F16","shape":[],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[],"data_offsets":[2,0]}}"#, 2)]
#[case::overflow(r#"{"a":{"dtype":"F16","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0)]
#[case::half_a_byte(r#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#, 2)]
#[case::twice(
    r#"{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}"#, 2
)]
fn tensors_that_contradict_themselves_are_refused_by_name(#[case] header: &str, #[case] data: usize) {
    let error = parse(&file(header, data)).unwrap_err();
    assert!(matches!(error, SafetensorsError::Tensor { .. }), "{error}");
    let error = PlanError::from(error);
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(["a", "b"].contains(&error.field.as_str()));
}

#[rstest]
#[case::dtype(r#"{"a":{"dtype":"F17","shape":[2],"data_offsets":[0,4]}}"#)]
#[case::field(r#"{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"extra":1}}"#)]
#[case::absent(r#"{"a":{"dtype":"U8","shape":[]}}"#)]
#[case::negative(r#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#)]
#[case::metadata(r#"{"__metadata__":{"a":1}}"#)]
#[case::metadata_twice(r#"{"__metadata__":{},"__metadata__":{}}"#)]
#[case::metadata_key_twice(r#"{"__metadata__":{"a":"1","a":"2"}}"#)]
#[case::text("{} x")]
fn headers_that_are_not_of_the_format_are_refused(#[case] header: &str) {
    assert!(matches!(parse(&file(header, 1)), Err(SafetensorsError::Malformed(_))));
}

#[test]
fn a_header_starts_with_a_brace_and_no_data_follows_the_last_tensor() {
    assert_eq!(parse(&file(" {}", 0)), Err(SafetensorsError::NotAnObject));
    assert_eq!(parse(&file("", 0)), Err(SafetensorsError::NotAnObject));
    assert_eq!(parse(&file("{}", 3)), Err(SafetensorsError::Trailing(3)));
}

#[test]
fn nothing_about_a_cache_is_inferred_from_tensor_names() {
    let error = needs_config();
    assert_eq!((error.kind, error.field.as_str()), (ErrorKind::MissingField, "config.json"));
}

// ---- sharded models ----

fn index() -> Index {
    Index::parse(br#"{"metadata":{"total_size":3},"weight_map":{"a":"1.safetensors","b":"2.safetensors","c":"1.safetensors"}}"#)
        .unwrap()
}

fn shard(names: &[&str]) -> Header {
    let tensors: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(i, n)| format!(r#""{n}":{{"dtype":"U8","shape":[],"data_offsets":[{i},{}]}}"#, i + 1))
        .collect();
    parse(&file(&format!("{{{}}}", tensors.join(",")), names.len())).unwrap()
}

#[test]
fn shards_join_into_one_table() {
    let index = index();
    assert_eq!(index.shards(), ["1.safetensors", "2.safetensors"]);
    assert_eq!(index.total_size(), Some(Bytes::new(3)));
    let table = index
        .merge(vec![("2.safetensors".into(), shard(&["b"])), ("1.safetensors".into(), shard(&["c", "a"]))])
        .unwrap();
    assert_eq!(table.bytes(), Bytes::new(3));
    assert!(table.get("c").is_some());
}

#[rstest]
#[case(vec![("1.safetensors", &["a", "c"][..])], IndexError::Missing("2.safetensors".into()))]
#[case(
    vec![("1.safetensors", &["a", "c"][..]), ("3.safetensors", &["b"])],
    IndexError::Unexpected("3.safetensors".into())
)]
#[case(
    vec![("1.safetensors", &["a", "c"][..]), ("1.safetensors", &["a", "c"])],
    IndexError::Unexpected("1.safetensors".into())
)]
#[case(
    vec![("1.safetensors", &["a"][..]), ("2.safetensors", &["b"])],
    IndexError::Tensor { shard: "1.safetensors".into(), name: "c".into() }
)]
#[case(
    vec![("1.safetensors", &["a", "c", "x"][..]), ("2.safetensors", &["b"])],
    IndexError::Tensor { shard: "1.safetensors".into(), name: "x".into() }
)]
fn shards_that_are_not_the_indexs_are_refused(
    #[case] shards: Vec<(&str, &[&str])>,
    #[case] expected: IndexError,
) {
    let shards = shards.into_iter().map(|(name, tensors)| (name.to_owned(), shard(tensors))).collect();
    assert_eq!(index().merge(shards), Err(expected));
}

#[rstest]
#[case(r#"{"weight_map":{"a":"1"}}"#, None)]
#[case(r#"{"metadata":{},"weight_map":{"a":"1"}}"#, None)]
#[case(r#"{"metadata":{"total_size":0},"weight_map":{"a":"1"}}"#, None)]
#[case(r#"{"metadata":{"total_size":16060522496.0},"weight_map":{"a":"1"}}"#, Some(16_060_522_496))]
#[case(r#"{"metadata":{"total_size":5,"total_parameters":2},"weight_map":{"a":"1"}}"#, Some(5))]
fn a_total_size_of_zero_or_none_is_unknown(#[case] json: &str, #[case] expected: Option<u64>) {
    assert_eq!(Index::parse(json.as_bytes()).unwrap().total_size(), expected.map(Bytes::new));
}

#[rstest]
#[case(r#"{"weight_map":{}}"#)]
#[case(r#"{"metadata":{}}"#)]
#[case(r#"{"weight_map":{"a":"1","a":"2"}}"#)]
#[case(r#"{"weight_map":{"a":1}}"#)]
#[case(r#"{"metadata":{"total_size":-1},"weight_map":{"a":"1"}}"#)]
#[case(r#"{"metadata":{"total_size":1.5},"weight_map":{"a":"1"}}"#)]
fn malformed_indexes_are_refused(#[case] json: &str) {
    assert!(Index::parse(json.as_bytes()).is_err());
}

// ---- any bytes ----

/// Mutations of a valid file: overwritten bytes, then cut.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (edits, 0..PYTHONS.len() + 1).prop_map(|(edits, len)| {
        let mut bytes = PYTHONS.to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(len.max(8));
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The format's own crate is the oracle: whatever is a whole file to us is one to it, with the same bytes.
    #[test]
    fn what_is_accepted_whole_the_formats_own_crate_accepts(bytes in mutated()) {
        if let Ok(header) = parse(&bytes) && header.missing_bytes == Bytes::ZERO {
            let theirs = SafeTensors::deserialize(&bytes);
            prop_assert!(theirs.is_ok(), "{:?}", theirs.err());
            let theirs = theirs.unwrap();
            prop_assert_eq!(theirs.len(), header.tensors.tensors().len());
            for tensor in header.tensors.tensors() {
                prop_assert_eq!(theirs.tensor(&tensor.name).unwrap().data().len() as u64, tensor.bytes.get());
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = parse(&bytes);
        let _ = Index::parse(&bytes);
    }
}
