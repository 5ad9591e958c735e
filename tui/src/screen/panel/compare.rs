//! ```text
//! - COMPARE ------------------------------------------------------ [p] pin A  [a] change places --
//!                          plan A                  this plan              difference
//!  verdict                 FITS                    FITS
//!  context                 65,536                  131,072
//!  cache reserved          4.15 GiB                8.15 GiB               +4.00 GiB
//!  …
//! - ENGINES  the same tokens, every engine with its own defaults ----------------------------------
//!  llama.cpp    [f16 8.15]     q8_0 4.40     …
//! ```

use super::{picker, text};
use crate::screen::app::App;
use crate::screen::command::Command;
use kvplan_core::error::PlanError;
use kvplan_core::plan::Plan;
use kvplan_core::planner::View;
use kvplan_core::planner::view::headline::headline;
use kvplan_core::planner::view::text::{bytes, difference, rate};
use kvplan_core::unit::{Bytes, grouped};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws plan A beside this one, and the engines.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let (theme, view) = (app.theme, app.planner.state().view);
    picker::blank(area, buf);
    let keys = format!(
        "[{}] pin A  [{}] change places",
        app.bindings.key(Command::Pin),
        app.bindings.key(Command::Swap)
    );
    super::rule(buf, area, 0, "COMPARE", &keys, theme);
    let pinned = app.answers.pinned.as_ref();
    let columns =
        [1, 24, 24 + (area.width.saturating_sub(26)) / 3, 24 + (area.width.saturating_sub(26)) / 3 * 2];
    let mut y = 1;
    let heads = [
        "",
        if pinned.is_some() { "plan A" } else { "" },
        "this plan",
        if pinned.is_some() { "difference" } else { "" },
    ];
    for (x, head) in columns.into_iter().zip(heads) {
        text(buf, area, x, y, head, theme.dim());
    }
    y += 1;
    let now = app.answers.plan.as_ref();
    let rows = rows(pinned.map(|pinned| pinned.plan.as_ref()), now, view);
    for row in rows {
        if y >= area.height {
            return;
        }
        let differs = pinned.is_some() && row[1] != row[2];
        let styles =
            [theme.dim(), Style::new(), if differs { theme.strong() } else { Style::new() }, theme.strong()];
        for ((x, cell), style) in columns.into_iter().zip(row).zip(styles) {
            text(buf, area, x, y, &theme.text(&cell), style);
        }
        y += 1;
    }
    match pinned {
        Some(pinned) => {
            for line in super::wrapped(&format!("changed: {}", pinned.differences.join(", ")), area.width - 2)
            {
                text(buf, area, 1, y, &theme.text(&line), theme.strong());
                y += 1;
            }
        }
        None => {
            let key = app.bindings.key(Command::Pin);
            text(
                buf,
                area,
                1,
                y,
                &format!("{key} pins this plan as A; change it, and both stand here"),
                theme.dim(),
            );
            y += 1;
        }
    }
    engines(app, Rect { y: area.y + y + 1, height: area.height.saturating_sub(y + 1), ..area }, buf);
}

type Answer<'a> = Result<&'a Plan, &'a PlanError>;

fn rows(pinned: Option<Answer<'_>>, now: Answer<'_>, view: View) -> Vec<[String; 4]> {
    let text = |of: &dyn Fn(Answer<'_>) -> String| [pinned.map(of).unwrap_or_default(), of(now)];
    let plain = |name: &str, of: &dyn Fn(Answer<'_>) -> String| {
        let [a, b] = text(of);
        [name.to_owned(), a, b, String::new()]
    };
    let sized = |name: &str, of: &dyn Fn(&Plan) -> Bytes| {
        let [a, b] = text(&|answer| answer.map(|plan| bytes(of(plan), view)).unwrap_or_default());
        let both = pinned.and_then(Result::ok).zip(now.ok());
        let change = both.map(|(a, b)| (of(a), of(b))).filter(|(a, b)| a != b);
        [name.to_owned(), a, b, change.map(|(a, b)| difference(a, b, view)).unwrap_or_default()]
    };
    let of_plan = |of: fn(&Plan) -> String| move |answer: Answer<'_>| answer.map(of).unwrap_or_default();
    let mut rows = vec![
        plain("verdict", &|answer| headline(answer, view).word.to_string()),
        plain("model", &of_plan(|plan| plan.model.name.clone())),
        plain("engine", &of_plan(|plan| format!("{} {}", plan.engine.name, plan.engine.version))),
        plain("context", &of_plan(|plan| grouped(plan.context.get()))),
        plain("conversations", &of_plan(|plan| grouped(plan.sequences))),
        plain("largest context", &of_plan(|plan| plan.fit.max_context.map(grouped).unwrap_or_default())),
        sized("cache reserved", &|plan| plan.kv.allocated_bytes),
        sized("needed", &|plan| plan.kv.payload_bytes),
        sized("padding", &|plan| plan.kv.waste_bytes),
        plain(
            "bytes a token",
            &of_plan(|plan| {
                plan.kv.bytes_per_token.whole().map_or_else(|| plan.kv.bytes_per_token.to_string(), grouped)
            }),
        ),
        sized("weights", &|plan| plan.weights.map_or(Bytes::ZERO, |weights| weights.bytes)),
    ];
    if now.is_ok_and(|plan| plan.speed.is_some()) {
        rows.push(plain(
            "tokens/s (estimate)",
            &of_plan(|plan| {
                plan.speed.as_ref().map(|speed| rate(speed.decode_tokens_per_s)).unwrap_or_default()
            }),
        ));
    }
    let spare = |plan: &Plan| plan.fit.spare_bytes;
    if now.is_ok_and(|plan| spare(plan).is_some()) {
        rows.push(plain("to spare", &|answer| {
            answer.ok().and_then(spare).map_or_else(String::new, |spare| {
                let size = bytes(Bytes::new(spare.unsigned_abs()), view);
                if spare < 0 { format!("-{size}") } else { size }
            })
        }));
    }
    rows
}

/// Every engine with its cache types, for the same tokens.
fn engines(app: &App, area: Rect, buf: &mut Buffer) {
    let (theme, state) = (app.theme, app.planner.state());
    if area.height < 3 {
        return;
    }
    super::rule(buf, area, 0, "ENGINES", state.view.units.into(), theme);
    // They follow the frame, as the alternatives do.
    let Some((found, _)) = &app.answers.engines else { return };
    for (y, row) in (1..area.height).zip(&found.rows) {
        text(buf, area, 1, y, &row.label, theme.strong());
        let mut x = 16;
        for cell in &row.cells {
            let style = if cell.current {
                theme.selected()
            } else if cell.request.is_some() {
                Style::new()
            } else {
                theme.dim()
            };
            x = text(buf, area, x, y, &theme.text(&cell.text), style).max(x + 12) + 2;
        }
        let refused = row.cells.first().and_then(|cell| cell.reason.as_ref());
        if let Some(reason) = refused {
            text(buf, area, x, y, &theme.text(reason), theme.dim());
        }
    }
}
