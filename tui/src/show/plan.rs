//! A plan for reading: headline, needed/reserved/padding, a table by cache and role, why.

use super::{Align, BOLD, DIM, NOTE, Table, count, grouped, size, wrapped};
use super::{fit, serving};
use kvplan_core::engine::EngineName;
use kvplan_core::error::PlanError;
use kvplan_core::explain::Term;
use kvplan_core::placement::State;
use kvplan_core::plan::Plan;
use kvplan_core::spec::{Kind, ModelSpec};
use std::fmt::Write as _;

/// One engine in full.
pub(crate) fn one(model: &ModelSpec, plan: &Plan) -> String {
    let mut out = String::new();
    let engine = if plan.engine.version.is_empty() {
        plan.engine.name.to_owned()
    } else {
        format!("{} {}", plan.engine.name, plan.engine.version)
    };
    headline(&mut out, model, plan, &engine);
    fit::verdict(&mut out, plan);
    fit::speed(&mut out, plan);

    let kv = &plan.kv;
    let mut totals = Table::new(&[
        ("", Align::Left),
        ("", Align::Right),
        ("exact bytes", Align::Right),
        ("", Align::Left),
    ]);
    let share = if kv.allocated_bytes.get() == 0 {
        String::new()
    } else {
        percent(kv.waste_bytes.get(), kv.allocated_bytes.get())
    };
    totals.row([
        "needed".into(),
        size(kv.payload_bytes),
        grouped(kv.payload_bytes.get()),
        "by the tokens themselves".into(),
    ]);
    totals.row([
        "reserved".into(),
        size(kv.allocated_bytes),
        grouped(kv.allocated_bytes.get()),
        format!("by {}", plan.engine.name),
    ]);
    totals.row(["padding".to_owned(), size(kv.waste_bytes), grouped(kv.waste_bytes.get()), share]);
    if let Some(free) = kv.pool_free_bytes {
        totals.row([
            "pool free".to_owned(),
            size(free),
            grouped(free.get()),
            "room for more sequences".to_owned(),
        ]);
    }
    out.push_str(&totals.render());
    out.push('\n');
    fit::extras(&mut out, plan);
    fit::devices(&mut out, plan);
    fit::compute(&mut out, plan);
    fit::pool(&mut out, plan);
    serving::serving(&mut out, plan);
    stores(&mut out, plan);
    grows(&mut out, plan);
    why(&mut out, std::iter::once((plan.engine.name, plan)));
    explain(&mut out, plan);
    assumptions(&mut out, std::iter::once(plan));
    out
}

/// The command that starts it.
pub(crate) fn run(lines: &[String]) -> String {
    let mut out = "\nrun\n".to_owned();
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
    out
}

/// One line an engine, the ideal engine's table below.
pub(crate) fn summary(model: &ModelSpec, answers: &[(EngineName, Result<Plan, PlanError>)]) -> String {
    let mut out = String::new();
    let plans = || answers.iter().filter_map(|(name, a)| a.as_ref().ok().map(|plan| (name.as_str(), plan)));
    if let Some((_, ideal)) = plans().next() {
        headline(&mut out, model, ideal, "");
    }
    let fast = plans().any(|(_, plan)| !fit::rate(plan).is_empty());
    let machine = plans().any(|(_, plan)| plan.fit.state != State::Unknown);
    let mut columns = vec![
        ("engine", Align::Left),
        ("cache", Align::Left),
        ("reserved", Align::Right),
        ("exact bytes", Align::Right),
        ("padding", Align::Right),
    ];
    if machine {
        columns.push(("fit", Align::Left));
    }
    if fast {
        columns.push(("tokens/s", Align::Right));
    }
    let mut table = Table::new(&columns);
    for (name, answer) in answers {
        match answer {
            Ok(plan) => {
                let ideal = *name == EngineName::Payload;
                let mut row = vec![
                    name.as_str().to_owned(),
                    codecs(plan),
                    size(plan.kv.allocated_bytes),
                    grouped(plan.kv.allocated_bytes.get()),
                    if ideal { "the ideal".to_owned() } else { size(plan.kv.waste_bytes) },
                ];
                if machine {
                    row.push(fit::in_a_word(plan));
                }
                if fast {
                    row.push(fit::rate(plan));
                }
                table.row(row);
            }
            Err(error) => table.row([name.as_str(), "", error.kind.into(), "", ""]),
        }
    }
    out.push_str(&table.render());
    for (name, answer) in answers {
        if let Err(error) = answer {
            let _ = writeln!(out, "  {NOTE}{name}{NOTE:#}: {}", wrapped(&error.message, 4));
        }
    }
    if let Some((_, ideal)) = plans().next() {
        out.push('\n');
        stores(&mut out, ideal);
        grows(&mut out, ideal);
    }
    why(&mut out, plans());
    for (_, plan) in plans() {
        explain(&mut out, plan);
    }
    assumptions(&mut out, plans().map(|(_, plan)| plan));
    out
}

fn headline(out: &mut String, model: &ModelSpec, plan: &Plan, engine: &str) {
    let on = if engine.is_empty() { String::new() } else { format!(" on {engine}") };
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}{on}", model.name());
    let layers: Vec<String> = model
        .kinds()
        .iter()
        .filter(|kind| kind.layers() > 0)
        .map(|kind: &Kind| format!("{} {}", kind.layers(), kind.label()))
        .collect();
    let _ = writeln!(
        out,
        "{DIM}{} × {}; layers: {}{DIM:#}\n",
        count(plan.context.get(), "token"),
        count(plan.sequences, "sequence"),
        layers.join(", ")
    );
}

/// The codecs of the main cache: `f16`, or `q8_0/q4_0` for K and V.
fn codecs(plan: &Plan) -> String {
    let mut names: Vec<&str> = Vec::new();
    for store in plan.kv.stores.iter().filter(|s| s.role.knob_is_cache()) {
        if !names.contains(&store.codec) {
            names.push(store.codec);
        }
    }
    names.join("/")
}

fn stores(out: &mut String, plan: &Plan) {
    let mut table = Table::new(&[
        ("cache", Align::Left),
        ("role", Align::Left),
        ("layers", Align::Right),
        ("entries", Align::Right),
        ("codec", Align::Left),
        ("needed", Align::Right),
        ("reserved", Align::Right),
    ]);
    for store in &plan.kv.stores {
        table.row([
            store.cache.to_owned(),
            store.role.name().to_owned(),
            store.layers.to_string(),
            grouped(store.entries),
            store.codec.to_owned(),
            size(store.payload_bytes),
            size(store.allocated_bytes),
        ]);
    }
    out.push_str(&table.render());
}

fn grows(out: &mut String, plan: &Plan) {
    let growth = plan.kv.bytes_per_token;
    let shown = growth.whole().map_or_else(|| growth.to_string(), grouped);
    let _ = writeln!(out, "\n  grows {shown} B per token of a sequence");
}

fn why<'a>(out: &mut String, plans: impl Iterator<Item = (&'a str, &'a Plan)>) {
    out.push_str("\nwhy\n");
    for (_, plan) in plans {
        for rule in &plan.rules {
            let line = format!("{}: {}", rule.id, rule.says);
            let _ = writeln!(out, "  {}", wrapped(&line, 4));
        }
    }
}

fn explain(out: &mut String, plan: &Plan) {
    let Some(terms) = &plan.explain else { return };
    let _ = writeln!(out, "\nexplained: {}", plan.engine.name);
    for term in terms {
        branch(out, term, 2);
    }
}

fn branch(out: &mut String, term: &Term, indent: usize) {
    let basis: &str = term.basis.into();
    let line = format!("{} = {} {} ({basis}): {}", term.label, grouped(term.value), term.unit, term.formula);
    let _ = writeln!(out, "{}{}", " ".repeat(indent), wrapped(&line, indent + 2));
    for part in &term.terms {
        branch(out, part, indent + 4);
    }
}

fn assumptions<'a>(out: &mut String, plans: impl Iterator<Item = &'a Plan>) {
    let mut said: Vec<&str> = Vec::new();
    for plan in plans {
        for assumption in &plan.assumptions {
            if !said.contains(&assumption.as_ref()) {
                said.push(assumption);
            }
        }
    }
    if said.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{NOTE}assumed{NOTE:#}");
    for line in said {
        let _ = writeln!(out, "  {}", wrapped(line, 4));
    }
}

/// Tenths of a percent, on integers.
fn percent(part: u64, whole: u64) -> String {
    let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}
