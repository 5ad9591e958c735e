//! `#import shared/bits` takes in a file of `wgsl/` once. Three forms more:
//!
//! - `#import layout/q8_0`: the block of that codec as `kvplan-core` lays it out (`Q8_0_ELEMENTS`, `Q8_0_BYTES`).
//! - `#import kv/f16 as k`: the same file with every `kv_` renamed to `k_`, so that one decoder serves both sides.
//! - `#import kv/* as k`: a template; one shader per file of `kv/`, named after the template and the file.

use kvplan_core::codec::Codec;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Every WGSL file by its path without extension (`quantize/q8_0`).
pub(crate) struct Sources(pub(crate) BTreeMap<String, String>);

/// Folders of parts: no shader of their own.
const PARTS: [&str; 2] = ["shared/", "kv/"];

impl Sources {
    /// Every shader's name and expanded text, in order of name.
    pub(crate) fn expand(&self) -> Result<Vec<(String, String)>, String> {
        let mut shaders = Vec::new();
        for (name, text) in &self.0 {
            if PARTS.iter().any(|folder| name.starts_with(folder)) {
                continue;
            }
            let template = text.lines().find_map(|line| line.strip_prefix("#import ")?.split_once("/*"));
            let Some((folder, _)) = template else {
                shaders.push((name.clone(), self.shader(name, text)?));
                continue;
            };
            let prefix = format!("{folder}/");
            for part in self.0.keys().filter_map(|part| part.strip_prefix(&prefix)) {
                let text = text.replace(&format!("{prefix}*"), &format!("{prefix}{part}"));
                let name = format!("{name}/{part}");
                shaders.push((name.clone(), self.shader(&name, &text)?));
            }
        }
        Ok(shaders)
    }

    fn shader(&self, name: &str, text: &str) -> Result<String, String> {
        let mut seen = BTreeSet::new();
        let mut out = String::new();
        self.inline(text, None, &mut seen, &mut out).map_err(|error| format!("{name}: {error}"))?;
        Ok(out)
    }

    fn inline<'a>(
        &'a self,
        text: &'a str,
        alias: Option<&str>,
        seen: &mut BTreeSet<(String, Option<String>)>,
        out: &mut String,
    ) -> Result<(), String> {
        for line in text.lines() {
            let Some(import) = line.strip_prefix("#import ") else {
                // The expanded text ships in the binary: comments stay in the file.
                let code = line.split_once("//").map_or(line, |(code, _)| code).trim_end();
                if !code.is_empty() {
                    let code = alias.map_or_else(|| code.to_owned(), |alias| renamed(code, alias));
                    out.push_str(&code);
                    out.push('\n');
                }
                continue;
            };
            let (part, alias) =
                import.trim().split_once(" as ").map_or((import.trim(), None), |(p, a)| (p, Some(a)));
            if !seen.insert((part.to_owned(), alias.map(str::to_owned))) {
                continue;
            }
            if let Some(codec) = part.strip_prefix("layout/") {
                layout(codec, out)?;
            } else {
                let text = self.0.get(part).ok_or_else(|| format!("no `{part}.wgsl` to import"))?;
                self.inline(text, alias, seen, out)?;
            }
        }
        Ok(())
    }
}

/// `kv_load4(kv_words)` as `k_load4(k_words)`; other names ending in `kv_` keep theirs.
fn renamed(code: &str, alias: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("kv_") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let inside_a_name = before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        out.push_str(if inside_a_name { "kv" } else { alias });
        rest = from.get(2..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('_') {
            out.push('_');
            rest = after;
        }
    }
    out + rest
}

fn layout(name: &str, out: &mut String) -> Result<(), String> {
    let codec = Codec::parse(name).ok_or_else(|| format!("`{name}` is no codec"))?;
    let sides = codec.layout();
    let key = sides.key.packing.block();
    if sides.key != sides.value {
        return Err(format!("`{name}` lays out K and V differently: name a side"));
    }
    let prefix = codec.name().to_ascii_uppercase();
    writeln!(out, "const {prefix}_ELEMENTS: u32 = {}u;", key.elements).map_err(|error| error.to_string())?;
    writeln!(out, "const {prefix}_BYTES: u32 = {}u;", key.bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Sources {
        Sources(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn a_part_is_taken_in_once_and_its_comments_are_left_out() {
        let files =
            sources(&[("shared/a", "const A = 1; // one"), ("x", "#import shared/a\n#import shared/a\n")]);
        assert_eq!(files.expand().unwrap(), [("x".to_owned(), "const A = 1;\n".to_owned())]);
    }

    #[test]
    fn a_template_gives_one_shader_per_part_with_its_names_renamed() {
        let files = sources(&[
            ("kv/f16", "fn kv_load() { my_kv_x(kv_words); }"),
            ("t", "#import kv/* as k\n#import kv/* as v\n"),
        ]);
        let text = "fn k_load() { my_kv_x(k_words); }\nfn v_load() { my_kv_x(v_words); }\n".to_owned();
        assert_eq!(files.expand().unwrap(), [("t/f16".to_owned(), text)]);
    }

    #[test]
    fn a_missing_part_is_an_error_that_names_shader_and_part() {
        let error = sources(&[("x", "#import shared/nothing")]).expand().unwrap_err();
        assert!(error.contains("x:") && error.contains("shared/nothing"), "{error}");
    }

    #[test]
    fn a_layout_comes_from_the_codec() {
        let files = sources(&[("x", "#import layout/q4_0")]);
        let text = "const Q4_0_ELEMENTS: u32 = 32u;\nconst Q4_0_BYTES: u32 = 18u;\n".to_owned();
        assert_eq!(files.expand().unwrap(), [("x".to_owned(), text)]);
    }
}
