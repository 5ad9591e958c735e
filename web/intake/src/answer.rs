//! What was understood of a text or a file, in the form in which it crosses from one module to the other.

use kvplan_core::error::PlanError;
use kvplan_core::plan::{Extras, ModelRef, Request};
use kvplan_core::planner::State;
use kvplan_core::spec::foreign::{self, Understood};
use serde::{Deserialize, Serialize};

/// Something that was understood, or the error that says why not.
pub type Answered = Result<Answer, PlanError>;

/// Something that was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What it is.
    pub taken: Taken,
    /// The models in it that are in their publishers' own forms.
    pub models: Vec<Understood>,
}

/// What a text or a file is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// A model, and the bytes of its weights where the file holds them.
    Model {
        /// The model.
        model: ModelRef,
        /// Its tensors' bytes.
        weights: Option<u64>,
    },
    /// Weights without their layers, bytes.
    Weights(u64),
    /// A command line.
    Command {
        /// What it asks.
        request: Box<Request>,
        /// What to show of it.
        shown: Command,
    },
    /// A start-up log.
    Log {
        /// What its engine was started with.
        request: Box<Request>,
        /// What to show of it.
        shown: Log,
    },
    /// A shared state: the line that `planner::link` reads.
    Link(String),
    /// A whole request.
    Request(Box<Request>),
    /// A number of tokens.
    Tokens(u64),
    /// A number of bytes.
    Bytes(u64),
}

/// A command line, flag by flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program it starts.
    pub program: String,
    /// Flags that became part of the request, each with its field there.
    pub taken: Vec<Flag>,
    /// Flags that did not, each with the reason.
    pub left: Vec<Flag>,
    /// What the program does by itself, and what follows from flags together.
    pub notes: Vec<String>,
}

/// A flag of a command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// As written, with its value.
    pub written: String,
    /// What became of it.
    pub says: String,
}

/// A start-up log, figure by figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// What printed it.
    pub program: String,
    /// The model's name.
    pub model: String,
    /// Its figures beside the plan's.
    pub figures: Vec<Printed>,
    /// What the figures mean, and what the engine did by itself.
    pub notes: Vec<String>,
}

/// A figure of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Printed {
    /// What it is.
    pub figure: String,
    /// As the engine printed it.
    pub printed: String,
    /// As the plan has it; empty where no plan says it.
    pub planned: String,
    /// How they compare, in a word.
    pub verdict: String,
    /// Why they differ; empty where nothing is to be said.
    pub says: String,
    /// Whether they differ and nothing explains it.
    pub differs: bool,
}

impl Log {
    /// Whether every figure is equal, or differs for a known reason.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.figures.iter().all(|line| !line.differs)
    }
}

/// The models of a request that an importer has to read: its own, and the draft's.
pub fn foreign_models(request: &Request) -> impl Iterator<Item = &ModelRef> {
    let draft = request.extras.as_ref().and_then(|extras: &Extras| extras.draft.as_ref());
    std::iter::once(&request.model).chain(draft).filter(|model| foreign::is_foreign(model))
}

/// Those of a whole state, plan A among them.
pub fn foreign_models_of(state: &State) -> impl Iterator<Item = &ModelRef> {
    std::iter::once(&state.request).chain(state.pinned.as_deref()).flat_map(foreign_models)
}
