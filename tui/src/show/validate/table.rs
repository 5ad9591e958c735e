//! The terminal's view.

use super::super::{Align, BAD, BOLD, DIM, NOTE, Table, grouped, wrapped};
use super::{
    Row, bits, clock, failures, held_out, made_up, others, percent, place, rows, skipped, totals, verdict,
    what_held,
};
use kvplan_kernels::validate::Report;
use std::fmt::Write as _;

/// The verdict, a row per codec, what failed, the time model's error.
pub(crate) fn table(report: &Report) -> String {
    let mut out = String::new();
    let (word, sentence) = verdict(report);
    let style = if report.holds() { BOLD } else { BAD };
    let _ = writeln!(out, "{style}{word}{style:#}  {sentence}");
    let _ = writeln!(out, "{DIM}{}{DIM:#}\n", place(report));
    let failed = failures(report);
    if report.holds() {
        let _ = writeln!(out, "  {}\n", wrapped(&what_held(report), 2));
    }
    for line in failed.iter().take(MOST_FAILURES) {
        let _ = writeln!(out, "  {BAD}×{BAD:#} {}", wrapped(line, 4));
    }
    if failed.len() > MOST_FAILURES {
        let _ = writeln!(out, "    and {} more: --json", failed.len() - MOST_FAILURES);
    }
    if !failed.is_empty() {
        out.push('\n');
    }
    let rows = rows(report);
    out.push_str(&codecs(&rows));
    legend(&mut out, &rows);
    if let Some(line) = others(report) {
        let _ = writeln!(out, "  others       {}", wrapped(&line, 15));
    }
    times(&mut out, report);
    model(&mut out, report);
    for line in skipped(report).iter().chain(&report.notes) {
        let _ = writeln!(out, "  {NOTE}note{NOTE:#}  {}", wrapped(line, 8));
    }
    out
}

/// Lines of failures before the rest is left to `--json`.
const MOST_FAILURES: usize = 12;

fn codecs(rows: &[Row<'_>]) -> String {
    let mut table = Table::new(&[
        ("codec", Align::Left),
        ("bits", Align::Right),
        ("bytes", Align::Right),
        ("off", Align::Right),
        ("wrong", Align::Right),
        ("bound", Align::Right),
        ("K err", Align::Right),
        ("V err", Align::Right),
        ("output", Align::Right),
    ]);
    for row in rows {
        let off = i128::from(row.measured) - i128::from(row.predicted);
        let [k, v, output] = row.errors.map(|error| error.map_or_else(String::new, percent));
        table.row([
            row.codec.to_owned(),
            bits(row.bits),
            grouped(row.predicted),
            if off == 0 { "0".to_owned() } else { format!("{off:+}") },
            grouped(row.wrong),
            row.share.map_or_else(|| "–".to_owned(), percent),
            k,
            v,
            output,
        ]);
    }
    table.render()
}

fn legend(out: &mut String, rows: &[Row<'_>]) {
    let Some(first) = rows.first() else { return };
    let real = if first.real { "real K, V and Q" } else { "made-up K, V and Q" };
    let _ = writeln!(out, "\n  bits, bytes  stored, by the planner; off: bytes more or fewer when run");
    out.push_str("  wrong        packed bytes and decoded values that differ\n");
    out.push_str("  bound        attention's largest error as a share of what f32 allows\n");
    let _ = writeln!(out, "  err, output  what the codec costs on {real}, relative RMS");
    if let Some(line) = made_up(rows) {
        let _ = writeln!(out, "               {}", wrapped(&line, 15));
    }
    if let Some((allocator, predicted)) = allocated(rows) {
        let _ = writeln!(
            out,
            "  allocator    {} B for {} B: the driver's alignment",
            grouped(allocator),
            grouped(predicted)
        );
    }
}

fn allocated(rows: &[Row<'_>]) -> Option<(u64, u64)> {
    let taken = rows.iter().map(|row| row.allocator).sum::<Option<u64>>()?;
    (taken > 0).then(|| (taken, rows.iter().map(|row| row.predicted).sum()))
}

/// The whole model, in its layers' bytes.
fn model(out: &mut String, report: &Report) {
    let Some(model) = &report.model else { return };
    let lines = totals(report);
    if lines.is_empty() {
        return;
    }
    let tokens = grouped(u64::from(model.context));
    let _ =
        writeln!(out, "\n{BOLD}{}{BOLD:#} at {tokens} tokens, K and V of every attention layer", model.name);
    for line in lines {
        let _ = writeln!(out, "  {}", wrapped(&line, 4));
    }
}

fn times(out: &mut String, report: &Report) {
    if let Some(time) = &report.time {
        let line = format!("{}, by {}", held_out(&time.held_out), clock(report));
        let _ = writeln!(out, "  time model   {}", wrapped(&line, 15));
    }
}
