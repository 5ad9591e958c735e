//! ```text
//! - PROOF ------------------------------------------------------------------ [Enter] run --
//!  The planner's figures run on this machine's GPU: real caches, real kernels, read back.
//!  running  q8_0: 8 heads of 128   |########          |  12/42
//! ```

use super::{picker, text, wrapped};
use crate::screen::app::App;
use crate::screen::proof::Shown;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws how far the proof is, or what it found.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = app.theme;
    picker::blank(area, buf);
    let note = match app.proof {
        Shown::Idle | Shown::Found { .. } | Shown::Failed(_) => "[Enter] runs it",
        Shown::Running { .. } => "[Enter] stops it",
    };
    super::rule(buf, area, 0, "PROOF", note, theme);
    let about = "The planner's figures, run on this machine's GPU: for every codec the caches of this model's layers are \
                 allocated, packed by kernels, read back and compared: bytes with what was predicted, packed bytes with the \
                 twin's bit for bit, attention with 64-bit arithmetic. At most 1,024 tokens of each shape are run.";
    let mut y = 1;
    for line in wrapped(about, area.width.saturating_sub(2)) {
        text(buf, area, 1, y, &line, theme.dim());
        y += 1;
    }
    y += 1;
    match &app.proof {
        Shown::Idle => {
            text(buf, area, 1, y, "not run yet", Style::new());
        }
        Shown::Running { done, steps, at } => {
            let width = area.width.saturating_sub(30).clamp(4, 60);
            let part = u16::try_from(*done).unwrap_or(0).saturating_mul(width)
                / u16::try_from(*steps).unwrap_or(1).max(1);
            let bar: String = (0..width).map(|x| if x < part { '#' } else { '.' }).collect();
            text(buf, area, 1, y, &format!("running  {done}/{steps}  |{bar}|"), theme.strong());
            text(buf, area, 1, y + 1, &theme.text(at), theme.dim());
        }
        Shown::Found { table, .. } => {
            for line in table.lines() {
                text(buf, area, 1, y, &theme.text(line), Style::new());
                y += 1;
            }
        }
        Shown::Failed(why) => {
            for line in wrapped(why, area.width.saturating_sub(2)) {
                text(buf, area, 1, y, &theme.text(&line), theme.over());
                y += 1;
            }
        }
    }
}
