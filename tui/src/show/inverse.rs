//! An inverse for reading: the answer, what one more runs into, and what other cache types and splits come to.

use super::{Align, BAD, BOLD, DIM, NOTE, Table, count, grouped, size, wrapped};
use crate::command::fit::Report;
use kvplan_core::fit::{CacheChosen, Choice, Found, Obstacle, Outcome, Quantity, Unknown};
use kvplan_core::placement::{BoundBy, State};
use kvplan_core::plan::Request;
use kvplan_core::spec::ModelSpec;
use kvplan_core::unit::Bytes;
use std::fmt::Write as _;

/// The whole answer.
pub(crate) fn report(model: &ModelSpec, asked: &Request, report: &Report) -> String {
    let mut out = String::new();
    let version = report.engine_version.map(|version| format!(" {version}")).unwrap_or_default();
    let _ = writeln!(out, "{BOLD}{}{BOLD:#} on {}{version}\n", model.name(), report.engine);
    let unknown = report.answer.unknown;
    match &report.answer.outcome {
        Outcome::Found(found) => answer(&mut out, unknown, asked, found),
        Outcome::Nothing(obstacle) => nothing(&mut out, unknown, obstacle),
        Outcome::Unbounded => {
            let _ = writeln!(out, "{BOLD}Nothing bounds {}.{BOLD:#}", what(unknown));
        }
    }
    table(&mut out, unknown, &report.table);
    out
}

/// What is asked for, in words.
const fn what(unknown: Unknown) -> &'static str {
    match unknown {
        Unknown::Context => "the context",
        Unknown::Sequences => "the number of sequences",
        Unknown::Cache => "the cache type",
        Unknown::GpuLayers => "the layers on the GPU",
        Unknown::HostExperts => "the layers with experts in RAM",
        Unknown::Devices => "the number of devices",
        Unknown::Split => "the split",
    }
}

/// A value, in words.
fn value(unknown: Unknown, value: &Quantity) -> String {
    match (unknown, value) {
        (Unknown::Context, Quantity::Count(n)) => count(*n, "token"),
        (Unknown::Sequences, Quantity::Count(n)) => count(*n, "sequence"),
        (Unknown::GpuLayers | Unknown::HostExperts, Quantity::Count(n)) => count(*n, "layer"),
        (_, Quantity::Count(n)) => grouped(*n),
        (_, Quantity::Cache(cache)) => names(cache),
        (_, Quantity::Split(split)) => {
            let mut text = count(split.devices, "device");
            for (axis, n) in [("tp", split.ranks.tp), ("pp", split.ranks.pp), ("dp", split.ranks.dp)] {
                if n > 1 {
                    let _ = write!(text, ", {axis} {n}");
                }
            }
            if !split.layers.is_empty() {
                let layers: Vec<String> = split.layers.iter().map(u16::to_string).collect();
                let _ = write!(text, ", layers {}", layers.join(" + "));
            }
            text
        }
    }
}

fn answer(out: &mut String, unknown: Unknown, asked: &Request, found: &Found) {
    let (lead, rest) = match unknown {
        Unknown::Context => ("The longest context is ", format!("{}{}", of_sequences(asked), shared(found))),
        Unknown::Sequences => ("At most ", format!("{}{}", of_length(found), shared(found))),
        Unknown::Cache => ("The best cache type is ", String::new()),
        Unknown::GpuLayers => ("At most ", " on the GPU, counting the output".to_owned()),
        Unknown::HostExperts => ("At the least ", " keep their experts in RAM".to_owned()),
        Unknown::Devices => ("It takes ", String::new()),
        Unknown::Split => ("The best split: ", String::new()),
    };
    let (style, sure) = match (found.state, found.doubt_bytes) {
        (Some(State::Barely), Some(doubt)) => (NOTE, format!(", but ±{} is estimated", size(doubt))),
        (_, _) => (BOLD, String::new()),
    };
    let spare = match (found.spare_bytes, &found.device) {
        (Some(spare), Some(device)) => {
            format!("; {} to spare on {device}{sure}", size(Bytes::new(spare.unsigned_abs())))
        }
        (_, _) => String::new(),
    };
    let headline = format!("{lead}{}", value(unknown, &found.value));
    let text = wrapped(&format!("{headline}{rest}{spare}."), 0);
    let rest = text.strip_prefix(headline.as_str()).unwrap_or(&text);
    let bold = if text.starts_with(headline.as_str()) { headline.as_str() } else { "" };
    let _ = writeln!(out, "{style}{bold}{style:#}{rest}");
    if let (Unknown::Split, Some(context)) = (unknown, found.request.context) {
        let sequences = found.request.sequences.unwrap_or(1);
        let _ = writeln!(out, "It holds {} of {}.", count(sequences, "sequence"), count(context, "token"));
    }
    if let Some(quality) = quality_of(&found.value) {
        let _ = writeln!(out, "{quality}");
    }
    if let Some(safe) = found.safe {
        let _ = writeln!(out, "Safe whatever the errors are: {}.", value(unknown, &Quantity::Count(safe)));
    }
    if let Some(next) = &found.beyond {
        let next = format!("{} {}.", value(unknown, &next.tried), runs_into(next));
        let _ = writeln!(out, "{}", wrapped(&next, 0));
    }
}

fn of_length(found: &Found) -> String {
    found.request.context.map_or(String::new(), |n| format!(" of {}", count(n, "token")))
}

/// How the devices share the model, where they do.
fn shared(found: &Found) -> String {
    let placement = found.request.placement;
    let axes = [("tp", placement.tp), ("pp", placement.pp), ("dp", placement.dp)];
    let given: Vec<String> =
        axes.into_iter().filter(|(_, n)| *n > 1).map(|(axis, n)| format!("{axis} {n}")).collect();
    if given.is_empty() { String::new() } else { format!(" with {}", given.join(", ")) }
}

fn of_sequences(asked: &Request) -> String {
    match asked.sequences {
        None | Some(1) => String::new(),
        Some(n) => format!(" for each of {}", count(n, "sequence")),
    }
}

/// Measured quality in a sentence.
fn quality_of(value: &Quantity) -> Option<String> {
    let Quantity::Cache(cache) = value else { return None };
    Some(match &cache.quality {
        None => "Its quality was not measured; types are tried from the most stored bits down.".to_owned(),
        Some(quality) if quality.mean_kld == 0.0 => {
            "Nothing is lost: other types are measured against it.".to_owned()
        }
        Some(quality) => format!(
            "KL divergence from an f16 cache: {} nats a token, measured on SmolLM2-135M.",
            kld(quality.mean_kld)
        ),
    })
}

/// What a value runs into, as the end of a sentence.
fn runs_into(next: &Obstacle) -> String {
    if let (Some(over), Some(device)) = (next.over_bytes, &next.device) {
        return format!("would be {} over on {device}", size(Bytes::new(over)));
    }
    if let Some(refused) = &next.refused {
        return format!("is refused: {}", refused.trim_end_matches('.'));
    }
    match (next.bound_by, next.holds) {
        (BoundBy::Model, _) => "is beyond the model\u{2019}s own limit".to_owned(),
        (BoundBy::Memory, Some(holds)) => {
            format!("is more than the pool holds, {}", count(holds, "sequence"))
        }
        (BoundBy::Engine, Some(holds)) if holds > 0 => {
            format!("is more than the engine runs at once, {}", count(holds, "sequence"))
        }
        (BoundBy::Memory | BoundBy::Engine, _) => "is cut by the engine\u{2019}s own options".to_owned(),
    }
}

fn nothing(out: &mut String, unknown: Unknown, obstacle: &Obstacle) {
    let tried = value(unknown, &obstacle.tried);
    let text = wrapped(&format!("Nothing fits: {tried} {}.", runs_into(obstacle)), 0);
    let rest = text.strip_prefix("Nothing fits:").unwrap_or(&text);
    let _ = writeln!(out, "{BAD}Nothing fits:{BAD:#}{rest}");
    if let (Some(usable), Some(weights), Some(kv)) =
        (obstacle.usable_bytes, obstacle.weights_bytes, obstacle.kv_bytes)
    {
        let compute = obstacle.compute_bytes.filter(|b| b.get() > 0);
        let compute = compute.map_or_else(String::new, |bytes| format!(", {} work buffers", size(bytes)));
        let usable = size(Bytes::new(u64::try_from(usable).unwrap_or(0)));
        let _ = writeln!(
            out,
            "Of {usable} that are free for it: {} weights, {} cache{compute}.",
            size(weights),
            size(kv)
        );
    }
}

/// `q8_0`, or `q8_0/q4_0`.
fn names(cache: &CacheChosen) -> String {
    match (cache.k, cache.v) {
        (Some(k), Some(v)) if k == v => k.to_owned(),
        (Some(k), Some(v)) => format!("{k}/{v}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "none".to_owned(),
    }
}

/// Two digits that say something.
fn kld(nats: f64) -> String {
    if nats == 0.0 {
        "exact".to_owned()
    } else if nats < 0.001 {
        format!("{nats:.5}")
    } else {
        format!("{nats:.3}")
    }
}

fn table(out: &mut String, unknown: Unknown, rows: &[Choice]) {
    if rows.len() < 2 || rows.iter().all(|row| row.request.is_none()) {
        return;
    }
    let measured = rows.iter().any(|row| row.cache.quality.is_some());
    let split = rows.iter().any(|row| row.split.is_some());
    let sequences = unknown == Unknown::Sequences;
    let number = if sequences { "sequences" } else { "context" };
    let timed = rows.iter().any(|row| row.speed.is_some_and(|speed| speed.decode_tokens_per_s.is_some()));
    let alike = rows.iter().find_map(|row| row.speed.map(|speed| speed.alike));
    let at = alike.map_or_else(String::new, |n| match (sequences, n) {
        (true, 1) => "with 1".to_owned(),
        (true, n) => format!("with {}", grouped(n)),
        (false, n) => format!("at {}", grouped(n)),
    });
    let shown = [
        ("", Align::Left, true),
        ("cache", Align::Left, true),
        ("KL", Align::Right, measured),
        ("tp × pp", Align::Left, split),
        (number, Align::Right, true),
        ("tokens/s", Align::Right, timed),
        (at.as_str(), Align::Right, alike.is_some()),
        ("bound by", Align::Left, true),
    ];
    let columns: Vec<(&str, Align)> =
        shown.iter().filter(|(_, _, on)| *on).map(|(name, align, _)| (*name, *align)).collect();
    let mut table = Table::new(&columns);
    for row in rows {
        let at = row.split.map_or_else(String::new, |s| format!("{} × {}", s.tp, s.pp));
        let bound = match (row.largest, row.bound_by) {
            (Some(0), _) => "nothing fits",
            (_, Some(BoundBy::Model)) => "model",
            (_, Some(BoundBy::Engine)) => "engine",
            (_, Some(BoundBy::Memory)) => "memory",
            (_, None) => "",
        };
        let rate = |rate: Option<f64>| rate.map_or_else(String::new, three_digits);
        let cells = [
            if row.pareto { "*" } else { "" }.to_owned(),
            names(&row.cache),
            row.cache.quality.as_ref().map_or_else(String::new, |q| kld(q.mean_kld)),
            at,
            row.largest.map_or_else(|| "unbounded".to_owned(), grouped),
            rate(row.speed.and_then(|speed| speed.decode_tokens_per_s)),
            rate(row.speed.map(|speed| speed.alike_tokens_per_s)),
            bound.to_owned(),
        ];
        table.row(cells.into_iter().zip(&shown).filter(|(_, (_, _, on))| *on).map(|(cell, _)| cell));
    }
    let _ = write!(out, "\n{}", table.render());
    let better = match alike {
        None => "no other row has a better type and as large a number".to_owned(),
        Some(_) => format!("no other row has as good a type, as large a number and as many tokens/s {at}"),
    };
    let _ = writeln!(out, "\n  {DIM}{}{DIM:#}", format_args!("*  {}", wrapped(&better, 5)));
    if alike.is_some() {
        let note = format!(
            "tokens/s: estimated, all sequences together, the cache full; {at}: the same where all rows are alike"
        );
        let _ = writeln!(out, "  {DIM}{}{DIM:#}", wrapped(&note, 2));
    }
    if measured {
        let note = "KL: divergence from an f16 cache, nats a token, measured on SmolLM2-135M; the order carries over, the size may not";
        let _ = writeln!(out, "  {DIM}{}{DIM:#}", wrapped(note, 2));
    }
}

/// An estimated rate in three digits: `~57.3`, `~1,230`.
fn three_digits(rate: f64) -> String {
    if rate < 99.95 {
        let digits = if rate < 9.995 { 2 } else { 1 };
        return format!("~{rate:.digits$}");
    }
    // Rounded by its decimal form: 1.23e3.
    let rounded = format!("{rate:.2e}").parse::<f64>().unwrap_or(rate);
    let whole = format!("{rounded:.0}");
    format!("~{}", whole.parse().map_or(whole, grouped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimated_rate_has_three_digits() {
        let shown = [0.512, 9.996, 57.34, 99.96, 999.6, 1_234.0, 45_678.0].map(three_digits);
        assert_eq!(shown, ["~0.51", "~10.0", "~57.3", "~100", "~1,000", "~1,230", "~45,700"]);
    }
}
