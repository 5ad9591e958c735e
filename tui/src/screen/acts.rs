//! What some commands do: another figure, plan A, undo, the command to copy.

use super::app::{App, Deed};
use kvplan_core::planner::{Action, Figure, Part};

impl App {
    /// The figures there are, the whole cache first.
    fn figures(&self) -> Vec<Figure> {
        let mut parts: Vec<Part> =
            self.answers.bars.iter().flat_map(|bar| &bar.segments).map(|segment| segment.part).collect();
        parts.sort_unstable();
        parts.dedup();
        std::iter::once(Figure::Cache).chain(parts.into_iter().map(Figure::Part)).collect()
    }

    pub(super) fn next_figure(&mut self) {
        let figures = self.figures();
        let at = figures.iter().position(|figure| *figure == self.planner.state().view.figure);
        let next = at.map_or(0, |at| (at + 1) % figures.len());
        if let Some(figure) = figures.get(next) {
            self.act(Action::Select(*figure));
        }
    }

    pub(super) fn pin(&mut self) {
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

    pub(super) fn walk_back(&mut self, action: Action) {
        let back = action == Action::Undo;
        match self.planner.update(action) {
            Ok(effect) if effect.inputs => {
                self.refresh();
                let (behind, ahead) = self.planner.steps();
                let steps = if behind == 1 { "step" } else { "steps" };
                self.say(format!("{behind} {steps} to undo, {ahead} to redo"));
            }
            Ok(_) => self.say(if back { "nothing to undo" } else { "nothing to redo" }),
            Err(error) => self.say(error.message),
        }
    }

    pub(super) fn copy_command(&mut self) -> Option<Deed> {
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
