//! `#import shared/bits` takes in a file of `wgsl/` once. More forms:
//!
//! - `#import layout/q8_0`: the block of that codec as `kvplan-core` lays it out (`Q8_0_ELEMENTS`, `Q8_0_BYTES`, and the
//!   offset of each field of the block: `Q8_0_QS`). `#import layout/kivi2.key as K` is one side of a codec whose sides
//!   differ, under the prefix `K`; see [`layout`](fn@layout) for the constants of each packing.
//! - `#import table/iq4_nl_levels`: fixed numbers of a format, from `kvplan-core` too; see [`table`].
//! - `#import table/turbo_levels_3 as level`: a table of `kvplan-core` as the function `level(i)`; see [`table_functions`].
//! - `#import kv/f16 as k`: the same file with every `kv_` renamed to `k_`, so that one decoder serves both sides. An
//!   import `as kv` inside such a file is renamed with it.
//! - `#import kv/* as src`: a template; one shader per file of `kv/`, named after the template and the file.
//! - `#import kv/*.key as k` and `#import kv/*.value as v`: a template over the codecs of `pairs.txt`. With both, one
//!   shader per codec, named after it; with one, a shader per decoder that some codec uses on that side.
//! - `#import quantize/*`: a template over the kernels of `quantize/` that have a `UNIT`; the kernel's `main` becomes a
//!   plain function `one` with the same arguments.
//! - `#import turned/*`: a template over those of `quantize/` that turn vectors in plain f32, in the same way, and with
//!   `shared/staging_alone` in place of `shared/staging`. `#import channels/*`: over those that pack per channel.
//! - `#import alone/shared/turn`: the file for one invocation alone; see [`crate::alone`].

use crate::{alone, tables as table_functions};
use kvplan_core::codec::{Block, Codec, Packing, tables};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Every WGSL file by its path without extension (`quantize/q8_0`).
pub(crate) struct Sources(pub(crate) BTreeMap<String, String>);

/// Folders of parts: no shader of their own.
const PARTS: [&str; 2] = ["shared/", "kv/"];

/// The list of codecs and the decoders of their sides.
const PAIRS: &str = "pairs";

/// One codec's decoders, by file of `kv/`.
struct Pair<'a> {
    codec: &'a str,
    key: &'a str,
    value: &'a str,
}

impl Sources {
    /// Every shader's name and expanded text, in order of name.
    pub(crate) fn expand(&self) -> Result<Vec<(String, String)>, String> {
        let mut shaders = Vec::new();
        for (name, text) in &self.0 {
            if name == PAIRS || PARTS.iter().any(|folder| name.starts_with(folder)) {
                continue;
            }
            for (part, text) in self.instances(text)? {
                let name = part.map_or_else(|| name.clone(), |part| format!("{name}/{part}"));
                shaders.push((name.clone(), self.shader(&name, &text)?));
            }
        }
        shaders.sort();
        Ok(shaders)
    }

    /// What a file becomes: itself, or one text per part of its template.
    fn instances(&self, text: &str) -> Result<Vec<(Option<String>, String)>, String> {
        let imports = |what: &str| text.lines().any(|l| l.starts_with("#import kv/*") && l.contains(what));
        let named = |parts: BTreeSet<&str>, from: &str| {
            let with = |part: &&str| (Some((*part).to_owned()), text.replace(from, &format!("kv/{part}")));
            parts.iter().map(with).collect()
        };
        if text.contains("#import quantize/*") {
            let units = self.0.iter().filter(|(_, text)| text.contains("const UNIT: u32"));
            let kernels = units.filter_map(|(name, _)| name.strip_prefix("quantize/"));
            let with =
                |part: &str| (Some(part.to_owned()), text.replace("quantize/*", &format!("quantize/{part}")));
            return Ok(kernels.map(with).collect());
        }
        for (import, line) in [("turned/*", "_plain"), ("channels/*", "kivi_key")] {
            if !text.contains(&format!("#import {import}")) {
                continue;
            }
            let takes =
                |text: &&String| text.lines().any(|l| l.starts_with("#import shared/") && l.ends_with(line));
            let units = self.0.iter().filter(|(_, text)| takes(text));
            let kernels = units.filter_map(|(name, _)| name.strip_prefix("quantize/"));
            let with = |part: &str| (Some(part.to_owned()), text.replace(import, &import.replace('*', part)));
            return Ok(kernels.map(with).collect());
        }
        Ok(match (imports("*.key"), imports("*.value"), imports("* as")) {
            (true, true, _) => {
                let with = |pair: Pair<'_>| {
                    let text = text.replace("kv/*.key", &format!("kv/{}", pair.key));
                    (Some(pair.codec.to_owned()), text.replace("kv/*.value", &format!("kv/{}", pair.value)))
                };
                self.pairs()?.into_iter().map(with).collect()
            }
            (true, ..) => named(self.pairs()?.iter().map(|pair| pair.key).collect(), "kv/*.key"),
            (_, true, _) => named(self.pairs()?.iter().map(|pair| pair.value).collect(), "kv/*.value"),
            (.., true) => named(self.0.keys().filter_map(|part| part.strip_prefix("kv/")).collect(), "kv/*"),
            (false, false, false) => vec![(None, text.to_owned())],
        })
    }

    fn pairs(&self) -> Result<Vec<Pair<'_>>, String> {
        let text = self.0.get(PAIRS).map_or("", String::as_str);
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        lines
            .map(|line| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
                [codec, key, value] => Ok(Pair { codec, key, value }),
                _ => Err(format!("{PAIRS}: `{line}` is not a codec and two decoders")),
            })
            .collect()
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
            let (part, own) =
                import.trim().split_once(" as ").map_or((import.trim(), None), |(p, a)| (p, Some(a)));
            let alias = if own == Some("kv") { alias.or(own) } else { own };
            if !seen.insert((part.to_owned(), alias.map(str::to_owned))) {
                continue;
            }
            if let Some(name) = part.strip_prefix("layout/") {
                layout(name, alias, out)?;
            } else if let Some(name) = part.strip_prefix("table/") {
                match alias {
                    Some(alias) => out.push_str(&table_functions::function(name, alias)?),
                    None => table(name, out)?,
                }
            } else {
                if let Some(part) = part.strip_prefix("alone/") {
                    let mut expanded = String::new();
                    self.inline(&format!("#import {part}"), alias, seen, &mut expanded)?;
                    out.push_str(&alone::alone(&expanded));
                    continue;
                }
                let kernel = kernel(part);
                if part.starts_with("turned/") {
                    self.inline("#import shared/staging_alone", None, seen, out)?;
                    seen.insert(("shared/staging".to_owned(), None));
                }
                let name = kernel.as_deref().unwrap_or(part);
                let text = self.0.get(name).ok_or_else(|| format!("no `{name}.wgsl` to import"))?;
                if kernel.is_some() {
                    let mut expanded = String::new();
                    self.inline(text, alias, seen, &mut expanded)?;
                    out.push_str(&called(&expanded));
                } else {
                    self.inline(text, alias, seen, out)?;
                }
            }
        }
        Ok(())
    }
}

/// The kernel that an import names, to be called as a function.
fn kernel(import: &str) -> Option<String> {
    let folder =
        ["turned/", "channels/", "quantize/"].into_iter().find(|folder| import.starts_with(folder))?;
    Some(format!("quantize/{}", import.strip_prefix(folder)?))
}

/// A kernel's text with its `main` as a function `one` that others call.
fn called(kernel: &str) -> String {
    let mut out = String::new();
    for line in kernel.lines().filter(|line| !line.starts_with("@compute")) {
        let head = line.strip_prefix("fn main(");
        out.push_str(&head.map_or_else(
            || line.to_owned(),
            |rest| {
                let given =
                    ["global_invocation_id", "workgroup_id", "num_workgroups", "local_invocation_index"];
                let plain = given
                    .iter()
                    .fold(rest.to_owned(), |rest, name| rest.replace(&format!("@builtin({name}) "), ""));
                format!("fn one({plain}")
            },
        ));
        out.push('\n');
    }
    out
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

/// The constants of a codec (`q8_0`), or of one side of it (`kivi2.key`), under the codec's name in capitals or the alias.
///
/// `ELEMENTS` and `BYTES` of a block always (of a record, for a format that stores one per vector), and `RESIDUAL`, the
/// tokens of the window. `EXTRA`: bytes per vector besides its blocks. `TOKENS`: tokens per record. A field of the block
/// by its name: its offset.
fn layout(name: &str, alias: Option<&str>, out: &mut String) -> Result<(), String> {
    let (name, side) = name.split_once('.').map_or((name, None), |(name, side)| (name, Some(side)));
    let codec = Codec::parse(name).ok_or_else(|| format!("`{name}` is no codec"))?;
    let sides = codec.layout();
    let side = match side {
        Some("key") => sides.key,
        Some("value") => sides.value,
        Some(other) => return Err(format!("`{name}` has no side `{other}`: `key` and `value` are sides")),
        None if sides.key == sides.value => sides.key,
        None => return Err(format!("`{name}` lays out K and V differently: name a side")),
    };
    let (block, extra, tokens) = match side.packing {
        Packing::Row(block) | Packing::Channel(block) => (block, None, None),
        Packing::Head { block, extra, .. } | Packing::Rate { block, extra } => (block, Some(extra), None),
        Packing::Entry { dim, bytes } => (Block::new(dim, bytes), None, None),
        Packing::TokenGroup { tokens, bytes } => (Block::new(1, bytes), None, Some(tokens)),
    };
    let prefix = alias.map_or_else(|| codec.name().to_ascii_uppercase(), str::to_owned);
    let sizes = [
        ("ELEMENTS", Some(block.elements)),
        ("BYTES", Some(block.bytes)),
        ("RESIDUAL", Some(side.residual.window())),
        ("EXTRA", extra),
        ("TOKENS", tokens),
    ];
    let sizes = sizes.into_iter().filter_map(|(what, value)| Some((what.to_owned(), value?)));
    let fields = sides.fields.iter().map(|field| (field.name.to_ascii_uppercase(), field.offset));
    for (what, value) in sizes.chain(fields) {
        writeln!(out, "const {prefix}_{what}: u32 = {value}u;").map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A table under its name in capitals: words of 32 signs.
fn table(name: &str, out: &mut String) -> Result<(), String> {
    let words: Vec<u32> = match name {
        "vllm_int4_signs" => {
            let bytes: Vec<u8> = tables::VLLM_INT4_SIGNS.iter().flat_map(|word| word.to_le_bytes()).collect();
            bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
        }
        _ => return Err(format!("`{name}` is no table")),
    };
    let listed: Vec<String> = words.iter().map(|word| format!("{word}u")).collect();
    let (name, count) = (name.to_ascii_uppercase(), words.len());
    writeln!(out, "const {name}: array<u32, {count}> = array<u32, {count}>({});", listed.join(", "))
        .map_err(|error| error.to_string())
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
            ("kv/f16", "#import shared/r as kv\nfn kv_load() { my_kv_x(kv_words); }"),
            ("shared/r", "fn kv_at() {}"),
            ("t", "#import kv/* as k\n"),
        ]);
        let text = "fn k_at() {}\nfn k_load() { my_kv_x(k_words); }\n".to_owned();
        assert_eq!(files.expand().unwrap(), [("t/f16".to_owned(), text)]);
    }

    #[test]
    fn a_template_over_both_sides_gives_one_shader_per_codec_and_over_one_side_one_per_decoder() {
        let files = sources(&[
            ("kv/a", "fn kv_a() {}"),
            ("kv/b", "fn kv_b() {}"),
            ("pairs", "# codec key value\none a a\nmixed a b\n"),
            ("both", "#import kv/*.key as k\n#import kv/*.value as v\n"),
            ("keys", "#import kv/*.key as k\n"),
        ]);
        let expanded = [
            ("both/mixed", "fn k_a() {}\nfn v_b() {}\n"),
            ("both/one", "fn k_a() {}\nfn v_a() {}\n"),
            ("keys/a", "fn k_a() {}\n"),
        ]
        .map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(files.expand().unwrap(), expanded);
        let error = sources(&[("pairs", "one a"), ("both", "#import kv/*.key as k")]).expand().unwrap_err();
        assert!(error.contains("`one a`"), "{error}");
    }

    #[test]
    fn a_template_over_encoders_calls_their_main_as_a_function() {
        let main = "@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3<u32>) {}\n";
        let encoder = format!("#import shared/a\nconst UNIT: u32 = 4u;\n{main}");
        let files = sources(&[
            ("quantize/b", encoder.as_str()),
            ("quantize/without", main),
            ("shared/a", "const A = 1;"),
            ("x", "#import shared/a\n#import quantize/*\nfn main() {}"),
        ]);
        let expanded = files.expand().unwrap();
        let names: Vec<&str> = expanded.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["quantize/b", "quantize/without", "x/b"]);
        let text = "const A = 1;\nconst UNIT: u32 = 4u;\nfn one(id: vec3<u32>) {}\nfn main() {}\n";
        assert_eq!(expanded[2].1, text);
    }

    #[test]
    fn a_missing_part_is_an_error_that_names_shader_and_part() {
        let error = sources(&[("x", "#import shared/nothing")]).expand().unwrap_err();
        assert!(error.contains("x:") && error.contains("shared/nothing"), "{error}");
    }

    fn constants(import: &str) -> Vec<(String, u64)> {
        let expanded = sources(&[("x", import)]).expand().unwrap();
        let lines = expanded[0].1.lines().map(|line| {
            let (name, value) = line.strip_prefix("const ").unwrap().split_once(": u32 = ").unwrap();
            (name.to_owned(), value.trim_end_matches("u;").parse().unwrap())
        });
        lines.collect()
    }

    /// ggml-common.h: block_q5_1 is two halves, a word of fifth bits and 16 bytes of nibbles.
    #[test]
    fn a_layout_comes_from_the_codec() {
        let expected =
            [("ELEMENTS", 32), ("BYTES", 24), ("RESIDUAL", 0), ("D", 0), ("M", 2), ("QH", 4), ("QS", 8)];
        assert_eq!(constants("#import layout/q5_1"), expected.map(|(name, n)| (format!("Q5_1_{name}"), n)));
    }

    /// ggml's kvalues_iq4nl begins −127, −104, −83, −65 and ends 53, 69, 89, 113. vLLM's signs, drawn from seed 0x9E3779B9,
    /// begin with the word 0x9a8ca6f2.
    #[test]
    fn a_table_comes_from_core() {
        let text = |import: &str| sources(&[("x", import)]).expand().unwrap()[0].1.clone();
        let levels = text("#import table/iq4_nl_levels as level");
        let (first, last) = (u32::from_le_bytes([129, 152, 173, 191]), u32::from_le_bytes([53, 69, 89, 113]));
        let (first, last) = (levels.find(&format!("{first:#x}u")), levels.find(&format!("{last:#x}u")));
        assert!(first.is_some() && first < last, "{levels}");
        let signs = text("#import table/vllm_int4_signs");
        assert!(signs.contains(&format!("({}u, ", 0x9a8c_a6f2_u32)), "{signs}");
        assert!(sources(&[("x", "#import table/nothing")]).expand().is_err());
    }

    /// KIVI, 2 bits: 32 codes, f16 scale and f16 minimum; 128 tokens in f16. TurboQuant's keys carry an f16 norm.
    #[test]
    fn a_side_has_its_own_constants() {
        let expected = [("K_ELEMENTS", 32), ("K_BYTES", 12), ("K_RESIDUAL", 128)];
        assert_eq!(
            constants("#import layout/kivi2.key as K"),
            expected.map(|(name, n)| (name.to_owned(), n))
        );
        let extra = constants("#import layout/turboquant_k3v4_nc.key as K");
        assert!(extra.contains(&("K_EXTRA".to_owned(), 2)), "{extra:?}");
        let error = sources(&[("x", "#import layout/kivi2")]).expand().unwrap_err();
        assert!(error.contains("name a side"), "{error}");
        assert!(sources(&[("x", "#import layout/kivi2.keys as K")]).expand().is_err());
    }
}
