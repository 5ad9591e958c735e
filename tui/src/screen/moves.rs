//! Numbers that move: a step of a key, a snap, a drag of a pointer, the largest that fits.

use super::app::App;
use kvplan_core::hardware::catalog;
use kvplan_core::planner::view::change;
use kvplan_core::planner::{Action, Field, snap};
use kvplan_core::unit::{Binary, Bytes};

impl App {
    fn stops(&self) -> Vec<snap::Stop> {
        let plan = self.answers.plan.as_ref().ok();
        self.planner.model().map(|model| snap::stops(self.focus, model, plan)).unwrap_or_default()
    }

    pub(super) fn step(&mut self, up: bool) {
        let (field, stops) = (self.focus, self.stops());
        let stop = snap::step(field, &stops, self.number(field), up);
        self.move_to(&stop);
    }

    pub(super) fn snap(&mut self, up: bool) {
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
            let value = change::number(field, stop.value, self.planner.state().view);
            self.say(format!("{} {value}: {}", field.label(), stop.name));
        }
    }

    /// The context under a pointer; a drag is one step until [`App::settle`].
    pub(crate) fn drag_context(&mut self, tokens: u64, snaps: bool) {
        let stops = {
            let plan = self.answers.plan.as_ref().ok();
            self.planner.model().map(|model| snap::stops(Field::Context, model, plan)).unwrap_or_default()
        };
        let stop = snaps.then(|| snap::near(&stops, tokens).cloned()).flatten();
        let stop = stop.unwrap_or(snap::Stop { value: tokens.max(256) / 256 * 256, name: String::new() });
        self.focus = Field::Context;
        self.move_to(&stop);
    }

    /// The capacity line under a pointer: what is above it is kept free, in quarters of a GiB.
    pub(crate) fn drag_capacity(&mut self, bytes: u64) {
        const STEP: u64 = 1 << 28;
        let Some(capacity) = self.answers.curve.as_ref().and_then(|curve| curve.capacity) else { return };
        let whole = capacity.saturating_add(self.number(Field::KeepFree));
        // Beyond all of it there are larger cards: one for each pull.
        if bytes > whole.saturating_add(whole / 64) {
            self.grabbed = false;
            return self.larger_card();
        }
        self.focus = Field::KeepFree;
        let kept = whole.saturating_sub(bytes) / STEP * STEP;
        self.move_to(&snap::Stop { value: kept, name: String::new() });
        let size = kvplan_core::planner::view::text::bytes(Bytes::new(kept), self.planner.state().view);
        self.say(format!("keep free {size}"));
    }

    /// The next larger card of the same maker takes the place of the one that is set.
    fn larger_card(&mut self) {
        let mut devices = self.planner.state().request.hardware.clone();
        let own = devices.iter_mut().find(|entry| entry.memory_bytes.is_none());
        let found = own.and_then(|entry| {
            let next = catalog::larger_card(&entry.device)?;
            entry.device = next.id().to_owned();
            Some((next.name(), next.memory()?))
        });
        let Some((name, memory)) = found else { return self.say("there is no larger card of that maker") };
        self.act(Action::Devices(devices));
        if self.said.is_none() {
            self.say(format!("{name}, {}: pull again for a larger one, u takes it back", Binary(memory)));
        }
    }

    /// The key or the pointer was let go.
    pub(crate) fn settle(&mut self) {
        // Settling changes no figure, and cannot fail.
        let _ = self.planner.update(Action::Settle);
    }

    pub(super) fn largest(&mut self) {
        let field = self.focus;
        let most = self.effect(Action::Largest(field)).and_then(|effect| effect.most);
        // A refusal has said itself.
        if let Some(why) =
            most.map(|most| super::largest::bound(field, &most)).filter(|_| self.said.is_none())
        {
            let most = change::number(field, self.number(field), self.planner.state().view);
            self.say(format!("{} {most}: {why}", field.label()));
        }
    }
}
