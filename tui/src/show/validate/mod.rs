//! What `kvplan validate` found, for reading: one row a codec, what failed, how far the time model is off.
//!
//! `table` is for the terminal, `page` for a browser; both show the rows of `Row`.

mod page;
mod plots;
mod svg;
mod table;

pub(crate) use page::page;
pub(crate) use table::table;

use kvplan_kernels::validate::{
    BytesRecord, CaseRecord, Difference, HeldOutRecord, Measured, ModelTotal, Outcome, Processor, Report,
    Within,
};

/// All cases of one codec together.
#[derive(Debug, Clone)]
struct Row<'a> {
    codec: &'a str,
    /// Stored bits per element, of the first case, or of the first that packs something: a short one may lie in a codec's
    /// window of 16 bits altogether.
    bits: f64,
    /// Bytes predicted, over all cases, K and V.
    predicted: u64,
    /// Bytes found.
    measured: u64,
    /// Bytes the allocator took, where it tells of every buffer.
    allocator: Option<u64>,
    /// Packed bytes and decoded values that differ.
    wrong: u64,
    /// Attention's largest error as a share of its bound.
    share: Option<f64>,
    /// Root mean square errors of K, of V and of the output, relative, of that case.
    errors: [Option<f64>; 3],
    /// Whether that case's K and V are real.
    real: bool,
    held: bool,
}

/// One row per codec that ran, in the order run.
fn rows(report: &Report) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for case in &report.cases {
        let Some(measured) = case.outcome.measured() else { continue };
        match rows.iter_mut().find(|row| row.codec == case.codec) {
            Some(row) => row.add(case, measured),
            None => rows.push(Row::new(case, measured)),
        }
    }
    rows
}

impl<'a> Row<'a> {
    fn new(case: &'a CaseRecord, measured: &Measured) -> Self {
        let mut row = Self {
            codec: &case.codec,
            bits: measured.bits_per_element,
            predicted: 0,
            measured: 0,
            allocator: Some(0),
            wrong: 0,
            share: None,
            errors: [None; 3],
            real: false,
            held: true,
        };
        row.show(measured);
        row.add(case, measured);
        row
    }

    /// Takes this case's bits and errors for the codec's.
    fn show(&mut self, measured: &Measured) {
        let error = measured.error;
        self.bits = measured.bits_per_element;
        self.errors = [
            Some(error.k_rel_mse.sqrt()),
            Some(error.v_rel_mse.sqrt()),
            error.output.map(|output| output.measured),
        ];
        self.real = error.real;
    }

    fn add(&mut self, case: &CaseRecord, measured: &Measured) {
        const UNPACKED: f64 = 16.0;
        if self.bits >= UNPACKED && measured.bits_per_element < UNPACKED {
            self.show(measured);
        }
        for side in [&measured.k, &measured.v] {
            self.predicted += side.predicted_bytes;
            self.measured += side.measured_bytes;
            self.allocator = self.allocator.zip(side.allocator_bytes).map(|(sum, bytes)| sum + bytes);
            self.wrong += side.packed.differing + side.unpacked.as_ref().map_or(0, |values| values.differing);
        }
        if let Some(attended) = &measured.attention {
            let worst = attended.decode.worst_share.max(attended.prefill.worst_share);
            self.share = Some(self.share.map_or(worst, |share| share.max(worst)));
        }
        self.held &= matches!(case.outcome, Outcome::Passed(_));
    }
}

/// Codecs whose errors are not on real activations though the first codec's are: those that a real case did not take, or
/// whose window it did not fill.
fn made_up(rows: &[Row<'_>]) -> Option<String> {
    let real = rows.first().is_some_and(|row| row.real);
    let names: Vec<&str> = rows.iter().filter(|row| real && !row.real).map(|row| row.codec).collect();
    (!names.is_empty()).then(|| format!("on made-up ones: {}", names.join(", ")))
}

/// Where it ran.
fn place(report: &Report) -> String {
    match &report.processor {
        Processor::Gpu { adapter } => format!("{} ({})", adapter.name, adapter.backend),
        Processor::Cpu => "the CPU: the kernels' twins, no GPU".to_owned(),
    }
}

/// The verdict in a word, and the same in a sentence.
fn verdict(report: &Report) -> (&'static str, String) {
    let summary = &report.summary;
    let shapes = report
        .cases
        .iter()
        .filter(|case| report.cases.first().is_some_and(|first| first.codec == case.codec));
    let over = format!(
        "{} on {}",
        super::count(summary.codecs, "codec"),
        super::count(shapes.count() as u64, "shape")
    );
    if summary.cancelled {
        return ("STOPPED", format!("before the end, after {over}"));
    }
    if summary.failed > 0 {
        return (
            "NOT PROVED",
            format!("{} of {} did not hold", summary.failed, super::count(summary.ran, "case")),
        );
    }
    if !report.others_hold() {
        return ("NOT PROVED", "what moves or turns a cache did not hold".to_owned());
    }
    if !report.model_holds() {
        return ("NOT PROVED", "the model's layers do not add up to its plan".to_owned());
    }
    match &report.processor {
        _ if summary.ran == 0 => ("NOTHING RAN", "no codec takes the shape".to_owned()),
        Processor::Gpu { .. } => ("PROVED", over),
        Processor::Cpu => ("TWINS HOLD", over),
    }
}

/// The verdict in a line, for who looks at something else: `31 codecs proved here, byte-equal`.
pub(crate) fn line(report: &Report) -> String {
    match verdict(report) {
        ("PROVED", _) => format!("{} proved here, byte-equal", super::count(report.summary.codecs, "codec")),
        (word, said) => format!("{}: {said}", word.to_lowercase()),
    }
}

/// What a run that holds has shown.
fn what_held(report: &Report) -> String {
    let other = match report.processor {
        Processor::Gpu { .. } => "the CPU twin's",
        Processor::Cpu => "the reference encoder's",
    };
    let measured = report.cases.iter().filter_map(|case| case.outcome.measured());
    let values =
        measured.flat_map(|measured| [&measured.k, &measured.v]).filter_map(|side| side.unpacked.as_ref());
    let rounded: u64 = values.map(|exact| exact.rounded).sum();
    let but = if rounded > 0 {
        format!(" ({} of the values but for their last bits, as WGSL allows)", super::grouped(rounded))
    } else {
        String::new()
    };
    let mut measured = report.cases.iter().filter_map(|case| case.outcome.measured());
    let attention = if measured.any(|measured| measured.attention.is_some()) {
        "attention stays within its error bound"
    } else {
        "no attention was run"
    };
    format!("Every packed byte and decoded value equals {other}{but}, every size the planner's; {attention}.")
}

/// What did not hold, a line each.
fn failures(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for case in &report.cases {
        let at = format!("{} on {}", case.codec, case.shape.label);
        match &case.outcome {
            Outcome::Passed(_) | Outcome::Skipped { .. } => {}
            Outcome::Refused { reason } => lines.push(format!("{at}: {reason}")),
            Outcome::Failed(measured) => {
                lines.extend(wrong(measured).into_iter().map(|what| format!("{at}: {what}")));
            }
        }
    }
    let others = report.others.iter().filter(|other| !other.holds());
    lines.extend(others.map(|other| {
        let what = other.refused.as_deref().unwrap_or("not what it must be");
        format!("{} of {}: {what}", other.kernel, other.shape)
    }));
    lines
}

/// What no codec's case runs, by rate; nothing where it was not run.
fn others(report: &Report) -> Option<String> {
    let held = report.others.iter().filter(|other| other.holds());
    let each =
        held.map(|other| format!("{} {}", other.kernel.replace('_', " "), rate(other.bytes, other.seconds)));
    let line = each.collect::<Vec<_>>().join(", ");
    (!line.is_empty()).then_some(line)
}

#[expect(clippy::cast_precision_loss, reason = "a rate to read")]
fn rate(bytes: u64, seconds: f64) -> String {
    format!("{:.2} GB/s", bytes as f64 / seconds / 1e9)
}

fn wrong(measured: &Measured) -> Vec<String> {
    let first = |first: &Option<Difference>| {
        first.as_ref().map_or_else(String::new, |d| {
            format!("; first at {}: {} where {} was expected", d.at, d.found, d.expected)
        })
    };
    let side = |name: &str, bytes: &BytesRecord| {
        let mut lines = Vec::new();
        if bytes.predicted_bytes != bytes.measured_bytes {
            lines.push(format!(
                "{name} fills {} bytes where {} were predicted",
                bytes.measured_bytes, bytes.predicted_bytes
            ));
        }
        for (what, exact) in
            [("packed bytes", Some(&bytes.packed)), ("decoded values", bytes.unpacked.as_ref())]
        {
            if let Some(exact) = exact.filter(|exact| !exact.equal()) {
                lines.push(format!(
                    "{} of {} {what} of {name} differ{}",
                    exact.differing,
                    exact.compared,
                    first(&exact.first)
                ));
            }
        }
        lines
    };
    let within = |name: &str, within: &Within| {
        (!within.holds()).then(|| {
            format!(
                "{} of {} outputs of {name} are past their bound{}",
                within.outside,
                within.compared,
                first(&within.first)
            )
        })
    };
    let mut lines = side("K", &measured.k);
    lines.extend(side("V", &measured.v));
    if let Some(attended) = &measured.attention {
        lines.extend(within("decode", &attended.decode));
        lines.extend(within("prefill", &attended.prefill));
    }
    lines
}

/// A model's whole cache, planned and found, a line per codec.
fn totals(report: &Report) -> Vec<String> {
    let Some(model) = &report.model else { return Vec::new() };
    let line = |total: &ModelTotal| {
        let (planned, found) = (super::grouped(total.planned_bytes), super::grouped(total.measured_bytes));
        let found = if planned == found { "the same".to_owned() } else { found };
        format!("{}: {planned} B planned, {found} found", total.codec)
    };
    model.totals.iter().map(line).collect()
}

/// What was not run and why, codecs with the same reason together.
fn skipped(report: &Report) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    let mut add = |reason: String, codec| match reasons.iter_mut().find(|(known, _)| *known == reason) {
        Some((_, codecs)) if codecs.contains(&codec) => {}
        Some((_, codecs)) => codecs.push(codec),
        None => reasons.push((reason, vec![codec])),
    };
    for case in &report.cases {
        let on = &case.shape.label;
        match &case.outcome {
            Outcome::Skipped { reason } => add(format!("not run on {on}: {reason}"), case.codec.as_str()),
            Outcome::Passed(measured) | Outcome::Failed(measured) => {
                if let Some(reason) = &measured.attention_skipped {
                    add(format!("no attention on {on}: {reason}"), case.codec.as_str());
                }
            }
            Outcome::Refused { .. } => {}
        }
    }
    reasons.into_iter().map(|(reason, codecs)| format!("{}: {reason}", codecs.join(", "))).collect()
}

/// How far the time model is off on sizes it was not fitted to.
fn held_out(record: &HeldOutRecord) -> String {
    let (Some(median), Some(p90), Some(max)) = (record.median, record.p90, record.max) else {
        return "no run was held out: the time model is unchecked".to_owned();
    };
    let [median, p90, max] = [median, p90, max].map(percent);
    format!("off by {median} (half of {} held-out runs), {p90} (nine of ten), {max} (the worst)", record.runs)
}

/// Which clock the times were read from.
fn clock(report: &Report) -> &'static str {
    let mut points = report.time.iter().flat_map(|time| &time.series).flat_map(|series| &series.points);
    match points.next().map(|point| point.clock.as_str()) {
        Some("timestamp") => "the device's own clock",
        Some(_) => "the host's clock, launches included",
        None => "no clock",
    }
}

/// A share as a percentage of two significant digits.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 {
        return "0 %".to_owned();
    }
    if !percent.is_finite() {
        return "∞".to_owned();
    }
    let digits = if percent >= 9.95 {
        0
    } else if percent >= 0.995 {
        1
    } else if percent >= 0.0995 {
        2
    } else {
        3
    };
    if percent < 0.001 { format!("{percent:.0e} %") } else { format!("{percent:.digits$} %") }
}

/// Stored bits, two decimals where there are any.
fn bits(bits: f64) -> String {
    let text = format!("{bits:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvplan_core::codec::Codec;
    use kvplan_kernels::op::CodecKernels;
    use kvplan_kernels::validate::{Run, cases, sample, standard, validate_on_cpu};
    use std::sync::atomic::AtomicBool;

    /// The model's 127 tokens lie in KIVI's window of 128; made-up ones are more.
    #[test]
    fn errors_are_those_of_a_case_that_packs_something_and_say_so() {
        let codecs = [Codec::Q8_0, Codec::Kivi2].map(|codec| CodecKernels::of(codec).unwrap());
        let cases = cases(&codecs, &standard(sample().unwrap(), false));
        let cancel = AtomicBool::new(false);
        let mut run = Run { cases: &cases, clock: false, progress: &mut |_| (), cancel: &cancel };
        let report = validate_on_cpu(&mut run);
        let rows = rows(&report);
        assert!(rows[0].real && !rows[1].real);
        assert!(rows[1].bits < 10.0 && rows[1].errors[0].unwrap() > 0.01, "{rows:?}");
        assert_eq!(made_up(&rows).as_deref(), Some("on made-up ones: kivi2"));
        assert_eq!(made_up(&rows[..1]), None);
    }

    #[test]
    fn shares_read_as_percentages_of_two_digits() {
        let read: Vec<String> = [0.0, 1.234e-7, 0.000_123, 0.004_56, 0.0789, 0.5, 12.0].map(percent).into();
        assert_eq!(read, ["0 %", "1e-5 %", "0.012 %", "0.46 %", "7.9 %", "50 %", "1200 %"]);
    }
}
