//! The `SHADERS` table as Rust code.

use std::collections::BTreeMap;
use std::fmt::{Error, Write};

use crate::reflect::{Params, Reflected};

/// The folder of shaders that kernels are measured against: examples and tests take them in, no program ships them.
const BASELINES: &str = "baseline/";

/// What is generated.
pub(crate) struct Code {
    /// The shaders that ship, and every parameter struct.
    pub(crate) shaders: String,
    /// The shaders of `baseline/`.
    pub(crate) baselines: String,
}

/// The table, one constant per shader so that a misspelt name does not compile, and one struct per parameter block.
pub(crate) fn table(shaders: &[Reflected]) -> Result<Code, String> {
    let mut blocks: BTreeMap<String, Params> = BTreeMap::new();
    for (shader, params) in shaders.iter().flat_map(|shader| shader.params.iter().map(move |p| (shader, p))) {
        let known = blocks.entry(params.name.clone()).or_insert_with(|| params.clone());
        if known != params {
            return Err(format!("{}: `{}` is another struct elsewhere", shader.name, params.name));
        }
    }
    let (baselines, shipped): (Vec<_>, Vec<_>) =
        shaders.iter().partition(|shader| shader.name.starts_with(BASELINES));
    let (mut out, mut beside) = (String::new(), String::new());
    write_shaders(&mut out, "SHADERS", &shipped).map_err(|error| error.to_string())?;
    write_shaders(&mut beside, "BASELINES", &baselines).map_err(|error| error.to_string())?;
    for params in blocks.values() {
        write_params(&mut out, params).map_err(|error| error.to_string())?;
    }
    Ok(Code { shaders: out, baselines: beside })
}

/// One module per folder (`attention::decode::Q8_0`); the names come sorted, so a folder's shaders are neighbours.
fn write_shaders(out: &mut String, list: &str, shaders: &[&Reflected]) -> Result<(), Error> {
    let mut open: Vec<&str> = Vec::new();
    for shader in shaders {
        let mut path: Vec<&str> = shader.name.split('/').collect();
        let name = path.pop().unwrap_or_default();
        let common = open.iter().zip(&path).take_while(|(a, b)| a == b).count();
        out.push_str(&"}\n".repeat(open.len() - common));
        for folder in path.iter().skip(common) {
            writeln!(out, "/// Shaders of `{folder}`.\npub mod {folder} {{\nuse super::*;")?;
        }
        write_shader(out, shader, name)?;
        open = path;
    }
    out.push_str(&"}\n".repeat(open.len()));
    writeln!(out, "/// Every shader, in order of name.\npub static {list}: &[&Shader] = &[")?;
    for shader in shaders {
        let (path, name) = shader.name.rsplit_once('/').unwrap_or(("self", &shader.name));
        writeln!(out, "&{}::{},", path.replace('/', "::"), name.to_ascii_uppercase())?;
    }
    writeln!(out, "];")
}

fn write_shader(out: &mut String, shader: &Reflected, name: &str) -> Result<(), Error> {
    let ident = name.to_ascii_uppercase();
    writeln!(out, "/// `{}`.\npub static {ident}: Shader = Shader {{ name: {:?},", shader.name, shader.name)?;
    writeln!(out, "source: {:?},", shader.source)?;
    writeln!(out, "workgroup_size: {:?}, bindings: &[", shader.workgroup_size)?;
    for binding in &shader.bindings {
        writeln!(
            out,
            "Binding {{ index: {}, name: {:?}, access: Access::{}, size: Size::{} }},",
            binding.index, binding.name, binding.access, binding.size
        )?;
    }
    writeln!(out, "], overrides: &{:?}, constants: &{:?} }};", shader.overrides, shader.constants)
}

fn write_params(out: &mut String, params: &Params) -> Result<(), Error> {
    writeln!(out, "/// `{}` of the shaders' parameters.", params.name)?;
    writeln!(out, "#[derive(Debug, Clone, Copy, PartialEq, Default)]\npub struct {} {{", params.name)?;
    for (field, ty) in &params.fields {
        writeln!(out, "/// As in the shader.\npub {field}: {ty},")?;
    }
    writeln!(out, "}}\nimpl {} {{", params.name)?;
    writeln!(out, "/// The uniform's bytes, padded to 16.\n#[must_use] pub fn bytes(&self) -> Vec<u8> {{")?;
    writeln!(out, "let mut bytes = Vec::new();")?;
    for (field, ty) in &params.fields {
        let part = if matches!(ty.as_str(), "u32" | "f32") { "to_le_bytes" } else { "bytes" };
        writeln!(out, "bytes.extend(self.{field}.{part}());")?;
    }
    writeln!(out, "bytes.resize(bytes.len().next_multiple_of(16), 0);\nbytes\n}}\n}}")
}
