//! The terminal planner.
//!
//! - [`app`]: the planner's state with its [`answers`], and what every key does to it. No drawing, no input or output.
//! - [`command`]: every key, its command and its help, as one table; help, footer and key handling read it.
//! - [`picker`]: choosing from a list with fuzzy search; [`lists`] has the lists; [`entry`]: typing.
//! - [`open`]: what is opened or pasted, known by what it is.
//! - [`layout`]: which panel is where, for a size; [`panel`]: one file a panel, each a pure function of the app and an
//!   area; [`mouse`]: what a pointer means there; [`svg`]: the screen as a picture.
//! - [`theme`]: the colours and signs; [`config`]: the file that changes them and the keys.
//! - [`bench`]: a change and the frame after it, for the clock.
//! - [`terminal`]: raw mode, restoring, signals, events; [`proof`]: the proof beside it.

mod answers;
mod app;
pub mod bench;
mod command;
mod config;
mod entry;
mod first;
mod largest;
mod layout;
mod lists;
mod mouse;
mod open;
mod panel;
mod picker;
mod preview;
mod proof;
mod svg;
mod terminal;
mod theme;

#[cfg(test)]
mod tests;

use crate::Outcome;
use crate::show;
use app::App;
use command::Bindings;
use kvplan_core::planner::link;
use theme::Theme;

/// Opens the planner on a state line, on the detected machine, or on the example.
pub(crate) fn run(state: Option<&str>) -> anyhow::Result<Outcome> {
    let variable = |name: &str| std::env::var(name).ok();
    let mut theme = Theme::of_environment(variable);
    let mut bindings = Bindings::default();
    if let Some(path) = config::path(variable)
        && let Ok(text) = std::fs::read_to_string(&path)
    {
        match config::parse(&text, theme) {
            Ok(found) => (theme, bindings) = found,
            Err(error) => {
                show::complain(&format!("{}: {error}", path.display()));
                return Ok(Outcome::Refused);
            }
        }
    }
    let (state, said) = match state.map(link::read) {
        None => first::first(),
        Some(Ok(opened)) => (opened.state, opened.changes.join("; ")),
        Some(Err(error)) => {
            show::refuse(&error);
            return Ok(Outcome::Refused);
        }
    };
    let mut app = App::new(state, theme, bindings);
    if !said.is_empty() {
        app.say(said);
    }
    terminal::run(&mut app)?;
    Ok(Outcome::Done)
}
