//! The drawing. Text is placed by its anchor and never measured: measuring costs a browser a layout.

use super::frame::step;
use super::{Chart, Frame, Ink, Scale};
use kvplan_core::planner::view::curve::Curve;
use kvplan_core::planner::view::text::{giga, grouped, short};
use kvplan_core::planner::view::words;
use kvplan_core::unit::Bytes;
use plotters::backend::DrawingBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};

/// Made here and not from a text: the library would lower its case to find its own names in it, by Unicode's tables.
const FONT: FontFamily<'static> = FontFamily::Name("system-ui, sans-serif");
const SIZE: u32 = 11;
/// Lines of the grid and columns with a label.
const ROWS: u64 = 6;
const COLUMNS: u64 = 5;
/// Pixels between a label and what it labels.
const GAP: i32 = 5;

type Area<DB> = DrawingArea<DB, Shift>;
type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Draws the chart over the whole of a backend.
///
/// # Errors
/// What the backend cannot draw.
pub fn draw<DB: DrawingBackend>(backend: DB, chart: &Chart, ink: &Ink) -> Drawn<DB> {
    let area = backend.into_drawing_area();
    let frame = chart.frame(area.dim_in_pixel());
    area.fill(&ink.ground)?;
    axes(&area, &frame, chart, ink)?;
    filled(&area, &frame, &chart.curve, ink)?;
    for (other, colour) in [(&chart.pinned, ink.quiet), (&chart.ghost, ink.curve)] {
        if let Some(curve) = other {
            dashed(&area, &points(&frame, curve), colour)?;
        }
    }
    area.draw(&PathElement::new(points(&frame, &chart.curve), ink.curve.stroke_width(2)))?;
    capacity(&area, &frame, chart, ink)?;
    marks(&area, &frame, chart, ink)?;
    area.present()
}

/// The curve as far as the axis goes: what is above leaves the plot at its top.
fn points(frame: &Frame, curve: &Curve) -> Vec<(i32, i32)> {
    if frame.scale == Scale::Doublings {
        return bent(frame, curve);
    }
    let inside = curve.samples.iter().take_while(|sample| sample.bytes <= frame.high);
    let mut points: Vec<_> = inside.map(|sample| (frame.x(sample.tokens), frame.y(sample.bytes))).collect();
    if let Some([before, after]) = curve.samples.get(points.len().saturating_sub(1)..points.len() + 1) {
        let (rise, run) = (u128::from(after.bytes - before.bytes), u128::from(after.tokens - before.tokens));
        let share = u128::from(frame.high - before.bytes) * run / rise.max(1);
        let tokens = before.tokens.saturating_add(u64::try_from(share).unwrap_or(0));
        points.push((frame.x(tokens), frame.top));
    }
    points
}

/// What is straight between two samples is not where doublings take as much room: followed pixel by pixel.
fn bent(frame: &Frame, curve: &Curve) -> Vec<(i32, i32)> {
    let columns = (frame.left..=frame.right).step_by(2);
    let found = columns.filter_map(|x| Some((x, at(curve, frame.tokens_at(x).max(1))?)));
    let inside = found.take_while(|(_, bytes)| *bytes <= frame.high);
    inside.map(|(x, bytes)| (x, frame.y(bytes))).collect()
}

fn axes<DB: DrawingBackend>(area: &Area<DB>, frame: &Frame, chart: &Chart, ink: &Ink) -> Drawn<DB> {
    let rows = step(frame.high - frame.low, giga(chart.view.units) / 8, ROWS);
    let rounded = kvplan_core::planner::View { exact_bytes: false, ..chart.view };
    let mut bytes = frame.low.next_multiple_of(rows);
    while bytes <= frame.high {
        let y = frame.y(bytes);
        line(area, (frame.left, y), (frame.right, y), ink.grid.into())?;
        text(
            area,
            &short(Bytes::new(bytes), rounded),
            (frame.left - GAP, y),
            ink.quiet,
            HPos::Right,
            VPos::Center,
        )?;
        bytes = bytes.saturating_add(rows);
    }
    for tokens in frame.scale.labels(frame.longest, COLUMNS) {
        let x = frame.x(tokens);
        line(area, (x, frame.bottom), (x, frame.bottom + 3), ink.quiet.into())?;
        let label = if tokens < 1024 { grouped(tokens) } else { format!("{}k", grouped(tokens / 1024)) };
        text(area, &label, (x, frame.bottom + GAP), ink.quiet, HPos::Center, VPos::Top)?;
    }
    let unit: &'static str = match chart.view.units {
        kvplan_core::planner::Units::GiB => "GiB",
        kvplan_core::planner::Units::GB => "GB",
    };
    text(area, unit, (frame.left - GAP, GAP), ink.quiet, HPos::Right, VPos::Top)?;
    line(area, (frame.left, frame.bottom), (frame.right, frame.bottom), ink.quiet.into())
}

/// The cache is what grows: the area above the curve's own beginning.
fn filled<DB: DrawingBackend>(area: &Area<DB>, frame: &Frame, curve: &Curve, ink: &Ink) -> Drawn<DB> {
    let mut outline = points(frame, curve);
    if let (Some(first), Some(last)) = (outline.first().copied(), outline.last().copied()) {
        outline.extend([(last.0, first.1), first]);
        area.draw(&Polygon::new(outline, ink.curve.mix(0.12).filled()))?;
    }
    Ok(())
}

/// What the device has, and what is beyond it.
fn capacity<DB: DrawingBackend>(area: &Area<DB>, frame: &Frame, chart: &Chart, ink: &Ink) -> Drawn<DB> {
    let Some(room) = chart.curve.capacity else { return Ok(()) };
    let y = frame.y(room);
    line(area, (frame.left, y), (frame.right, y), ink.text.stroke_width(1))?;
    let device = chart.curve.device.as_deref().map_or_else(|| "capacity".to_owned(), words::device);
    text(area, &format!("{device}, usable"), (frame.left + GAP, y - 3), ink.text, HPos::Left, VPos::Bottom)?;
    let Some(most) = chart.most.filter(|most| *most > 0 && *most < frame.longest) else { return Ok(()) };
    let x = frame.x(most);
    dashed(area, &ladder((x, frame.top), (x, frame.bottom)), ink.quiet)?;
    let side = if x > frame.left + (frame.right - frame.left) / 2 { HPos::Right } else { HPos::Left };
    let at = if matches!(side, HPos::Right) { x - GAP } else { x + GAP };
    text(area, &format!("out at {}", grouped(most)), (at, frame.bottom - GAP), ink.quiet, side, VPos::Bottom)
}

/// Where the plan stands.
fn marks<DB: DrawingBackend>(area: &Area<DB>, frame: &Frame, chart: &Chart, ink: &Ink) -> Drawn<DB> {
    let Some(here) = at(&chart.curve, chart.context) else { return Ok(()) };
    let over = chart.curve.capacity.is_some_and(|room| here > room);
    let colour = if over { ink.over } else { ink.curve };
    let (x, y) = (frame.x(chart.context), frame.y(here));
    line(area, (x, y), (x, frame.bottom), colour.into())?;
    area.draw(&Circle::new((x, y), 5, ink.ground.filled()))?;
    area.draw(&Circle::new((x, y), 4, colour.filled()))?;
    let middle = frame.left + (frame.right - frame.left) / 2;
    // The curve rises: above it on its left there is room, and below it on its right.
    let is_right = x > middle;
    let (at, side) = if is_right { (x - GAP - 4, HPos::Right) } else { (x + GAP + 4, HPos::Left) };
    let (high, end) = if is_right { (y - GAP - 2, VPos::Bottom) } else { (y + GAP + 2, VPos::Top) };
    let beyond = if here > frame.high { " ↑" } else { "" };
    let label = format!("{} tokens{beyond}", grouped(chart.context));
    text(area, &label, (at, high), colour, side, end)
}

/// Bytes at a length, between the samples.
fn at(curve: &Curve, tokens: u64) -> Option<u64> {
    let after = curve.samples.iter().position(|sample| sample.tokens >= tokens)?;
    let right = curve.samples.get(after)?;
    let Some(left) = after.checked_sub(1).and_then(|before| curve.samples.get(before)) else {
        return Some(right.bytes);
    };
    let (run, rise) = (right.tokens - left.tokens, i128::from(right.bytes) - i128::from(left.bytes));
    let up = rise * i128::from(tokens - left.tokens) / i128::from(run.max(1));
    u64::try_from(i128::from(left.bytes) + up).ok()
}

/// Points along a straight line, close enough to be dashed.
fn ladder(from: (i32, i32), to: (i32, i32)) -> Vec<(i32, i32)> {
    let steps = ((to.1 - from.1).abs().max((to.0 - from.0).abs()) / 4).max(1);
    (0..=steps)
        .map(|n| (from.0 + (to.0 - from.0) * n / steps, from.1 + (to.1 - from.1) * n / steps))
        .collect()
}

/// Every other stretch of a line: what is not the plan differs by its dash, not by its colour alone.
fn dashed<DB: DrawingBackend>(area: &Area<DB>, points: &[(i32, i32)], colour: RGBColor) -> Drawn<DB> {
    for pair in points.chunks(2) {
        if let [from, to] = pair {
            line(area, *from, *to, colour.stroke_width(1))?;
        }
    }
    Ok(())
}

fn line<DB: DrawingBackend>(
    area: &Area<DB>,
    from: (i32, i32),
    to: (i32, i32),
    style: ShapeStyle,
) -> Drawn<DB> {
    area.draw(&PathElement::new(vec![from, to], style))
}

fn text<DB: DrawingBackend>(
    area: &Area<DB>,
    words: &str,
    at: (i32, i32),
    colour: RGBColor,
    h: HPos,
    v: VPos,
) -> Drawn<DB> {
    let style = TextStyle::from(FontDesc::new(FONT, f64::from(SIZE), FontStyle::Normal))
        .color(&colour)
        .pos(Pos::new(h, v));
    area.draw(&Text::new(words.to_owned(), at, style))
}
