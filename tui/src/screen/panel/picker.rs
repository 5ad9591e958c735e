//! ```text
//! +- model: qwen36_ ------------------------------------ 3 -+
//! |>qwen3.6-27b       Qwen3.6-27B  64 layers, trained to …  |
//! | qwen3.6-35b-a3b   …                                     |
//! +---------------------------------------------------------+
//! ```

use super::text;
use crate::screen::picker::Picker;
use crate::screen::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Where a list opens: under the inputs, over what it changes.
pub(crate) fn place(headline: Rect, body: Rect) -> Rect {
    let y = headline.y.max(body.y);
    let height = (body.y + body.height).saturating_sub(y);
    let width = body.width.min(150).saturating_sub(2);
    Rect { x: body.x + 1, y, width, height: height.min(24) }
}

/// The item of the list at a line of its area.
pub(crate) fn at(list: &Picker, area: Rect, y: u16) -> Option<usize> {
    let line = usize::from(y.checked_sub(area.y + 1)?);
    let rows = usize::from(area.height.saturating_sub(2));
    let at = first(list, rows) + line;
    (line < rows && at < list.count()).then_some(at)
}

fn first(list: &Picker, rows: usize) -> usize {
    list.cursor.saturating_sub(rows / 2).min(list.count().saturating_sub(rows))
}

/// Draws the list.
pub(crate) fn render(list: &Picker, theme: Theme, area: Rect, buf: &mut Buffer) {
    let rows = usize::from(area.height.saturating_sub(2));
    blank(area, buf);
    let edge = theme.edge().to_string();
    super::rule(buf, area, 0, &format!("{}: {}_", list.title, list.query), &list.count().to_string(), theme);
    super::rule(buf, area, area.height.saturating_sub(1), "", "Enter takes, Esc goes back", theme);
    for y in 1..area.height.saturating_sub(1) {
        text(buf, area, 0, y, &edge, theme.dim());
        text(buf, area, area.width.saturating_sub(1), y, &edge, theme.dim());
    }
    let label = list
        .found()
        .map(|item| item.label.chars().count())
        .max()
        .unwrap_or(0)
        .min(usize::from(area.width) * 2 / 3);
    let inner = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    };
    let top = first(list, rows);
    for (line, (at, item)) in (0u16..).zip(list.found().enumerate().skip(top).take(rows)) {
        let style = if at == list.cursor { theme.selected() } else { Style::new() };
        let name: String = theme.text(&item.label).chars().take(label).collect();
        let row = format!(" {name:label$}  {}", theme.text(&item.detail));
        let width = usize::from(inner.width);
        let row: String = format!("{row:width$}").chars().take(width).collect();
        text(buf, inner, 0, line, &row, style);
    }
    if list.count() == 0 {
        text(
            buf,
            inner,
            1,
            0,
            if list.is_of_weights() {
                "no format; Enter takes a number of bytes"
            } else {
                "nothing is called that"
            },
            theme.dim(),
        );
    }
}

/// Nothing of what is under it is seen.
pub(crate) fn blank(area: Rect, buf: &mut Buffer) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
}
