//! The planner's state with its answers, and what every key does to it. No drawing, no input or output.

use super::answers::Answers;
use super::command::{Bindings, Command};
use super::entry::{Entry, Purpose};
use super::lists;
use super::picker::{List, Picker};
use super::preview::Preview;
use super::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use kvplan_core::cache::Knob;
use kvplan_core::engine::EngineName;
use kvplan_core::plan::{HardwareEntry, ModelRef};
use kvplan_core::planner::{Action, Effect, Field, Planner, State, Tab, Units, link};

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
    /// Write a text to a file that is not there yet.
    Write {
        /// Where.
        path: String,
        /// The text.
        text: String,
    },
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
    /// Whether the pointer holds the capacity line.
    pub(crate) grabbed: bool,
    /// The machine of the first open, and where it is from.
    pub(crate) machine: Option<(Vec<HardwareEntry>, &'static str)>,
    /// What other programs were found to hold.
    pub(crate) in_use: Option<u64>,
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
            grabbed: false,
            machine: None,
            in_use: None,
            proof: super::proof::Shown::default(),
        }
    }

    /// Brings the alternatives up to the state, where they are behind it; whether they were.
    pub(crate) fn finish(&mut self) -> bool {
        let due = self.answers.is_due(&self.planner);
        if due {
            self.answers.finish(&self.planner);
        }
        due
    }

    /// Says something in the last line but one.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.said = Some(text.into());
    }

    /// What other programs were found to hold, where nothing is set.
    pub(crate) fn found_in_use(&mut self, bytes: u64) {
        if bytes > 0 && self.planner.state().request.reserve.in_use_bytes == 0 {
            let said = self.said.take();
            self.in_use = Some(bytes);
            let action = self.beside(bytes);
            self.act(action);
            self.said = said;
        }
    }

    /// What makes room for what other programs hold: the first open anew where nobody has changed it.
    fn beside(&self, bytes: u64) -> Action {
        let untouched = self.planner.steps() == (0, 0);
        if let (true, Some((hardware, _)), ModelRef::Id(id)) =
            (untouched, &self.machine, &self.planner.state().request.model)
        {
            let opened = super::first::request(hardware.clone(), Some(id.as_str()), bytes);
            return Action::Adopt(Box::new(opened));
        }
        Action::Set { field: Field::InUse, to: Some(bytes) }
    }

    /// A key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Option<Deed> {
        // What was typed before the terminal was raw has line feeds for Enter.
        let feed = key.code == KeyCode::Char('j') && key.modifiers.contains(KeyModifiers::CONTROL);
        let key = if feed { KeyEvent::from(KeyCode::Enter) } else { key };
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
            if let Some(taken) = digit.to_digit(10).and_then(|number| self.take_offer(number)) {
                return taken;
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
        if matches!(command, Command::Up | Command::Down | Command::Left | Command::Right | Command::Take) {
            self.finish();
        }
        match command {
            Command::Model => self.choose_model(),
            Command::Device => {
                self.mode = Mode::Pick(lists::devices(&self.planner.state().request.hardware));
            }
            Command::Weights => self.choose_weights(),
            Command::Engine => self.mode = Mode::Pick(lists::engines(self.engine())),
            Command::CacheK => self.choose_codec(Knob::K),
            Command::CacheV => self.choose_codec(Knob::V),
            Command::Context => self.type_number(Field::Context),
            Command::Sequences => self.type_number(Field::Sequences),
            Command::More => self.choose_more(),
            Command::Draft => self.choose_from(List::Draft),
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
            Command::Examples => self.mode = Mode::Pick(lists::presets()),
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

    /// Lets an action happen; what is no valid input is said and changes nothing.
    pub(crate) fn act(&mut self, action: Action) {
        self.effect(action);
    }

    /// [`App::act`], and what it changed.
    pub(super) fn effect(&mut self, action: Action) -> Option<Effect> {
        self.said = None;
        match self.planner.update(action) {
            Ok(effect) => {
                if !effect.dropped.is_empty() {
                    self.say(format!("no longer applies and was taken out: {}", effect.dropped.join(", ")));
                }
                if effect.inputs || effect.view {
                    self.refresh();
                }
                Some(effect)
            }
            Err(error) => {
                self.say(error.message);
                None
            }
        }
    }

    pub(super) fn refresh(&mut self) {
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
            | Field::P95Context
            | Field::SharedPrefix
            | Field::Sessions
            | Field::GpuLayers
            | Field::ExpertLayersOnHost
            | Field::Projector
            | Field::Adapters => None,
        })
        .unwrap_or(0)
    }
}
