//! ```text
//!  kvplan  [F1 Plan]  F2 Compare  F3 Proof  F4 Traces                              rtx-5090 + 64.0 GiB RAM (example) [d]
//! ```

use super::text;
use crate::screen::app::App;
use crate::screen::command::Command;
use kvplan_core::planner::Tab;
use kvplan_core::planner::view::change::devices;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use strum::IntoEnumIterator as _;

/// The tabs with their columns, and the command of each.
pub(crate) fn places(app: &App) -> Vec<(u16, u16, String, Tab, Command)> {
    let mut x = 9;
    Tab::iter()
        .map(|tab| {
            let (name, command) = match tab {
                Tab::Plan => ("Plan", Command::TabPlan),
                Tab::Compare => ("Compare", Command::TabCompare),
                Tab::Proof => ("Proof", Command::TabProof),
                Tab::Traces => ("Traces", Command::TabTraces),
            };
            let label = format!("{} {name}", app.bindings.key(command));
            let label =
                if app.planner.state().view.tab == tab { format!("[{label}]") } else { format!(" {label} ") };
            let width = u16::try_from(label.chars().count()).unwrap_or(0);
            let place = (x, width, label, tab, command);
            x += width + 1;
            place
        })
        .collect()
}

/// Draws the line.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = app.theme;
    text(buf, area, 1, 0, "kvplan", theme.strong());
    let mut end = 0;
    for (x, _, label, tab, _) in places(app) {
        let here = app.planner.state().view.tab == tab;
        end = text(buf, area, x, 0, &label, if here { theme.strong() } else { theme.dim() });
    }
    let hardware = &app.planner.state().request.hardware;
    let mut machine =
        if hardware.is_empty() { "no device".to_owned() } else { theme.text(&devices(hardware)) };
    if let Some((_, from)) = app.machine.as_ref().filter(|(first, _)| first == hardware) {
        machine.push_str(&format!(" ({from})"));
    }
    let key = app.bindings.key(Command::Device);
    let width =
        u16::try_from(machine.chars().count() + key.chars().count()).unwrap_or(u16::MAX).saturating_add(4);
    if area.width > end.saturating_add(width) {
        let x = text(buf, area, area.width - width, 0, &machine, theme.strong());
        text(buf, area, x + 1, 0, &format!("[{key}]"), theme.dim());
    }
}
