//! The numbered ways out of a headline: what fits instead, or what can be done about a model that is not understood.

use super::app::{App, Deed, Mode, Page};
use super::entry::{Entry, Purpose};
use kvplan_core::planner::Action;
use kvplan_core::planner::view::unknown::{self, Way};

impl App {
    /// What stands on the buttons, in order.
    pub(crate) fn offers(&self) -> Vec<&str> {
        let fixes = self.answers.fixes.iter().map(|fix| fix.text.as_str());
        fixes.chain(self.answers.ways.iter().map(|way| way.label())).collect()
    }

    /// Takes the way out of that number, counted from 1; nothing where there is none.
    pub(super) fn take_offer(&mut self, number: u32) -> Option<Option<Deed>> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        if let Some(fix) = self.answers.fixes.get(at) {
            let (request, text) = (fix.request.clone(), fix.text.clone());
            self.act(Action::Adopt(request));
            self.say(format!("took: {text}   (u takes it back)"));
            return Some(None);
        }
        let way = self.answers.ways.get(at.checked_sub(self.answers.fixes.len())?)?;
        Some(match way {
            Way::Describe => {
                let mut entry = Entry::new(Purpose::Describe, None);
                entry.text = "model.toml".to_owned();
                self.mode = Mode::Type(entry);
                None
            }
            Way::Report => self.report(),
        })
    }

    /// Writes the beginning of a spec to a file that does not exist yet.
    pub(super) fn describe(&mut self, path: &str) -> Option<Deed> {
        let error = self.planner.model().err()?.clone();
        let text = unknown::describe(&self.planner.state().request.model, &error);
        Some(Deed::Write { path: path.to_owned(), text })
    }

    /// What came of it.
    pub(crate) fn described(&mut self, path: &str, text: &str, written: std::io::Result<()>) {
        match written {
            Ok(()) => {
                self.mode =
                    Mode::Read(page(format!("{path}: fill it in with an editor, then o opens it"), text));
                self.say(format!("wrote {path}"));
            }
            Err(error) => self.say(format!("{path}: {error}")),
        }
    }

    fn report(&mut self) -> Option<Deed> {
        let error = self.planner.model().err()?;
        let text = unknown::report(&self.planner.state().request, error);
        self.mode = Mode::Read(page("the report: nothing but this is in it".to_owned(), &text));
        Some(Deed::Copy { what: "the report, to be pasted into an issue", text })
    }
}

fn page(title: String, text: &str) -> Page {
    Page { title, lines: text.lines().map(str::to_owned).collect(), top: 0 }
}
