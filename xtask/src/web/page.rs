//! How the bundle's files refer to each other. Text files name others as `{{name}}`; what goes out is the name with a
//! part of the content's hash (`worker-0a1b2c3d.js`), so that a host may let browsers keep it for ever. The page itself,
//! which people link to, keeps its name, and so does the service worker, whose name a browser remembers: it is placed last,
//! for it lists what it keeps for when there is no network (`{{first-load}}`).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use super::Placed;

/// Files by the name others call them.
pub(super) type Sources = BTreeMap<String, Vec<u8>>;

/// Where everything starts.
const ROOT: &str = "index.html";
/// The service worker, where there is one.
const WORKER: &str = "sw.js";
/// What the worker calls the list of files that show the page.
const FIRST_LOAD: &str = "first-load";
/// Bytes of the hash that are kept: enough that two contents under one name never meet.
const HASH_BYTES: usize = 6;

/// Every file reached from the page, each after those it refers to. `values` are references that stand for a text; `later`
/// says which files only some visits need.
///
/// # Errors
/// References to what is not there or to oneself in a circle, and files that nothing refers to.
pub(super) fn place(
    sources: &Sources,
    values: &BTreeMap<&str, &str>,
    later: fn(&str) -> bool,
) -> Result<Vec<Placed>> {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut placing = Placing { sources, values, open: Vec::new(), done: Vec::new() };
    placing.file(ROOT)?;
    if sources.contains_key(WORKER) {
        let first = placing.done.iter().filter(|placed| placed.logical != ROOT && !later(&placed.logical));
        let names: Vec<String> = first.map(|placed| format!("\"./{}\"", placed.name)).collect();
        placing.values.insert(FIRST_LOAD.to_owned(), names.join(", "));
        placing.file(WORKER)?;
    }
    let unused: Vec<&str> = sources
        .keys()
        .map(String::as_str)
        .filter(|name| !placing.done.iter().any(|placed| placed.logical == *name))
        .collect();
    if !unused.is_empty() {
        bail!("nothing in the page refers to {}", unused.join(", "));
    }
    Ok(placing.done)
}

struct Placing<'a> {
    sources: &'a Sources,
    values: BTreeMap<String, String>,
    /// The references that led here.
    open: Vec<String>,
    done: Vec<Placed>,
}

impl Placing<'_> {
    /// The name that `name` goes out under.
    fn file(&mut self, name: &str) -> Result<String> {
        if let Some(placed) = self.done.iter().find(|placed| placed.logical == name) {
            return Ok(placed.name.clone());
        }
        if self.open.iter().any(|open| open == name) {
            bail!("{} refer to each other in a circle", self.open.join(", "));
        }
        let Some(bytes) = self.sources.get(name) else {
            bail!("{}: there is no `{name}`", self.open.join(" → "));
        };
        self.open.push(name.to_owned());
        let bytes = match std::str::from_utf8(bytes) {
            Ok(text) => self.resolved(text).with_context(|| format!("in {name}"))?.into_bytes(),
            Err(_) => bytes.clone(),
        };
        self.open.pop();
        let hashed = if name == ROOT || name == WORKER { name.to_owned() } else { hashed(name, &bytes) };
        self.done.push(Placed { logical: name.to_owned(), name: hashed.clone(), bytes });
        Ok(hashed)
    }

    fn resolved(&mut self, text: &str) -> Result<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                bail!("a reference is not closed");
            };
            out.push_str(before);
            match self.values.get(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&self.file(name)?),
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn hashed(name: &str, bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hash: String = digest.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let path = Path::new(name);
    match (path.file_stem().and_then(|it| it.to_str()), path.extension().and_then(|it| it.to_str())) {
        (Some(stem), Some(extension)) => format!("{stem}-{hash}.{extension}"),
        _ => format!("{name}-{hash}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Sources {
        files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn placed(files: &[(&str, &str)]) -> Result<Vec<(String, String)>> {
        let placed = place(&sources(files), &BTreeMap::from([("policy", "none")]), |name| name == "late.js")?;
        Ok(placed.into_iter().map(|it| (it.name, String::from_utf8(it.bytes).unwrap())).collect())
    }

    #[test]
    fn a_file_is_named_after_its_content_and_referred_to_by_that_name() {
        let files =
            placed(&[("index.html", "<{{a.css}}> <{{a.css}}> {{policy}}"), ("a.css", "abc")]).unwrap();
        // SHA-256 of "abc" begins ba7816bf 8f01cfea (FIPS 180-4).
        let css = "a-ba7816bf8f01.css".to_owned();
        assert_eq!(
            files,
            [(css.clone(), "abc".to_owned()), ("index.html".to_owned(), format!("<{css}> <{css}> none"))]
        );
    }

    #[test]
    fn a_change_far_down_renames_everything_that_leads_to_it() {
        let name_of_the_first = |leaf: &str| {
            let files = [("index.html", "{{a.js}}"), ("a.js", "{{b.js}}"), ("b.js", leaf)];
            placed(&files).unwrap()[1].0.clone()
        };
        assert_ne!(name_of_the_first("1"), name_of_the_first("2"));
        assert_eq!(name_of_the_first("1"), name_of_the_first("1"));
    }

    #[test]
    fn the_service_worker_keeps_its_name_and_lists_what_shows_the_page() {
        let files = [
            ("index.html", "{{a.js}}"),
            ("a.js", "{{late.js}} sw.js"),
            ("late.js", ""),
            ("sw.js", "[{{first-load}}]"),
        ];
        let placed = placed(&files).unwrap();
        let name_of = |stem: &str| placed.iter().find(|(name, _)| name.starts_with(stem)).unwrap();
        assert_eq!(name_of("sw"), &("sw.js".to_owned(), format!("[\"./{}\"]", name_of("a-").0)));
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it_and_who_wants_it() {
        let error = placed(&[("index.html", "{{a.js}}"), ("a.js", "{{b.js}}")]).unwrap_err();
        assert!(format!("{error:#}").contains("index.html → a.js: there is no `b.js`"), "{error:#}");
    }

    #[test]
    fn a_file_nobody_refers_to_is_an_error() {
        let error = placed(&[("index.html", ""), ("old.js", "")]).unwrap_err();
        assert!(error.to_string().contains("old.js"), "{error}");
    }

    #[test]
    fn files_that_refer_to_each_other_are_an_error() {
        let error =
            placed(&[("index.html", "{{a.js}}"), ("a.js", "{{b.js}}"), ("b.js", "{{a.js}}")]).unwrap_err();
        assert!(format!("{error:#}").contains("circle"), "{error:#}");
    }

    #[test]
    fn bytes_that_are_no_text_go_out_as_they_are() {
        let mut files = sources(&[("index.html", "{{x.wasm}}")]);
        files.insert("x.wasm".to_owned(), b"\0asm\xff{{".to_vec());
        assert_eq!(place(&files, &BTreeMap::new(), |_| false).unwrap()[0].bytes, b"\0asm\xff{{");
    }
}
