//! Typing: a number into its field, or a path or a pasted text.

use kvplan_core::planner::Field;

/// What the text is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A number's new value.
    Number(Field),
    /// The new value of an option of the engine.
    Option(String),
    /// A file's path, or a text to be understood.
    Open,
    /// Where to write the spec of a model that is not understood.
    Describe,
    /// Where to write the screen.
    Save,
}

/// A line being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What for.
    pub(crate) purpose: Purpose,
    /// The text so far.
    pub(crate) text: String,
    /// What is wrong with it.
    pub(crate) wrong: Option<String>,
}

impl Entry {
    /// An empty line, or one that begins with a digit.
    pub(crate) fn new(purpose: Purpose, first: Option<char>) -> Self {
        Self { purpose, text: first.map(String::from).unwrap_or_default(), wrong: None }
    }

    /// Types or deletes a letter.
    pub(crate) fn edit(&mut self, letter: Option<char>) {
        self.wrong = None;
        match letter {
            Some(letter) => self.text.push(letter),
            None => drop(self.text.pop()),
        }
    }

    /// What is asked for.
    pub(crate) fn prompt(&self) -> String {
        match &self.purpose {
            Purpose::Number(field) => format!("{}:", field.label()),
            Purpose::Option(name) => format!("{name}:"),
            Purpose::Open => "open (path, or paste a config, log, command line, state):".to_owned(),
            Purpose::Describe => "write a spec to be filled in (.toml):".to_owned(),
            Purpose::Save => "write this screen to (.svg or .txt):".to_owned(),
        }
    }

    /// How to write it.
    pub(crate) const fn hint(&self) -> &'static str {
        match self.purpose {
            Purpose::Number(field) => match field.unit() {
                kvplan_core::planner::Unit::Tokens => "128k = 131,072; empty for the default",
                kvplan_core::planner::Unit::Bytes => "1.5GiB, 24 GB; empty for the default",
                kvplan_core::planner::Unit::Count => "a whole number; empty for the default",
            },
            Purpose::Option(_) => "as after kvplan plan -o; empty for the default",
            Purpose::Open => "Enter opens, Esc goes back",
            Purpose::Describe | Purpose::Save => "Enter writes, Esc goes back",
        }
    }
}
