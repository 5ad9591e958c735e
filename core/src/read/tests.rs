//! What is read, and what is said of what cannot be.

use super::*;
use crate::error::ErrorKind;
use serde_json::json;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shelf {
    books: Vec<Book>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Book {
    Pages(u64),
    Lost,
}

fn error(value: &Value) -> (ErrorKind, String, Value, String) {
    let error = super::value::<Shelf>("shelf", value).unwrap_err();
    (error.kind, error.field, error.value, error.message)
}

#[test]
fn what_is_read_is_what_serde_json_reads() {
    for value in
        [json!({ "books": [{ "pages": 3 }, "lost"], "note": null }), json!({ "books": [], "note": "empty" })]
    {
        let read: Shelf = super::value("", &value).unwrap();
        assert_eq!(read, serde_json::from_value(value).unwrap());
    }
}

#[test]
fn what_is_wrong_is_worded_as_serde_json_words_it() {
    for value in [
        json!({ "books": [{ "pages": -3 }] }),
        json!({ "books": [{ "pages": 1.5 }] }),
        json!({ "books": [{ "pages": null }] }),
        json!({ "books": [{ "pages": 1, "lost": 2 }] }),
        json!({ "books": ["burnt"] }),
        json!({ "books": [7] }),
        json!({ "books": [], "note": 1e30 }),
        json!({ "books": [], "notes": "" }),
        json!({}),
    ] {
        assert_eq!(error(&value).3, serde_json::from_value::<Shelf>(value).unwrap_err().to_string());
    }
}

#[test]
fn objects_are_objects_and_lists_are_lists() {
    assert_eq!(error(&json!([])).3, "invalid type: sequence, expected an object");
    assert_eq!(error(&json!({ "books": {} })).3, "invalid type: map, expected a sequence");
}

#[test]
fn an_error_names_the_place_and_quotes_what_stands_there() {
    let (kind, field, value, _) = error(&json!({ "books": ["lost", 7] }));
    assert_eq!((kind, field.as_str(), value), (ErrorKind::Invalid, "shelf.books[1]", json!(7)));
    let (kind, field, value, _) = error(&json!({ "books": [], "notes": "x" }));
    assert_eq!((kind, field.as_str(), value), (ErrorKind::Invalid, "shelf.notes", json!("x")));
    let (kind, field, value, _) = error(&json!({ "note": "x" }));
    assert_eq!((kind, field.as_str(), value), (ErrorKind::MissingField, "shelf.books", Value::Null));
    let (_, field, value, _) = error(&json!({ "books": [{ "pages": "x" }] }));
    assert_eq!((field.as_str(), value), ("shelf.books[0].pages", Value::Null));
}
