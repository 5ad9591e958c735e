//! ```text
//! - SERVING --------------------------------- 2,000 sessions --
//!                     tokens    held       each   copies
//!  full length     1,048,576      41   5.25 GiB       49
//!  typical           180,000     218   0.82 GiB       10
//!  19 of 20 below    700,000      60   3.31 GiB       34
//!  The first 40,000 tokens are kept once: 206 MiB.
//!  So many copies of these 8 devices hold 2,000 sessions.
//! ```

use super::text;
use crate::screen::app::App;
use kvplan_core::plan::Workload;
use kvplan_core::planner::view::serving::{Serving, serving};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What is said about serving, where a workload is set: without one the headline says what the pool holds.
pub(crate) fn of(app: &App) -> Option<Serving> {
    let state = app.planner.state();
    if state.request.workload == Workload::default() {
        return None;
    }
    serving(app.answers.plan.as_ref().ok()?, state.view)
}

/// Lines that it needs.
pub(crate) fn height(found: &Serving) -> u16 {
    let said = [&found.shared, &found.copies, &found.prints].into_iter().flatten().count();
    u16::try_from(2 + found.rows.len() + said).unwrap_or(u16::MAX)
}

/// Draws it.
pub(crate) fn render(app: &App, found: &Serving, area: Rect, buf: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let theme = app.theme;
    super::rule(buf, area, 0, "SERVING", "", theme);
    let chars = |of: &str| of.chars().count();
    let width = |of: &dyn Fn(&kvplan_core::planner::view::serving::Row) -> usize, head: &str| {
        found.rows.iter().map(of).max().unwrap_or(0).max(chars(head))
    };
    let copies = if found.copies.is_some() { "copies" } else { "" };
    let name = width(&|row| chars(row.name), "");
    let widths = [
        width(&|row| chars(&row.tokens), "tokens"),
        width(&|row| chars(&row.held), "held"),
        width(&|row| chars(&row.each), "each"),
        width(&|row| chars(&row.copies), copies),
    ];
    let line = |label: &str, cells: [&str; 4]| {
        let cells = cells.into_iter().zip(widths).map(|(cell, width)| format!("  {cell:>width$}"));
        format!("{label:name$}{}", cells.collect::<String>())
    };
    text(buf, area, 1, 1, &line("", ["tokens", "held", "each", copies]), theme.dim());
    let mut y = 2;
    for row in &found.rows {
        let cells = [row.tokens.as_str(), &row.held, &row.each, &row.copies];
        text(buf, area, 1, y, &theme.text(&line(row.name, cells)), theme.strong());
        y += 1;
    }
    for said in [&found.copies, &found.shared, &found.prints].into_iter().flatten() {
        for part in super::wrapped(said, area.width.saturating_sub(2)) {
            if y < area.height {
                text(buf, area, 1, y, &theme.text(&part), theme.dim());
            }
            y += 1;
        }
    }
}
