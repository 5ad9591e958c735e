//! Keys that go to a list, a line or a page instead of the screen, and what is opened or pasted.

use super::answers::Answers;
use super::app::{App, Deed, Mode, Page};
use super::entry::{Entry, Purpose};
use super::open;
use super::picker::{Picker, Take};
use crate::args::option_value;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use kvplan_core::error::PlanError;
use kvplan_core::plan::Placement;
use kvplan_core::planner::view::change;
use kvplan_core::planner::{Action, Field, Lens};
use kvplan_core::spec::ModelSpec;

impl App {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "keys are another crate's open list: what is not named does nothing"
    )]
    pub(super) fn pick(&mut self, mut picker: Picker, key: KeyEvent) -> Option<Deed> {
        match key.code {
            KeyCode::Esc => return None,
            KeyCode::Char('c' | 'q') if key.modifiers.contains(KeyModifiers::CONTROL) => return None,
            KeyCode::Enter => return self.choose(&picker),
            KeyCode::Up => picker.step(-1),
            KeyCode::Down => picker.step(1),
            KeyCode::PageUp => picker.step(-10),
            KeyCode::PageDown => picker.step(10),
            KeyCode::Home => picker.step(isize::MIN),
            KeyCode::End => picker.step(isize::MAX),
            KeyCode::Backspace => picker.edit(None),
            KeyCode::Char(letter) if !key.modifiers.contains(KeyModifiers::CONTROL) => {
                picker.edit(Some(letter));
            }
            _ => {}
        }
        self.mode = Mode::Pick(picker);
        None
    }

    /// Takes the item under the cursor.
    pub(crate) fn choose(&mut self, picker: &Picker) -> Option<Deed> {
        self.mode = Mode::Browse;
        // Weights of no format have bytes, whichever format's size looks like what was typed.
        if let Some(action) = picker.typed_weights() {
            self.act(action);
            return None;
        }
        match picker.take() {
            None => {
                self.say(format!("nothing is called `{}`", picker.query));
                None
            }
            Some(Take::Do(action)) => {
                let drafts = matches!(*action, Action::Draft(Some(_)));
                self.act(*action);
                self.spread();
                if drafts && self.said.is_none() {
                    let state = self.planner.state();
                    let draft = change::draft(&state.request, state.view);
                    self.say(format!("drafts: {draft}; f sets its weights and its cache, u takes it back"));
                }
                None
            }
            Some(Take::List(list)) => {
                self.choose_from(list);
                None
            }
            Some(Take::Type(field)) => {
                self.type_number(field);
                None
            }
            Some(Take::Run(command)) => self.run(command),
            Some(Take::Open(line)) => {
                let opened = open::understood(line, &self.planner.state().request);
                self.opened(opened);
                None
            }
        }
    }

    /// An engine that serves is spread over all devices that were chosen, where nothing else is said.
    fn spread(&mut self) {
        let request = &self.planner.state().request;
        let devices = request.hardware.iter().find(|entry| entry.memory_bytes.is_none());
        let several = devices.map(|entry| entry.count).filter(|count| *count > 1);
        if let Some(count) = several
            && self.engine().fills_its_device()
            && request.placement == Placement::default()
        {
            self.act(Action::Set { field: Field::TensorParallel, to: Some(count) });
            // Who serves chooses devices.
            self.act(Action::Lens(Lens::Devices));
            self.say(format!("tensor parallel over the {count} devices; f sets other ranks"));
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "keys are another crate's open list: what is not named does nothing"
    )]
    pub(super) fn type_in(&mut self, mut entry: Entry, key: KeyEvent) -> Option<Deed> {
        match key.code {
            KeyCode::Esc => return None,
            KeyCode::Char('c' | 'q') if key.modifiers.contains(KeyModifiers::CONTROL) => return None,
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => entry.text.clear(),
            KeyCode::Enter => return self.typed(entry),
            KeyCode::Backspace => entry.edit(None),
            KeyCode::Char('=') if matches!(entry.purpose, Purpose::Number(_)) => {
                self.largest();
                return None;
            }
            KeyCode::Char(letter) if !key.modifiers.contains(KeyModifiers::CONTROL) => {
                entry.edit(Some(letter));
            }
            _ => {}
        }
        self.mode = Mode::Type(entry);
        None
    }

    fn typed(&mut self, mut entry: Entry) -> Option<Deed> {
        match entry.purpose {
            Purpose::Number(field) => {
                let text = entry.text.trim().to_owned();
                let to = if text.is_empty() { Ok(None) } else { field.parse(&text).map(Some) };
                match to {
                    Ok(to) => self.act(Action::Set { field, to }),
                    Err(error) => {
                        entry.wrong = Some(error.message);
                        self.mode = Mode::Type(entry);
                    }
                }
                None
            }
            Purpose::Option(ref name) => {
                let text = entry.text.trim();
                let value = (!text.is_empty()).then(|| option_value(text));
                let action = Action::EngineOption { name: name.clone(), value };
                match self.planner.update(action) {
                    Ok(_) => self.refresh(),
                    Err(error) => {
                        entry.wrong = Some(error.message);
                        self.mode = Mode::Type(entry);
                    }
                }
                None
            }
            Purpose::Open if entry.text.trim().is_empty() => None,
            Purpose::Open => Some(Deed::Open(entry.text)),
            Purpose::Describe if entry.text.trim().is_empty() => None,
            Purpose::Describe => self.describe(entry.text.trim()),
            Purpose::Save if entry.text.trim().is_empty() => None,
            Purpose::Save => Some(Deed::Save(entry.text.trim().to_owned())),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "keys are another crate's open list: what is not named does nothing"
    )]
    pub(super) fn read(&mut self, mut page: Page, key: KeyEvent) {
        let last = page.lines.len().saturating_sub(1);
        page.top = match key.code {
            KeyCode::Up => page.top.saturating_sub(1),
            KeyCode::Down => page.top.saturating_add(1).min(last),
            KeyCode::PageUp => page.top.saturating_sub(15),
            KeyCode::PageDown => page.top.saturating_add(15).min(last),
            _ => return,
        };
        self.mode = Mode::Read(page);
    }

    /// Text that a terminal says was pasted.
    pub(crate) fn paste(&mut self, text: &str) -> Option<Deed> {
        match &mut self.mode {
            Mode::Type(entry) if !text.trim().contains('\n') => {
                entry.text.push_str(text.trim());
                None
            }
            Mode::Pick(picker) => {
                text.trim().chars().for_each(|letter| picker.edit(Some(letter)));
                None
            }
            Mode::Type(_) | Mode::Browse | Mode::Read(_) => {
                self.mode = Mode::Browse;
                Some(Deed::Open(text.to_owned()))
            }
        }
    }

    /// What was opened or pasted, or why it is nothing.
    pub(crate) fn opened(&mut self, opened: Result<open::Opened, PlanError>) {
        match opened {
            Ok(opened) => {
                match opened.then {
                    open::Then::Open(state) => {
                        self.planner.open(*state);
                        self.refresh();
                    }
                    open::Then::Do(action) => self.act(*action),
                    open::Then::Model(model, path) => self.open_model(*model, &path),
                    open::Then::Unread(asked, weights) => {
                        if let Err(error) = self.planner.open_unread(asked, weights) {
                            return self.say(error.message);
                        }
                        self.refresh();
                    }
                    open::Then::Set(number) => {
                        let field = self.focus;
                        self.act(Action::Set { field, to: Some(number) });
                    }
                }
                if self.said.is_none() {
                    self.said = opened.said;
                }
                if let Some(page) = opened.page {
                    self.mode = Mode::Read(page);
                }
            }
            Err(error) => self.say(error.message),
        }
    }

    fn open_model(&mut self, model: ModelSpec, path: &str) {
        self.said = None;
        match self.planner.open_model(model, path) {
            Ok(_) => {
                // Nothing of another file's answers is kept: its layers may be equal and its weights not.
                self.answers = Answers::none();
                self.refresh();
            }
            Err(error) => self.say(error.message),
        }
    }
}
