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
use ratatui::style::Style;

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
        let x = text(buf, area, x, 0, &theme.text(&preview.change), theme.strong());
        text(buf, area, x + 3, 0, word, theme.word(preview.headline.word));
    } else if let Some(pinned) = app.answers.pinned.as_ref().filter(|pinned| !pinned.differences.is_empty()) {
        let x = text(buf, area, 1, 0, "from plan A: ", theme.dim());
        text(buf, area, x, 0, &theme.text(&pinned.differences.join(", ")), theme.strong());
    } else if !app.answers.change.is_empty() {
        let x = text(buf, area, 1, 0, "last change: ", theme.dim());
        text(buf, area, x, 0, &theme.text(&app.answers.change), theme.strong());
    }
}

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

/// The keys that matter where one is.
pub(crate) fn keys(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = app.theme;
    let key = |command: Command| app.bindings.key(command);
    let arrows = format!("{}/{}", key(Command::Less), key(Command::Greater));
    let pages = format!("{}/{}", key(Command::SnapDown), key(Command::SnapUp));
    let arrows = if arrows == "Left/Right" { theme.text("←→") } else { arrows };
    let pages = if pages == "PageDown/PageUp" { "PgDn/PgUp".to_owned() } else { pages };
    let up = theme.text("↑↓");
    let all: Vec<(String, &str)> = match &app.mode {
        Mode::Browse => vec![
            (arrows, "move"),
            (pages, "snap"),
            ("0-9".to_owned(), "type"),
            (key(Command::Largest), "largest that fits"),
            (up, "alternatives"),
            (key(Command::Next), "next"),
            (key(Command::Pin), "pin A"),
            (key(Command::Undo), "undo"),
            (key(Command::Open), "open"),
            (key(Command::Help), "all keys"),
            (key(Command::Quit), "quit"),
        ],
        Mode::Pick(_) => {
            vec![
                ("type".to_owned(), "to search"),
                (up, "move"),
                ("Enter".to_owned(), "take"),
                ("Esc".to_owned(), "back"),
            ]
        }
        Mode::Type(_) => {
            vec![("Enter".to_owned(), "take"), ("=".to_owned(), "largest"), ("Esc".to_owned(), "back")]
        }
        Mode::Read(_) => vec![(up, "scroll"), ("any other key".to_owned(), "back")],
    };
    let mut x: u16 = 1;
    let help = format!("{} all keys", key(Command::Help));
    for (key, does) in all {
        let width = u16::try_from(key.chars().count() + does.chars().count() + 4).unwrap_or(u16::MAX);
        // Where not all fit, the way to all of them does.
        let last = u16::try_from(help.chars().count()).unwrap_or(0) + 1;
        if x.saturating_add(width).saturating_add(last) > area.width && does != "all keys" && does != "quit" {
            continue;
        }
        if x.saturating_add(width) > area.width + 3 {
            continue;
        }
        x = text(buf, area, x, 0, &key, theme.strong()) + 1;
        x = text(buf, area, x, 0, does, Style::new().patch(theme.dim())) + 3;
    }
}
