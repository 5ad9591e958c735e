//! Whether it fits, in words, and the devices as a table.

use super::{Align, BAD, BOLD, NOTE, Table, count, grouped, size, wrapped};
use kvplan_core::explain::Basis;
use kvplan_core::placement::{BoundBy, ComputeLine, State};
use kvplan_core::plan::Plan;
use kvplan_core::unit::Bytes;
use std::fmt::Write as _;

/// The verdict: word, spare or excess, which limit binds.
pub(super) fn verdict(out: &mut String, plan: &Plan) {
    let fit = &plan.fit;
    let on = fit.device.as_deref().unwrap_or_default();
    let spare = Bytes::new(fit.spare_bytes.unwrap_or(0).unsigned_abs());
    let doubt = fit.doubt_bytes.unwrap_or_default();
    let about = format!(
        "{} of {}; {}",
        count(plan.sequences, "sequence"),
        count(plan.context.get(), "token"),
        limit(plan)
    );
    let (style, word, rest) = match fit.state {
        State::Unknown => return,
        State::Fits => (BOLD, "Fits.", format!("{} to spare on {on}. {about}.", size(spare))),
        State::Barely => (
            NOTE,
            "Fits, barely.",
            format!("{} to spare on {on}, but ±{} is estimated. {about}.", size(spare), size(doubt)),
        ),
        State::Over => (BAD, "Does not fit:", format!("{} over on {on}. {about}.", size(spare))),
    };
    let text = wrapped(&format!("{word} {rest}"), 0);
    let rest = text.strip_prefix(word).unwrap_or(&text);
    let _ = writeln!(out, "{style}{word}{style:#}{rest}\n");
}

/// How fast, where it fits and is estimated.
pub(super) fn speed(out: &mut String, plan: &Plan) {
    let Some(speed) = plan.speed.as_ref().filter(|_| plan.fit.state != State::Over) else { return };
    let rate = |rate: f64| format!("~{}", whole(rate));
    let together = if plan.sequences > 1 { " together" } else { "" };
    let mut text = format!(
        "{} tokens/s{together} at this depth, {} when empty (estimate; four in five lie in {}\u{2013}{})",
        rate(speed.decode_tokens_per_s),
        rate(speed.decode_empty_tokens_per_s),
        whole(speed.decode_range.p10),
        whole(speed.decode_range.p90),
    );
    if let Some(prefill) = speed.prefill_tokens_per_s {
        let _ = write!(text, "; a prompt of this length is read at {} tokens/s", rate(prefill));
    }
    let _ = writeln!(out, "{}.\n", wrapped(&text, 0));
}

/// A cell: `~53`.
pub(super) fn rate(plan: &Plan) -> String {
    let shown = plan.speed.as_ref().filter(|_| plan.fit.state != State::Over);
    shown.map_or_else(String::new, |speed| format!("~{}", whole(speed.decode_tokens_per_s)))
}

/// Two digits more than an estimate has: whole numbers, tenths below ten.
fn whole(rate: f64) -> String {
    if rate < 10.0 {
        return format!("{rate:.1}");
    }
    let digits = format!("{rate:.0}");
    digits.parse().map_or(digits, grouped)
}

/// What a longer context runs into.
fn limit(plan: &Plan) -> String {
    match (plan.fit.max_context, plan.fit.bound_by) {
        (Some(0), Some(BoundBy::Memory)) => "no context fits".to_owned(),
        (Some(tokens), Some(BoundBy::Memory)) => format!("memory runs out at {}", grouped(tokens)),
        (Some(tokens), Some(BoundBy::Model)) => {
            format!("the model\u{2019}s own limit, {}, fits", grouped(tokens))
        }
        (Some(tokens), Some(BoundBy::Engine)) => format!("the engine takes up to {}", grouped(tokens)),
        (_, _) => "nothing bounds the context".to_owned(),
    }
}

/// A cell: `fits, 5.8 GiB to spare`.
pub(super) fn in_a_word(plan: &Plan) -> String {
    let state: &str = plan.fit.state.into();
    match plan.fit.spare_bytes {
        None => state.to_owned(),
        Some(spare) => {
            let bytes = size(Bytes::new(spare.unsigned_abs()));
            if spare < 0 { format!("{state} by {bytes}") } else { format!("{state}, {bytes} to spare") }
        }
    }
}

/// One row a device; columns that are empty everywhere are left out.
pub(super) fn devices(out: &mut String, plan: &Plan) {
    if plan.devices.is_empty() {
        return;
    }
    let rows = &plan.devices;
    let any = |has: fn(&kvplan_core::placement::DeviceShown) -> bool| rows.iter().any(has);
    let (layers, compute) = (any(|d| d.layers.is_some()), any(|d| d.compute_bytes > Bytes::ZERO));
    let (used, kept) = (any(|d| d.in_use_bytes > Bytes::ZERO), any(|d| d.keep_free_bytes > Bytes::ZERO));
    let (withheld, extras) = (any(|d| d.withheld_bytes > Bytes::ZERO), any(|d| d.extras_bytes > Bytes::ZERO));
    let shown = [
        ("device", Align::Left, true),
        ("layers", Align::Right, layers),
        ("weights", Align::Right, true),
        ("cache", Align::Right, true),
        ("compute", Align::Right, compute),
        ("beside", Align::Right, extras),
        ("in use", Align::Right, used),
        ("kept free", Align::Right, kept),
        ("withheld", Align::Right, withheld),
        ("free", Align::Right, true),
        ("of", Align::Right, true),
    ];
    let columns: Vec<(&str, Align)> =
        shown.iter().filter(|(_, _, on)| *on).map(|(name, align, _)| (*name, *align)).collect();
    let mut table = Table::new(&columns);
    let about = |bytes: Bytes, exact: bool| match (bytes, exact) {
        (Bytes::ZERO, _) | (_, true) => size(bytes),
        (_, false) => format!("~{}", size(bytes)),
    };
    let weights = plan.weights.as_ref().is_none_or(|weights| weights.basis == Basis::Exact);
    let buffers = plan.compute.as_ref().is_none_or(|compute| compute.basis == Basis::Exact);
    for device in rows {
        let cells = [
            device.name.clone(),
            device.layers.map(grouped).unwrap_or_default(),
            about(device.weights_bytes, weights),
            size(device.kv_bytes),
            about(device.compute_bytes, buffers),
            size(device.extras_bytes),
            size(device.in_use_bytes),
            size(device.keep_free_bytes),
            size(device.withheld_bytes),
            device.free_bytes.map(signed).unwrap_or_default(),
            device.capacity_bytes.map(size).unwrap_or_default(),
        ];
        table.row(cells.into_iter().zip(&shown).filter(|(_, (_, _, on))| *on).map(|(cell, _)| cell));
    }
    out.push_str(&table.render());
    out.push('\n');
}

/// What lives beside the model, a line each.
pub(super) fn extras(out: &mut String, plan: &Plan) {
    if plan.extras.is_empty() {
        return;
    }
    let mut table = Table::new(&[
        ("beside", Align::Left),
        ("", Align::Right),
        ("exact bytes", Align::Right),
        ("", Align::Left),
    ]);
    for extra in &plan.extras {
        let basis: &str = extra.basis.into();
        table.row([extra.name.to_owned(), size(extra.bytes), grouped(extra.bytes.get()), basis.to_owned()]);
    }
    out.push_str(&table.render());
    out.push('\n');
}

/// What the engine takes beside weights and cache, part by part.
pub(super) fn compute(out: &mut String, plan: &Plan) {
    let Some(compute) = plan.compute.as_ref() else { return };
    let part = |line: &ComputeLine| match line.basis {
        Basis::Exact => format!("{} {}", line.name, size(line.bytes)),
        Basis::Derived | Basis::Measured | Basis::Assumed => {
            format!("{} ~{} (±{})", line.name, size(line.bytes), size(line.doubt_bytes))
        }
    };
    let parts: Vec<String> = compute.lines.iter().map(part).collect();
    let _ = writeln!(out, "{}\n", wrapped(&format!("  compute: {}", parts.join(", ")), 4));
}

/// The pool that the engine will make.
pub(super) fn pool(out: &mut String, plan: &Plan) {
    let Some(pool) = plan.pool.as_ref() else { return };
    let times = pool.max_concurrency.map_or_else(String::new, |x| format!(", {x:.2}x"));
    let text = format!(
        "  pool: ~{} (±{}) a rank; {} will say ~{} tokens{times} (between {} and {})",
        size(pool.bytes),
        size(pool.doubt_bytes),
        plan.engine.name,
        grouped(pool.tokens),
        grouped(pool.tokens_low),
        grouped(pool.tokens_high),
    );
    let _ = writeln!(out, "{}\n", wrapped(&text, 4));
}

/// A size that may be below nothing.
fn signed(bytes: i64) -> String {
    let size = size(Bytes::new(bytes.unsigned_abs()));
    if bytes < 0 { format!("-{size}") } else { size }
}
