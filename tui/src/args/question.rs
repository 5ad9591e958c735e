//! What planning commands ask alike: a model, what it is to hold, and the machine it is held against.

use super::machine::MachineArgs;
use super::scenario::ScenarioArgs;
use crate::load::{self, Loaded};
use clap::Args;
use kvplan_core::plan::{ModelRef, Request};

/// A model and the part of a request that is the same for every engine.
#[derive(Debug, Args)]
pub(crate) struct QuestionArgs {
    /// A catalogued id, or a config.json, .gguf or spec file
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

impl QuestionArgs {
    /// The model.
    pub(crate) fn load(&self) -> Loaded {
        load::model(&self.model)
    }

    /// The request these arguments stand for on no machine.
    pub(crate) fn on_nothing(&self) -> Request {
        self.scenario.request(ModelRef::Id(self.model.clone()))
    }

    /// The request these arguments stand for.
    pub(crate) fn request(&self) -> Request {
        self.machine.add_to(self.on_nothing())
    }
}
