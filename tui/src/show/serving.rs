//! How many conversations are held, as a table.

use super::{Align, BOLD, Table, grouped, size, wrapped};
use kvplan_core::plan::Plan;
use kvplan_core::planner::View;
use kvplan_core::planner::view::serving::serving as panel;
use std::fmt::Write as _;

/// A row a length; what is kept once; what the engine will print.
pub(super) fn serving(out: &mut String, plan: &Plan) {
    let Some(panel) = panel(plan, View::default()) else { return };
    let _ = writeln!(out, "{BOLD}conversations held at once{BOLD:#}");
    let copies = panel.copies.is_some();
    let mut columns = vec![
        ("length", Align::Left),
        ("tokens", Align::Right),
        ("each", Align::Right),
        ("held", Align::Right),
        ("until", Align::Left),
    ];
    if copies {
        columns.push(("copies", Align::Right));
    }
    let mut table = Table::new(&columns);
    for row in panel.rows {
        let bound: &str = row.bound_by.map_or("", Into::into);
        let mut cells = vec![row.name.to_owned(), row.tokens, row.each, row.held, bound.to_owned()];
        if copies {
            cells.push(row.copies);
        }
        table.row(cells);
    }
    out.push_str(&table.render());
    // What it will print stands with the pool, where there is one.
    let prints = panel.prints.filter(|_| plan.pool.is_none());
    for line in [panel.copies, panel.settled, panel.shared, prints].into_iter().flatten() {
        let _ = writeln!(out, "  {}", wrapped(&line, 2));
    }
    let tiers = plan.serving.as_ref().map_or(&[][..], |serving| &serving.tiers);
    for tier in tiers {
        let whole = format!(
            "The {} tier of {} keeps {} conversations of {} × {} ({}).",
            tier.name,
            size(tier.bytes),
            grouped(tier.conversations),
            grouped(tier.objects_each),
            size(tier.object_bytes),
            tier.rule
        );
        let _ = writeln!(out, "  {}", wrapped(&whole, 2));
    }
    out.push('\n');
}
