//! `kvplan batch`: a pure filter, one request a line in, one answer a line out, in order, streaming.

use crate::Outcome;
use crate::args::BatchArgs;
use anyhow::Context as _;
use kvplan_core::plan::answer_into;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

/// Read-ahead: large enough that system calls do not show beside 100,000 requests a second.
const BUFFER: usize = 1 << 18;

/// Runs the command.
pub(crate) fn run(args: &BatchArgs) -> anyhow::Result<Outcome> {
    let out = io::stdout().lock();
    match &args.file {
        Some(path) => {
            let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            filter(file, out)?;
        }
        None => filter(io::stdin().lock(), out)?,
    }
    Ok(Outcome::Done)
}

fn filter(input: impl Read, output: impl Write) -> io::Result<()> {
    let mut input = BufReader::with_capacity(BUFFER, input);
    let mut output = BufWriter::with_capacity(BUFFER, output);
    let mut line = Vec::new();
    let mut answer = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        answer.clear();
        answer_into(&line, &mut answer);
        answer.push(b'\n');
        output.write_all(&answer)?;
        // Someone may be waiting for this answer before sending the next line: flush when nothing more is buffered.
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_order_bad_lines_get_errors_and_blank_lines_are_skipped() {
        let input = "{\"id\":1,\"model\":\"qwen3-8b\",\"context\":1}\n\n  \nnot json\n{\"id\":2,\"model\":\"qwen3-8b\",\"context\":2}";
        let mut output = Vec::new();
        filter(input.as_bytes(), &mut output).unwrap();
        let answers: Vec<serde_json::Value> = output
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect();
        assert_eq!(answers.len(), 3);
        assert_eq!(answers[0]["kv"]["payload_bytes"], 147_456);
        assert_eq!(answers[1]["error"]["kind"], "invalid");
        assert_eq!(answers[2]["id"], 2);
    }

    #[test]
    fn bytes_that_are_not_text_get_an_error_line_too() {
        let mut output = Vec::new();
        filter(&b"\xff\xfe\n"[..], &mut output).unwrap();
        assert!(String::from_utf8(output).unwrap().contains("\"kind\":\"invalid\""));
    }
}
