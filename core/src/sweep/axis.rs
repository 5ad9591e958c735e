//! A line cut at its lists and ranges: what stays, what varies, and how many ways there are.

use crate::error::{ErrorKind, PlanError};
use crate::unit::Overflow;
use serde::Deserialize;
use std::io::Write as _;

/// Text with axes in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// The text as read, until it is cut.
    rest: String,
    /// Where `rest` begins in memory, to place the parts that were read of it.
    base: usize,
    /// Each axis with the text before it.
    axes: Vec<(String, Axis)>,
    /// The product of the axes' points.
    points: u64,
}

/// One field that varies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    /// The field, dotted.
    path: String,
    choices: Choices,
    /// How many points it has.
    points: u64,
    /// How many points of the whole one point of this axis lasts.
    stride: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Choices {
    List(Vec<Template>),
    Range(Range),
}

/// Numbers from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    from: u64,
    step: Step,
    points: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Add(u64),
    Times(u64),
}

/// A range as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    from: u64,
    to: u64,
    step: Option<u64>,
    times: Option<u64>,
}

/// The range that an object is; `None` where it is another object.
///
/// # Errors
/// `invalid` for one that is malformed or goes nowhere.
pub(super) fn range(text: &str, path: &str) -> Result<Option<Range>, PlanError> {
    if !super::members(text).iter().any(|(name, _)| name == "from") {
        return Ok(None);
    }
    let wrong = |message: &str| PlanError::invalid(path, message);
    let Written { from, to, step, times } = serde_json::from_str(text).map_err(|error| {
        wrong(&format!("a range is {{\"from\", \"to\", \"step\" or \"times\"}}, whole numbers: {error}"))
    })?;
    if from > to {
        return Err(wrong("a range goes from the smaller number to the larger one").with_value(from));
    }
    let (step, points) = match (step, times) {
        (Some(step), None) if step > 0 => (Step::Add(step), (to - from) / step + 1),
        (None, Some(times)) if times > 1 && from > 0 => {
            let (mut points, mut at) = (1, from);
            while let Some(next) = at.checked_mul(times).filter(|next| *next <= to) {
                (at, points) = (next, points + 1);
            }
            (Step::Times(times), points)
        }
        (Some(_), None) => return Err(wrong("a range goes on by a step of 1 or more").with_value(0)),
        (None, Some(_)) => {
            return Err(wrong("a range goes on by 2 or more times, from 1 or more").with_value(times));
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(wrong("a range has a `step` or `times`, one of both"));
        }
    };
    Ok(Some(Range { from, step, points }))
}

impl Range {
    fn at(&self, point: u64) -> u64 {
        match self.step {
            Step::Add(step) => self.from.saturating_add(step.saturating_mul(point)),
            Step::Times(times) => {
                let power = u32::try_from(point).ok().and_then(|n| times.checked_pow(n));
                power.map_or(u64::MAX, |power| self.from.saturating_mul(power))
            }
        }
    }
}

impl Axis {
    pub(super) fn list(path: &str, choices: Vec<Template>) -> Result<Self, PlanError> {
        let points =
            choices.iter().try_fold(0u64, |sum, choice| sum.checked_add(choice.points)).ok_or(Overflow)?;
        Ok(Self { path: path.to_owned(), choices: Choices::List(choices), points, stride: 1 })
    }

    pub(super) fn range(path: &str, range: Range) -> Self {
        Self { path: path.to_owned(), choices: Choices::Range(range), points: range.points, stride: 1 }
    }

    fn write(&self, point: u64, out: &mut Vec<u8>) {
        let mut point = point / self.stride % self.points;
        match &self.choices {
            Choices::List(choices) => {
                for choice in choices {
                    if point < choice.points {
                        return choice.write(point, out);
                    }
                    point -= choice.points;
                }
            }
            Choices::Range(range) => {
                // Writing to memory does not fail.
                let _ = write!(out, "{}", range.at(point));
            }
        }
    }
}

impl Template {
    /// Reads a value's text; `read` finds the axes in it.
    pub(super) fn read(
        text: &str,
        read: impl FnOnce(&str, &str, &mut Self) -> Result<(), PlanError>,
    ) -> Result<Self, PlanError> {
        let mut template =
            Self { rest: text.to_owned(), base: text.as_ptr().addr(), axes: Vec::new(), points: 1 };
        read(text, "", &mut template)?;
        // The last axis varies fastest.
        for (_, axis) in template.axes.iter_mut().rev() {
            axis.stride = template.points;
            template.points = template.points.checked_mul(axis.points).ok_or_else(|| {
                let message = "a sweep of more than 2^64 points";
                PlanError::new(ErrorKind::Overflow, axis.path.clone(), message)
            })?;
        }
        Ok(template)
    }

    /// Cuts the text at `found`, a part of what was read, and puts an axis there.
    pub(super) fn axis(&mut self, found: &str, axis: Axis) -> Result<(), PlanError> {
        // Fields are read in the order they are written, so `found` is in what is left.
        let cut = found.as_ptr().addr().checked_sub(self.base).ok_or(Overflow)?;
        let end = cut.checked_add(found.len()).ok_or(Overflow)?;
        let (Some(before), Some(after)) = (self.rest.get(..cut), self.rest.get(end..)) else {
            return Err(PlanError::invalid(axis.path, "this list cannot be found in its line"));
        };
        let (before, after) = (before.to_owned(), after.to_owned());
        self.base = self.base.checked_add(end).ok_or(Overflow)?;
        self.rest = after;
        self.axes.push((before, axis));
        Ok(())
    }

    /// Whether nothing varies.
    pub(super) const fn is_plain(&self) -> bool {
        self.axes.is_empty()
    }

    /// How many texts it stands for.
    pub(super) const fn points(&self) -> u64 {
        self.points
    }

    /// Appends the text of a point.
    pub(super) fn write(&self, point: u64, out: &mut Vec<u8>) {
        for (before, axis) in &self.axes {
            out.extend_from_slice(before.as_bytes());
            axis.write(point, out);
        }
        out.extend_from_slice(self.rest.as_bytes());
    }

    /// Appends an object of the axes' values.
    pub(super) fn write_point(&self, point: u64, out: &mut Vec<u8>) {
        out.push(b'{');
        for (i, (_, axis)) in self.axes.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            // A path is made of field names and indices: what JSON would escape in it cannot be planned anyway.
            let path = serde_json::to_string(&axis.path).unwrap_or_default();
            let _ = write!(out, "{comma}{path}:");
            axis.write(point, out);
        }
        out.push(b'}');
    }
}
