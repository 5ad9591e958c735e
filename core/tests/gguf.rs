//! The GGUF reader against files of other writers, against hand-built headers, and against hostile ones.
#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic like the tests themselves")]

mod common;

use common::{ARRAY, BOOL, I32, Order, STRING, T, U8, U32, V, Writer, header};
use kvplan_core::error::{ErrorKind, PlanError};
use kvplan_core::spec::gguf::{
    Array, Endian, Fault, GgmlType, GgufError, Header, Metadata, MetadataError, PerLayer, SplitError, Value,
    ValueType, merge, read,
};
use kvplan_core::spec::source::{ByteSource, Prefix, SourceError, WINDOW};
use kvplan_core::spec::tensors::StoredType;
use kvplan_core::unit::{Bytes, Elements};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

fn parse(mut bytes: &[u8]) -> Result<Header, GgufError> {
    read(&mut bytes)
}

fn arch() -> (&'static str, V) {
    ("general.architecture", V::Str("llama".into()))
}

fn fault(bytes: &[u8]) -> (String, Fault) {
    let error = parse(bytes).unwrap_err();
    (error.field, error.fault)
}

// ---- files written by gguf-py 0.19.0 ----

/// Written by gguf-py 0.19.0 (`GGUFWriter`), one file in each byte order; shapes and bytes below are what its own
/// `GGUFReader` says of them.
#[rstest]
#[case::little(include_bytes!("data/gguf-py-little.gguf"), Endian::Little)]
#[case::big(include_bytes!("data/gguf-py-big.gguf"), Endian::Big)]
fn files_of_gguf_py_read_as_gguf_py_reads_them(#[case] bytes: &[u8], #[case] endian: Endian) {
    let header = parse(bytes).unwrap();
    assert_eq!((header.version, header.endian), (3, endian));
    assert_eq!(header.missing_bytes, Bytes::ZERO);
    assert_eq!(header.header_bytes.round_up(32).unwrap(), Bytes::new(1216));

    let tensors: Vec<(&str, &[u64], &str, u64)> = header
        .tensors
        .tensors()
        .iter()
        .map(|t| (t.name.as_str(), t.shape.as_slice(), t.stored.name(), t.bytes.get()))
        .collect();
    assert_eq!(
        tensors,
        [
            ("token_embd.weight", &[256, 5][..], "q6_K", 1050),
            ("blk.0.attn_q.weight", &[256, 5], "q4_K", 720),
            ("blk.0.attn_k.weight", &[256, 5], "q8_0", 1360),
            ("blk.0.ffn_down.weight", &[256, 5], "iq4_nl", 720),
            ("blk.0.exps.weight", &[256, 5, 3], "mxfp4", 2040),
            ("norm.weight", &[7], "f32", 28),
            ("half.weight", &[5, 4, 3, 2], "f16", 240),
        ]
    );

    let meta = &header.metadata;
    assert_eq!(meta.architecture(), Ok("llama"));
    assert_eq!(meta.u64("llama.block_count"), Ok(3));
    assert_eq!(meta.u64_or_array("llama.attention.head_count"), Ok(PerLayer::Same(8)));
    assert_eq!(meta.u64_or_array("llama.attention.head_count_kv"), Ok(PerLayer::Each(vec![2, 0, 4])));
    assert_eq!(
        meta.get("llama.attention.sliding_window_pattern"),
        Some(&Value::Array(Array::Bool(vec![true, false, true])))
    );
    assert_eq!(meta.bool("llama.attention.causal"), Ok(true));
    assert_eq!(meta.get("t.u8"), Some(&Value::Unsigned(200)));
    assert_eq!(meta.get("t.i8"), Some(&Value::Signed(-3)));
    assert_eq!(meta.get("t.u16"), Some(&Value::Unsigned(60_000)));
    assert_eq!(meta.get("t.i16"), Some(&Value::Signed(-300)));
    assert_eq!(meta.get("t.i32"), Some(&Value::Signed(-70_000)));
    assert_eq!(meta.get("t.u64"), Some(&Value::Unsigned((1 << 63) + 1)));
    assert_eq!(meta.get("t.i64"), Some(&Value::Signed(-(1 << 40))));
    assert_eq!(meta.get("t.f64"), Some(&Value::Float(0.1)));
    assert_eq!(meta.opt_f64("llama.attention.layer_norm_rms_epsilon"), Ok(Some(f64::from(1e-5f32))));
    assert_eq!(meta.opt_array_len("tokenizer.ggml.tokens"), Ok(Some(4)));
    assert_eq!(
        meta.get("tokenizer.ggml.tokens"),
        Some(&Value::Array(Array::Skipped { element: ValueType::String, len: 4 }))
    );
    assert_eq!(
        meta.get("tokenizer.ggml.scores"),
        Some(&Value::Array(Array::Float(vec![0.0, -1.0, -2.0, -3.5])))
    );
}

/// llama.cpp 0c1e57098, ggml 0.25.3: `ggml_blck_size` and `ggml_type_size` of every type, printed by a compiled
/// program.
#[test]
fn block_layouts_are_those_that_ggml_prints() {
    let printed = "0 f32 1 4|1 f16 1 2|2 q4_0 32 18|3 q4_1 32 20|6 q5_0 32 22|7 q5_1 32 24|8 q8_0 32 34|9 q8_1 32 36|\
        10 q2_K 256 84|11 q3_K 256 110|12 q4_K 256 144|13 q5_K 256 176|14 q6_K 256 210|15 q8_K 256 292|\
        16 iq2_xxs 256 66|17 iq2_xs 256 74|18 iq3_xxs 256 98|19 iq1_s 256 50|20 iq4_nl 32 18|21 iq3_s 256 110|\
        22 iq2_s 256 82|23 iq4_xs 256 136|24 i8 1 1|25 i16 1 2|26 i32 1 4|27 i64 1 8|28 f64 1 8|29 iq1_m 256 56|\
        30 bf16 1 2|34 tq1_0 256 54|35 tq2_0 256 66|39 mxfp4 32 17|40 nvfp4 64 36|41 q1_0 128 18|42 q2_0 64 18";
    let ours: Vec<String> = GgmlType::ALL
        .iter()
        .map(|t| t.layout())
        .map(|l| format!("{} {} {} {}", l.id, l.name, l.block, l.bytes))
        .collect();
    assert_eq!(ours.join("|"), printed);
    for id in 0..100 {
        let listed = GgmlType::ALL.iter().copied().find(|t| t.layout().id == id);
        assert_eq!(GgmlType::from_id(id), listed);
    }
}

// ---- both versions, both byte orders, any source ----

fn sample(order: Order, version: u32) -> Vec<u8> {
    let keys = [
        arch(),
        ("llama.block_count", V::U32(2)),
        (
            "x.nested",
            V::Arr(ARRAY, vec![V::Arr(U8, vec![V::U8(1)]), V::Arr(STRING, vec![V::Str("a".into())])]),
        ),
        ("x.flag", V::Bool(true)),
    ];
    let tensors =
        [T("a".into(), vec![64, 3], 8, 0), T("b".into(), vec![], 0, 224), T("c".into(), vec![0], 0, 256)];
    header(order, version, &keys, &tensors)
}

#[rstest]
fn both_versions_read_in_both_byte_orders(
    #[values(2, 3)] version: u32,
    #[values(Order::Little, Order::Big)] order: Order,
) {
    let header = parse(&sample(order, version)).unwrap();
    assert_eq!(header.version, version);
    assert_eq!(header.endian == Endian::Big, order == Order::Big);
    assert_eq!(header.metadata.u64("llama.block_count"), Ok(2));
    assert_eq!(
        header.metadata.get("x.nested"),
        Some(&Value::Array(Array::Skipped { element: ValueType::Array, len: 2 }))
    );
    // 64 × 3 elements of q8_0 are 6 blocks of 34 bytes; a tensor without dimensions is one element.
    let bytes: Vec<u64> = header.tensors.tensors().iter().map(|t| t.bytes.get()).collect();
    assert_eq!(bytes, [204, 4, 0]);
    assert_eq!(header.tensors.bytes(), Bytes::new(208));
    assert_eq!(header.data_bytes, Bytes::new(224 + 32));
    assert_eq!(header.tensors.elements(), Ok(Elements::new(193)));
    let totals = header.tensors.by_type().unwrap();
    assert_eq!(totals[&StoredType::Ggml(GgmlType::F32)].bytes, Bytes::new(4));
}

/// Hands out a few bytes at a time and remembers how far it was read.
struct Stingy<'a> {
    bytes: &'a [u8],
    step: usize,
    reads: usize,
    furthest: u64,
}

impl ByteSource for Stingy<'_> {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, SourceError> {
        let n = buf.len().min(self.step);
        let n = (&mut self.bytes).read_at(offset, &mut buf[..n])?;
        self.reads += 1;
        self.furthest = self.furthest.max(offset + n as u64);
        Ok(n)
    }
}

#[rstest]
#[case(1)]
#[case(3)]
#[case(7)]
#[case(100)]
fn short_reads_change_nothing(#[case] step: usize) {
    let bytes: &[u8] = include_bytes!("data/gguf-py-little.gguf");
    let mut source = Stingy { bytes, step, reads: 0, furthest: 0 };
    assert_eq!(read(&mut source), parse(bytes));
}

#[test]
fn a_header_longer_than_the_window_takes_few_reads_and_no_tensor_data() {
    let mut bytes = common::large_vocabulary();
    let header_len = bytes.len();
    assert!((9_000_000..12_000_000).contains(&header_len));
    bytes.resize(header_len + 64 * WINDOW, 0);
    let mut source = Stingy { bytes: &bytes, step: usize::MAX, reads: 0, furthest: 0 };
    let header = read(&mut source).unwrap();
    assert_eq!(header.metadata.opt_array_len("tokenizer.ggml.tokens"), Ok(Some(150_000)));
    assert_eq!(
        header.metadata.u64_or_array("llama.attention.head_count_kv"),
        Ok(PerLayer::Each(vec![8; 80]))
    );
    assert_eq!(header.header_bytes, Bytes::new(header_len as u64));
    assert_eq!(header.tensors.tensors().len(), 723);
    assert!(source.reads <= header_len / WINDOW + 2, "{} reads", source.reads);
    assert!(source.furthest <= (header_len + WINDOW) as u64);
}

#[test]
fn a_prefix_too_short_asks_for_more_and_a_long_enough_one_reads_like_the_file() {
    let bytes: &[u8] = include_bytes!("data/gguf-py-little.gguf");
    let whole = parse(bytes).unwrap();
    let file_len = bytes.len() as u64;
    let mut have = 0;
    let header = loop {
        match read(&mut Prefix { bytes: &bytes[..have], file_len }) {
            Ok(header) => break header,
            Err(GgufError { fault: Fault::NotFetched { have: said, need }, .. }) => {
                assert_eq!(said, have as u64);
                assert!(need > said);
                have = usize::try_from(need).unwrap();
            }
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(header, whole);
    assert_eq!(have as u64, whole.header_bytes.get());
}

#[test]
fn a_file_that_ends_inside_its_data_says_how_much_is_missing() {
    let bytes: &[u8] = include_bytes!("data/gguf-py-little.gguf");
    assert_eq!(parse(&bytes[..7456 - 1000]).unwrap().missing_bytes, Bytes::new(1000));
}

#[test]
fn a_failing_source_is_an_error_with_its_words() {
    struct Broken;
    impl ByteSource for Broken {
        fn len(&self) -> u64 {
            1000
        }
        fn read_at(&mut self, _: u64, _: &mut [u8]) -> Result<usize, SourceError> {
            Err(SourceError::Failed("the disk is gone".into()))
        }
    }
    assert_eq!(read(&mut Broken).unwrap_err().fault, Fault::Source("the disk is gone".into()));
}

// ---- refusals ----

#[test]
fn every_truncation_of_a_valid_header_is_refused() {
    let bytes = sample(Order::Little, 3);
    for end in 0..bytes.len() {
        assert!(parse(&bytes[..end]).is_err(), "a header cut at {end} was accepted");
    }
}

#[rstest]
#[case(b"GGML\x03\0\0\0", Fault::Magic(*b"GGML"))]
#[case(b"GGUF\x01\0\0\0", Fault::Version(1))]
#[case(b"GGUF\x04\0\0\0", Fault::Version(4))]
#[case(b"GGUF\0\0\0\x01", Fault::Version(1))]
#[case(b"GGUF\0\0\0\0", Fault::Version(0))]
fn other_magics_and_versions_are_refused(#[case] bytes: &[u8], #[case] expected: Fault) {
    assert_eq!(fault(bytes).1, expected);
}

#[test]
fn announced_counts_beyond_the_file_are_refused_before_anything_is_read() {
    for (tensors, keys) in [(u64::MAX, 0), (0, u64::MAX), (1 << 40, 0), (0, 2)] {
        let mut w = Writer::new(Order::Little, 3);
        w.u64(tensors);
        w.u64(keys);
        w.out.resize(24 + 25, 0);
        assert!(matches!(fault(&w.out).1, Fault::Count { .. }), "{tensors} tensors, {keys} keys");
    }
}

fn with_array(element: u32, len: u64, payload: &[u8]) -> Vec<u8> {
    let mut w = Writer::new(Order::Little, 3);
    w.u64(0);
    w.u64(1);
    w.str("k");
    w.u32(ARRAY);
    w.u32(element);
    w.u64(len);
    w.out.extend(payload);
    w.out
}

#[rstest]
#[case(U8, u64::MAX)]
#[case(U8, 17)]
#[case(10, 3)]
#[case(STRING, 1 << 61)]
#[case(STRING, 3)]
#[case(ARRAY, 2)]
fn arrays_longer_than_the_file_are_refused(#[case] element: u32, #[case] len: u64) {
    let (field, fault) = fault(&with_array(element, len, &[0; 16]));
    assert_eq!(field, "k");
    assert!(matches!(fault, Fault::Count { what: "array elements", remaining: 16, .. }), "{fault:?}");
}

#[test]
fn a_string_longer_than_the_file_is_refused() {
    let (field, fault) = fault(&with_array(STRING, 1, &u64::MAX.to_le_bytes()));
    assert_eq!((field.as_str(), fault), ("k", Fault::Truncated { wanted: u64::MAX, remaining: 0 }));
}

#[test]
fn arrays_nest_four_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let mut value = V::Arr(U8, vec![V::U8(1)]);
        for _ in 1..depth {
            value = V::Arr(ARRAY, vec![value]);
        }
        header(Order::Little, 3, &[("k", value)], &[])
    };
    assert!(parse(&nested(4)).is_ok());
    assert_eq!(fault(&nested(5)), ("k".into(), Fault::Nesting(4)));
    let endless = [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0].repeat(100_000);
    assert_eq!(fault(&with_array(ARRAY, 1, &endless)), ("k".into(), Fault::Nesting(4)));
}

#[rstest]
#[case(4096, true)]
#[case(4097, false)]
fn arrays_of_up_to_4096_entries_are_kept(#[case] len: u32, #[case] kept: bool) {
    let bytes = header(Order::Little, 3, &[("k", V::Arr(U32, (0..len).map(V::U32).collect()))], &[]);
    let header = parse(&bytes).unwrap();
    assert_eq!(header.metadata.opt_array_len("k"), Ok(Some(len.into())));
    assert_eq!(matches!(header.metadata.get("k"), Some(Value::Array(Array::Unsigned(_)))), kept);
}

#[test]
fn a_string_beyond_a_mebibyte_is_skipped_and_never_taken_for_text() {
    let bytes = header(Order::Little, 3, &[("k", V::Str("x".repeat(1024 * 1024 + 1))), ("z", V::U8(7))], &[]);
    let meta = parse(&bytes).unwrap().metadata;
    assert_eq!(meta.get("k"), Some(&Value::LongText(1024 * 1024 + 1)));
    assert!(meta.str("k").is_err());
    assert_eq!(meta.u64("z"), Ok(7));
}

#[rstest]
#[case::duplicate_key(&[("k", V::U8(1)), ("k", V::U8(1))], &[], "k", Fault::DuplicateKey)]
#[case::empty_key(&[("", V::U8(1))], &[], "key 0", Fault::NameLength(0))]
#[case::alignment_text(
    &[("general.alignment", V::Str("32".into()))], &[], "general.alignment",
    Fault::Metadata(MetadataError::Type {
        key: "general.alignment".into(), found: "a string".into(), wanted: "a non-negative integer"
    })
)]
#[case::alignment_zero(&[("general.alignment", V::U32(0))], &[], "general.alignment", Fault::Alignment(0))]
#[case::alignment_odd(&[("general.alignment", V::U32(48))], &[], "general.alignment", Fault::Alignment(48))]
#[case::five_dimensions(&[], &[T("t".into(), vec![1; 5], 0, 0)], "t", Fault::Dimensions(5))]
#[case::withdrawn_type(&[], &[T("t".into(), vec![32], 4, 0)], "t", Fault::TensorType(4))]
#[case::unknown_type(&[], &[T("t".into(), vec![32], 43, 0)], "t", Fault::TensorType(43))]
#[case::broken_row(&[], &[T("t".into(), vec![33, 32], 8, 0)], "t", Fault::Row { row: 33, name: "q8_0", block: 32 })]
#[case::overflow(&[], &[T("t".into(), vec![1 << 32, 1 << 32], 0, 0)], "t", Fault::Overflow)]
#[case::past_63_bits(&[], &[T("t".into(), vec![1 << 63], 24, 0)], "t", Fault::Overflow)]
#[case::bytes_overflow(&[], &[T("t".into(), vec![1 << 62], 0, 0)], "t", Fault::Overflow)]
#[case::hole(&[], &[T("t".into(), vec![8], 0, 32)], "t", Fault::Offset { found: 32, expected: 0 })]
#[case::overlap(
    &[], &[T("t".into(), vec![9], 0, 0), T("u".into(), vec![8], 0, 32)], "u", Fault::Offset { found: 32, expected: 64 }
)]
#[case::duplicate_tensor(
    &[], &[T("t".into(), vec![8], 0, 0), T("t".into(), vec![8], 0, 32)], "t", Fault::DuplicateTensor
)]
fn contradictions_are_refused_by_name(
    #[case] keys: &[(&str, V)],
    #[case] tensors: &[T],
    #[case] field: &str,
    #[case] expected: Fault,
) {
    let bytes = header(Order::Little, 3, keys, tensors);
    assert_eq!(fault(&bytes), (field.to_owned(), expected));
    let error = PlanError::from(parse(&bytes).unwrap_err());
    assert_eq!((error.kind, error.field.as_str()), (ErrorKind::Invalid, field));
    assert!(error.message.contains(field), "{}", error.message);
}

#[test]
fn broken_values_are_refused_by_name() {
    let mut w = Writer::new(Order::Little, 3);
    w.u64(0);
    w.u64(1);
    w.str("k");
    let start = w.out;
    let with = |tail: &[u8]| fault(&[start.as_slice(), tail].concat());
    assert_eq!(with(&[13, 0, 0, 0, 0]), ("k".into(), Fault::ValueType(13)));
    assert_eq!(with(&[7, 0, 0, 0, 2]), ("k".into(), Fault::Bool(2)));
    assert_eq!(with(&[8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xff]), ("k".into(), Fault::Utf8));
}

#[test]
fn alignment_moves_the_data() {
    let tensors = [T("a".into(), vec![1], 0, 0), T("b".into(), vec![1], 0, 64)];
    let header = parse(&header(Order::Little, 3, &[("general.alignment", V::U32(64))], &tensors)).unwrap();
    assert_eq!((header.tensors.bytes(), header.data_bytes), (Bytes::new(8), Bytes::new(128)));
}

// ---- typed access ----

#[test]
fn integers_read_whatever_their_width_and_refusals_name_key_and_value() {
    let keys = [
        ("a", V::I8(7)),
        ("b", V::I64(-1)),
        ("c", V::U8(1)),
        ("d", V::F32(2.0)),
        ("e", V::Arr(I32, vec![V::I32(3), V::I32(0)])),
        ("f", V::Arr(BOOL, vec![V::Bool(true), V::Bool(false)])),
        ("g", V::Arr(I32, vec![V::I32(-1)])),
        ("h", V::Str("x".into())),
    ];
    let meta = parse(&header(Order::Little, 3, &keys, &[])).unwrap().metadata;
    assert_eq!(meta.u64("a"), Ok(7));
    assert_eq!(meta.bool("c"), Ok(true));
    assert_eq!(meta.u64_or_array("e"), Ok(PerLayer::Each(vec![3, 0])));
    assert_eq!(meta.u64_or_array("f"), Ok(PerLayer::Each(vec![1, 0])));
    assert_eq!(meta.opt_u64("absent"), Ok(None));
    assert_eq!(meta.opt_u64_or_array("absent"), Ok(None));
    assert_eq!(meta.u64("b").unwrap_err().to_string(), "b is -1; a non-negative integer is needed");
    assert_eq!(meta.bool("a").unwrap_err().to_string(), "a is 7; a bool is needed");
    for key in ["d", "e", "g", "h"] {
        assert!(meta.u64(key).is_err(), "{key}");
    }
    assert!(meta.u64_or_array("g").is_err());
    assert!(meta.str("a").is_err());
    let missing = PlanError::from(meta.u64("absent").unwrap_err());
    assert_eq!((missing.kind, missing.field.as_str()), (ErrorKind::MissingField, "absent"));
}

#[test]
fn a_per_layer_array_has_exactly_one_entry_a_layer() {
    assert_eq!(PerLayer::Same(8).expand("k", 3), Ok(vec![8, 8, 8]));
    assert_eq!(PerLayer::Each(vec![1, 2]).expand("k", 2), Ok(vec![1, 2]));
    assert!(PerLayer::Same(8).expand("k", u64::MAX).is_err());
    assert_eq!(
        PerLayer::Each(vec![1, 2]).expand("k", 3),
        Err(MetadataError::Length { key: "k".into(), found: 2, wanted: 3 })
    );
}

#[test]
fn json_metadata_reads_like_a_files() {
    let json = json!({
        "general.architecture": "gemma3", "gemma3.block_count": 34, "x.eps": 1e-6, "x.neg": [-1, 2],
        "x.pattern": [true, false], "x.heads": [8, 0], "tokenizer.ggml.tokens": ["a", "b", "c"], "x.on": true,
        "x.long": vec![1; 5000], "x.mixed": [1, 0.5], "x.empty": [],
    });
    let meta = Metadata::from_json(json.as_object().unwrap()).unwrap();
    assert_eq!(meta.architecture(), Ok("gemma3"));
    assert_eq!(meta.u64("gemma3.block_count"), Ok(34));
    assert_eq!(meta.opt_f64("x.eps"), Ok(Some(1e-6)));
    assert_eq!(meta.u64_or_array("x.heads"), Ok(PerLayer::Each(vec![8, 0])));
    assert_eq!(meta.u64_or_array("x.pattern"), Ok(PerLayer::Each(vec![1, 0])));
    assert_eq!(meta.get("x.neg"), Some(&Value::Array(Array::Signed(vec![-1, 2]))));
    assert_eq!(meta.get("x.mixed"), Some(&Value::Array(Array::Float(vec![1.0, 0.5]))));
    assert_eq!(meta.opt_array_len("tokenizer.ggml.tokens"), Ok(Some(3)));
    assert_eq!(meta.opt_array_len("x.empty"), Ok(Some(0)));
    assert_eq!(
        meta.get("x.long"),
        Some(&Value::Array(Array::Skipped { element: ValueType::U64, len: 5000 }))
    );
    assert_eq!(meta.opt_bool("x.on"), Ok(Some(true)));
}

#[rstest]
#[case(json!({"k": null}))]
#[case(json!({"k": {"a": 1}}))]
#[case(json!({"k": [[1]]}))]
#[case(json!({"k": [1, "a"]}))]
#[case(json!({"k": [true, 1]}))]
fn json_values_that_gguf_cannot_hold_are_refused(#[case] json: serde_json::Value) {
    let error = Metadata::from_json(json.as_object().unwrap()).unwrap_err();
    assert!(matches!(error, MetadataError::Type { key, .. } if key == "k"));
}

// ---- split models ----

fn part(no: u16, count: u16, total: i32, names: &[&str]) -> Header {
    let mut keys = vec![
        ("split.no", V::U16(no)),
        ("split.count", V::U16(count)),
        ("split.tensors.count", V::I32(total)),
    ];
    if no == 0 {
        keys.push(arch());
    }
    let tensors: Vec<T> =
        names.iter().enumerate().map(|(i, n)| T((*n).into(), vec![8], 0, i as u64 * 32)).collect();
    parse(&header(Order::Little, 3, &keys, &tensors)).unwrap()
}

#[test]
fn parts_in_any_order_make_one_header() {
    let parts = || [part(0, 3, 4, &["a"]), part(1, 3, 4, &["b", "c"]), part(2, 3, 4, &["d"])];
    let sum: u64 = parts().iter().map(|p| p.header_bytes.get()).sum();
    let [a, b, c] = parts();
    let whole = merge(vec![c, a, b]).unwrap();
    assert_eq!(whole, merge(parts().into()).unwrap());
    let names: Vec<&str> = whole.tensors.tensors().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    assert_eq!(whole.metadata.architecture(), Ok("llama"));
    assert_eq!((whole.header_bytes.get(), whole.data_bytes.get()), (sum, 4 * 32));
}

#[test]
fn a_whole_model_passes_through_a_merge_unchanged() {
    let whole = parse(&sample(Order::Little, 3)).unwrap();
    assert_eq!(merge(vec![whole.clone()]), Ok(whole.clone()));
    assert_eq!(merge(vec![whole.clone(), whole]), Err(SplitError::NotSplit(2)));
    assert_eq!(merge(vec![]), Err(SplitError::Empty));
}

#[rstest]
#[case(vec![part(0, 2, 2, &["a"])], SplitError::Missing { no: 1, count: 2 })]
#[case(vec![part(1, 2, 2, &["a"])], SplitError::Missing { no: 0, count: 2 })]
#[case(
    vec![part(0, 3, 2, &["a"]), part(2, 3, 2, &["b"])],
    SplitError::Missing { no: 1, count: 3 }
)]
#[case(
    vec![part(0, 2, 2, &["a"]), part(0, 2, 2, &["a"])],
    SplitError::Unexpected { no: 0, count: 2 }
)]
#[case(vec![part(5, 2, 2, &["a"])], SplitError::Unexpected { no: 5, count: 2 })]
#[case(
    vec![part(0, 2, 2, &["a"]), part(1, 3, 2, &["b"])],
    SplitError::Mismatch { key: "split.count", one: 2, other: 3 }
)]
#[case(
    vec![part(0, 2, 2, &["a"]), part(1, 2, 3, &["b"])],
    SplitError::Mismatch { key: "split.tensors.count", one: 2, other: 3 }
)]
#[case(
    vec![part(0, 2, 3, &["a"]), part(1, 2, 3, &["b"])],
    SplitError::Tensors { found: 2, announced: 3 }
)]
#[case(
    vec![part(0, 2, 2, &["a"]), part(1, 2, 2, &["a"])],
    SplitError::Clash("the tensor \"a\" is listed twice".into())
)]
fn parts_that_do_not_make_a_model_are_refused(#[case] parts: Vec<Header>, #[case] expected: SplitError) {
    let error = merge(parts).unwrap_err();
    assert_eq!(error, expected);
    assert_eq!(PlanError::from(error).kind, ErrorKind::Invalid);
}

// ---- any bytes ----

/// Mutations of a valid file: overwritten bytes, then cut. Lengths and types are hit often, as the header is short.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let file = prop::sample::select(vec![
        include_bytes!("data/gguf-py-little.gguf")[..1216].to_vec(),
        include_bytes!("data/gguf-py-big.gguf")[..1216].to_vec(),
        sample(Order::Little, 2),
        sample(Order::Big, 3),
    ]);
    let byte = prop_oneof![any::<u8>(), Just(0), Just(0xff), 0u8..14];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), byte), 0..6);
    (file, edits, any::<prop::sample::Index>()).prop_map(|(mut bytes, edits, len)| {
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // Half of them whole.
        let len = len.index(bytes.len() * 2);
        bytes.truncate(len.max(8));
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn mutated_headers_are_read_or_refused_alike_through_any_source(bytes in mutated(), step in 1usize..40) {
        let whole = parse(&bytes);
        let mut source = Stingy { bytes: &bytes, step, reads: 0, furthest: 0 };
        // As text: a number of the header may be mutated into a NaN, which equals nothing.
        prop_assert_eq!(format!("{:?}", read(&mut source)), format!("{whole:?}"));
        if let Ok(header) = whole {
            let sum: u64 = header.tensors.tensors().iter().map(|t| t.bytes.get()).sum();
            prop_assert_eq!(header.tensors.bytes().get(), sum);
            prop_assert!(header.header_bytes.get() <= bytes.len() as u64);
            prop_assert!(header.data_bytes.get() >= sum);
        }
    }

    #[test]
    fn any_bytes_after_the_magic_are_read_or_refused(version in 2u8..4, tail: Vec<u8>) {
        let _ = parse(&[b"GGUF", &[version, 0, 0, 0][..], &tail].concat());
        let _ = parse(&tail);
    }
}
