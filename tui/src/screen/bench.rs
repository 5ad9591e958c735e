//! The screen for whoever stands outside: a change and the frame after it, for the clock; a state as it is drawn, for tests
//! that hold it to the program's answers.

use super::app::App;
use super::command::Bindings;
use super::theme::{Palette, Theme};
use super::{first, panel, svg};
use kvplan_core::error::PlanError;
use kvplan_core::plan::{HardwareEntry, Request};
use kvplan_core::planner::{Action, Field, State};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A planner and a screen to draw it on.
#[derive(Debug)]
pub struct Bench {
    app: App,
    screen: Buffer,
    context: u64,
}

impl Bench {
    /// The example's planner on a screen of that size.
    #[must_use]
    pub fn new(width: u16, height: u16) -> Self {
        let entry = HardwareEntry {
            device: "rtx-5090".to_owned(),
            count: 1,
            memory_bytes: None,
            bandwidth_bytes_per_s: None,
        };
        let theme = Theme::default().with(Some(Palette::Dark), Some(false));
        let app = App::new(State::of(first::request(vec![entry], None, 0)), theme, Bindings::default());
        Self { app, screen: Buffer::empty(Rect::new(0, 0, width, height)), context: 65_536 }
    }

    /// Moves the context, as an arrow does.
    pub fn moved(&mut self) {
        self.context = if self.context > 200_000 { 65_536 } else { self.context + 1024 };
        self.app.act(Action::Drag { field: Field::Context, to: Some(self.context) });
    }

    /// Changes the cache type, which changes every alternative.
    pub fn changed(&mut self) {
        let codec = if self.context.is_multiple_of(2) { "q8_0" } else { "q4_0" };
        self.context ^= 1;
        self.app.act(Action::Cache { knob: kvplan_core::cache::Knob::K, codec: Some(codec.to_owned()) });
    }

    /// Brings the alternatives up to the state, as follows a frame.
    pub fn finish(&mut self) {
        self.app.finish();
    }

    /// Draws the screen.
    pub fn draw(&mut self) {
        self.screen.reset();
        panel::render(&self.app, self.screen.area, &mut self.screen);
    }
}

/// A state as it is drawn.
#[derive(Debug)]
pub struct Drawn;

impl Drawn {
    /// The text of a request's screen, every byte with all its digits.
    ///
    /// # Errors
    /// As [`Request::from_value`].
    pub fn of(request: &serde_json::Value, width: u16, height: u16) -> Result<String, PlanError> {
        let mut state = State::of(Request::from_value(request)?);
        state.view.exact_bytes = true;
        state.view.lens = kvplan_core::planner::Lens::Engines;
        let theme = Theme::default().with(Some(Palette::None), Some(false));
        let mut app = App::new(state, theme, Bindings::default());
        app.finish();
        let mut screen = Buffer::empty(Rect::new(0, 0, width, height));
        panel::render(&app, screen.area, &mut screen);
        Ok(svg::text(&screen))
    }
}
