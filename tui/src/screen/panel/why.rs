//! ```text
//! - WHY  cache = 8.15 GiB ------------------------------------------------- [i] figure  [x] exact bytes --
//!  kv k       4.00 GiB   layers 16 × sequences 1 × entries 131072 × elements 4 × 256 as f16     exact
//!  kv v       4.00 GiB   layers 16 × sequences 1 × entries 131072 × elements 4 × 256 as f16     exact
//!  recurrent  144 MiB    …
//!  rule: row size × n_ctx_seq cells × streams, for every layer that owns a cache (llama.cpp/kv-cells)
//! ```

use super::text;
use crate::screen::app::App;
use crate::screen::command::Command;
use crate::screen::proof::Shown;
use kvplan_core::planner::view::text::bytes;
use kvplan_core::unit::{Bytes, grouped};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws the terms of the figure that is lit.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let (theme, view) = (app.theme, app.planner.state().view);
    let proved = match &app.proof {
        Shown::Found { line, .. } => theme.text(line),
        Shown::Running { done, steps, .. } => format!("proof {done}/{steps}"),
        Shown::Idle | Shown::Failed(_) => String::new(),
    };
    let keys = format!(
        "[{}] next figure  [{}] exact bytes",
        app.bindings.key(Command::NextFigure),
        app.bindings.key(Command::Exact)
    );
    // What was proved comes before keys that the help has too.
    let keys = match (proved.is_empty(), usize::from(area.width) > proved.len() + keys.len() + 45) {
        (true, _) => keys,
        (false, true) => format!("{proved}   {keys}"),
        (false, false) => proved,
    };
    let Some(why) = &app.answers.why else {
        super::rule(buf, area, 0, "WHY", &keys, theme);
        return;
    };
    let total = why.total.map(|total| format!(" = {}", bytes(total, view))).unwrap_or_default();
    super::rule(buf, area, 0, &format!("WHY  {}{total}", why.title), &keys, theme);
    let shown = |line: &kvplan_core::planner::view::why::Line| match line.unit {
        "bytes" => bytes(Bytes::new(line.value), view),
        unit => format!("{} {unit}", grouped(line.value)),
    };
    let label = why.lines.iter().map(|line| line.label.chars().count()).max().unwrap_or(0).min(26);
    let value = why.lines.iter().map(|line| shown(line).chars().count()).max().unwrap_or(0);
    let tall = usize::from(area.height) > 2 * why.lines.len() + 6;
    let mut y = 1;
    let mut rules: Vec<&str> = Vec::new();
    if why.lines.is_empty() {
        for line in notes(app, area.width) {
            text(buf, area, 1, y, &theme.text(&line), Style::new());
            y += 1;
        }
        return;
    }
    for line in &why.lines {
        if y >= area.height {
            return;
        }
        let name: String = line.label.chars().take(label).collect();
        let x = text(buf, area, 1, y, &format!("{name:label$}"), theme.strong()) + 2;
        let x = text(buf, area, x, y, &format!("{:>value$}", shown(line)), Style::new()) + 2;
        let basis: &str = line.basis.into();
        let end = area.width.saturating_sub(u16::try_from(basis.len()).unwrap_or(0) + 2);
        text(buf, area, end, y, basis, theme.dim());
        let formula = theme.text(&line.formula);
        let room = usize::from(end.saturating_sub(x + 1));
        if tall && formula.chars().count() > room {
            // Where there is height for it, a long formula stands under its figure.
            for part in super::wrapped(&formula, area.width.saturating_sub(4)) {
                y += 1;
                if y < area.height {
                    text(buf, area, 3, y, &part, theme.dim());
                }
            }
        } else {
            let formula: String = formula.chars().take(room).collect();
            text(buf, area, x, y, &formula, theme.dim());
        }
        if !rules.contains(&line.rule.as_str()) {
            rules.push(&line.rule);
        }
        y += 1;
    }
    for rule in rules {
        for line in super::wrapped(rule, area.width.saturating_sub(2)) {
            if y < area.height {
                text(buf, area, 1, y, &theme.text(&line), theme.dim());
            }
            y += 1;
        }
    }
}

/// What is known of a figure that has no terms.
fn notes(app: &App, width: u16) -> Vec<String> {
    let mut lines = Vec::new();
    if let kvplan_core::planner::Figure::Part(part) = app.planner.state().view.figure {
        lines.extend(super::wrapped(part.tip(), width.saturating_sub(2)));
    }
    if let Some(plan) = app.answers.shown() {
        for assumed in &plan.assumptions {
            lines.extend(super::wrapped(assumed, width.saturating_sub(2)));
        }
    }
    lines
}
