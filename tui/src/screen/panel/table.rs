//! ```text
//! - LARGEST CONTEXT  [Tab] weights engines devices methods ---
//!  weights             f16       q8_0       q5_1       q4_0
//!  Q8_0    26.6     44,032     82,944    117,504    156,672
//!  Q6_K    20.6    142,336   262,144!   262,144=   262,144=
//! >Q4_K_M  15.5  [225,792]   262,144=   262,144=   262,144=
//!  quality           exact      .0002      .0070      .0352
//!  = the model's own limit   ! fits barely   Enter: use it
//! ```

use super::text;
use crate::screen::app::App;
use crate::screen::theme::Theme;
use kvplan_core::planner::Lens;
use kvplan_core::planner::view::table::{Cell, Mark, Table};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use strum::IntoEnumIterator as _;

/// Where the rows and columns are in a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grid {
    label: u16,
    detail: u16,
    column: u16,
    /// Whether long numbers are cut to three digits, so that none touches its neighbour.
    brief: bool,
    /// The row of the table that is drawn first.
    first: usize,
    /// How many rows there is room for.
    rows: usize,
}

impl Grid {
    /// The grid of a table in an area.
    pub(crate) fn of(table: &Table, cursor: Option<(usize, usize)>, area: Rect) -> Self {
        let chars = |text: &str| u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        let longest = |of: &dyn Fn(&kvplan_core::planner::view::table::Row) -> u16| {
            table.rows.iter().map(of).max().unwrap_or(0)
        };
        let label = longest(&|row| chars(&row.label)).max(chars(table.rows_are)).min(area.width / 3);
        let detail = longest(&|row| chars(&row.detail));
        let cells = |of: &dyn Fn(&Cell) -> u16| longest(&|row| row.cells.iter().map(of).max().unwrap_or(0));
        let whole = cells(&|cell| chars(&cell.text));
        let names = table.columns.iter().map(|name| chars(name)).max().unwrap_or(0).min(12);
        let columns = table.rows.iter().map(|row| row.cells.len()).max().unwrap_or(1).max(1);
        let each = u16::try_from(columns).unwrap_or(1);
        // A bracket or a mark on either side.
        let brief = area.width.saturating_sub(label + 4) / each < whole + 2;
        let widest = if brief { cells(&|cell| chars(&rounded_down(&cell.text))) } else { whole };
        // Figures have room before what is known of a row beside them.
        let tight = area.width.saturating_sub(label + detail + 4) / each < widest + 2;
        let detail = if tight && area.width.saturating_sub(label + 4) / each >= widest { 0 } else { detail };
        let room = area.width.saturating_sub(label + detail + 4) / each;
        let column = (widest + 3).max(names + 2).min(room.max(6));
        let under = usize::from(table.quality.is_some()) + 2;
        let rows = usize::from(area.height).saturating_sub(2 + under).max(1);
        let at = cursor.map_or(0, |(row, _)| row);
        let last = table.rows.len().saturating_sub(rows);
        let first = at.saturating_sub(rows / 2).min(last);
        Self { label, detail, column, brief, first, rows: rows.min(table.rows.len()) }
    }

    /// The left edge of a column's cells, which end where the next begins.
    fn x(&self, column: usize) -> u16 {
        let at = u16::try_from(column).unwrap_or(0).saturating_mul(self.column);
        (self.label + self.detail + 3).saturating_add(at)
    }

    /// The cell at a place of the panel.
    pub(crate) fn at(&self, table: &Table, x: u16, y: u16) -> Option<(usize, usize)> {
        let row = usize::from(y.checked_sub(2)?);
        let row = (row < self.rows).then_some(row + self.first)?;
        let cells = table.rows.get(row)?.cells.len();
        (0..cells)
            .find(|column| (self.x(*column)..self.x(column + 1)).contains(&x))
            .map(|column| (row, column))
    }
}

/// Draws the table of the lens.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let (theme, lens) = (app.theme, app.planner.state().view.lens);
    let title = app.answers.table.as_ref().map_or("ALTERNATIVES", |table| table.title);
    super::rule(buf, area, 0, title, "", theme);
    let mut x = u16::try_from(title.len()).unwrap_or(0) + 5;
    for one in Lens::iter() {
        let name: &str = one.into();
        let style = if one == lens { theme.selected() } else { theme.dim() };
        x = text(buf, area, x, 0, &format!(" {name} "), style);
    }
    let Some(table) = &app.answers.table else {
        // With a model they follow the first frame.
        if app.planner.model().is_err() {
            text(buf, area, 1, 1, "no alternatives without a model", theme.dim());
        }
        return;
    };
    let cursor = app.place();
    let grid = Grid::of(table, cursor, area);
    text(buf, area, 1, 1, table.rows_are, theme.dim());
    for (column, name) in table.columns.iter().enumerate() {
        right(buf, area, &grid, (column, 1), name, theme.dim());
    }
    let mut y = 2;
    for (at, row) in table.rows.iter().enumerate().skip(grid.first).take(grid.rows) {
        let here = cursor.is_some_and(|(row, _)| row == at);
        let own = row.cells.iter().any(|cell| cell.current);
        text(buf, area, 0, y, if own { ">" } else { " " }, theme.strong());
        let label: String = theme.text(&row.label).chars().take(usize::from(grid.label)).collect();
        text(buf, area, 1, y, &label, if here { theme.strong() } else { Style::new() });
        let detail: String = row.detail.chars().take(usize::from(grid.detail)).collect();
        text(buf, area, grid.label + 2, y, &detail, theme.dim());
        for (column, cell) in row.cells.iter().enumerate() {
            let under = app.cursor == Some((at, column));
            right(
                buf,
                area,
                &grid,
                (column, y),
                &theme.text(&written(cell, grid.brief)),
                style(cell, under, theme),
            );
        }
        y += 1;
    }
    if let Some(quality) = &table.quality {
        text(buf, area, 1, y, "quality", theme.dim());
        for (column, figure) in quality.iter().enumerate() {
            right(buf, area, &grid, (column, y), &theme.text(figure), theme.dim());
        }
        y += 1;
    }
    notes(app, table, grid.brief, (area, y), buf);
}

fn notes(app: &App, table: &Table, brief: bool, (area, mut y): (Rect, u16), buf: &mut Buffer) {
    let theme = app.theme;
    let marked = table.rows.iter().flat_map(|row| &row.cells).any(|cell| !cell.mark.sign().is_empty());
    let marks = marked.then_some("= model's limit, ! barely");
    let cut = brief.then_some("k, M rounded down");
    let said: Vec<&str> = marks.into_iter().chain(cut).chain(table.caption.as_deref()).collect();
    let lines = super::wrapped(&said.join("; "), area.width.saturating_sub(1));
    for line in lines {
        if y < area.height {
            text(buf, area, 1, y, &theme.text(&line), theme.dim());
        }
        y += 1;
    }
}

/// A cell as it is written: the one that is set in brackets, its mark after it.
fn written(cell: &Cell, brief: bool) -> String {
    let text = if brief { rounded_down(&cell.text) } else { cell.text.clone() };
    if cell.current { format!("[{text}{}]", cell.mark.sign()) } else { format!("{text}{}", cell.mark.sign()) }
}

/// A count of a hundred thousand or more in three digits, never more than it is; anything else as it stands.
fn rounded_down(text: &str) -> String {
    match text.replace(',', "").parse::<u64>() {
        Ok(n) if n >= 1_000_000 => format!("{}.{:02}M", n / 1_000_000, n % 1_000_000 / 10_000),
        Ok(n) if n >= 100_000 => format!("{}k", n / 1000),
        Ok(_) | Err(_) => text.to_owned(),
    }
}

fn style(cell: &Cell, under: bool, theme: Theme) -> Style {
    let style = match cell.mark {
        Mark::Plain | Mark::Limit => Style::new(),
        Mark::Barely => theme.part(kvplan_core::planner::Part::State),
        Mark::Over => theme.over(),
        Mark::Refused => theme.dim(),
    };
    let style = if cell.current { style.patch(theme.strong()) } else { style };
    if under { style.patch(theme.selected()) } else { style }
}

/// Writes a cell so that its figure ends where every figure of its column ends; marks and brackets hang over.
fn right(buf: &mut Buffer, area: Rect, grid: &Grid, (column, y): (usize, u16), words: &str, style: Style) {
    let hang =
        u16::try_from(words.chars().rev().take_while(|c| matches!(c, ']' | '=' | '!')).count()).unwrap_or(0);
    let width = u16::try_from(words.chars().count()).unwrap_or(u16::MAX);
    let end = grid.x(column).saturating_add(grid.column).saturating_sub(2).saturating_add(hang);
    let start = end.saturating_sub(width).max(grid.x(column).saturating_sub(1));
    text(buf, area, start, y, words, style);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_cut_to_three_digits_and_never_grows() {
        let cut = ["1,048,576", "916,224", "99,999", "none"].map(rounded_down);
        assert_eq!(cut, ["1.04M", "916k", "99,999", "none"]);
    }
}
