//! ```text
//!  ✓ FITS    5.8 GiB to spare on rtx-5090. One 131,072-token conversation.
//!            Memory runs out at 225,792 tokens.
//! ```
//! Over, the second line offers ways out: `[1] q8_0 cache, KL +.0002   [2] 225,792 tokens   [3] Q4_K_M weights, 15.0 GiB`.

use super::text;
use crate::screen::app::App;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// The column where the words begin, after the verdict.
const FROM: u16 = 11;

/// Draws the two sentences, each in as many lines as its width needs; what is previewed is in the line of what was said.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let (theme, headline) = (app.theme, &app.answers.headline);
    let word: &str = headline.word.into();
    let mark = format!("{} {word}", theme.mark(headline.word));
    text(buf, area, 1, 0, &mark, theme.word(headline.word));
    let first = first(app, area);
    for (y, line) in (0..area.height).zip(&first) {
        text(buf, area, FROM, y, &theme.text(line), theme.strong());
    }
    let from = u16::try_from(first.len()).unwrap_or(0);
    for (y, line) in (from..area.height).zip(second(app, area)) {
        text(buf, area, FROM, y, &theme.text(&line), Style::new());
    }
    for ((at, offer), place) in app.offers().iter().enumerate().zip(offers(app, area)) {
        let x = text(buf, area, place.x, place.y, &format!("[{}] ", at + 1), theme.over());
        text(buf, area, x, place.y, &theme.text(offer), theme.strong());
    }
}

/// Lines that all of it takes.
pub(crate) fn height(app: &App, width: u16) -> u16 {
    let area = Rect { x: 0, y: 0, width, height: u16::MAX };
    let said = u16::try_from(first(app, area).len() + second(app, area).len()).unwrap_or(u16::MAX);
    offers(app, area).last().map_or(said, |place| place.y.saturating_add(1))
}

const fn room(width: u16) -> u16 {
    width.saturating_sub(FROM + 1)
}

/// The first sentence; the last line stays for the second one.
fn first(app: &App, area: Rect) -> Vec<String> {
    cut(super::wrapped(&app.answers.headline.first, room(area.width)), area.height.saturating_sub(1).max(1))
}

/// The second sentence; ways out that fit stand in its place, others below it.
fn second(app: &App, area: Rect) -> Vec<String> {
    if !app.answers.fixes.is_empty() {
        return Vec::new();
    }
    let taken = u16::try_from(first(app, area).len()).unwrap_or(u16::MAX);
    let room = area.height.saturating_sub(taken).saturating_sub(u16::from(!app.answers.ways.is_empty()));
    cut(super::wrapped(&app.answers.headline.second, self::room(area.width)), room)
}

/// So many lines of a text; where there are more, the last one shows it.
fn cut(mut lines: Vec<String>, most: u16) -> Vec<String> {
    if lines.len() > usize::from(most) {
        lines.truncate(usize::from(most));
        if let Some(last) = lines.last_mut() {
            last.pop();
            last.push('…');
        }
    }
    lines
}

/// Where each way out stands inside the panel.
pub(crate) fn offers(app: &App, area: Rect) -> Vec<Rect> {
    let mut y = u16::try_from(first(app, area).len() + second(app, area).len()).unwrap_or(0);
    y = y.min(area.height.saturating_sub(1));
    let mut x = FROM;
    let mut places = Vec::new();
    for offer in app.offers() {
        let width = u16::try_from(offer.chars().count()).unwrap_or(u16::MAX).saturating_add(4);
        if x > FROM && x.saturating_add(width) > area.width && y + 1 < area.height {
            (x, y) = (FROM, y + 1);
        }
        places.push(Rect { x, y, width, height: 1 });
        x = x.saturating_add(width + 3);
    }
    places
}
