//! What the bundle may weigh on the wire. A page that is slow to open is not opened, and weight comes unnoticed: a
//! dependency here, a feature there.

use anyhow::{Result, bail};

use super::packed::Packed;

/// Brotli bytes of everything a browser fetches to show the planner: what is wanted, and not reached since the page has
/// views. It is printed as missed until it is.
const WANTED: usize = 450 << 10;
/// What the same may not pass meanwhile.
const FIRST_LOAD: usize = 570 << 10;
/// Brotli bytes of what reads files and texts.
const INTAKE: usize = 470 << 10;
/// Brotli bytes of the proof.
const PROOF: usize = 300 << 10;

/// When a browser fetches a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// To show the planner.
    First,
    /// When something is dropped or pasted; kept for when there is no network before that.
    Intake,
    /// When someone asks for the proof.
    Proof,
}

impl When {
    fn of(logical: &str) -> Self {
        match logical {
            "intake.js" | "intake.wasm" => Self::Intake,
            "proof-worker.js" | "proof.js" | "proof.wasm" => Self::Proof,
            _ => Self::First,
        }
    }
}

/// Whether a file is kept for when there is no network only once it was used.
pub(super) fn is_kept_when_used(logical: &str) -> bool {
    When::of(logical) == When::Proof
}

/// Prints the sizes and fails when a budget is passed.
pub(super) fn check(files: &[Packed]) -> Result<()> {
    println!("{:<20} {:>10} {:>10} {:>10}", "file", "bytes", "gzip", "brotli");
    for file in files {
        let (plain, gzip, brotli) = (file.plain_bytes(), file.gzip_bytes(), file.brotli_bytes());
        println!("{:<20} {plain:>10} {gzip:>10} {brotli:>10}", file.logical);
    }
    let sum = |when: When| -> usize {
        files.iter().filter(|file| When::of(&file.logical) == when).map(Packed::brotli_bytes).sum()
    };
    let first = sum(When::First);
    within("first load", first, FIRST_LOAD)?;
    if first > WANTED {
        println!(
            "MISSED: {WANTED} bytes are wanted of the first load, which is {} over",
            first.abs_diff(WANTED)
        );
    }
    within("intake", sum(When::Intake), INTAKE)?;
    within("proof", sum(When::Proof), PROOF)
}

fn within(what: &str, bytes: usize, budget: usize) -> Result<()> {
    println!("{what}: {bytes} bytes of brotli, {budget} allowed");
    if bytes > budget {
        bail!("the {what} weighs {bytes} bytes of brotli, {} over its budget", bytes.abs_diff(budget));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_over_the_budget_is_an_error_that_says_how_much() {
        assert!(within("first load", 10, 10).is_ok());
        let error = within("first load", 11, 10).unwrap_err();
        assert_eq!(error.to_string(), "the first load weighs 11 bytes of brotli, 1 over its budget");
    }
}
