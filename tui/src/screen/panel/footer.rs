//! ```text
//!  last change: context 65,536 → 131,072    KV +4.00 GiB
//!  ←→ move  PgUp/PgDn snap  0-9 type  = largest  p pin A  u undo  o open  ? all keys  q quit
//! ```

use super::text;
use crate::screen::app::{App, Mode};
use crate::screen::command::Command;
use crate::screen::entry::Entry;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What was said last, what is typed, what an alternative would change, or what the last change did.
pub(crate) fn said(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = app.theme;
    match &app.mode {
        Mode::Type(entry) => return typed(app, entry, area, buf),
        Mode::Browse | Mode::Pick(_) | Mode::Read(_) => {}
    }
    if let Some(said) = &app.said {
        text(buf, area, 1, 0, &theme.text(said), theme.strong());
    } else if let Some(preview) = &app.preview {
        let word: &str = preview.headline.word.into();
        let x = text(buf, area, 1, 0, "Enter takes: ", theme.dim());
        let room = left(area, x).saturating_sub(word.len() + 3);
        let x = text(buf, area, x, 0, &fitted(&theme.text(&preview.change), room), theme.strong());
        text(buf, area, x + 3, 0, word, theme.word(preview.headline.word));
    } else if let Some(pinned) = app.answers.pinned.as_ref().filter(|pinned| !pinned.differences.is_empty()) {
        let x = text(buf, area, 1, 0, "from plan A: ", theme.dim());
        let line = theme.text(&pinned.differences.join(", "));
        text(buf, area, x, 0, &fitted(&line, left(area, x)), theme.strong());
    } else if !app.answers.change.is_empty() {
        let x = text(buf, area, 1, 0, "last change: ", theme.dim());
        let line = theme.text(&app.answers.change);
        text(buf, area, x, 0, &fitted(&line, left(area, x)), theme.strong());
    }
}

/// Columns from one on.
fn left(area: Rect, from: u16) -> usize {
    usize::from(area.width.saturating_sub(from))
}

/// What changed, and what it came to behind a gap, in so many columns: what came of it is kept, changes that have no room
/// are counted.
fn fitted(line: &str, room: usize) -> String {
    let (list, effect) =
        line.split_once(GAP).map_or((line, String::new()), |(list, effect)| (list, format!("{GAP}{effect}")));
    let all: Vec<&str> = list.split(", ").collect();
    let with = |kept: usize| {
        let shown = all.get(..kept).unwrap_or_default().join(", ");
        match (kept, all.len() - kept) {
            (_, 0) => format!("{shown}{effect}"),
            (0, more) => format!("{more} changes{effect}"),
            (_, more) => format!("{shown} and {more} more{effect}"),
        }
    };
    (1..=all.len()).rev().map(with).find(|line| line.chars().count() <= room).unwrap_or_else(|| with(0))
}

/// What stands between a change and what it came to.
const GAP: &str = "    ";

fn typed(app: &App, entry: &Entry, area: Rect, buf: &mut Buffer) {
    let theme = app.theme;
    let x = text(buf, area, 1, 0, &entry.prompt(), theme.dim()) + 1;
    // The end of a long line is what is being typed.
    let room = usize::from(area.width.saturating_sub(x + 2));
    let length = entry.text.chars().count();
    let tail: String = entry.text.chars().skip(length.saturating_sub(room)).collect();
    let x = text(buf, area, x, 0, &tail, theme.strong());
    let x = text(buf, area, x, 0, " ", theme.selected()) + 2;
    match &entry.wrong {
        Some(wrong) => text(buf, area, x, 0, &theme.text(wrong), theme.over()),
        None => text(buf, area, x, 0, entry.hint(), theme.dim()),
    };
}

/// A key of the footer: its column, how it is written, what it does, and its command where it is one.
pub(crate) struct Hint {
    pub(crate) x: u16,
    key: String,
    does: &'static str,
    pub(crate) command: Option<Command>,
}

impl Hint {
    /// Columns of it.
    pub(crate) fn width(&self) -> u16 {
        u16::try_from(self.key.chars().count() + self.does.chars().count() + 1).unwrap_or(u16::MAX)
    }
}

/// The keys that matter where one is, as many as there is room for; the way to all of them always has it.
pub(crate) fn hints(app: &App, width: u16) -> Vec<Hint> {
    let theme = app.theme;
    let key = |command: Command| app.bindings.key(command);
    let arrows = format!("{}/{}", key(Command::Less), key(Command::Greater));
    let pages = format!("{}/{}", key(Command::SnapDown), key(Command::SnapUp));
    let arrows = if arrows == "Left/Right" { theme.text("←→") } else { arrows };
    let pages = if pages == "PageDown/PageUp" { "PgDn/PgUp".to_owned() } else { pages };
    let up = theme.text("↑↓");
    let of = |command: Command, does: &'static str| (key(command), does, Some(command));
    let all: Vec<(String, &'static str, Option<Command>)> = match &app.mode {
        Mode::Browse => vec![
            (arrows, "move", None),
            (pages, "snap", Some(Command::SnapUp)),
            ("0-9".to_owned(), "type", None),
            of(Command::Largest, "largest that fits"),
            (up, "alternatives", None),
            of(Command::Next, "next"),
            of(Command::Pin, "pin A"),
            of(Command::Undo, "undo"),
            of(Command::Open, "open"),
            of(Command::Help, "all keys"),
            of(Command::Quit, "quit"),
        ],
        Mode::Pick(_) => vec![
            ("type".to_owned(), "to search", None),
            (up, "move", None),
            ("Enter".to_owned(), "take", None),
            ("Esc".to_owned(), "back", None),
        ],
        Mode::Type(_) => vec![
            ("Enter".to_owned(), "take", None),
            ("=".to_owned(), "largest", None),
            ("Esc".to_owned(), "back", None),
        ],
        Mode::Read(_) => vec![(up, "scroll", None), ("any other key".to_owned(), "back", None)],
    };
    let help = u16::try_from(key(Command::Help).chars().count()).unwrap_or(0) + 10;
    let mut x: u16 = 1;
    let mut found = Vec::new();
    for (key, does, command) in all {
        let hint = Hint { x, key, does, command };
        let end = x.saturating_add(hint.width());
        let always = matches!(command, Some(Command::Help | Command::Quit));
        if end > width || (!always && end.saturating_add(help + 2) > width) {
            continue;
        }
        x = end + 3;
        found.push(hint);
    }
    found
}

/// Draws the keys.
pub(crate) fn keys(app: &App, area: Rect, buf: &mut Buffer) {
    for hint in hints(app, area.width) {
        let x = text(buf, area, hint.x, 0, &hint.key, app.theme.strong()) + 1;
        text(buf, area, x, 0, hint.does, app.theme.dim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_came_to_is_never_cut_for_the_list_of_what_changed() {
        let line =
            "model a → b, context 1,024 → 2,048, weights Q4_K_M → Q8_0    KV +4.00 GiB    speed -11 tokens/s";
        assert_eq!(fitted(line, 100), line);
        let cut = fitted(line, 90);
        assert_eq!(
            cut,
            "model a → b, context 1,024 → 2,048 and 1 more    KV +4.00 GiB    speed -11 tokens/s"
        );
        assert_eq!(fitted(line, 50), "3 changes    KV +4.00 GiB    speed -11 tokens/s");
        assert_eq!(fitted("context 1 → 2", 80), "context 1 → 2");
    }
}
