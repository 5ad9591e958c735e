//! Progress on standard error, where someone is watching and standard output goes elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::Duration;

/// A count of plans, and how many of them are known to come.
pub(super) struct Progress {
    bar: ProgressBar,
    expected: u64,
}

impl Progress {
    /// Shown only on a terminal, and only where answers do not scroll over it.
    pub(super) fn start() -> Self {
        let watched = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
        let target =
            if watched { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{human_pos} plans, {per_sec}, {elapsed}{msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        if watched {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar, expected: 0 }
    }

    /// So many plans are known to come.
    pub(super) fn expect(&mut self, plans: u64) {
        self.expected = self.expected.saturating_add(plans);
        let left = self.expected.saturating_add(self.bar.position());
        self.bar.set_message(format!(" of {left}"));
    }

    /// So many more are done.
    pub(super) fn add(&mut self, plans: u64) {
        self.bar.inc(plans);
        self.expected = self.expected.saturating_sub(plans);
    }

    /// All is done.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
