//! Every command of `docs/questions.md` prints what the page says it prints.
//!
//! `KVPLAN_RENEW=1 cargo test -p kvplan --test questions` writes the page anew; the diff is the review.
#![expect(clippy::unwrap_used, reason = "a page that cannot be read has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A command of the page, and what stands under it.
struct Shown {
    command: String,
    output: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The page as text and blocks of ```` ```console ````.
fn blocks(page: &str) -> Vec<Shown> {
    page.split("```console\n")
        .skip(1)
        .map(|rest| {
            let block = rest.split("```").next().unwrap();
            let (command, output) = block.split_once('\n').unwrap();
            Shown { command: command.strip_prefix("$ ").unwrap().to_owned(), output: output.to_owned() }
        })
        .collect()
}

/// What a command prints, run where a reader of the page would run it: in the folder of the project.
fn run(command: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    assert_eq!(words.first(), Some(&"kvplan"), "{command}");
    let output =
        Command::new(env!("CARGO_BIN_EXE_kvplan")).args(&words[1..]).current_dir(root()).output().unwrap();
    assert!(output.stderr.is_empty(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_answer_of_the_page_is_what_the_program_says() {
    let file = root().join("docs/questions.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let blocks = blocks(&page);
    // Thirteen questions, one command each.
    assert!(blocks.len() >= 13, "{} commands", blocks.len());
    if std::env::var_os("KVPLAN_RENEW").is_some() {
        let mut renewed = page.clone();
        for Shown { command, output } in &blocks {
            let old = format!("$ {command}\n{output}```");
            renewed = renewed.replacen(&old, &format!("$ {command}\n{}```", run(command)), 1);
        }
        std::fs::write(&file, renewed).unwrap();
        return;
    }
    for Shown { command, output } in blocks {
        assert_eq!(run(&command), output, "{command}");
    }
}
