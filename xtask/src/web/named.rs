//! Short names between a module and its glue. What a module imports is named with a hash, which does not compress, twice:
//! in the module and in the glue. Nobody else calls those names. Out of the glue goes what only its readers need.

use std::collections::BTreeMap;
use std::convert::Infallible;

use anyhow::{Context as _, Result, bail};
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{ImportSection, Module};
use wasmparser::{Imports, Parser, Payload};

/// Where every import comes from, from now on.
const FROM: &str = "g";

/// The glue and the module, speaking of the same imports in few letters.
pub(super) fn shortly(glue: &str, module: &[u8]) -> Result<(String, Vec<u8>)> {
    let mut names = Names::of(module).context("cannot read a module")?;
    let glue = names.in_glue(&without_comments(glue))?;
    let mut short = Module::new();
    names
        .parse_core_module(&mut short, Parser::new(0), module)
        .map_err(|error| anyhow::anyhow!("cannot write a module's imports: {error}"))?;
    Ok((glue, short.finish()))
}

/// What a name was, and what it is.
struct Names {
    /// The glue, as the module calls it.
    from: Option<String>,
    short: BTreeMap<String, String>,
}

impl Names {
    fn of(module: &[u8]) -> Result<Self> {
        let mut names = Self { from: None, short: BTreeMap::new() };
        for payload in Parser::new(0).parse_all(module) {
            let Payload::ImportSection(section) = payload? else { continue };
            for import in section.into_imports() {
                let import = import?;
                let from = names.from.get_or_insert_with(|| import.module.to_owned());
                if from != import.module {
                    bail!("imports of both {from} and {}", import.module);
                }
                let next = letters(names.short.len());
                names.short.entry(import.name.to_owned()).or_insert(next);
            }
        }
        Ok(names)
    }

    /// The glue says each name once, as the key of what it gives.
    fn in_glue(&self, glue: &str) -> Result<String> {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let mut seen = 0;
        let mut out = String::with_capacity(glue.len());
        let mut rest = glue;
        while let Some(at) = rest.find(is_part) {
            let (before, word) = rest.split_at(at);
            let (word, after) = word.split_at(word.find(|c| !is_part(c)).unwrap_or(word.len()));
            let key = self.short.get(word).filter(|_| after.starts_with(':') || after.starts_with('('));
            out.push_str(before);
            out.push_str(key.map_or(word, String::as_str));
            seen += usize::from(key.is_some());
            rest = after;
        }
        out.push_str(rest);
        if seen != self.short.len() {
            bail!("the glue says {seen} names of the {} that the module imports", self.short.len());
        }
        Ok(match &self.from {
            Some(from) => out.replace(&format!("\"{from}\""), FROM),
            None => out,
        })
    }
}

/// `a` to `z`, `aa` and so on.
fn letters(n: usize) -> String {
    let (more, letter) = (n / 26, char::from(b"abcdefghijklmnopqrstuvwxyz"[n % 26]));
    if more == 0 { letter.to_string() } else { format!("{}{letter}", letters(more - 1)) }
}

/// Without what stands before a line, and without the comments that document.
fn without_comments(glue: &str) -> String {
    let mut out = String::with_capacity(glue.len());
    let mut inside = false;
    for line in glue.lines().map(str::trim) {
        inside |= line.starts_with("/**");
        if !inside && !line.is_empty() && !line.starts_with("//") {
            out.push_str(line);
            out.push('\n');
        }
        inside &= !line.ends_with("*/");
    }
    out
}

impl Reencode for Names {
    type Error = Infallible;

    fn parse_imports(
        &mut self,
        section: &mut ImportSection,
        imports: Imports<'_>,
    ) -> Result<(), Error<Infallible>> {
        let Imports::Single(_, import) = imports else {
            return utils::parse_imports(self, section, imports);
        };
        let ty = self.entity_type(import.ty)?;
        let name = self.short.get(import.name).map_or(import.name, String::as_str);
        section.import(FROM, name, ty);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{EntityType, TypeSection};

    fn module(names: &[(&str, &str)]) -> Vec<u8> {
        let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
        types.ty().function([], []);
        for (from, name) in names {
            imports.import(from, name, EntityType::Function(0));
        }
        let mut module = Module::new();
        module.section(&types).section(&imports);
        module.finish()
    }

    const GLUE: &str = "/**\n * now_1a: what time it is\n */\nconst import0 = {\n    now_1a: function() {\n        \
                        return now_1ab;\n    },\nlog_2b: say,\n};\nreturn { \"./page.js\": import0 };\n";

    #[test]
    fn glue_and_module_speak_of_the_same_imports() {
        let (glue, module) =
            shortly(GLUE, &module(&[("./page.js", "now_1a"), ("./page.js", "log_2b")])).unwrap();
        assert_eq!(
            glue,
            "const import0 = {\na: function() {\nreturn now_1ab;\n},\nb: say,\n};\nreturn { g: import0 };\n"
        );
        let names = Names::of(&module).unwrap();
        assert_eq!(names.from.as_deref(), Some("g"));
        assert_eq!(names.short.keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn an_import_that_the_glue_does_not_give_is_an_error() {
        let error = shortly(GLUE, &module(&[("./page.js", "now_1a"), ("./page.js", "gone_3c")])).unwrap_err();
        assert_eq!(error.to_string(), "the glue says 1 names of the 2 that the module imports");
    }

    #[test]
    fn names_go_on_after_the_alphabet() {
        assert_eq!([0, 25, 26, 52, 702].map(letters), ["a", "z", "aa", "ba", "aaa"]);
    }
}
