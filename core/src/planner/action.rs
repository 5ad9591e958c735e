//! What can happen to a planner, as data: keys, pointers, files and links all end here.

use super::field::Field;
use super::state::{Figure, Lens, Tab, Units};
use crate::cache::Knob;
use crate::engine::EngineName;
use crate::placement::BoundBy;
use crate::plan::{HardwareEntry, ModelRef, Request, WeightsRequest};
use serde_json::Value;

/// One thing a person does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Another model.
    Model(ModelRef),
    /// A whole request: a cell of the table of alternatives, a pasted command line, a log.
    Adopt(Box<Request>),
    /// Another engine, with the defaults of its command line.
    Engine(EngineName),
    /// An option of the engine, under its own name; `None` for its default.
    EngineOption {
        /// The option.
        name: String,
        /// Its value.
        value: Option<Value>,
    },
    /// A codec by name; `None` for the engine's default.
    Cache {
        /// For what.
        knob: Knob,
        /// The codec.
        codec: Option<String>,
    },
    /// A number was typed.
    Set {
        /// Which number.
        field: Field,
        /// Its value; `None` for the default.
        to: Option<u64>,
    },
    /// A number moves under a pointer or a held key: one step together with its neighbours, until [`Action::Settle`].
    Drag {
        /// Which number.
        field: Field,
        /// Its value.
        to: Option<u64>,
    },
    /// A number becomes the largest that fits, and stays it while others change, until it is set or dragged.
    Largest(Field),
    /// The pointer or the key was let go.
    Settle,
    /// Other weights; `None` for none.
    Weights(Option<WeightsRequest>),
    /// Another draft model, which begins in the format of the model's own weights where it comes in that; `None` for none.
    Draft(Option<ModelRef>),
    /// Other weights of the draft; `None` for none.
    DraftWeights(Option<WeightsRequest>),
    /// A codec of the draft's cache by name; `None` for the engine's default.
    DraftCache {
        /// For what.
        knob: Knob,
        /// The codec.
        codec: Option<String>,
    },
    /// Other devices.
    Devices(Vec<HardwareEntry>),
    /// What is set becomes plan A.
    Pin,
    /// No plan A.
    Unpin,
    /// Plan A is what is set, and what was set is plan A.
    SwapPinned,
    /// Another screen.
    Tab(Tab),
    /// Another table of alternatives.
    Lens(Lens),
    /// Another figure is selected.
    Select(Figure),
    /// GiB or GB.
    Units(Units),
    /// Bytes to the last digit, or rounded.
    ExactBytes(bool),
    /// One step back.
    Undo,
    /// One step forward.
    Redo,
}

impl Action {
    /// The number that this sets to a value of its own.
    pub(super) const fn sets(&self) -> Option<Field> {
        match self {
            Self::Set { field, .. } | Self::Drag { field, .. } => Some(*field),
            Self::Model(_)
            | Self::Adopt(_)
            | Self::Engine(_)
            | Self::EngineOption { .. }
            | Self::Cache { .. }
            | Self::Largest(_)
            | Self::Settle
            | Self::Weights(_)
            | Self::Draft(_)
            | Self::DraftWeights(_)
            | Self::DraftCache { .. }
            | Self::Devices(_)
            | Self::Pin
            | Self::Unpin
            | Self::SwapPinned
            | Self::Tab(_)
            | Self::Lens(_)
            | Self::Select(_)
            | Self::Units(_)
            | Self::ExactBytes(_)
            | Self::Undo
            | Self::Redo => None,
        }
    }

    /// The number whose burst this belongs to.
    pub(super) const fn burst(&self) -> Option<Field> {
        match self {
            Self::Drag { field, .. } => Some(*field),
            Self::Model(_)
            | Self::Adopt(_)
            | Self::Engine(_)
            | Self::EngineOption { .. }
            | Self::Cache { .. }
            | Self::Set { .. }
            | Self::Largest(_)
            | Self::Settle
            | Self::Weights(_)
            | Self::Draft(_)
            | Self::DraftWeights(_)
            | Self::DraftCache { .. }
            | Self::Devices(_)
            | Self::Pin
            | Self::Unpin
            | Self::SwapPinned
            | Self::Tab(_)
            | Self::Lens(_)
            | Self::Select(_)
            | Self::Units(_)
            | Self::ExactBytes(_)
            | Self::Undo
            | Self::Redo => None,
        }
    }
}

/// What an action changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The request or plan A: figures have to be computed again.
    pub inputs: bool,
    /// What is looked at.
    pub view: bool,
    /// Options of the engine that no longer apply and were taken out, to be said where it happened.
    pub dropped: Vec<String>,
    /// The largest that was found for the number that is kept at it.
    pub most: Option<Most>,
}

/// The largest of a number, and what one more runs into where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// It.
    pub value: u64,
    /// What the next one runs into.
    pub bound_by: Option<BoundBy>,
    /// The largest that fits whatever the errors are, where `value` fits barely.
    pub safe: Option<u64>,
}
