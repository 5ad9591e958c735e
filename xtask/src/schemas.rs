//! `cargo xtask schemas`: the JSON Schemas that editors and scripts use, as `kvplan schema` prints them. A test of the
//! binary holds the checked-in files to what it prints.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::shell::{capture, cargo};

const FORMS: [&str; 4] = ["request", "plan", "spec", "hardware"];

pub(crate) fn run() -> Result<()> {
    for form in FORMS {
        let mut command = cargo();
        command.args(["run", "--quiet", "--locked", "-p", "kvplan", "--", "schema", form]);
        let path = Path::new("model-specs/schema").join(form).with_extension("json");
        fs::write(&path, capture(&mut command)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
