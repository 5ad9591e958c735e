//! ```text
//! - MEMORY ------------------------------------------------------------------------------- GiB  [g] GB --
//!  RTX 5090  |WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWKKKKKKKKKKKKVVVVVVVVVVVVsccxxx          ....| 31.8
//!             weights 15.0   cache 8.00   fixed state 0.15   in use 0.90   free 5.79   kept free 1.00
//! ```
//! Every part that is not empty has a cell; padding is hatched at the end of its own part; what is over is crossed.

use super::text;
use crate::screen::app::App;
use crate::screen::command::Command;
use crate::screen::theme::Theme;
use kvplan_core::cache::Role;
use kvplan_core::planner::view::memory::{Bar, Segment};
use kvplan_core::planner::view::text::short;
use kvplan_core::planner::{Figure, Part, View};
use kvplan_core::unit::Bytes;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// What a cell of a bar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellOf {
    /// Bytes of a part, needed; whether of values.
    Part(Part, bool),
    /// Padding of a part.
    Waste(Part),
    /// What another rank holds too.
    Copy(Part, bool),
    /// Room in a pool.
    Room,
    /// What the engine leaves alone.
    Withheld,
    /// Nothing.
    Free,
    /// Beyond the capacity.
    Over,
}

/// The cells of a bar of `width` columns; `scale` is the bytes of the whole width.
pub(crate) fn cells(bar: &Bar, width: u16, scale: u64, values: (u64, u64)) -> Vec<CellOf> {
    let width = usize::from(width);
    let columns = |bytes: u64| -> usize {
        let cells = u128::from(bytes) * u128::try_from(width).unwrap_or(0) * 2 / u128::from(scale.max(1));
        let cells = usize::try_from(cells.div_ceil(2)).unwrap_or(width);
        if bytes == 0 { 0 } else { cells.max(1) }
    };
    let (mut out, mut tail) = (Vec::with_capacity(width), Vec::new());
    for segment in &bar.segments {
        let all = columns(segment.bytes.get());
        let waste = columns(segment.waste.get()).min(all.saturating_sub(1));
        let needed = all - waste;
        let of_values = match segment.part {
            Part::Full => share(needed, values),
            Part::Weights
            | Part::Window
            | Part::Compressed
            | Part::Indexer
            | Part::State
            | Part::Cross
            | Part::Compute
            | Part::InUse
            | Part::KeptFree => 0,
        };
        let to = if segment.part == Part::KeptFree { &mut tail } else { &mut out };
        for (cells, value) in [(needed - of_values, false), (of_values, true)] {
            let copied = portion(cells, segment.copies.get(), segment.bytes.get());
            to.extend(std::iter::repeat_n(CellOf::Part(segment.part, value), cells - copied));
            to.extend(std::iter::repeat_n(CellOf::Copy(segment.part, value), copied));
        }
        to.extend(std::iter::repeat_n(CellOf::Waste(segment.part), waste));
    }
    out.extend(std::iter::repeat_n(CellOf::Room, columns(bar.pool_free.unwrap_or_default().get())));
    tail.extend(std::iter::repeat_n(CellOf::Withheld, columns(bar.withheld.get())));
    // Rounding up may have made it longer than the bar: the longest runs give way, none disappears.
    while out.len() + tail.len() > width {
        let longest =
            out.chunk_by(|a, b| a == b).max_by_key(|run| run.len()).and_then(|run| run.first()).copied();
        match longest.and_then(|cell| out.iter().rposition(|c| *c == cell)) {
            Some(at) => drop(out.remove(at)),
            None => drop(tail.pop()),
        }
    }
    let free = width - out.len() - tail.len();
    out.extend(std::iter::repeat_n(CellOf::Free, free));
    out.extend(tail);
    let capacity = bar.capacity.map_or(scale, Bytes::get);
    if scale > capacity {
        let within = columns(capacity);
        for cell in out.iter_mut().skip(within) {
            *cell = CellOf::Over;
        }
    }
    out
}

fn share(cells: usize, (k, v): (u64, u64)) -> usize {
    portion(cells, v, k.saturating_add(v))
}

/// The cells of a part of what all of them stand for.
fn portion(cells: usize, part: u64, all: u64) -> usize {
    let part = u128::try_from(cells).unwrap_or(0) * u128::from(part) / u128::from(all.max(1));
    usize::try_from(part).unwrap_or(0).min(cells)
}

/// The bytes of a bar's whole width: the capacity, or more where it is over.
pub(crate) fn scale(bar: &Bar) -> u64 {
    let used = bar.used().get().saturating_add(bar.pool_free.unwrap_or_default().get());
    bar.capacity.map_or(used, |capacity| capacity.get().max(used)).max(1)
}

/// The bytes of a bar's whole width among others: what has no capacity of its own is drawn as large as beside the largest.
pub(crate) fn scale_among(bar: &Bar, bars: &[Bar]) -> u64 {
    match bar.capacity {
        Some(_) => scale(bar),
        None => bars.iter().map(scale).max().unwrap_or(1),
    }
}

/// Columns of a bar in an area: its left edge and its width.
pub(crate) fn bar_place(area: Rect, bars: &[Bar], view: View) -> (u16, u16) {
    let name = bars.iter().map(|bar| bar.title.chars().count()).max().unwrap_or(0).clamp(3, 16);
    let left = u16::try_from(name).unwrap_or(16) + 3;
    let capacity = bars.iter().filter_map(|bar| bar.capacity).map(|bytes| short(bytes, view).chars().count());
    let right = u16::try_from(capacity.max().unwrap_or(0)).unwrap_or(0).max(9) + 3;
    (left, area.width.saturating_sub(left + right))
}

/// Draws as many devices as there is room for; the rest are counted.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let (theme, view) = (app.theme, app.planner.state().view);
    let small = area.height < 3;
    let mut y = 0;
    if !small {
        let other = if view.exact_bytes { "B" } else { view.units.into() };
        let note = format!("{other}   [{}] GiB/GB", app.bindings.key(Command::Units));
        super::rule(buf, area, 0, "MEMORY", &note, theme);
        y = 1;
    }
    let bars = &app.answers.bars;
    let place = bar_place(area, bars, view);
    let shown = usize::from(area.height.saturating_sub(y) / 2).min(bars.len());
    let first = if small { tightest(app, bars) } else { 0 };
    for (at, bar) in bars.iter().enumerate().skip(first).take(shown) {
        one(app, bar, (area, y), place, buf);
        // Plan A ends here, and what is previewed there.
        let pinned = app.answers.pinned.as_ref().and_then(|pinned| pinned.bars.get(at));
        if let Some(pinned) = pinned.filter(|pinned| pinned.used() != bar.used()) {
            end_of(pinned, (area, y), place, (theme, theme.pinned()), buf);
        }
        if let Some(ghost) = app.preview.as_ref().and_then(|preview| preview.bars.get(at)) {
            end_of(ghost, (area, y), place, (theme, theme.marker()), buf);
        }
        let rest = bars.len() - shown;
        let more = if at + 1 == first + shown { rest } else { 0 };
        legend(bar, view, (area, y + 1), place.0, (theme, more), buf);
        y += 2;
    }
}

/// The bar of the device that binds, or of the fullest one where none does: what a small screen shows.
fn tightest(app: &App, bars: &[Bar]) -> usize {
    let name = app.answers.shown().and_then(|plan| plan.fit.device.as_deref());
    let named = bars.iter().position(|bar| Some(bar.name.as_str()) == name && bar.used() > Bytes::ZERO);
    let fullest = || bars.iter().enumerate().max_by_key(|(at, bar)| (bar.used(), std::cmp::Reverse(*at)));
    named.or_else(|| fullest().map(|(at, _)| at)).unwrap_or(0)
}

fn one(app: &App, bar: &Bar, (area, y): (Rect, u16), (left, width): (u16, u16), buf: &mut Buffer) {
    let (theme, view) = (app.theme, app.planner.state().view);
    let stale = app.answers.plan.is_err();
    let name: String = theme.text(&bar.title).chars().take(16).collect();
    text(buf, area, 1, y, &name, theme.strong());
    text(buf, area, left - 1, y, &theme.edge().to_string(), theme.dim());
    let of =
        |role: Role| app.answers.shown().and_then(|plan| plan.kv.by_role.get(role)).map_or(0, Bytes::get);
    let values = (of(Role::K), of(Role::V));
    for (at, cell) in cells(bar, width, scale_among(bar, &app.answers.bars), values).into_iter().enumerate() {
        let (sign, style) = drawn(cell, theme, view.figure);
        let style = if stale { theme.dim() } else { style };
        let x = left + u16::try_from(at).unwrap_or(0);
        text(buf, area, x, y, &sign.to_string(), style);
    }
    text(buf, area, left + width, y, &theme.edge().to_string(), theme.dim());
    let capacity = bar.capacity.map(|capacity| short(capacity, view)).unwrap_or_default();
    text(buf, area, left + width + 2, y, &capacity, theme.strong());
}

fn drawn(cell: CellOf, theme: Theme, figure: Figure) -> (char, Style) {
    let lit = |part: Part| match figure {
        Figure::Part(own) if own == part => theme.part(part).add_modifier(ratatui::style::Modifier::REVERSED),
        Figure::Part(_) | Figure::Cache | Figure::Layer(_) => theme.part(part),
    };
    match cell {
        CellOf::Part(part, value) => (theme.fill(part, value), lit(part)),
        CellOf::Copy(part, _) => (theme.copies(), lit(part)),
        CellOf::Waste(part) => (theme.waste(), lit(part)),
        CellOf::Room => (theme.room(), theme.part(Part::Full)),
        CellOf::Withheld => (theme.withheld(), theme.dim()),
        CellOf::Free => (' ', Style::new()),
        CellOf::Over => (theme.excess(), theme.over()),
    }
}

/// Where another plan's bar would end.
fn end_of(
    ghost: &Bar,
    (area, y): (Rect, u16),
    (left, width): (u16, u16),
    (theme, sign): (Theme, char),
    buf: &mut Buffer,
) {
    let capacity = ghost.capacity.map_or(0, Bytes::get).max(1);
    let kept = ghost.segments.iter().filter(|s| s.part == Part::KeptFree).map(|s| s.bytes.get()).sum::<u64>();
    let used = ghost.used().get().saturating_sub(kept).min(capacity);
    let at = u128::from(used) * u128::from(width) / u128::from(capacity);
    let x = left + u16::try_from(at).unwrap_or(width).min(width.saturating_sub(1));
    text(buf, area, x, y, &sign.to_string(), theme.part(Part::Compressed));
}

/// A part of the legend.
struct Item {
    label: &'static str,
    /// What stands for it in the bar, where it is a part.
    letter: Option<char>,
    bytes: String,
    note: String,
    style: Style,
    lit: bool,
}

/// What of a part is padding, what another rank holds too, and what is no part of the model.
fn note(segment: &Segment, view: View) -> String {
    let mut note = String::new();
    if segment.beside > Bytes::ZERO {
        note.push_str(&format!(" ({} beside the model)", short(segment.beside, view)));
    }
    if segment.waste > Bytes::ZERO && segment.waste.get() * 200 > segment.bytes.get() {
        note.push_str(&format!(" ({} padding)", short(segment.waste, view)));
    }
    if segment.copies > Bytes::ZERO {
        let whole = segment.copies.get() * 100 > segment.bytes.get() * 99;
        let copied = if whole { "all".to_owned() } else { short(segment.copies, view) };
        note.push_str(&format!(" ({copied} copies)"));
    }
    note
}

/// The parts in order, with their bytes.
fn legend(
    bar: &Bar,
    view: View,
    (area, y): (Rect, u16),
    left: u16,
    (theme, more): (Theme, usize),
    buf: &mut Buffer,
) {
    let mut items: Vec<Item> = bar
        .segments
        .iter()
        .map(|segment| Item {
            label: segment.part.label(),
            letter: Some(segment.part.letter()),
            bytes: format!(
                "{}{}",
                if segment.about && !view.exact_bytes { "~" } else { "" },
                short(segment.bytes, view)
            ),
            note: note(segment, view),
            style: theme.part(segment.part),
            lit: view.figure == Figure::Part(segment.part),
        })
        .collect();
    let mut put = |label: &'static str, bytes: Bytes, style: Style| {
        let bytes = short(bytes, view);
        items.push(Item { label, letter: None, bytes, note: String::new(), style, lit: false });
    };
    if let Some(room) = bar.pool_free.filter(|room| *room > Bytes::ZERO) {
        put("room for more", room, Style::new());
    }
    if bar.withheld > Bytes::ZERO {
        put("left alone", bar.withheld, Style::new());
    }
    match bar.free {
        Some(free) if free < 0 => put("over", Bytes::new(free.unsigned_abs()), theme.over()),
        Some(0) if bar.pool_free.is_some() => {}
        Some(free) => put("free", Bytes::new(free.unsigned_abs()), Style::new()),
        None => {}
    }
    let room = |form: Form| usize::from(area.width.saturating_sub(form.from(left)));
    let width = |form: Form, items: &[Item]| form.width(items) + form.more(more).chars().count();
    let form =
        Form::ALL.into_iter().find(|form| width(*form, &items) <= room(*form)).unwrap_or(Form::Letters);
    if width(form, &items) > room(form) {
        // Whatever is cut, it is not what is left.
        items.sort_by_key(|item| item.letter.is_some());
    }
    let mut x = form.from(left);
    for item in &items {
        let style = if item.lit { theme.selected() } else { theme.dim() };
        x = text(buf, area, x, y, &form.label(item), style) + 1;
        x = text(buf, area, x, y, &item.bytes, item.style);
        if form == Form::Noted {
            x = text(buf, area, x, y, &item.note, theme.dim());
        }
        x += form.gap();
    }
    text(buf, area, x.saturating_sub(form.gap()), y, &form.more(more), theme.dim());
}

/// How much of the legend there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Labels, figures, and what is noted of them.
    Noted,
    /// Labels and figures.
    Plain,
    /// The same, closer, from the left edge.
    Close,
    /// Letters and figures.
    Letters,
}

impl Form {
    const ALL: [Self; 4] = [Self::Noted, Self::Plain, Self::Close, Self::Letters];

    const fn gap(self) -> u16 {
        match self {
            Self::Noted | Self::Plain => 3,
            Self::Close | Self::Letters => 2,
        }
    }

    const fn from(self, left: u16) -> u16 {
        match self {
            Self::Noted | Self::Plain => left,
            Self::Close | Self::Letters => 1,
        }
    }

    fn label(self, item: &Item) -> String {
        match (self, item.letter) {
            (Self::Letters, Some(letter)) => letter.to_string(),
            (Self::Noted | Self::Plain | Self::Close | Self::Letters, _) => item.label.to_owned(),
        }
    }

    /// Devices for which there was no room.
    fn more(self, devices: usize) -> String {
        match (self, devices) {
            (_, 0) => String::new(),
            (Self::Noted | Self::Plain, 1) => "   and 1 more device".to_owned(),
            (Self::Noted | Self::Plain, more) => format!("   and {more} more devices"),
            (Self::Close | Self::Letters, more) => format!("   +{more}"),
        }
    }

    fn width(self, items: &[Item]) -> usize {
        let note = |item: &Item| if self == Self::Noted { item.note.chars().count() } else { 0 };
        let one = |item: &Item| self.label(item).chars().count() + 1 + item.bytes.len() + note(item);
        items
            .iter()
            .map(|item| one(item) + usize::from(self.gap()))
            .sum::<usize>()
            .saturating_sub(usize::from(self.gap()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bar(parts: &[(Part, u64, u64)], capacity: u64) -> Bar {
        let segment = |&(part, bytes, waste): &(Part, u64, u64)| Segment {
            part,
            bytes: Bytes::new(bytes),
            waste: Bytes::new(waste),
            copies: Bytes::ZERO,
            beside: Bytes::ZERO,
            about: false,
        };
        let segments = parts.iter().map(segment).collect();
        Bar {
            name: "d".into(),
            title: "D".into(),
            capacity: Some(Bytes::new(capacity)),
            segments,
            free: None,
            withheld: Bytes::ZERO,
            pool_free: None,
        }
    }

    #[test]
    fn a_part_of_a_few_bytes_still_has_a_cell() {
        let bar = bar(&[(Part::Weights, 900, 0), (Part::State, 1, 0), (Part::KeptFree, 1, 0)], 1000);
        let cells = cells(&bar, 50, 1000, (1, 1));
        assert_eq!(cells.len(), 50);
        assert!(cells.contains(&CellOf::Part(Part::State, false)));
        assert_eq!(cells.last(), Some(&CellOf::Part(Part::KeptFree, false)));
    }

    #[test]
    fn what_is_beyond_the_capacity_is_crossed() {
        let bar = bar(&[(Part::Weights, 1500, 0)], 1000);
        let cells = cells(&bar, 30, scale(&bar), (1, 1));
        assert_eq!(cells.iter().filter(|cell| **cell == CellOf::Over).count(), 10);
    }

    proptest! {
        #[test]
        fn a_bar_is_as_wide_as_its_place(
            weights in 0..1u64 << 50, kv in 0..1u64 << 50, waste in 0..1u64 << 40, kept in 0..1u64 << 40,
            capacity in 1..1u64 << 50, width in 10..300u16,
        ) {
            let bar = bar(&[(Part::Weights, weights, 0), (Part::Full, kv, waste.min(kv)), (Part::KeptFree, kept, 0)], capacity);
            prop_assert_eq!(cells(&bar, width, scale(&bar), (kv, kv)).len(), usize::from(width));
        }
    }
}
