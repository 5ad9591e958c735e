//! ```text
//! - RUN ------------------------------------------------------------------ [y] copy  [Y] share --
//!  llama-server -m Qwen3.6-27B-Q4_K_M.gguf -c 131072 -np 1 -ngl 99 -fa on
//!  -np 1 is written out because this server would otherwise open 4 slots
//! ```

use super::text;
use crate::screen::app::App;
use crate::screen::command::Command;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws the command that realises the plan, as much of it as there is room for.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let theme = app.theme;
    let keys = format!(
        "[{}] copy  [{}] share",
        app.bindings.key(Command::CopyLaunch),
        app.bindings.key(Command::CopyState)
    );
    super::rule(buf, area, 0, "RUN", &keys, theme);
    let mut lines: Vec<(String, Style)> = Vec::new();
    match &app.answers.launch {
        Some(Ok(launch)) => {
            let command = super::wrapped(&launch.line(), area.width.saturating_sub(2));
            lines.extend(command.into_iter().map(|line| (line, theme.strong())));
            if let Some(file) = &launch.file {
                lines.push((format!("with the file {}", file.name), theme.dim()));
            }
            for note in &launch.notes {
                let wrapped = super::wrapped(note, area.width.saturating_sub(2));
                lines.extend(wrapped.into_iter().map(|line| (line, theme.dim())));
            }
        }
        Some(Err(error)) => {
            let wrapped = super::wrapped(&error.message, area.width.saturating_sub(2));
            lines.extend(wrapped.into_iter().map(|line| (line, theme.dim())));
        }
        None => {
            let engine = app.engine();
            let why = match &app.answers.plan {
                Ok(_) => format!("no command is written for {engine}"),
                Err(_) => "no command without a plan".to_owned(),
            };
            lines.push((why, theme.dim()));
        }
    }
    for (y, (line, style)) in (1..area.height).zip(lines) {
        text(buf, area, 1, y, &theme.text(&line), style);
    }
}
