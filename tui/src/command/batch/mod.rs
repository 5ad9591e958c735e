//! `kvplan batch`: a pure filter, requests in, answers out, in order, streaming.
//!
//! A line is a request, or a sweep that stands for many. [`work`] answers, on as many threads as are asked for, and
//! keeps the order; [`form`] writes answers as JSON Lines, CSV or Parquet. What is in memory at once is a few
//! hundred answers, however long the input is and however many points a sweep has.

mod form;
mod progress;
mod row;
mod work;

use crate::Outcome;
use crate::args::BatchArgs;
use anyhow::Context as _;
use form::{Sink, sink};
use kvplan_core::plan::{Detail, error_line};
use kvplan_core::sweep::Sweep;
use progress::Progress;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use work::{Crew, Unit};

/// Read-ahead: large enough that system calls do not show beside 100,000 requests a second.
const BUFFER: usize = 1 << 18;
/// Points of a sweep that are answered in one go.
const CHUNK: u64 = 256;

/// Runs the command.
pub(crate) fn run(args: &BatchArgs) -> anyhow::Result<Outcome> {
    let mut sink = sink(args.format, args.output.as_deref())?;
    let detail = Detail { max_context: !args.no_max_context };
    match &args.file {
        Some(path) => {
            let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            filter(file, sink.as_mut(), args.jobs, detail)?;
        }
        None => filter(io::stdin().lock(), sink.as_mut(), args.jobs, detail)?,
    }
    Ok(Outcome::Done)
}

/// Answers what is read; `jobs` 0: on every core.
fn filter(input: impl Read, sink: &mut dyn Sink, jobs: usize, detail: Detail) -> anyhow::Result<()> {
    let mut input = BufReader::with_capacity(BUFFER, input);
    let (form, mut progress) = (sink.form(), Progress::start());
    std::thread::scope(|scope| {
        let mut crew = Crew::hire(scope, jobs, form, detail);
        let mut line = Vec::new();
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match Sweep::parse(&line) {
                Ok(None) => crew.take(Unit::Line(std::mem::take(&mut line)), sink, &mut progress)?,
                Ok(Some(sweep)) => {
                    let sweep = Arc::new(sweep);
                    progress.expect(sweep.len());
                    let mut from = 0;
                    while from < sweep.len() {
                        let to = sweep.len().min(from.saturating_add(CHUNK));
                        crew.take(Unit::Points(Arc::clone(&sweep), from..to), sink, &mut progress)?;
                        from = to;
                    }
                }
                Err((id, error)) => {
                    let unit = Unit::Refused(error_line(id.as_ref(), &error), Box::new((id, error)));
                    crew.take(unit, sink, &mut progress)?;
                }
            }
            // Someone may be waiting for this answer before sending the next line: nothing is kept back when nothing
            // more is buffered.
            if input.buffer().is_empty() {
                crew.settle(sink, &mut progress)?;
                sink.flush()?;
            }
        }
        crew.settle(sink, &mut progress)
    })?;
    progress.finish();
    sink.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::BatchFormat;
    use form::{Form, Text};

    fn answers(input: &[u8], form: Form, jobs: usize) -> String {
        let mut written = Vec::new();
        let mut sink = Text::new(&mut written, form);
        filter(input, &mut sink, jobs, Detail::default()).unwrap();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn answers_come_in_order_bad_lines_get_errors_and_blank_lines_are_skipped() {
        let input = b"{\"id\":1,\"model\":\"qwen3-8b\",\"context\":1}\n\n  \nnot json\n{\"id\":2,\"model\":\"qwen3-8b\",\"context\":2}";
        let answers: Vec<serde_json::Value> =
            answers(input, Form::JsonLines, 1).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(answers.len(), 3);
        assert_eq!(answers[0]["kv"]["payload_bytes"], 147_456);
        assert_eq!(answers[1]["error"]["kind"], "invalid");
        assert_eq!(answers[2]["id"], 2);
    }

    #[test]
    fn bytes_that_are_not_text_get_an_error_line_too() {
        assert!(answers(b"\xff\xfe\n", Form::JsonLines, 1).contains("\"kind\":\"invalid\""));
    }

    /// What a plain line is answered with has not changed by a byte; a sweep's answers are those, with the point before.
    #[test]
    fn a_sweep_answers_what_its_lines_would_answer_one_by_one() {
        let line = |c: u64, k: &str| {
            format!("{{\"id\":\"a\",\"model\":\"qwen3-8b\",\"context\":{c},\"cache\":{{\"k\":\"{k}\"}}}}\n")
        };
        let mut expected = String::new();
        for context in [1024, 2048, 4096] {
            for k in ["f16", "q8_0", "nonsense"] {
                let answer = kvplan_core::plan::answer_line(&line(context, k));
                let point = format!("{{\"point\":{{\"context\":{context},\"cache.k\":\"{k}\"}},");
                expected.push_str(&point);
                expected.push_str(&answer[1..]);
                expected.push('\n');
            }
        }
        let sweep = "{\"id\":\"a\",\"model\":\"qwen3-8b\",\"context\":{\"from\":1024,\"to\":4096,\"times\":2},\"cache\":{\"k\":[\"f16\",\"q8_0\",\"nonsense\"]}}\n";
        for jobs in [1, 2, 3] {
            let plain = line(7, "f16");
            let input = format!("{plain}{sweep}{plain}");
            let plain = format!("{}\n", kvplan_core::plan::answer_line(&plain));
            assert_eq!(answers(input.as_bytes(), Form::JsonLines, jobs), format!("{plain}{expected}{plain}"));
        }
    }

    #[test]
    fn a_long_sweep_on_several_threads_keeps_its_order() {
        let sweep = br#"{"model":"qwen3-8b","context":{"from":1,"to":3000,"step":1}}"#;
        let one = answers(sweep, Form::JsonLines, 1);
        assert_eq!(one.lines().count(), 3000);
        assert_eq!(answers(sweep, Form::JsonLines, 4), one);
    }

    #[test]
    fn a_table_has_a_row_a_plan_under_fixed_columns() {
        let input = br#"{"id":"x","model":"qwen3-8b","context":[1024,2048],"engine":{"name":"llama.cpp"},"hardware":[{"device":"b","memory_bytes":1000000000}]}
{"model":"none-such","context":1}
"#;
        let csv = answers(input, Form::Csv, 2);
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let columns = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let cell =
            |row: usize, name: &str| rows[row][columns.iter().position(|c| c == name).unwrap()].to_owned();
        assert_eq!(rows.len(), 3);
        assert_eq!((cell(0, "id"), cell(0, "point")), ("x".into(), r#"{"context":1024}"#.into()));
        assert_eq!(cell(1, "allocated_bytes"), (2048 * 147_456).to_string());
        assert_eq!((cell(1, "fit"), cell(1, "cache_k")), ("fits".into(), "f16".into()));
        assert_eq!(
            (cell(2, "error_kind"), cell(2, "allocated_bytes")),
            ("unknown-model".into(), String::new())
        );
    }

    #[test]
    fn every_format_has_a_name_on_the_command_line() {
        use clap::ValueEnum as _;
        assert_eq!(BatchFormat::value_variants().len(), 3);
    }
}
