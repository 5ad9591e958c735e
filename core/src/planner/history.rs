//! Undo and redo over inputs and plan A. What is looked at is not a step: an undo changes figures, not screens.

use super::field::Field;
use super::state::State;
use crate::plan::Request;
use std::collections::VecDeque;

/// Steps that are kept.
const STEPS: usize = 500;

/// States behind and ahead of the present one.
#[derive(Debug, Clone, Default)]
pub struct History {
    past: VecDeque<State>,
    future: Vec<State>,
    burst: Option<Field>,
}

impl History {
    /// Records the state that was left. Neighbours of one burst leave one step: the state before the first of them.
    pub(super) fn push(&mut self, left: State, burst: Option<Field>) {
        self.future.clear();
        let goes_on = burst.is_some() && burst == self.burst;
        self.burst = burst;
        if goes_on {
            return;
        }
        if self.past.len() == STEPS {
            self.past.pop_front();
        }
        self.past.push_back(left);
    }

    /// The burst is over.
    pub(super) const fn settle(&mut self) {
        self.burst = None;
    }

    /// One step back; whether there was one.
    pub(super) fn undo(&mut self, present: &mut State) -> bool {
        self.burst = None;
        let Some(last) = self.past.pop_back() else { return false };
        self.future.push(exchange(present, last));
        true
    }

    /// One step forward; whether there was one.
    pub(super) fn redo(&mut self, present: &mut State) -> bool {
        self.burst = None;
        let Some(next) = self.future.pop() else { return false };
        self.past.push_back(exchange(present, next));
        true
    }

    pub(super) fn before(&self) -> Option<&Request> {
        self.past.back().map(|state| &state.request)
    }

    pub(super) fn steps(&self) -> (usize, usize) {
        (self.past.len(), self.future.len())
    }
}

/// Puts `next` in the present's place and keeps the present's view.
fn exchange(present: &mut State, next: State) -> State {
    let view = present.view;
    let left = std::mem::replace(present, next);
    present.view = view;
    left
}
