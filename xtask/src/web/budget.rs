//! What the bundle may weigh on the wire. A page that is slow to open is not opened, and weight comes unnoticed: a
//! dependency here, a feature there.

use anyhow::{Result, bail};

use super::packed::Packed;

/// A part of the bundle that is weighed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The planner's wasm and JavaScript.
    Code,
    /// Models, devices and speeds.
    Catalogue,
    /// What is neither: the page, its style, its icon.
    Page,
    /// What reads files and texts: fetched when something is dropped or pasted, kept for when there is no network before that.
    Intake,
    /// Fetched when someone asks for the proof.
    Proof,
}

impl Part {
    const ALL: [Self; 5] = [Self::Code, Self::Catalogue, Self::Page, Self::Intake, Self::Proof];

    fn of(logical: &str) -> Self {
        match logical {
            "catalogue.txt" => Self::Catalogue,
            "intake.js" | "intake.wasm" => Self::Intake,
            "proof-view.js" | "proof-worker.js" | "proof.js" | "proof.wasm" => Self::Proof,
            _ if logical.ends_with(".js") || logical.ends_with(".wasm") => Self::Code,
            _ => Self::Page,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Code => "code (wasm and JavaScript)",
            Self::Catalogue => "catalogue",
            Self::Page => "page and style",
            Self::Intake => "intake",
            Self::Proof => "proof",
        }
    }

    /// Brotli bytes it may weigh.
    const fn budget(self) -> usize {
        match self {
            Self::Code => 450 << 10,
            Self::Catalogue => 48 << 10,
            Self::Page => 6 << 10,
            Self::Intake => 426 << 10,
            Self::Proof => 300 << 10,
        }
    }

    /// Whether a browser fetches it to show the planner.
    const fn is_first(self) -> bool {
        match self {
            Self::Code | Self::Catalogue | Self::Page => true,
            Self::Intake | Self::Proof => false,
        }
    }
}

/// Whether a file is kept for when there is no network only once it was used.
pub(super) fn is_kept_when_used(logical: &str) -> bool {
    Part::of(logical) == Part::Proof
}

/// Prints the sizes and fails when a budget is passed.
pub(super) fn check(files: &[Packed]) -> Result<()> {
    println!("{:<20} {:>10} {:>10} {:>10}", "file", "bytes", "gzip", "brotli");
    for file in files {
        let (plain, gzip, brotli) = (file.plain_bytes(), file.gzip_bytes(), file.brotli_bytes());
        println!("{:<20} {plain:>10} {gzip:>10} {brotli:>10}", file.logical);
    }
    let weight = |part: Part| -> usize {
        files.iter().filter(|file| Part::of(&file.logical) == part).map(Packed::brotli_bytes).sum()
    };
    let first: usize = Part::ALL.into_iter().filter(|part| part.is_first()).map(weight).sum();
    println!("first load: {first} bytes of brotli");
    for part in Part::ALL {
        within(part.name(), weight(part), part.budget())?;
    }
    Ok(())
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
