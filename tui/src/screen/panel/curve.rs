//! ```text
//! - BYTES AGAINST CONTEXT  rtx-5090 -----------------------
//! 33.2 |                                         ┊      ●
//! 31.8 |═════════════════════════════════════════●●●●●●══ usable
//! 28.9 |                              ●●●●●●     ┊
//! 26.0 |                  ●●●●●●|                ┊
//! 23.1 |            ●●●●●●      |                ┊
//! 17.3 |●●●●●●                  |                ┊
//!      0        64k      you 131,072   192k  out 225,792
//! ```
//! Plan A is drawn open, a previewed alternative small.

use super::text;
use crate::screen::app::App;
use crate::screen::theme::{CurveOf, Theme};
use kvplan_core::placement::BoundBy;
use kvplan_core::planner::view::curve::Curve;
use kvplan_core::planner::view::text::short;
use kvplan_core::planner::view::words;
use kvplan_core::unit::{Bytes, grouped};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The plot inside a panel: columns and rows between the axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plot {
    left: u16,
    width: u16,
    height: u16,
    longest: u64,
    low: u64,
    high: u64,
}

/// Columns of the figures on the left axis.
const AXIS: u16 = 7;

impl Plot {
    /// The plot of an area; nothing where there is no curve or no room.
    pub(crate) fn of(app: &App, area: Rect) -> Option<Self> {
        let curve = app.answers.curve.as_ref()?;
        let (width, height) = (area.width.checked_sub(AXIS + 3)?, area.height.checked_sub(2)?);
        if width < 10 || height < 2 {
            return None;
        }
        let others = app.preview.as_ref().and_then(|p| p.curve.as_ref());
        let pinned = app.answers.pinned.as_ref().and_then(|p| p.curve.as_ref());
        let all = [Some(curve), others, pinned];
        let bytes = || all.into_iter().flatten().flat_map(|curve| curve.samples.iter().map(|s| s.bytes));
        let (low, high) = (bytes().min()?, bytes().chain(curve.capacity).max()?);
        // A little air above, so that the capacity line is not the frame.
        let high = high.saturating_add((high - low.min(high)) / 20).max(low + 1);
        Some(Self { left: AXIS, width, height, longest: curve.longest.max(1), low, high })
    }

    /// The column of a length.
    fn x(&self, tokens: u64) -> u16 {
        let last = u128::from(self.width.saturating_sub(1));
        let x = u128::from(tokens.min(self.longest)) * last / u128::from(self.longest);
        self.left + u16::try_from(x).unwrap_or(0)
    }

    /// The row of a number of bytes, from the top.
    fn y(&self, bytes: u64) -> Option<u16> {
        let rows = u128::from(self.height.saturating_sub(1));
        let above = u128::from(bytes.checked_sub(self.low)?);
        let y = above * rows * 2 / u128::from(self.high - self.low).max(1);
        let y = u16::try_from(y.div_ceil(2)).ok()?;
        self.height.checked_sub(1)?.checked_sub(y)
    }

    /// The row of what the device has.
    pub(crate) fn capacity(&self, app: &App) -> Option<u16> {
        self.y(app.answers.curve.as_ref()?.capacity?)
    }

    /// The bytes at a row.
    pub(crate) fn bytes(&self, row: u16) -> Option<u64> {
        let rows = u128::from(self.height.checked_sub(1)?.max(1));
        let above = u128::from((self.height - 1).checked_sub(row)?);
        let bytes = above * u128::from(self.high - self.low) / rows;
        self.low.checked_add(u64::try_from(bytes).ok()?)
    }

    /// The length under a column of the panel.
    pub(crate) fn tokens(&self, column: u16) -> Option<u64> {
        let x = column.checked_sub(self.left).filter(|x| *x < self.width)?;
        let last = u128::from(self.width.saturating_sub(1).max(1));
        u64::try_from(u128::from(self.longest) * u128::from(x) / last).ok()
    }
}

/// Draws the curve.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let theme = app.theme;
    let device = app
        .answers
        .curve
        .as_ref()
        .and_then(|curve| curve.device.as_deref())
        .map(words::device)
        .unwrap_or_default();
    super::rule(buf, area, 0, &format!("BYTES AGAINST CONTEXT  {}", theme.text(&device)), "", theme);
    let Some(plot) = Plot::of(app, area) else {
        text(buf, area, 2, 1, "no curve without a plan", theme.dim());
        return;
    };
    let area = Rect { y: area.y + 1, height: area.height - 1, ..area };
    axis(app, plot, area, buf);
    if let Some(curve) = &app.answers.curve {
        capacity(curve, plot, area, theme, buf);
    }
    markers(app, plot, area, false, buf);
    let pinned = app.answers.pinned.as_ref().and_then(|pinned| pinned.curve.as_ref());
    let preview = app.preview.as_ref().and_then(|preview| preview.curve.as_ref());
    let of =
        [(CurveOf::PlanA, pinned), (CurveOf::Preview, preview), (CurveOf::Plan, app.answers.curve.as_ref())];
    for (whose, curve) in of {
        if let Some(curve) = curve {
            draw(curve, whose, plot, area, app, buf);
        }
    }
    markers(app, plot, area, true, buf);
}

fn draw(curve: &Curve, whose: CurveOf, plot: Plot, area: Rect, app: &App, buf: &mut Buffer) {
    let (sign, style) = app.theme.curve(whose);
    let style = if app.answers.plan.is_err() { app.theme.dim() } else { style };
    let mut before: Option<(u64, u64)> = None;
    for sample in &curve.samples {
        let now = (sample.tokens, sample.bytes);
        let from = before.unwrap_or(now);
        for x in plot.x(from.0)..=plot.x(sample.tokens) {
            // Between two samples the curve is drawn straight.
            let span = plot.x(sample.tokens).saturating_sub(plot.x(from.0)).max(1);
            let part = x - plot.x(from.0);
            let rise = i128::from(sample.bytes) - i128::from(from.1);
            let bytes = i128::from(from.1) + rise * i128::from(part) / i128::from(span);
            if let Some(y) = u64::try_from(bytes).ok().and_then(|bytes| plot.y(bytes)) {
                text(buf, area, x, y, &sign.to_string(), style);
            }
        }
        before = Some(now);
    }
}

fn axis(app: &App, plot: Plot, area: Rect, buf: &mut Buffer) {
    let (theme, view) = (app.theme, app.planner.state().view);
    let view = kvplan_core::planner::View { exact_bytes: false, ..view };
    for y in 0..plot.height {
        text(buf, area, plot.left - 1, y, &theme.edge().to_string(), theme.dim());
        if y % 2 == 0 {
            let rows = u128::from(plot.height.saturating_sub(1).max(1));
            let above = u128::from(plot.height - 1 - y) * u128::from(plot.high - plot.low) / rows;
            let bytes = plot.low.saturating_add(u64::try_from(above).unwrap_or(0));
            let figure = short(Bytes::new(bytes), view);
            text(buf, area, 0, y, &format!("{figure:>5}"), theme.dim());
        }
    }
    let mut end = 0;
    for quarter in 0..=4u64 {
        let tokens = plot.longest / 4 * quarter;
        let label = thousands(tokens);
        let width = u16::try_from(label.chars().count()).unwrap_or(0);
        let at = plot.x(tokens).saturating_sub(if quarter == 0 { 0 } else { width / 2 });
        let at = at.min((plot.left + plot.width + 2).saturating_sub(width));
        if at >= end {
            end = text(buf, area, at, plot.height, &label, theme.dim()) + 1;
        }
    }
}

fn capacity(curve: &Curve, plot: Plot, area: Rect, theme: Theme, buf: &mut Buffer) {
    let Some(y) = curve.capacity.and_then(|capacity| plot.y(capacity)) else { return };
    for x in plot.left..plot.left + plot.width {
        text(buf, area, x, y, &theme.capacity().to_string(), theme.dim());
    }
    text(buf, area, plot.left + 1, y, " usable ", theme.dim());
}

/// Where the plan stands and where it ends: lines under the curves, their figures over them on the top row.
fn markers(app: &App, plot: Plot, area: Rect, figures: bool, buf: &mut Buffer) {
    let theme = app.theme;
    let you = app.number(kvplan_core::planner::Field::Context);
    let fit = app.answers.plan.as_ref().ok().map(|plan| &plan.fit);
    let out = fit.filter(|fit| fit.bound_by == Some(BoundBy::Memory)).and_then(|fit| fit.max_context);
    let all = [("you", Some(you), theme.strong()), ("out", out.filter(|out| *out != you), theme.over())];
    let mut end = 0;
    for (name, tokens, style) in all {
        let Some(tokens) = tokens.filter(|tokens| *tokens <= plot.longest) else { continue };
        let x = plot.x(tokens);
        if !figures {
            for y in 0..plot.height {
                text(buf, area, x, y, &theme.marker().to_string(), style);
            }
            continue;
        }
        let label = format!("{name} {}", grouped(tokens));
        let width = u16::try_from(label.chars().count()).unwrap_or(0);
        let at = if x + 1 + width <= plot.left + plot.width { x + 1 } else { x.saturating_sub(width) };
        if at >= end {
            end = text(buf, area, at, 0, &label, style);
        } else {
            text(buf, area, at, 1, &label, style);
        }
    }
}

/// `65536` as `64k`, `1048576` as `1M`.
fn thousands(n: u64) -> String {
    match n {
        n if n >= 1 << 20 && n.is_multiple_of(1 << 18) => {
            let quarters = n >> 18;
            let part = ["", ".25", ".5", ".75"].get(usize::try_from(quarters % 4).unwrap_or(0)).copied();
            format!("{}{}M", quarters / 4, part.unwrap_or_default())
        }
        n if n >= 1 << 10 => format!("{}k", grouped(n >> 10)),
        n => n.to_string(),
    }
}
