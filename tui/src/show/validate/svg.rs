//! Plots as SVG text: two axes, lines, dots with labels. Colours are the page's classes, so that both themes work.

use std::fmt::Write as _;

/// How a value becomes a place on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Powers of ten at equal distances; values must be above zero.
    Log,
    /// From zero.
    Linear,
}

/// One axis.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) title: &'static str,
    pub(super) scale: Scale,
    /// How a tick is written.
    pub(super) tick: fn(f64) -> String,
}

/// A dot.
#[derive(Debug, Clone)]
pub(super) struct Dot {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Written beside it; nothing where empty.
    pub(super) label: String,
    /// Said on hover.
    pub(super) title: String,
    pub(super) class: &'static str,
}

/// A line through points.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) points: Vec<(f64, f64)>,
    pub(super) class: &'static str,
}

/// A plot.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) size: (f64, f64),
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) dots: Vec<Dot>,
    pub(super) lines: Vec<Line>,
    /// Whether to draw where both axes are equal.
    pub(super) diagonal: bool,
}

/// Room for the ticks and the title of the left axis, above, to the right, below.
const LEFT: f64 = 64.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 16.0;
const BOTTOM: f64 = 42.0;

/// Advance and height of a label's letters.
const LETTER: f64 = 6.1;
const HEIGHT: f64 = 12.0;

/// Where values of one axis lie.
#[derive(Debug, Clone)]
struct Range {
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Range {
    fn new(scale: Scale, values: impl Iterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> =
            values.filter(|x| x.is_finite() && (scale == Scale::Linear || *x > 0.0)).collect();
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        Some(match scale {
            Scale::Log => {
                // A little air, then ticks on the powers of ten inside; 2 and 5 between them where there are few.
                let (low, high) = (low.log10() - 0.12, high.log10() + 0.12);
                let steps: &[f64] = if high - low > 2.2 { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let mut ticks = Vec::new();
                let mut power = low.floor();
                while power <= high {
                    ticks.extend(steps.iter().map(|step| step * 10f64.powf(power)));
                    power += 1.0;
                }
                ticks.retain(|tick| (low..=high).contains(&tick.log10()));
                Self { scale, low, high, ticks }
            }
            Scale::Linear => {
                let high = if high > 0.0 { high * 1.06 } else { 1.0 };
                let rough = 10f64.powf((high / 4.0).log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0]
                    .into_iter()
                    .map(|n| n * rough)
                    .find(|step| high / step <= 5.0)
                    .unwrap_or(rough * 10.0);
                let mut ticks = vec![0.0];
                while ticks.last().is_some_and(|last| last + step <= high) {
                    ticks.push(ticks.last().copied().unwrap_or(0.0) + step);
                }
                Self { scale, low: 0.0, high, ticks }
            }
        })
    }

    /// From 0 to 1; nothing where the scale has no such value.
    fn at(&self, value: f64) -> Option<f64> {
        let value = match self.scale {
            Scale::Log => value.log10(),
            Scale::Linear => value,
        };
        let place = (value - self.low) / (self.high - self.low);
        place.is_finite().then_some(place)
    }
}

impl Plot {
    /// The plot as an `<svg>` element; nothing where no dot can be placed.
    pub(super) fn svg(&self) -> Option<String> {
        let both = |f: fn(&(f64, f64)) -> f64| {
            let dots = self.dots.iter().map(|dot| (dot.x, dot.y));
            let points = dots.chain(self.lines.iter().flat_map(|line| line.points.iter().copied()));
            points.map(move |point| f(&point)).collect::<Vec<f64>>()
        };
        let (xs, ys) = (both(|p| p.0), both(|p| p.1));
        let shared = |own: &[f64], other: &[f64]| -> Vec<f64> {
            if self.diagonal { own.iter().chain(other).copied().collect() } else { own.to_vec() }
        };
        let x = Range::new(self.x.scale, shared(&xs, &ys).into_iter())?;
        let y = Range::new(self.y.scale, shared(&ys, &xs).into_iter())?;
        if !self.dots.iter().any(|dot| x.at(dot.x).is_some() && y.at(dot.y).is_some()) {
            return None;
        }
        let (width, height) = self.size;
        let (inner_width, inner_height) = (width - LEFT - RIGHT, height - TOP - BOTTOM);
        let place = |a: f64, b: f64| -> Option<(f64, f64)> {
            Some((LEFT + x.at(a)? * inner_width, TOP + (1.0 - y.at(b)?) * inner_height))
        };
        let mut out = format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n",
            escaped(&self.title)
        );
        self.axes(&mut out, &x, &y);
        if self.diagonal {
            let (a, b) = ((LEFT, TOP + inner_height), (LEFT + inner_width, TOP));
            let _ = writeln!(
                out,
                "<line class=\"same\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
                a.0, a.1, b.0, b.1
            );
        }
        for line in &self.lines {
            let points: Vec<String> = line
                .points
                .iter()
                .filter_map(|(a, b)| place(*a, *b))
                .map(|(a, b)| format!("{a:.1},{b:.1}"))
                .collect();
            let _ = writeln!(out, "<polyline class=\"{}\" points=\"{}\"/>", line.class, points.join(" "));
        }
        let mut taken: Vec<(f64, f64, f64)> = Vec::new();
        for dot in &self.dots {
            let Some((a, b)) = place(dot.x, dot.y) else { continue };
            taken.push((a - 4.0, b, 8.0));
            let _ = writeln!(
                out,
                "<circle class=\"{}\" cx=\"{a:.1}\" cy=\"{b:.1}\" r=\"4\"><title>{}</title></circle>",
                dot.class,
                escaped(&dot.title)
            );
        }
        for dot in self.dots.iter().filter(|dot| !dot.label.is_empty()) {
            let Some((a, b)) = place(dot.x, dot.y) else { continue };
            let long = LETTER * f64::from(u32::try_from(dot.label.chars().count()).unwrap_or(0));
            let (left, baseline) = free(&taken, (a, b), long, width);
            taken.push((left, baseline, long));
            let _ = writeln!(
                out,
                "<text class=\"label\" x=\"{left:.1}\" y=\"{:.1}\">{}</text>",
                baseline + 4.0,
                escaped(&dot.label)
            );
        }
        out.push_str("</svg>\n");
        Some(out)
    }

    fn axes(&self, out: &mut String, x: &Range, y: &Range) {
        let (width, height) = self.size;
        let (right, bottom) = (width - RIGHT, height - BOTTOM);
        for tick in &x.ticks {
            let Some(place) = x.at(*tick) else { continue };
            let a = LEFT + place * (right - LEFT);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{a:.1}\" y1=\"{TOP}\" x2=\"{a:.1}\" y2=\"{bottom}\"/>\
                 <text class=\"tick\" x=\"{a:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                escaped(&(self.x.tick)(*tick))
            );
        }
        for tick in &y.ticks {
            let Some(place) = y.at(*tick) else { continue };
            let b = TOP + (1.0 - place) * (bottom - TOP);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{b:.1}\" x2=\"{right}\" y2=\"{b:.1}\"/>\
                 <text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                b + 4.0,
                escaped(&(self.y.tick)(*tick))
            );
        }
        let middle = (LEFT + right) / 2.0;
        let _ = writeln!(
            out,
            "<text class=\"axis\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            height - 6.0,
            escaped(self.x.title)
        );
        let centre = (TOP + bottom) / 2.0;
        let _ = writeln!(
            out,
            "<text class=\"axis\" x=\"12\" y=\"{centre}\" text-anchor=\"middle\" transform=\"rotate(-90 12 {centre})\">{}</text>",
            escaped(self.y.title)
        );
    }
}

/// A place for a label near its dot that nothing taken covers: right of it, left of it, then further up and down.
fn free(taken: &[(f64, f64, f64)], dot: (f64, f64), long: f64, width: f64) -> (f64, f64) {
    let covers = |left: f64, middle: f64| {
        taken.iter().any(|(other, at, other_long)| {
            (middle - at).abs() < HEIGHT && left < other + other_long && *other < left + long
        })
    };
    let sides = [dot.0 + 8.0, dot.0 - 8.0 - long];
    (0..10)
        .flat_map(|step| [f64::from(step) * HEIGHT / 2.0, -f64::from(step) * HEIGHT / 2.0])
        .flat_map(|shift| sides.map(|left| (left, dot.1 + shift)))
        .find(|(left, middle)| *left >= LEFT && left + long <= width && !covers(*left, *middle))
        .unwrap_or((dot.0 + 8.0, dot.1))
}

/// Text as HTML and SVG take it.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(dots: Vec<Dot>) -> Plot {
        let axis = |title| Axis { title, scale: Scale::Log, tick: |x| format!("{x:.0}") };
        let (x, y) = (axis("x"), axis("y"));
        Plot { title: "a < b".into(), size: (400.0, 300.0), x, y, dots, lines: Vec::new(), diagonal: true }
    }

    fn dot(x: f64, y: f64, label: &str) -> Dot {
        Dot { x, y, label: label.into(), title: String::new(), class: "dot" }
    }

    #[test]
    fn ten_times_as_much_is_as_far_along_a_logarithmic_axis_wherever_it_starts() {
        let range = Range::new(Scale::Log, [1.0, 1000.0].into_iter()).unwrap();
        let at = |x| range.at(x).unwrap();
        assert!((at(10.0) - at(1.0) - (at(1000.0) - at(100.0))).abs() < 1e-12);
        assert_eq!(range.ticks, [1.0, 10.0, 100.0, 1000.0]);
    }

    #[test]
    fn a_linear_axis_begins_at_zero_with_round_ticks() {
        let range = Range::new(Scale::Linear, [3.0, 9.0].into_iter()).unwrap();
        assert_eq!(range.ticks, [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(range.at(0.0), Some(0.0));
    }

    #[test]
    fn what_a_logarithm_does_not_have_is_left_out() {
        let svg = plot(vec![dot(0.0, 1.0, ""), dot(5.0, 7.0, ""), dot(9.0, 2.0, "")]).svg().unwrap();
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(plot(vec![dot(0.0, 1.0, "")]).svg(), None);
        assert!(svg.contains("a &lt; b"));
    }

    #[test]
    fn labels_of_dots_in_one_place_do_not_cover_each_other() {
        let same = vec![dot(5.0, 5.0, "first"), dot(5.0, 5.0, "second"), dot(50.0, 50.0, "third")];
        let svg = plot(same).svg().unwrap();
        let place = |word: &str| {
            let line = svg.lines().find(|line| line.ends_with(&format!(">{word}</text>"))).unwrap();
            line.split('"').nth(3).unwrap().parse::<f64>().unwrap() * 1000.0
                + line.split('"').nth(5).unwrap().parse::<f64>().unwrap()
        };
        assert!((place("first") - place("second")).abs() > 10.0);
    }
}
