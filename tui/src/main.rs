//! `kvplan`; all of it is in the library, so that the benches reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    kvplan::main()
}
