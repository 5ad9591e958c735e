//! `kvplan schema`: JSON Schema, generated from the types that parse and print.

use super::print_json;
use crate::Outcome;
use crate::args::{SchemaArgs, SchemaForm};
use kvplan_core::hardware::HardwareFile;
use kvplan_core::plan::{Plan, Request};
use kvplan_core::spec::SpecFile;
use schemars::schema_for;

/// Runs the command.
pub(crate) fn run(args: &SchemaArgs) -> anyhow::Result<Outcome> {
    let schema = match args.form {
        SchemaForm::Request => schema_for!(Request),
        SchemaForm::Plan => schema_for!(Plan),
        SchemaForm::Spec => schema_for!(SpecFile),
        SchemaForm::Hardware => schema_for!(HardwareFile),
        SchemaForm::Fit => schema_for!(super::fit::Report),
        SchemaForm::Validate => schema_for!(kvplan_kernels::validate::Report),
    };
    print_json(&schema)?;
    Ok(Outcome::Done)
}
