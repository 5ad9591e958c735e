//! The page of `--report`: one file, nothing fetched, no script; light or dark as the reader's system is.

use super::super::grouped;
use super::svg::escaped;
use super::{
    Row, bits, clock, failures, held_out, made_up, others, percent, place, plots, rows, skipped, totals,
    verdict, what_held,
};
use kvplan_kernels::validate::{CaseRecord, KernelTime, Measured, Processor, Report};
use std::fmt::Write as _;

/// The page's colours and measures.
const STYLE: &str = include_str!("page.css");

/// One self-contained page.
pub(crate) fn page(report: &Report) -> String {
    let (word, sentence) = verdict(report);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>kvplan validate: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(word)
    );
    let class = if report.holds() { "holds" } else { "fails" };
    let _ = writeln!(
        out,
        "<header><h1 class=\"{class}\">{}</h1><p class=\"lead\">{}</p><p class=\"place\">{}</p></header>",
        escaped(word),
        escaped(&sentence),
        escaped(&where_it_ran(report))
    );
    if report.holds() {
        let _ = writeln!(out, "<p>{}</p>", escaped(&what_held(report)));
    }
    let failed = failures(report);
    list(&mut out, "What did not hold", &failed);
    let rows = rows(report);
    codecs(&mut out, &rows);
    if let Some(model) = &report.model {
        let title = format!(
            "{} at {} tokens: K and V of every attention layer",
            escaped(&model.name),
            grouped(u64::from(model.context))
        );
        list(&mut out, &title, &totals(report));
    }
    figures(&mut out, report, &rows);
    cases(&mut out, report);
    let notes: Vec<String> = skipped(report).into_iter().chain(report.notes.iter().cloned()).collect();
    list(&mut out, "Notes", &notes);
    let _ = writeln!(
        out,
        "<footer>kvplan {} validate. The same figures: <code>kvplan validate --json</code>.</footer>\n</main>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION")
    );
    out
}

fn where_it_ran(report: &Report) -> String {
    match &report.processor {
        Processor::Gpu { adapter } => {
            format!(
                "{}, {}; driver {}; timed by {}",
                place(report),
                adapter.kind,
                adapter.driver,
                clock(report)
            )
        }
        Processor::Cpu => place(report),
    }
}

fn list(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "<section><h2>{title}</h2><ul>");
    for line in lines {
        let _ = writeln!(out, "<li>{}</li>", escaped(line));
    }
    out.push_str("</ul></section>\n");
}

/// A table with a heading row; cells are escaped, all but the first columns are figures.
fn tabled(out: &mut String, headings: &[(&str, &str)], rows: &[(bool, Vec<String>)]) {
    out.push_str("<div class=\"wide\"><table><thead><tr>");
    for (name, title) in headings {
        let _ = write!(out, "<th title=\"{}\">{}</th>", escaped(title), escaped(name));
    }
    out.push_str("</tr></thead><tbody>\n");
    for (held, cells) in rows {
        out.push_str(if *held { "<tr>" } else { "<tr class=\"bad\">" });
        for cell in cells {
            let _ = write!(out, "<td>{}</td>", escaped(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

fn codecs(out: &mut String, rows: &[Row<'_>]) {
    let real = rows.first().is_some_and(|row| row.real);
    let _ = writeln!(
        out,
        "<section><h2>Codecs</h2><p>Bytes are K and V of all shapes together. Errors are relative root mean squares on {}{}.</p>",
        if real { "a real model's K, V and Q" } else { "made-up K, V and Q" },
        made_up(rows).map_or_else(String::new, |line| format!("; {line}"))
    );
    let headings = [
        ("codec", "the format"),
        ("stored bits", "per number, scales and padding included"),
        ("predicted bytes", "what the planner says"),
        ("measured bytes", "what the kernels filled"),
        ("allocator bytes", "what the driver took, its alignment included"),
        ("wrong", "packed bytes and decoded values that differ from the twin's"),
        ("of bound", "attention's largest error as a share of what f32 allows"),
        ("K error", "of decoded keys"),
        ("V error", "of decoded values"),
        ("output error", "of the attention output"),
    ];
    let cells = rows.iter().map(|row| {
        let [k, v, output] = row.errors.map(|error| error.map_or_else(|| "–".to_owned(), percent));
        let cells = vec![
            row.codec.to_owned(),
            bits(row.bits),
            grouped(row.predicted),
            grouped(row.measured),
            row.allocator.map_or_else(|| "not told".to_owned(), grouped),
            grouped(row.wrong),
            row.share.map_or_else(|| "–".to_owned(), percent),
            k,
            v,
            output,
        ];
        (row.held, cells)
    });
    tabled(out, &headings, &cells.collect::<Vec<_>>());
    out.push_str("</section>\n");
}

fn figures(out: &mut String, report: &Report, rows: &[Row<'_>]) {
    let figure = |out: &mut String, plot: Option<String>, caption: &str| {
        if let Some(plot) = plot {
            let _ = writeln!(out, "<figure>{plot}<figcaption>{}</figcaption></figure>", escaped(caption));
        }
    };
    out.push_str("<section><h2>Predicted against measured</h2><div class=\"pair\">\n");
    figure(
        out,
        plots::bytes(report).svg(),
        "Bytes of each cache, K and V apart. On the line, the planner's figure is the device's.",
    );
    figure(
        out,
        plots::quality(rows).svg(),
        "What each codec costs against what it stores. Lower left is better; a format without error on these values is left out.",
    );
    out.push_str("</div></section>\n");
    let Some(time) = &report.time else { return };
    let _ = writeln!(
        out,
        "<section><h2>Time</h2><p>Seconds = launches·L + bytes/B + operations/R, fitted per codec and kernel to some sizes \
         (filled) and checked on others (hollow): {}.</p><div class=\"pair\">",
        escaped(&held_out(&time.held_out))
    );
    for kernel in ["quantize", "dequantize", "decode", "prefill"] {
        let plot = plots::time(time, kernel).svg();
        figure(out, plot, &format!("{kernel}: time against bytes, a fitted line per codec."));
    }
    figure(out, plots::held_out(time).svg(), "Held-out runs only: predicted against measured time.");
    out.push_str("</div>");
    if let Some(line) = others(report) {
        let _ =
            writeln!(out, "<p>What no codec decides, every byte or bound checked: {}.</p>", escaped(&line));
    }
    out.push_str("</section>\n");
}

/// Every case, folded.
fn cases(out: &mut String, report: &Report) {
    out.push_str("<section><h2>Cases</h2><details><summary>Every codec on every shape</summary>\n");
    let headings = [
        ("codec", "the format"),
        ("shape", "query heads on KV heads of how many elements, tokens"),
        ("K bytes", "predicted = measured, or both"),
        ("V bytes", "predicted = measured, or both"),
        ("decode", "largest error as a share of its bound"),
        ("prefill", "largest error as a share of its bound"),
        ("output error", "predicted by arithmetic, then measured"),
        ("quantize", "measured, then predicted by the time model"),
        ("dequantize", "measured, then predicted by the time model"),
        ("decode time", "measured, then predicted by the time model"),
        ("prefill time", "measured, then predicted by the time model"),
    ];
    let measured = report.cases.iter().filter_map(|case| case.outcome.measured().map(|m| (case, m)));
    let rows: Vec<_> =
        measured.map(|(case, measured)| (measured.holds(), case_cells(case, measured))).collect();
    tabled(out, &headings, &rows);
    out.push_str("</details></section>\n");
}

fn case_cells(case: &CaseRecord, measured: &Measured) -> Vec<String> {
    let bytes = |predicted: u64, found: u64| {
        if predicted == found {
            grouped(found)
        } else {
            format!("{} ≠ {}", grouped(predicted), grouped(found))
        }
    };
    let share = |of: Option<f64>| of.map_or_else(|| "–".to_owned(), percent);
    let attended = measured.attention.as_ref();
    let mut cells = vec![
        case.codec.clone(),
        case.shape.label.clone(),
        bytes(measured.k.predicted_bytes, measured.k.measured_bytes),
        bytes(measured.v.predicted_bytes, measured.v.measured_bytes),
        share(attended.map(|a| a.decode.worst_share)),
        share(attended.map(|a| a.prefill.worst_share)),
        measured
            .error
            .output
            .map_or_else(|| "–".to_owned(), |o| format!("{}, {}", percent(o.predicted), percent(o.measured))),
    ];
    for kernel in ["quantize", "dequantize", "decode", "prefill"] {
        let time = measured.times.iter().find(|time| time.kernel == kernel);
        cells.push(time.map_or_else(|| "–".to_owned(), times));
    }
    cells
}

fn times(time: &KernelTime) -> String {
    let predicted = time.predicted_seconds.map_or_else(String::new, |s| format!(", {}", seconds(s)));
    format!("{}{predicted}", seconds(time.seconds))
}

/// Three digits and a unit.
pub(super) fn seconds(seconds: f64) -> String {
    let (scaled, unit) = if seconds >= 1.0 {
        (seconds, "s")
    } else if seconds >= 1e-3 {
        (seconds * 1e3, "ms")
    } else {
        (seconds * 1e6, "µs")
    };
    let digits = if scaled >= 100.0 {
        0
    } else if scaled >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{scaled:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}
