//! Which panel is where, for a size. Nothing is drawn here.
//!
//! ```text
//! wide enough (100 × 30 and more)          small: one pane at a time
//! +------------------------------------+   +----------------------+
//! | tabs, inputs, their keys, more     |   | tabs                 |
//! |------------------------------------|   | inputs, their keys   |
//! | headline, 2 sentences              |   | headline, wrapped    |
//! | memory: a bar a device             |   | one bar              |
//! | curve            | alternatives    |   | pane                 |
//! | layers                             |   |                      |
//! | why                                |   | run                  |
//! | run                                |   | said                 |
//! | said, keys                         |   | keys                 |
//! +------------------------------------+   +----------------------+
//! ```

use ratatui::layout::{Constraint, Layout, Rect};

/// Where the panels of the plan are; a panel that is not shown has no height.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Areas {
    pub(crate) tabs: Rect,
    pub(crate) inputs: Rect,
    pub(crate) headline: Rect,
    pub(crate) memory: Rect,
    pub(crate) curve: Rect,
    pub(crate) table: Rect,
    pub(crate) layers: Rect,
    pub(crate) why: Rect,
    pub(crate) run: Rect,
    pub(crate) said: Rect,
    pub(crate) keys: Rect,
}

/// Narrower or lower than this shows one pane at a time.
const WIDE: (u16, u16) = (100, 30);

/// From this width on, why and run stand beside the alternatives.
const VERY_WIDE: u16 = 170;

/// Whether a screen is too small for all panes.
pub(crate) const fn is_compact(area: Rect) -> bool {
    area.width < WIDE.0 || area.height < WIDE.1
}

/// What decides how much room some panels get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wants {
    /// How many devices there are.
    pub(crate) bars: usize,
    /// Lines of the headline: it has a fixed number of them, and more only where its words would be cut.
    pub(crate) headline: u16,
    /// What a small screen shows.
    pub(crate) pane: super::app::Pane,
}

/// Most lines of a headline.
const HEADLINE: u16 = 6;

/// The areas of the plan's screen.
pub(crate) fn areas(area: Rect, wants: Wants) -> Areas {
    if is_compact(area) { small(area, wants) } else { large(area, wants) }
}

fn large(area: Rect, wants: Wants) -> Areas {
    let very_wide = area.width >= VERY_WIDE;
    let spare = area.height.saturating_sub(40);
    // Two devices, and more of them where there is height: the alternatives need theirs.
    let bars = u16::try_from(wants.bars.max(1)).unwrap_or(u16::MAX).min(2 + (spare / 4).min(6));
    let why = if very_wide { 0 } else { 6 + (spare / 4).min(6) };
    let run = if very_wide { 0 } else { 4 };
    let [tabs, inputs, headline, memory, middle, layers, why, run, said, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(4),
        Constraint::Length(wants.headline.clamp(3, HEADLINE)),
        Constraint::Length(1 + 2 * bars),
        Constraint::Min(6),
        Constraint::Length(4),
        Constraint::Length(why),
        Constraint::Length(run),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    if !very_wide {
        let [curve, table] =
            Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(middle);
        return Areas { tabs, inputs, headline, memory, curve, table, layers, why, run, said, keys };
    }
    let [curve, table, aside] = Layout::horizontal([
        Constraint::Percentage(32),
        Constraint::Percentage(30),
        Constraint::Percentage(38),
    ])
    .areas(middle);
    let [why, run] = Layout::vertical([Constraint::Min(6), Constraint::Length(8)]).areas(aside);
    Areas { tabs, inputs, headline, memory, curve, table, layers, why, run, said, keys }
}

fn small(area: Rect, wants: Wants) -> Areas {
    use super::app::Pane;
    let [tabs, inputs, headline, memory, middle, run, said, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Length(wants.headline.clamp(4, HEADLINE)),
        Constraint::Length(2),
        Constraint::Min(3),
        Constraint::Length(3),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let none = Rect { height: 0, ..middle };
    let of = |own: Pane| if own == wants.pane { middle } else { none };
    Areas {
        tabs,
        inputs,
        headline,
        memory,
        run,
        said,
        keys,
        table: of(Pane::Alternatives),
        curve: of(Pane::Curve),
        layers: of(Pane::Layers),
        why: of(Pane::Why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::app::Pane;
    use strum::IntoEnumIterator as _;

    #[test]
    fn panels_never_overlap_nor_leave_the_screen() {
        for width in [20, 60, 80, 99, 100, 120, 170, 200, 400] {
            for height in [5, 10, 24, 29, 30, 40, 60, 100] {
                for (pane, headline) in Pane::iter().zip([1, 4, 6, 90]) {
                    let screen = Rect::new(0, 0, width, height);
                    let a = areas(screen, Wants { bars: 3, headline, pane });
                    let all = [
                        a.tabs, a.inputs, a.headline, a.memory, a.curve, a.table, a.layers, a.why, a.run,
                        a.said, a.keys,
                    ];
                    for (at, one) in all.iter().enumerate() {
                        assert_eq!(one.intersection(screen).area(), one.area(), "{width}x{height} {one:?}");
                        for other in all.iter().skip(at + 1) {
                            assert_eq!(
                                one.intersection(*other).area(),
                                0,
                                "{width}x{height} {one:?} {other:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}
