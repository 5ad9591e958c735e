//! What the page plots.

use super::page::seconds;
use super::svg::{Axis, Dot, Line, Plot, Scale};
use super::{Row, percent};
use kvplan_kernels::validate::{Report, Series, TimeRecord};

/// The size of a plot in its own units; the page scales it.
const SIZE: (f64, f64) = (520.0, 340.0);

/// The same, with room for a label per codec.
const TALL: (f64, f64) = (520.0, 460.0);

#[expect(clippy::cast_precision_loss, reason = "a place on a plot")]
const fn number(n: u64) -> f64 {
    n as f64
}

/// `12 kB`.
fn bytes_tick(bytes: f64) -> String {
    let (scaled, unit) = if bytes >= 1e9 {
        (bytes / 1e9, "GB")
    } else if bytes >= 1e6 {
        (bytes / 1e6, "MB")
    } else if bytes >= 1e3 {
        (bytes / 1e3, "kB")
    } else {
        (bytes, "B")
    };
    format!("{scaled:.0} {unit}")
}

/// Bytes predicted against bytes measured: K and V of every case.
pub(super) fn bytes(report: &Report) -> Plot {
    let axis = |title| Axis { title, scale: Scale::Log, tick: bytes_tick };
    let mut dots = Vec::new();
    for case in &report.cases {
        let Some(measured) = case.outcome.measured() else { continue };
        for (side, record) in [("K", &measured.k), ("V", &measured.v)] {
            let same = record.predicted_bytes == record.measured_bytes;
            dots.push(Dot {
                x: number(record.predicted_bytes),
                y: number(record.measured_bytes),
                label: if same { String::new() } else { format!("{} {side}", case.codec) },
                title: format!(
                    "{} {side} on {}: {} bytes",
                    case.codec, case.shape.label, record.measured_bytes
                ),
                class: if same { "dot" } else { "wrong" },
            });
        }
    }
    Plot {
        title: "bytes measured against bytes predicted".to_owned(),
        size: TALL,
        x: axis("bytes predicted"),
        y: axis("bytes measured"),
        dots,
        lines: Vec::new(),
        diagonal: true,
    }
}

/// Output error against stored bits, a dot per codec.
pub(super) fn quality(rows: &[Row<'_>]) -> Plot {
    let dots = rows.iter().filter_map(|row| {
        let [_, _, output] = row.errors;
        let error = output.filter(|error| *error > EXACT)?;
        Some(Dot {
            x: row.bits,
            y: error,
            label: row.codec.to_owned(),
            title: format!("{}: {:.2} bits, {}", row.codec, row.bits, percent(error)),
            class: if row.held { "dot" } else { "wrong" },
        })
    });
    Plot {
        title: "error of the attention output against stored bits".to_owned(),
        size: TALL,
        x: Axis { title: "stored bits per number", scale: Scale::Linear, tick: |bits| format!("{bits:.0}") },
        y: Axis { title: "output error", scale: Scale::Log, tick: percent },
        dots: dots.collect(),
        lines: Vec::new(),
        diagonal: false,
    }
}

/// What the arithmetic of attention itself errs by is no error of a codec.
const EXACT: f64 = 1e-5;

/// Time against bytes of one kernel, with each codec's fitted line.
pub(super) fn time(time: &TimeRecord, kernel: &str) -> Plot {
    let mut plot = Plot {
        title: format!("time of {kernel} against bytes"),
        size: SIZE,
        x: Axis { title: "bytes read and written", scale: Scale::Log, tick: bytes_tick },
        y: Axis { title: "time", scale: Scale::Log, tick: seconds },
        dots: Vec::new(),
        lines: Vec::new(),
        diagonal: false,
    };
    for series in time.series.iter().filter(|series| series.kernel == kernel) {
        plot.dots.extend(dots(series, |point| (number(point.bytes), point.seconds)));
        let fitted = series.points.iter().filter_map(|p| Some((number(p.bytes), p.predicted_seconds?)));
        plot.lines.push(Line { points: fitted.collect(), class: "fit" });
    }
    plot
}

/// Predicted against measured time of the runs that were held out.
pub(super) fn held_out(time: &TimeRecord) -> Plot {
    let axis = |title| Axis { title, scale: Scale::Log, tick: seconds };
    let dots = time.series.iter().flat_map(|series| {
        let points = series.points.iter().filter(|point| point.held_out);
        points.filter_map(|point| {
            Some(Dot {
                x: point.predicted_seconds?,
                y: point.seconds,
                label: String::new(),
                title: format!("{} {}, {} tokens", series.codec, series.kernel, point.tokens),
                class: "hollow",
            })
        })
    });
    Plot {
        title: "held-out runs: measured time against predicted time".to_owned(),
        size: SIZE,
        x: axis("predicted"),
        y: axis("measured"),
        dots: dots.collect(),
        lines: Vec::new(),
        diagonal: true,
    }
}

fn dots<'a>(
    series: &'a Series,
    place: impl Fn(&kvplan_kernels::validate::TimePoint) -> (f64, f64) + 'a,
) -> impl Iterator<Item = Dot> + 'a {
    series.points.iter().map(move |point| {
        let (x, y) = place(point);
        Dot {
            x,
            y,
            label: String::new(),
            title: format!(
                "{} {}, {} tokens: {}",
                series.codec,
                series.kernel,
                point.tokens,
                seconds(point.seconds)
            ),
            class: if point.held_out { "hollow" } else { "dot" },
        }
    })
}
