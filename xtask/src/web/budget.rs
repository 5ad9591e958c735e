//! What the bundle may weigh on the wire. A page that is slow to open is not opened, and weight comes unnoticed: a
//! dependency here, a feature there.

use anyhow::{Result, bail};

use super::packed::Packed;

/// Files that are fetched only when someone asks for the proof.
const PROOF: [&str; 3] = ["proof-worker.js", "proof.js", "proof.wasm"];

/// Brotli bytes of everything a browser fetches to show the planner: what is wanted, and not reached since the page has
/// views. It is printed as missed until it is.
const WANTED: usize = 450 << 10;
/// What the same may not pass meanwhile.
const FIRST_LOAD: usize = 660 << 10;
/// Brotli bytes of the proof.
const PROOF_LOAD: usize = 300 << 10;

/// Whether a file is only fetched for the proof.
pub(super) fn is_proof(logical: &str) -> bool {
    PROOF.contains(&logical)
}

/// Prints the sizes and fails when a budget is passed.
pub(super) fn check(files: &[Packed]) -> Result<()> {
    println!("{:<20} {:>10} {:>10} {:>10}", "file", "bytes", "gzip", "brotli");
    for file in files {
        let (plain, gzip, brotli) = (file.plain_bytes(), file.gzip_bytes(), file.brotli_bytes());
        println!("{:<20} {plain:>10} {gzip:>10} {brotli:>10}", file.logical);
    }
    let (proof, first): (Vec<&Packed>, Vec<&Packed>) = files.iter().partition(|file| is_proof(&file.logical));
    let [proof, first] = [proof, first].map(|files| files.into_iter().map(Packed::brotli_bytes).sum());
    within("first load", first, FIRST_LOAD)?;
    if first > WANTED {
        println!(
            "MISSED: {WANTED} bytes are wanted of the first load, which is {} over",
            first.abs_diff(WANTED)
        );
    }
    within("proof", proof, PROOF_LOAD)
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
