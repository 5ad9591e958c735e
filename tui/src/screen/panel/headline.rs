//! ```text
//!  ✓ FITS    5.8 GiB to spare on rtx-5090. One 131,072-token conversation.
//!            Memory runs out at 225,792 tokens.
//! ```
//! Over, the second line offers ways out: `[1] q8_0 cache, KL +.0002   [2] 225,792 tokens   [3] Q4_K_M weights, 15.0 GiB`.

use super::text;
use crate::screen::app::App;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the two lines; what is previewed is in the line of what was said.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let (theme, headline) = (app.theme, &app.answers.headline);
    let word: &str = headline.word.into();
    let mark = format!("{} {word}", theme.mark(headline.word));
    text(buf, area, 1, 0, &mark, theme.word(headline.word));
    let from = 11;
    let lines = super::wrapped(&headline.first, area.width.saturating_sub(from + 1));
    let mut y = 0;
    for line in lines.iter().take(2) {
        text(buf, area, from, y, &theme.text(line), theme.strong());
        y += 1;
    }
    if app.answers.fixes.is_empty() {
        text(buf, area, from, y, &theme.text(&headline.second), ratatui::style::Style::new());
        return;
    }
    let mut x = from;
    let y = y.min(area.height.saturating_sub(1));
    for (at, fix) in app.answers.fixes.iter().enumerate() {
        x = text(buf, area, x, y, &format!("[{}] ", at + 1), theme.over());
        x = text(buf, area, x, y, &theme.text(&fix.text), theme.strong()) + 3;
    }
}
