//! One file a panel: a pure function of the app and an area, with its drawing in its comment.

pub(crate) mod compare;
pub(crate) mod curve;
pub(crate) mod footer;
pub(crate) mod headline;
pub(crate) mod inputs;
pub(crate) mod layers;
pub(crate) mod memory;
pub(crate) mod page;
pub(crate) mod picker;
pub(crate) mod proof;
pub(crate) mod run;
pub(crate) mod serving;
pub(crate) mod table;
pub(crate) mod tabs;
pub(crate) mod traces;
pub(crate) mod why;

use super::app::{App, Mode};
use super::layout;
use super::theme::Theme;
use kvplan_core::planner::Tab;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Where the panels are: what is drawn, and what a pointer points at.
pub(crate) fn areas(app: &App, area: Rect) -> layout::Areas {
    let (bars, headline) = (app.answers.bars.len(), headline::height(app, area.width));
    layout::areas(area, layout::Wants { bars, headline, pane: app.pane })
}

/// The whole screen.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    if area.width < 40 || area.height < 12 {
        text(buf, area, 0, 0, "kvplan needs 40 × 12", Style::new());
        return;
    }
    let at = areas(app, area);
    tabs::render(app, at.tabs, buf);
    footer::said(app, at.said, buf);
    footer::keys(app, at.keys, buf);
    let body = Rect { y: at.inputs.y, height: at.said.y.saturating_sub(at.inputs.y), ..area };
    match app.planner.state().view.tab {
        Tab::Plan => plan(app, &at, buf),
        Tab::Compare => compare::render(app, body, buf),
        Tab::Proof => proof::render(app, body, buf),
        Tab::Traces => traces::render(app, body, buf),
    }
    match &app.mode {
        Mode::Browse | Mode::Type(_) => {}
        Mode::Pick(list) => picker::render(list, app.theme, picker::place(at.headline, body), buf),
        Mode::Read(found) => page::render(found, app.theme, body, buf),
    }
}

fn plan(app: &App, at: &layout::Areas, buf: &mut Buffer) {
    inputs::render(app, at.inputs, buf);
    headline::render(app, at.headline, buf);
    memory::render(app, at.memory, buf);
    let curve = left(app, at.curve, buf);
    curve::render(app, curve, buf);
    table::render(app, at.table, buf);
    layers::render(app, at.layers, buf);
    why::render(app, at.why, buf);
    run::render(app, at.run, buf);
}

/// What serving comes to stands over the curve, or in its place where there is no height for both; the curve's area.
fn left(app: &App, area: Rect, buf: &mut Buffer) -> Rect {
    let Some(found) = serving::of(app).filter(|_| area.height >= 3) else { return area };
    let needed = serving::height(&found) + 1;
    let over = if area.height >= needed + 8 { needed } else { area.height };
    serving::render(app, &found, Rect { height: over, ..area }, buf);
    Rect { y: area.y + over, height: area.height - over, ..area }
}

/// Writes into an area, cut at its right edge; the column after the text.
pub(crate) fn text(buf: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
    if x >= area.width || y >= area.height {
        return x;
    }
    let room = usize::from(area.width - x);
    let (end, _) = buf.set_stringn(area.x + x, area.y + y, text, room, style);
    end - area.x
}

/// A rule across an area's line with a title in it, and a note at its right end.
pub(crate) fn rule(buf: &mut Buffer, area: Rect, y: u16, title: &str, note: &str, theme: Theme) {
    let line: String = std::iter::repeat_n(theme.rule(), usize::from(area.width)).collect();
    text(buf, area, 0, y, &line, theme.dim());
    if !title.is_empty() {
        text(buf, area, 2, y, &format!(" {title} "), theme.strong());
    }
    let width = u16::try_from(note.chars().count()).unwrap_or(u16::MAX).saturating_add(4);
    let used = u16::try_from(title.chars().count()).unwrap_or(0).saturating_add(6);
    if !note.is_empty() && width.saturating_add(used) < area.width {
        text(buf, area, area.width - width, y, &format!(" {note} "), theme.dim());
    }
}

/// Lines of at most `width` columns.
pub(crate) fn wrapped(text: &str, width: u16) -> Vec<String> {
    let width = usize::from(width.max(8));
    let mut lines: Vec<String> = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
    }
    lines
}
