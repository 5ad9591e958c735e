//! What a pointer does: everything that a key does, where it points.

use super::app::{App, Deed, Mode};
use super::command::Command;
use super::layout::Areas;
use super::panel::{areas, curve, footer, headline, inputs, layers, memory, picker, table, tabs};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use kvplan_core::cache::Role;
use kvplan_core::planner::{Action, Figure, Tab};
use kvplan_core::unit::Bytes;
use ratatui::layout::{Position, Rect};

/// A pointer's event on a screen of `area`.
pub(crate) fn mouse(app: &mut App, event: MouseEvent, area: Rect) -> Option<Deed> {
    let at = areas(app, area);
    if !matches!(event.kind, MouseEventKind::Moved | MouseEventKind::Drag(_)) {
        app.finish();
    }
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => press(app, event, area, &at),
        MouseEventKind::Drag(MouseButton::Left) => {
            drag(app, event, &at);
            None
        }
        MouseEventKind::Up(_) => {
            app.grabbed = false;
            app.settle();
            None
        }
        MouseEventKind::ScrollUp => scroll(app, event, &at, true),
        MouseEventKind::ScrollDown => scroll(app, event, &at, false),
        MouseEventKind::Down(_)
        | MouseEventKind::Drag(_)
        | MouseEventKind::Moved
        | MouseEventKind::ScrollLeft
        | MouseEventKind::ScrollRight => None,
    }
}

/// The place of an event inside an area.
fn inside(event: MouseEvent, area: Rect) -> Option<(u16, u16)> {
    let position = Position::new(event.column, event.row);
    area.contains(position).then(|| (event.column - area.x, event.row - area.y))
}

fn press(app: &mut App, event: MouseEvent, area: Rect, at: &Areas) -> Option<Deed> {
    match std::mem::replace(&mut app.mode, Mode::Browse) {
        Mode::Pick(mut list) => {
            let body = Rect { y: at.inputs.y, height: at.said.y.saturating_sub(at.inputs.y), ..area };
            let place = picker::place(at.headline, body);
            inside(event, place)?;
            match picker::at(&list, place, event.row) {
                Some(item) => {
                    list.cursor = item;
                    return app.choose(&list);
                }
                None => app.mode = Mode::Pick(list),
            }
            return None;
        }
        Mode::Read(_) => return None,
        Mode::Browse | Mode::Type(_) => {}
    }
    if let Some((x, _)) = inside(event, at.tabs) {
        let tab =
            tabs::places(app).into_iter().find(|(from, width, ..)| (*from..*from + *width).contains(&x));
        let past = tabs::places(app).last().is_some_and(|(from, width, ..)| x > from + width + 2);
        return match tab {
            Some((.., command)) => app.run(command),
            None if past => app.run(Command::Device),
            None => None,
        };
    }
    if let Some((x, _)) = inside(event, at.keys) {
        let hints = footer::hints(app, at.keys.width);
        let hit = hints.iter().find(|hint| (hint.x..hint.x + hint.width()).contains(&x));
        return hit.and_then(|hint| hint.command).and_then(|command| app.run(command));
    }
    match app.planner.state().view.tab {
        Tab::Plan => {}
        // What the rule over each says a key does, a press does.
        Tab::Compare => return app.run(Command::Pin),
        Tab::Proof => return app.run(Command::Take),
        Tab::Traces => return None,
    }
    if let Some((x, y)) = inside(event, at.inputs) {
        let found = inputs::inputs(app, at.inputs.width);
        let hit = found.iter().find(|i| (i.y == y || i.y + 1 == y) && (i.x..i.x + i.width).contains(&x));
        let command = hit.map_or(Command::More, inputs::Input::command);
        return app.run(command);
    }
    if let Some(place) = inside(event, at.headline) {
        return fix(app, at.headline, place);
    }
    if let Some(place) = inside(event, at.memory) {
        if place.1 == 0 && at.memory.height >= 3 {
            return app.run(Command::Units);
        }
        segment(app, place, at.memory);
        return None;
    }
    if let Some((x, y)) = inside(event, at.table) {
        let hit = app
            .answers
            .table
            .as_ref()
            .and_then(|found| table::Grid::of(found, app.place(), at.table).at(found, x, y));
        match hit {
            // The first press shows what it would come to, the second takes it.
            Some(cell) if app.cursor == Some(cell) => app.take(),
            Some(cell) => app.point(cell),
            None if y == 0 => return app.run(Command::Next),
            None => {}
        }
        return None;
    }
    if let Some((x, y)) = inside(event, at.layers) {
        let hit = app.answers.map.as_ref().and_then(|map| layers::at(map, at.layers.width, x, y));
        if let Some(layer) = hit.and_then(|layer| u64::try_from(layer).ok()) {
            app.act(Action::Select(Figure::Layer(layer)));
        }
        return None;
    }
    // The keys in a rule stand at its right end: the last of them is meant there.
    let last = |x: u16, width: u16| x + 19 > width;
    if let Some((x, y)) = inside(event, at.why) {
        return app.run(if y == 0 && last(x, at.why.width) { Command::Exact } else { Command::NextFigure });
    }
    if let Some((x, y)) = inside(event, at.run) {
        let share = y == 0 && x + 12 > at.run.width;
        return app.run(if share { Command::CopyState } else { Command::CopyLaunch });
    }
    // Who takes hold of the capacity line moves what is kept free.
    app.grabbed = inside(event, at.curve)
        .zip(curve::Plot::of(app, at.curve))
        .is_some_and(|((_, y), plot)| y > 0 && plot.capacity(app) == Some(y - 1));
    if !app.grabbed {
        drag(app, event, at);
    }
    None
}

/// A pointer on the curve moves the context; with Alt held it stops nowhere.
fn drag(app: &mut App, event: MouseEvent, at: &Areas) {
    let Some((x, y)) = inside(event, at.curve).filter(|(_, y)| *y > 0) else { return };
    let Some(plot) = curve::Plot::of(app, at.curve) else { return };
    if app.grabbed {
        if let Some(bytes) = plot.bytes(y - 1) {
            app.drag_capacity(bytes);
        }
    } else if let Some(tokens) = plot.tokens(x) {
        app.drag_context(tokens, !event.modifiers.contains(KeyModifiers::ALT));
    }
}

/// The part of memory under a pointer is lit everywhere.
fn segment(app: &mut App, (x, y): (u16, u16), area: Rect) {
    let (left, width) = memory::bar_place(area, &app.answers.bars, app.planner.state().view);
    let first = u16::from(area.height >= 3);
    let Some(column) = x.checked_sub(left).filter(|column| *column < width) else { return };
    let Some(bar) = y.checked_sub(first).and_then(|line| app.answers.bars.get(usize::from(line / 2))) else {
        return;
    };
    let of =
        |role: Role| app.answers.shown().and_then(|plan| plan.kv.by_role.get(role)).map_or(0, Bytes::get);
    let cells =
        memory::cells(bar, width, memory::scale_among(bar, &app.answers.bars), (of(Role::K), of(Role::V)));
    let part = match cells.get(usize::from(column)) {
        Some(memory::CellOf::Part(part, _) | memory::CellOf::Copy(part, _) | memory::CellOf::Waste(part)) => {
            Figure::Part(*part)
        }
        Some(
            memory::CellOf::Room | memory::CellOf::Withheld | memory::CellOf::Free | memory::CellOf::Over,
        )
        | None => Figure::Cache,
    };
    app.act(Action::Select(part));
}

/// The way out under a pointer.
fn fix(app: &mut App, area: Rect, place: (u16, u16)) -> Option<Deed> {
    let found = headline::offers(app, area).iter().position(|fix| fix.contains(Position::from(place)))?;
    let digit = char::from_digit(u32::try_from(found).ok()? + 1, 10)?;
    app.key(crossterm::event::KeyCode::Char(digit).into())
}

/// A wheel moves what is under it.
fn scroll(app: &mut App, event: MouseEvent, at: &Areas, up: bool) -> Option<Deed> {
    match &mut app.mode {
        Mode::Pick(list) => {
            list.step(if up { -1 } else { 1 });
            return None;
        }
        Mode::Read(page) => {
            let last = page.lines.len().saturating_sub(1);
            page.top = if up { page.top.saturating_sub(3) } else { (page.top + 3).min(last) };
            return None;
        }
        Mode::Browse | Mode::Type(_) => {}
    }
    if inside(event, at.table).is_some() {
        return app.run(if up { Command::Up } else { Command::Down });
    }
    if inside(event, at.curve).is_some() || inside(event, at.inputs).is_some() {
        return app.run(if up { Command::Greater } else { Command::Less });
    }
    None
}
