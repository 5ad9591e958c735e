//! Every key, what it does, and what the help says of it: one table that keys, help, palette and bindings read.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;
use strum::IntoEnumIterator as _;

/// What a key can ask for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::EnumIter, strum::IntoStaticStr, strum::EnumString,
)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Command {
    /// Choose a model.
    Model,
    /// Choose a device.
    Device,
    /// Choose a weight format.
    Weights,
    /// Choose an engine.
    Engine,
    /// Choose the codec of keys.
    CacheK,
    /// Choose the codec of values.
    CacheV,
    /// Type a context.
    Context,
    /// Type a number of sequences.
    Sequences,
    /// Choose what else to set.
    More,
    /// Choose a draft model.
    Draft,
    /// The number that is set: less.
    Less,
    /// The number that is set: more.
    Greater,
    /// The next named value down.
    SnapDown,
    /// The next named value up.
    SnapUp,
    /// The largest that fits.
    Largest,
    /// Up in the table of alternatives.
    Up,
    /// Down in the table of alternatives.
    Down,
    /// Left in the table of alternatives.
    Left,
    /// Right in the table of alternatives.
    Right,
    /// Take the alternative.
    Take,
    /// Next lens or pane.
    Next,
    /// Previous lens or pane.
    Previous,
    /// Next figure.
    NextFigure,
    /// Pin plan A, or let it go.
    Pin,
    /// Swap with plan A.
    Swap,
    /// Undo.
    Undo,
    /// Redo.
    Redo,
    /// Choose a state that is offered by name.
    Examples,
    /// Open a file, a log, a command line or a state.
    Open,
    /// Copy the command.
    CopyLaunch,
    /// Copy the state line.
    CopyState,
    /// Copy the request as JSON.
    CopyJson,
    /// Write the screen to a file.
    Save,
    /// GiB or GB.
    Units,
    /// Exact bytes.
    Exact,
    /// The plan.
    TabPlan,
    /// The comparison.
    TabCompare,
    /// The proof.
    TabProof,
    /// The traces.
    TabTraces,
    /// All keys, and a search over them.
    Help,
    /// Leave.
    Quit,
}

impl Command {
    /// Its key by default, and what it does.
    pub(crate) const fn help(self) -> (&'static str, &'static str) {
        match self {
            Self::Model => ("m", "choose a model"),
            Self::Device => ("d", "choose devices"),
            Self::Weights => ("w", "choose a weight format"),
            Self::Engine => ("e", "choose an engine"),
            Self::CacheK => ("k", "choose the cache type of keys"),
            Self::CacheV => ("v", "choose the cache type of values"),
            Self::Context => ("c", "type the context per conversation"),
            Self::Sequences => ("s", "type the number of conversations"),
            Self::More => {
                ("f", "set anything else: in use, keep free, ranks, projector, the engine's own options")
            }
            Self::Draft => ("D", "choose a draft model for speculative decoding"),
            Self::Less => ("Left", "less of the number that is set"),
            Self::Greater => ("Right", "more of the number that is set"),
            Self::SnapDown => ("PageDown", "down to the next named value: edge, limit, power of two"),
            Self::SnapUp => ("PageUp", "up to the next named value: edge, limit, power of two"),
            Self::Largest => ("=", "the largest that fits"),
            Self::Up => ("Up", "up in the alternatives"),
            Self::Down => ("Down", "down in the alternatives"),
            Self::Left => ("Shift-Left", "left in the alternatives"),
            Self::Right => ("Shift-Right", "right in the alternatives"),
            Self::Take => ("Enter", "take the alternative"),
            Self::Next => ("Tab", "next table of alternatives, next pane on a small screen"),
            Self::Previous => ("BackTab", "previous table or pane"),
            Self::NextFigure => ("i", "light up the next figure: bar, layers and why together"),
            Self::Pin => ("p", "pin this as plan A, or let plan A go"),
            Self::Swap => ("a", "change places with plan A"),
            Self::Undo => ("u", "undo"),
            Self::Redo => ("U", "redo"),
            Self::Examples => ("E", "an example to begin with: Local PC, Serving, Research"),
            Self::Open => ("o", "open a file, or paste: config, GGUF, log, command line, state"),
            Self::CopyLaunch => ("y", "copy the command that realises the plan"),
            Self::CopyState => ("Y", "copy the state line, to share or reopen"),
            Self::CopyJson => ("J", "copy the request as JSON"),
            Self::Save => ("W", "write this screen to a file, SVG or text"),
            Self::Units => ("g", "GiB or GB"),
            Self::Exact => ("x", "exact bytes"),
            Self::TabPlan => ("F1", "the plan"),
            Self::TabCompare => ("F2", "plan A beside this one, engines side by side"),
            Self::TabProof => ("F3", "the proof on this machine's GPU"),
            Self::TabTraces => ("F4", "prefix-cache traces"),
            Self::Help => ("?", "all keys; type to search, Enter to do"),
            Self::Quit => ("q", "leave"),
        }
    }

    /// Its name in a configuration.
    pub(crate) fn name(self) -> &'static str {
        self.into()
    }
}

/// A key as it is written: `m`, `Shift-Left`, `Ctrl-z`, `F1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl Key {
    fn of(event: KeyEvent) -> Self {
        // A letter's case already says whether Shift is held.
        let said = matches!(event.code, KeyCode::Char(_) | KeyCode::BackTab);
        let shift = if said { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        Self { code: event.code, modifiers: event.modifiers.difference(shift) }
    }
}

const NAMED: &[(&str, KeyCode)] = &[
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("PageUp", KeyCode::PageUp),
    ("PageDown", KeyCode::PageDown),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("Enter", KeyCode::Enter),
    ("Tab", KeyCode::Tab),
    ("BackTab", KeyCode::BackTab),
    ("Space", KeyCode::Char(' ')),
    ("Delete", KeyCode::Delete),
    ("Backspace", KeyCode::Backspace),
];

impl std::str::FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        while let Some((head, tail)) = rest.split_once('-').filter(|(_, tail)| !tail.is_empty()) {
            modifiers |= match head {
                "Ctrl" => KeyModifiers::CONTROL,
                "Alt" => KeyModifiers::ALT,
                "Shift" => KeyModifiers::SHIFT,
                _ => return Err(format!("`{head}` is none of Ctrl, Alt, Shift")),
            };
            rest = tail;
        }
        let named = NAMED.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code);
        let function =
            || rest.strip_prefix('F')?.parse().ok().filter(|n| (1..=12).contains(n)).map(KeyCode::F);
        let mut letters = rest.chars();
        let letter = letters.next().filter(|_| letters.next().is_none()).map(KeyCode::Char);
        match named.or_else(function).or(letter) {
            Some(code) => Ok(Self { code, modifiers }),
            None => Err(format!("`{text}` is no key; write a letter, F1, Enter, PageUp, Ctrl-z, Shift-Left")),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, name) in
            [(KeyModifiers::CONTROL, "Ctrl-"), (KeyModifiers::ALT, "Alt-"), (KeyModifiers::SHIFT, "Shift-")]
        {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match NAMED.iter().find(|(_, code)| *code == self.code) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.code),
        }
    }
}

/// Which key does what.
#[derive(Debug, Clone)]
pub(crate) struct Bindings(Vec<(Key, Command)>);

/// Keys beside those of the table.
const ALSO: &[(&str, Command)] = &[
    ("Ctrl-c", Command::Quit),
    ("Ctrl-q", Command::Quit),
    ("Ctrl-z", Command::Undo),
    ("Ctrl-r", Command::Redo),
    ("Ctrl-y", Command::Redo),
    ("/", Command::Model),
    (":", Command::Help),
    ("h", Command::Help),
    ("-", Command::Less),
    ("+", Command::Greater),
];

impl Default for Bindings {
    fn default() -> Self {
        let own = Command::iter().map(|command| (command.help().0, command));
        let all = own.chain(ALSO.iter().copied());
        Self(all.filter_map(|(key, command)| Some((key.parse().ok()?, command))).collect())
    }
}

impl Bindings {
    /// Gives a command another key; the one it had is free, and so is whoever had this one.
    pub(crate) fn bind(&mut self, command: Command, key: Key) {
        self.0.retain(|(k, c)| *k != key && *c != command);
        self.0.push((key, command));
    }

    /// The command of a key.
    pub(crate) fn of(&self, event: KeyEvent) -> Option<Command> {
        let key = Key::of(event);
        self.0.iter().find(|(known, _)| *known == key).map(|(_, command)| *command)
    }

    /// The key of a command, as written.
    pub(crate) fn key(&self, command: Command) -> String {
        self.0.iter().find(|(_, c)| *c == command).map(|(key, _)| key.to_string()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_key_of_its_own_that_reads_back() {
        let mut keys: Vec<String> = Vec::new();
        for command in Command::iter() {
            let key: Key = command.help().0.parse().unwrap();
            assert_eq!(key.to_string(), command.help().0);
            assert!(!keys.contains(&key.to_string()), "{key}");
            keys.push(key.to_string());
            assert_eq!(Bindings::default().key(command), command.help().0);
        }
    }

    #[test]
    fn a_rebound_key_leaves_its_old_command() {
        let mut bindings = Bindings::default();
        bindings.bind(Command::Undo, "Ctrl-u".parse().unwrap());
        let event = |code, modifiers| KeyEvent::new(code, modifiers);
        assert_eq!(bindings.of(event(KeyCode::Char('u'), KeyModifiers::CONTROL)), Some(Command::Undo));
        assert_eq!(bindings.of(event(KeyCode::Char('u'), KeyModifiers::NONE)), None);
        assert_eq!(bindings.of(event(KeyCode::Char('U'), KeyModifiers::SHIFT)), Some(Command::Redo));
        assert!("Hyper-x".parse::<Key>().is_err());
    }
}
