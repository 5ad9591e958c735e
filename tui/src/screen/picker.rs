//! Choosing from a list: type to search, arrows to move, Enter to take.

use super::command::Command;
use super::lists::Whose;
use kvplan_core::cache::Knob;
use kvplan_core::plan::WeightsRequest;
use kvplan_core::planner::{Action, Field};
use kvplan_core::unit::parse_bytes;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// What taking an item does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Take {
    /// An action of the planner.
    Do(Box<Action>),
    /// Typing a number.
    Type(Field),
    /// Another list.
    List(List),
    /// A command.
    Run(Command),
    /// A state, as a link writes it.
    Open(&'static str),
}

/// A list that an item of another leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum List {
    /// Draft models.
    Draft,
    /// Weights of the draft.
    DraftWeights,
    /// Codecs of the draft's cache.
    DraftCache(Knob),
    /// The values of an option of the engine, or a line to type one.
    Option(String),
}

/// One thing to choose.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    /// What is read, and searched.
    pub(crate) label: String,
    /// What else is known of it.
    pub(crate) detail: String,
    /// Searched but not shown: aliases.
    pub(crate) also: String,
    /// What choosing it does.
    pub(crate) take: Take,
}

/// A list being searched.
#[derive(Debug, Clone)]
pub(crate) struct Picker {
    /// What is chosen.
    pub(crate) title: String,
    items: Vec<Item>,
    /// What was typed.
    pub(crate) query: String,
    /// Indices of the items that match, the best first.
    found: Vec<usize>,
    /// The place in `found`.
    pub(crate) cursor: usize,
    /// Whether a number before the name says how many: `8 x h200`.
    counted: bool,
    /// Whose weights it lists, whose size may be typed instead.
    weights: Option<Whose>,
}

impl Picker {
    /// A list, all of it found, the cursor on what is set.
    pub(crate) fn new(title: impl Into<String>, items: Vec<Item>, current: Option<&str>) -> Self {
        let found = (0..items.len()).collect();
        let at = current.and_then(|current| items.iter().position(|item| item.label == current));
        let title = title.into();
        Self {
            title,
            items,
            query: String::new(),
            found,
            cursor: at.unwrap_or(0),
            counted: false,
            weights: None,
        }
    }

    /// A list of things of which several can be had.
    pub(crate) fn counted(self) -> Self {
        Self { counted: true, ..self }
    }

    /// A list of weights, whose size may be typed instead.
    pub(crate) fn of_weights(self, whose: Whose) -> Self {
        Self { weights: Some(whose), ..self }
    }

    /// Whether it lists weights.
    pub(crate) const fn is_of_weights(&self) -> bool {
        self.weights.is_some()
    }

    /// The weights a list of formats was answered with in bytes: a size, unless an item was walked to. What is less than a
    /// mebibyte is the number of a format.
    pub(crate) fn typed_weights(&self) -> Option<Action> {
        let whose = self.weights?;
        let bytes = parse_bytes(&self.query).ok()?.get();
        let meant = self.chosen().is_none() || (self.cursor == 0 && bytes >= 1 << 20);
        meant.then(|| whose.weights(Some(WeightsRequest::Bytes(bytes))))
    }

    /// How many are asked for, and what of it is a name: `8 x h200`, `2x rtx 3090`. A card's own number is no count.
    fn asked(&self) -> (Option<u64>, &str) {
        let digits = self.query.chars().take_while(char::is_ascii_digit).count();
        let (count, rest) = self.query.split_at(digits);
        let name = rest.trim_start().trim_start_matches(['x', '×', '*']).trim_start();
        let said = rest.starts_with([' ', 'x', '×', '*']) && digits <= 3;
        match count.parse() {
            Ok(count) if self.counted && said && count > 0 => (Some(count), name),
            Ok(_) | Err(_) => (None, &self.query),
        }
    }

    /// What matches, the best first.
    pub(crate) fn found(&self) -> impl Iterator<Item = &Item> {
        self.found.iter().filter_map(|at| self.items.get(*at))
    }

    /// How many match.
    pub(crate) const fn count(&self) -> usize {
        self.found.len()
    }

    /// The item under the cursor.
    pub(crate) fn chosen(&self) -> Option<&Item> {
        self.found.get(self.cursor).and_then(|at| self.items.get(*at))
    }

    /// What taking the item under the cursor does, for as many as are asked for.
    pub(crate) fn take(&self) -> Option<Take> {
        let mut take = self.chosen()?.take.clone();
        if let (Some(count), Take::Do(action)) = (self.asked().0, &mut take)
            && let Action::Devices(devices) = action.as_mut()
            && let Some(first) = devices.first_mut()
        {
            first.count = count;
        }
        Some(take)
    }

    /// Types or deletes a letter.
    pub(crate) fn edit(&mut self, letter: Option<char>) {
        match letter {
            Some(letter) => self.query.push(letter),
            None => drop(self.query.pop()),
        }
        self.search();
    }

    /// Moves the cursor.
    pub(crate) fn step(&mut self, by: isize) {
        let last = self.found.len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(by).min(last);
    }

    fn search(&mut self) {
        self.cursor = 0;
        let name = self.asked().1;
        if name.is_empty() {
            self.found = (0..self.items.len()).collect();
            return;
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(name, CaseMatching::Ignore, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, usize, usize)> = self
            .items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| {
                let mut score = |text: &str| pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher);
                let own = score(&item.label);
                // An alias or a name finds the item, behind those found by their id.
                let other = score(&item.also).max(score(&item.detail)).map(|score| score / 2);
                own.max(other).map(|score| (score, item.label.len(), at))
            })
            .collect();
        // Of equal matches the shortest name is the base model.
        scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        self.found = scored.into_iter().map(|(_, _, at)| at).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::lists;

    fn found(mut picker: Picker, query: &str) -> String {
        query.chars().for_each(|letter| picker.edit(Some(letter)));
        picker.chosen().map(|item| item.label.clone()).unwrap_or_default()
    }

    #[test]
    fn a_few_letters_find_the_base_model_and_an_alias_finds_its_own() {
        let models = || lists::models(None);
        assert_eq!(found(models(), "qwen3.6-27b"), "qwen3.6-27b");
        assert_eq!(found(models(), "gptoss20"), "gpt-oss-20b");
        assert_eq!(found(models(), "Qwen3.6-27B"), "qwen3.6-27b");
        assert_eq!(found(models(), "meta-llama/Llama-3.1-8B"), "llama-3.1-8b");
        assert_eq!(found(models(), "zzqqzz"), "");
    }

    #[test]
    fn a_device_is_found_as_it_is_spoken_of() {
        assert_eq!(found(lists::devices(&[]), "5090"), "rtx-5090");
        assert_eq!(found(lists::devices(&[]), "geforce 4090"), "rtx-4090");
    }

    #[test]
    fn a_number_before_a_device_is_how_many_and_a_cards_own_number_is_not() {
        let taken = |query: &str| {
            let mut picker = lists::devices(&[]);
            query.chars().for_each(|letter| picker.edit(Some(letter)));
            let Some(Take::Do(action)) = picker.take() else { panic!("nothing is called {query}") };
            let Action::Devices(devices) = *action else { panic!("{query} is a device") };
            devices.first().map(|entry| (entry.device.clone(), entry.count))
        };
        assert_eq!(taken("8 x h200"), Some(("h200-sxm-141gb".to_owned(), 8)));
        assert_eq!(taken("2x rtx-3090"), Some(("rtx-3090".to_owned(), 2)));
        assert_eq!(taken("16 b200"), Some(("b200-sxm-180gb".to_owned(), 16)));
        assert_eq!(taken("5090"), Some(("rtx-5090".to_owned(), 1)));
    }

    #[test]
    fn the_cursor_stays_in_the_list() {
        let mut picker = lists::models(Some("qwen3-8b"));
        assert_eq!(picker.chosen().map(|item| item.label.as_str()), Some("qwen3-8b"));
        picker.step(-10_000);
        assert_eq!(picker.cursor, 0);
        picker.step(10_000);
        assert_eq!(picker.cursor, picker.count() - 1);
    }
}
