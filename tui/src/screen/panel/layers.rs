//! ```text
//! - LAYERS  64 ---------------------------------------------------------------------------------
//!  sssF|sssF|sssF|sssF|sssF|sssF|sssF|sssF|sssF|sssF|sssF|sssF|sssF|sssF|sssF|sssF
//!  F full 16 × 512 MiB = 8.00 GiB, grows with every token   s gated_delta 48 × 3.12 MiB, never grows
//! ```

use super::text;
use crate::screen::app::App;
use kvplan_core::planner::view::layers::LayerMap;
use kvplan_core::planner::view::text::bytes;
use kvplan_core::planner::{Figure, Part};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The layer under a place of the panel.
pub(crate) fn at(map: &LayerMap, width: u16, x: u16, y: u16) -> Option<usize> {
    let line = y.checked_sub(1)?;
    (0..map.letters.len()).find(|layer| place(map, width, *layer) == (x, line))
}

/// The column and the line of a layer's letter.
fn place(map: &LayerMap, width: u16, layer: usize) -> (u16, u16) {
    let group = map.period.unwrap_or(usize::MAX);
    let step = map.period.map_or(1, |period| period + 1);
    let room = usize::from(width.saturating_sub(2)).max(1);
    // Whole groups to a line.
    let groups = (room / step).max(1);
    let (which, inside) = if group == usize::MAX { (layer, 0) } else { (layer / group, layer % group) };
    let (line, column) = (which / groups, which % groups * step + inside);
    (u16::try_from(1 + column).unwrap_or(u16::MAX), u16::try_from(line).unwrap_or(u16::MAX))
}

/// Draws the map and its legend.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let (theme, view) = (app.theme, app.planner.state().view);
    let Some(map) = &app.answers.map else {
        super::rule(buf, area, 0, "LAYERS", "", theme);
        return;
    };
    super::rule(buf, area, 0, &format!("LAYERS  {}", map.letters.len()), "", theme);
    let style_of = |part: Option<Part>| part.map_or_else(|| theme.dim(), |part| theme.part(part));
    let lit = |at: usize, part: Option<Part>| match view.figure {
        Figure::Layer(layer) => usize::try_from(layer) == Ok(at),
        Figure::Part(own) => part == Some(own),
        Figure::Cache => false,
    };
    let letters = area.height.saturating_sub(3).max(1);
    let mut lines = 0;
    for (at, letter) in map.letters.iter().enumerate() {
        let part = map.legend.iter().find(|legend| legend.letter == *letter).and_then(|legend| legend.part);
        let (x, line) = place(map, area.width, at);
        if line >= letters {
            text(buf, area, area.width.saturating_sub(3), letters, "...", theme.dim());
            break;
        }
        lines = line;
        let style = style_of(part);
        let style = if lit(at, part) { style.patch(theme.selected()) } else { style };
        text(buf, area, x, 1 + line, &letter.to_string(), style);
        let ends = map.period.is_some_and(|period| at % period == period - 1) && at + 1 < map.letters.len();
        if ends && x + 1 < area.width {
            text(buf, area, x + 1, 1 + line, &theme.edge().to_string(), theme.dim());
        }
    }
    let (mut x, mut y): (u16, u16) = (1, 2 + lines);
    for legend in &map.legend {
        let grows = legend.part.map_or("keeps nothing", |part| part.grows().into());
        let size = legend
            .bytes
            .zip(legend.each())
            .map(|(all, each)| format!(" × {} = {}", bytes(each, view), bytes(all, view)));
        let words = format!("{} {}{}, {grows}", legend.label, legend.layers, size.unwrap_or_default());
        let width = u16::try_from(words.chars().count() + 5).unwrap_or(u16::MAX);
        if x > 1 && x.saturating_add(width) > area.width && y + 1 < area.height {
            (x, y) = (1, y + 1);
        }
        x = text(buf, area, x, y, &legend.letter.to_string(), style_of(legend.part)) + 1;
        x = text(buf, area, x, y, &theme.text(&words), Style::new()) + 3;
    }
}
