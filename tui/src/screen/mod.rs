//! The terminal planner.
//!
//! - [`app`]: the planner's state with its [`answers`], and what every key does to it. No drawing, no input or output.
//! - [`modes`]: keys that go to a list, a line or a page; [`moves`]: numbers that move.
//! - [`alternatives`]: the table under a cursor; [`ways`]: the numbered ways out of a headline; [`acts`]: what some
//!   commands do.
//! - [`command`]: every key, its command and its help, as one table; help, footer and key handling read it.
//! - [`picker`]: choosing from a list with fuzzy search; [`lists`] has the lists; [`entry`]: typing.
//! - [`open`]: what is opened or pasted, known by what it is.
//! - [`layout`]: which panel is where, for a size; [`panel`]: one file a panel, each a pure function of the app and an
//!   area; [`mouse`]: what a pointer means there; [`svg`]: the screen as a picture.
//! - [`theme`]: the colours and signs; [`config`]: the file that changes them and the keys.
//! - [`bench`]: a change and the frame after it, for the clock.
//! - [`first`]: what a first open shows; [`in_use`]: what other programs hold; [`last`]: the model
//!   that was used last.
//! - [`terminal`]: raw mode, restoring, signals, events; [`crate::quiet`]: nobody else writes on the screen; [`proof`]: the proof beside it.

mod acts;
mod alternatives;
mod answers;
mod app;
pub mod bench;
mod choose;
mod command;
mod config;
mod entry;
mod first;
mod in_use;
mod largest;
mod last;
mod layout;
mod lists;
mod modes;
mod more;
mod mouse;
mod moves;
mod open;
mod options;
mod panel;
mod picker;
mod preview;
mod proof;
mod svg;
mod terminal;
mod theme;
mod ways;

#[cfg(test)]
mod tests;

use crate::Outcome;
use crate::show;
use app::App;
use command::Bindings;
use kvplan_core::planner::link;
use last::Last;
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
    let kept = last::path(variable);
    let before = kept.as_deref().filter(|_| state.is_none()).and_then(last::read);
    let mut app = match state.map(link::read) {
        None => {
            let first = first::first(match &before {
                Some(Last::Id(id)) => Some(id),
                Some(Last::File(_)) | None => None,
            });
            let hardware = first.state.request.hardware.clone();
            let mut app = App::new(first.state, theme, bindings);
            app.machine = Some((hardware, first.machine));
            app.say(first.said);
            app
        }
        Some(Ok(opened)) => {
            let mut app = App::new(opened.state, theme, bindings);
            if !opened.changes.is_empty() {
                app.say(opened.changes.join("; "));
            }
            app
        }
        Some(Err(error)) => {
            show::refuse(&error);
            return Ok(Outcome::Refused);
        }
    };
    if let Some(Last::File(path)) = before {
        let opened = open::open(&path, &app.planner.state().request);
        app.opened(opened);
    }
    terminal::run(&mut app)?;
    if let Some(kept) = kept {
        last::write(&kept, &app.planner);
    }
    Ok(Outcome::Done)
}
