//! The planner's state with its answers, and what every key does to it. No drawing, no input or output.

use super::answers::Answers;
use super::command::{Bindings, Command};
use super::entry::{Entry, Purpose};
use super::picker::{Picker, Take};
use super::preview::Preview;
use super::theme::Theme;
use super::{lists, open};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use kvplan_core::cache::Knob;
use kvplan_core::engine::EngineName;
use kvplan_core::error::PlanError;
use kvplan_core::plan::{HardwareEntry, ModelRef};
use kvplan_core::planner::view::table::Cell;
use kvplan_core::planner::{Action, Field, Figure, Lens, Part, Planner, State, Tab, Units, link, snap};
use kvplan_core::spec::ModelSpec;
use kvplan_core::unit::grouped;

/// What has to be done outside: the loop does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Leave.
    Quit,
    /// Put a text on the clipboard; what it is, for the message.
    Copy {
        /// What it is.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// Write the screen to a file.
    Save(String),
    /// Read what a person named or pasted.
    Open(String),
    /// Begin the proof, or stop it.
    Proof,
}

/// What the keys go to.
#[derive(Debug, Clone)]
pub(crate) enum Mode {
    /// The screen.
    Browse,
    /// A list.
    Pick(Picker),
    /// A line.
    Type(Entry),
    /// A page of text over the screen.
    Read(Page),
}

/// A page of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// Its title.
    pub(crate) title: String,
    /// Its lines.
    pub(crate) lines: Vec<String>,
    /// The first line that is seen.
    pub(crate) top: usize,
}

/// What a small screen shows under the bar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Pane {
    /// Alternatives.
    #[default]
    Alternatives,
    /// Bytes against context.
    Curve,
    /// Layers.
    Layers,
    /// Why.
    Why,
}

/// The terminal planner.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) planner: Planner,
    pub(crate) answers: Answers,
    pub(crate) theme: Theme,
    pub(crate) bindings: Bindings,
    pub(crate) mode: Mode,
    /// The number that arrows move.
    pub(crate) focus: Field,
    /// The cell of the alternatives under the cursor, where it was moved.
    pub(crate) cursor: Option<(usize, usize)>,
    /// What taking that cell would come to.
    pub(crate) preview: Option<Preview>,
    pub(crate) pane: Pane,
    /// Whether the screen is too small for all panes.
    pub(crate) compact: bool,
    /// The last thing to say.
    pub(crate) said: Option<String>,
    /// The machine of the first open, and where it is from.
    pub(crate) machine: Option<(Vec<HardwareEntry>, &'static str)>,
    /// What the proof found, line by line.
    pub(crate) proof: super::proof::Shown,
}

impl App {
    /// A planner that opens on `state`.
    pub(crate) fn new(state: State, theme: Theme, bindings: Bindings) -> Self {
        let planner = Planner::new(state);
        let answers = Answers::of(&planner, None);
        Self {
            planner,
            answers,
            theme,
            bindings,
            mode: Mode::Browse,
            focus: Field::Context,
            cursor: None,
            preview: None,
            pane: Pane::default(),
            compact: false,
            said: None,
            machine: None,
            proof: super::proof::Shown::default(),
        }
    }

    /// Says something in the last line but one.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.said = Some(text.into());
    }

    /// A key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Option<Deed> {
        match std::mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Browse => self.browse(key),
            Mode::Pick(picker) => self.pick(picker, key),
            Mode::Type(entry) => self.type_in(entry, key),
            Mode::Read(page) => {
                self.read(page, key);
                None
            }
        }
    }

    fn browse(&mut self, key: KeyEvent) -> Option<Deed> {
        if let (KeyCode::Char(digit @ '0'..='9'), KeyModifiers::NONE) = (key.code, key.modifiers) {
            if let Some(fix) = digit.to_digit(10).and_then(|n| usize::try_from(n).ok()?.checked_sub(1))
                && let Some(fix) = self.answers.fixes.get(fix)
            {
                let (request, text) = (fix.request.clone(), fix.text.clone());
                self.act(Action::Adopt(request));
                self.say(format!("took: {text}   (u takes it back)"));
                return None;
            }
            self.mode = Mode::Type(Entry::new(Purpose::Number(self.focus), Some(digit)));
            return None;
        }
        if key.code == KeyCode::Esc {
            self.rest();
            self.said = None;
            return None;
        }
        self.bindings.of(key).and_then(|command| self.run(command))
    }

    /// Does a command.
    pub(crate) fn run(&mut self, command: Command) -> Option<Deed> {
        self.said = None;
        match command {
            Command::Model => self.choose_model(),
            Command::Device => {
                self.mode = Mode::Pick(lists::devices(&self.planner.state().request.hardware));
            }
            Command::Weights => {
                let state = self.planner.state();
                let list = lists::weight_formats(self.planner.model().ok(), &state.request, state.view);
                self.mode = Mode::Pick(list);
            }
            Command::Engine => self.mode = Mode::Pick(lists::engines(self.engine())),
            Command::CacheK => self.choose_codec(Knob::K),
            Command::CacheV => self.choose_codec(Knob::V),
            Command::Context => self.type_number(Field::Context),
            Command::Sequences => self.type_number(Field::Sequences),
            Command::More => {
                let state = self.planner.state();
                self.mode = Mode::Pick(lists::numbers(&state.request, state.view));
            }
            Command::Less => self.step(false),
            Command::Greater => self.step(true),
            Command::SnapDown => self.snap(false),
            Command::SnapUp => self.snap(true),
            Command::Largest => self.largest(),
            Command::Up => self.walk(-1, 0),
            Command::Down => self.walk(1, 0),
            Command::Left => self.walk(0, -1),
            Command::Right => self.walk(0, 1),
            Command::Take if self.planner.state().view.tab == Tab::Proof => return Some(Deed::Proof),
            Command::Take => self.take(),
            Command::Next => self.turn(true),
            Command::Previous => self.turn(false),
            Command::NextFigure => self.next_figure(),
            Command::Pin => self.pin(),
            Command::Swap if self.planner.state().pinned.is_some() => {
                self.act(Action::SwapPinned);
                self.say("changed places with plan A");
            }
            Command::Swap => self.say("no plan A to change places with: p pins this one"),
            Command::Undo => self.walk_back(Action::Undo),
            Command::Redo => self.walk_back(Action::Redo),
            Command::Open => self.mode = Mode::Type(Entry::new(Purpose::Open, None)),
            Command::CopyLaunch => return self.copy_command(),
            Command::CopyState => {
                let text = link::write(&self.planner);
                return Some(Deed::Copy { what: "the state: `kvplan --state '…'` reopens it", text });
            }
            Command::CopyJson => {
                let text = serde_json::to_string(&self.planner.state().request).unwrap_or_default();
                return Some(Deed::Copy { what: "the request as JSON, for `kvplan batch`", text });
            }
            Command::Save => self.mode = Mode::Type(Entry::new(Purpose::Save, None)),
            Command::Units => {
                let units = match self.planner.state().view.units {
                    Units::GiB => Units::GB,
                    Units::GB => Units::GiB,
                };
                self.act(Action::Units(units));
            }
            Command::Exact => self.act(Action::ExactBytes(!self.planner.state().view.exact_bytes)),
            Command::TabPlan => self.act(Action::Tab(Tab::Plan)),
            Command::TabCompare => self.act(Action::Tab(Tab::Compare)),
            Command::TabProof => self.act(Action::Tab(Tab::Proof)),
            Command::TabTraces => self.act(Action::Tab(Tab::Traces)),
            Command::Help => self.mode = Mode::Pick(lists::commands(&self.bindings)),
            Command::Quit => return Some(Deed::Quit),
        }
        None
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "keys are another crate's open list: what is not named does nothing"
    )]
    fn pick(&mut self, mut picker: Picker, key: KeyEvent) -> Option<Deed> {
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
            KeyCode::Char(letter) => picker.edit(Some(letter)),
            _ => {}
        }
        self.mode = Mode::Pick(picker);
        None
    }

    /// Takes the item under the cursor.
    pub(crate) fn choose(&mut self, picker: &Picker) -> Option<Deed> {
        self.mode = Mode::Browse;
        match picker.take() {
            None => {
                self.say(format!("nothing is called `{}`", picker.query));
                None
            }
            Some(Take::Do(action)) => {
                self.act(*action);
                None
            }
            Some(Take::Type(field)) => {
                self.type_number(field);
                None
            }
            Some(Take::Run(command)) => self.run(command),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "keys are another crate's open list: what is not named does nothing"
    )]
    fn type_in(&mut self, mut entry: Entry, key: KeyEvent) -> Option<Deed> {
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
            KeyCode::Char(letter) => entry.edit(Some(letter)),
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
            Purpose::Open if entry.text.trim().is_empty() => None,
            Purpose::Open => Some(Deed::Open(entry.text)),
            Purpose::Save if entry.text.trim().is_empty() => None,
            Purpose::Save => Some(Deed::Save(entry.text.trim().to_owned())),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "keys are another crate's open list: what is not named does nothing"
    )]
    fn read(&mut self, mut page: Page, key: KeyEvent) {
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

    /// Lets an action happen; what is no valid input is said and changes nothing.
    pub(crate) fn act(&mut self, action: Action) {
        self.said = None;
        match self.planner.update(action) {
            Ok(effect) => {
                if !effect.dropped.is_empty() {
                    self.say(format!("no longer applies and was taken out: {}", effect.dropped.join(", ")));
                }
                if effect.inputs || effect.view {
                    self.refresh();
                }
            }
            Err(error) => self.say(error.message),
        }
    }

    fn refresh(&mut self) {
        // The answers of before are kept where they do not change; an empty stand-in never is drawn.
        let before = std::mem::replace(&mut self.answers, Answers::none());
        self.answers = Answers::of(&self.planner, Some(before));
        self.rest();
    }

    /// The cursor of the alternatives goes back to what is set.
    fn rest(&mut self) {
        self.cursor = None;
        self.preview = None;
    }

    /// The engine that is set.
    pub(crate) fn engine(&self) -> EngineName {
        self.planner.state().request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name)
    }

    fn choose_model(&mut self) {
        let current = match &self.planner.state().request.model {
            ModelRef::Id(id) => Some(id.as_str()),
            ModelRef::Hf(_) | ModelRef::Gguf(_) | ModelRef::Spec(_) => None,
        };
        self.mode = Mode::Pick(lists::models(current));
    }

    fn choose_codec(&mut self, knob: Knob) {
        let cache = &self.planner.state().request.cache;
        let own = if knob == Knob::V { &cache.v } else { &cache.k };
        let current = own.as_deref().or(cache.kv.as_deref());
        self.mode = Mode::Pick(lists::codecs(knob, self.engine(), current));
    }

    fn type_number(&mut self, field: Field) {
        self.focus = field;
        self.mode = Mode::Type(Entry::new(Purpose::Number(field), None));
    }

    /// The number that is moved, as it stands: what is set, or what the plan made of nothing set.
    pub(crate) fn number(&self, field: Field) -> u64 {
        let set = field.get(&self.planner.state().request);
        let plan = self.answers.shown();
        set.or_else(|| match field {
            Field::Context => plan.map(|plan| plan.context.get()),
            Field::Sequences => Some(plan.map_or(1, |plan| plan.sequences)),
            Field::TensorParallel
            | Field::PipelineParallel
            | Field::DataParallel
            | Field::ExpertParallel
            | Field::DecodeContextParallel => Some(1),
            Field::EncoderTokens
            | Field::Mtp
            | Field::InUse
            | Field::KeepFree
            | Field::TypicalContext
            | Field::SharedPrefix
            | Field::GpuLayers
            | Field::ExpertLayersOnHost => None,
        })
        .unwrap_or(0)
    }

    fn stops(&self) -> Vec<snap::Stop> {
        let plan = self.answers.plan.as_ref().ok();
        self.planner.model().map(|model| snap::stops(self.focus, model, plan)).unwrap_or_default()
    }

    fn step(&mut self, up: bool) {
        let (field, stops) = (self.focus, self.stops());
        let stop = snap::step(field, &stops, self.number(field), up);
        self.move_to(&stop);
    }

    fn snap(&mut self, up: bool) {
        let stops = self.stops();
        match snap::next(&stops, self.number(self.focus), up).cloned() {
            Some(stop) => self.move_to(&stop),
            None => self.say("no further stop"),
        }
    }

    fn move_to(&mut self, stop: &snap::Stop) {
        let field = self.focus;
        self.act(Action::Drag { field, to: Some(stop.value) });
        if self.said.is_none() && !stop.name.is_empty() {
            self.say(format!("{} {}: {}", field.label(), grouped(stop.value), stop.name));
        }
    }

    /// The context under a pointer; a drag is one step until [`App::settle`].
    pub(crate) fn drag_context(&mut self, tokens: u64) {
        let stops = {
            let plan = self.answers.plan.as_ref().ok();
            self.planner.model().map(|model| snap::stops(Field::Context, model, plan)).unwrap_or_default()
        };
        // Within a fiftieth of a stop the pointer means the stop.
        let near = |stop: &&snap::Stop| stop.value.abs_diff(tokens) <= stop.value / 50;
        let stop = stops.iter().find(near).cloned();
        let stop = stop.unwrap_or(snap::Stop { value: tokens.max(256) / 256 * 256, name: String::new() });
        self.focus = Field::Context;
        self.move_to(&stop);
    }

    /// The key or the pointer was let go.
    pub(crate) fn settle(&mut self) {
        // Settling changes no figure, and cannot fail.
        let _ = self.planner.update(Action::Settle);
    }

    fn largest(&mut self) {
        let field = self.focus;
        match super::largest::largest(&self.planner, field) {
            Ok((most, why)) => {
                let kept = matches!(field, Field::Context | Field::Sequences);
                self.act(if kept { Action::Largest(field) } else { Action::Set { field, to: Some(most) } });
                self.say(format!("{} {}: {why}", field.label(), grouped(most)));
            }
            Err(why) => self.say(why),
        }
    }

    /// The cell under the cursor, or the one that is set.
    pub(crate) fn place(&self) -> Option<(usize, usize)> {
        let table = self.answers.table.as_ref()?;
        self.cursor.or_else(|| {
            let current =
                |row: &kvplan_core::planner::view::table::Row| row.cells.iter().position(|c| c.current);
            table.rows.iter().enumerate().find_map(|(at, row)| current(row).map(|column| (at, column)))
        })
    }

    fn cell(&self) -> Option<&Cell> {
        let (row, column) = self.place()?;
        self.answers.table.as_ref()?.rows.get(row)?.cells.get(column)
    }

    fn walk(&mut self, down: isize, right: isize) {
        let Some(table) = &self.answers.table else { return };
        let (row, column) = self.place().unwrap_or((0, 0));
        let row = row.saturating_add_signed(down).min(table.rows.len().saturating_sub(1));
        let cells = table.rows.get(row).map_or(0, |row| row.cells.len());
        self.point((row, column.saturating_add_signed(right).min(cells.saturating_sub(1))));
    }

    /// Puts the cursor of the alternatives on a cell, and shows what taking it would come to.
    pub(crate) fn point(&mut self, at: (usize, usize)) {
        self.cursor = Some(at);
        self.preview = None;
        let Some(cell) = self.cell() else { return };
        let (request, reason) = (cell.request.clone(), cell.reason.clone());
        match request {
            Some(request) => self.preview = Preview::of(&self.planner, &request),
            None => self.said = reason,
        }
    }

    /// Takes the cell under the cursor.
    pub(crate) fn take(&mut self) {
        match self.cell().map(|cell| (cell.request.clone(), cell.reason.clone())) {
            Some((Some(request), _)) => {
                self.act(Action::Adopt(request));
            }
            Some((None, Some(reason))) => self.say(reason),
            Some((None, None)) => self.say("cannot be had"),
            None => self.say("move with Up and Down, then Enter takes the alternative"),
        }
    }

    /// Another table of alternatives; on a small screen the next pane, after its last lens.
    fn turn(&mut self, forward: bool) {
        let lens = self.planner.state().view.lens;
        if !self.compact || self.pane == Pane::Alternatives {
            let next = neighbour(lens, forward);
            let wrapped = next == if forward { Lens::Weights } else { Lens::Methods };
            if !self.compact || !wrapped {
                self.act(Action::Lens(next));
                return;
            }
        }
        self.pane = neighbour(self.pane, forward);
        if self.pane == Pane::Alternatives {
            self.act(Action::Lens(if forward { Lens::Weights } else { Lens::Methods }));
        }
    }

    /// The figures there are, the whole cache first.
    fn figures(&self) -> Vec<Figure> {
        let mut parts: Vec<Part> =
            self.answers.bars.iter().flat_map(|bar| &bar.segments).map(|segment| segment.part).collect();
        parts.sort_unstable();
        parts.dedup();
        std::iter::once(Figure::Cache).chain(parts.into_iter().map(Figure::Part)).collect()
    }

    fn next_figure(&mut self) {
        let figures = self.figures();
        let at = figures.iter().position(|figure| *figure == self.planner.state().view.figure);
        let next = at.map_or(0, |at| (at + 1) % figures.len());
        if let Some(figure) = figures.get(next) {
            self.act(Action::Select(*figure));
        }
    }

    fn pin(&mut self) {
        if self.planner.state().pinned.is_some() {
            self.act(Action::Unpin);
            self.say("plan A is let go");
        } else {
            self.act(Action::Pin);
            self.say(
                "pinned as plan A: change something and see what differs; F2 compares, a changes places",
            );
        }
    }

    fn walk_back(&mut self, action: Action) {
        let back = action == Action::Undo;
        match self.planner.update(action) {
            Ok(effect) if effect.inputs => {
                self.refresh();
                let (behind, ahead) = self.planner.steps();
                self.say(format!("{behind} steps to undo, {ahead} to redo"));
            }
            Ok(_) => self.say(if back { "nothing to undo" } else { "nothing to redo" }),
            Err(error) => self.say(error.message),
        }
    }

    fn copy_command(&mut self) -> Option<Deed> {
        match &self.answers.launch {
            Some(Ok(launch)) => Some(Deed::Copy { what: "the command", text: launch.text() }),
            Some(Err(error)) => {
                let message = error.message.clone();
                self.say(message);
                None
            }
            None if self.answers.plan.is_err() => {
                self.say("no command without a plan");
                None
            }
            None => {
                let engine = self.engine();
                self.say(format!("no command is written for {engine}: e chooses another engine"));
                None
            }
        }
    }
}

/// The variant after or before, around the end.
fn neighbour<T: strum::IntoEnumIterator + PartialEq + Copy>(of: T, forward: bool) -> T {
    let all: Vec<T> = T::iter().collect();
    let at = all.iter().position(|one| *one == of).unwrap_or(0);
    let step = if forward { 1 } else { all.len().saturating_sub(1) };
    all.get((at + step) % all.len().max(1)).copied().unwrap_or(of)
}
