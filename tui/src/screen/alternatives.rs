//! The table of alternatives under a cursor: what is pointed at, shown beforehand, taken.

use super::app::{App, Pane};
use super::preview::Preview;
use kvplan_core::planner::view::table::Cell;
use kvplan_core::planner::{Action, Lens};

impl App {
    /// The cell under the cursor, or the one that is set.
    pub(crate) fn place(&self) -> Option<(usize, usize)> {
        let table = self.answers.table.as_ref()?;
        self.cursor.or_else(|| {
            let current =
                |row: &kvplan_core::planner::view::table::Row| row.cells.iter().position(|c| c.current);
            table.rows.iter().enumerate().find_map(|(at, row)| current(row).map(|column| (at, column)))
        })
    }

    fn cell(&self) -> Option<&Cell> {
        let (row, column) = self.place()?;
        self.answers.table.as_ref()?.rows.get(row)?.cells.get(column)
    }

    pub(super) fn walk(&mut self, down: isize, right: isize) {
        let Some(table) = &self.answers.table else { return };
        let (row, column) = self.place().unwrap_or((0, 0));
        let row = row.saturating_add_signed(down).min(table.rows.len().saturating_sub(1));
        let cells = table.rows.get(row).map_or(0, |row| row.cells.len());
        self.point((row, column.saturating_add_signed(right).min(cells.saturating_sub(1))));
    }

    /// Puts the cursor of the alternatives on a cell, and shows what taking it would come to.
    pub(crate) fn point(&mut self, at: (usize, usize)) {
        self.cursor = Some(at);
        self.preview = None;
        let Some(cell) = self.cell() else { return };
        let (request, reason) = (cell.request.clone(), cell.reason.clone());
        match request {
            Some(request) => self.preview = Preview::of(&self.planner, &request),
            None => self.said = reason,
        }
    }

    /// Takes the cell under the cursor.
    pub(crate) fn take(&mut self) {
        match self.cell().map(|cell| (cell.request.clone(), cell.reason.clone())) {
            Some((Some(request), _)) => {
                self.act(Action::Adopt(request));
            }
            Some((None, Some(reason))) => self.say(reason),
            Some((None, None)) => self.say("cannot be had"),
            None => self.say("move with Up and Down, then Enter takes the alternative"),
        }
    }

    /// Another table of alternatives; on a small screen the next pane, after its last lens.
    pub(super) fn turn(&mut self, forward: bool) {
        let lens = self.planner.state().view.lens;
        if !self.compact || self.pane == Pane::Alternatives {
            let next = neighbour(lens, forward);
            let wrapped = next == if forward { Lens::Weights } else { Lens::Methods };
            if !self.compact || !wrapped {
                self.act(Action::Lens(next));
                return;
            }
        }
        self.pane = neighbour(self.pane, forward);
        if self.pane == Pane::Alternatives {
            self.act(Action::Lens(if forward { Lens::Weights } else { Lens::Methods }));
        }
    }
}

/// The variant after or before, around the end.
fn neighbour<T: strum::IntoEnumIterator + PartialEq + Copy>(of: T, forward: bool) -> T {
    let all: Vec<T> = T::iter().collect();
    let at = all.iter().position(|one| *one == of).unwrap_or(0);
    let step = if forward { 1 } else { all.len().saturating_sub(1) };
    all.get((at + step) % all.len().max(1)).copied().unwrap_or(of)
}
