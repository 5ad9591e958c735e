//! The configuration file: theme and keys.
//!
//! ```toml
//! theme = "light"     # dark, light, none
//! ascii = true
//!
//! [keys]              # names as `?` shows them in brackets of its search
//! undo = "Ctrl-u"
//! ```

use super::command::{Bindings, Command, Key};
use super::theme::{Palette, Theme};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The file's form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    theme: Option<Palette>,
    ascii: Option<bool>,
    #[serde(default)]
    keys: BTreeMap<String, String>,
}

/// Where it is: `$XDG_CONFIG_HOME/kvplan/config.toml`, `~/.config/…` where that is not set.
pub(crate) fn path(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join("kvplan").join("config.toml"))
}

/// A file's theme and keys over those of the environment.
///
/// # Errors
/// What is wrong, with its line or its name.
pub(crate) fn parse(text: &str, theme: Theme) -> Result<(Theme, Bindings), String> {
    let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
    let mut bindings = Bindings::default();
    for (name, key) in &file.keys {
        let command: Command =
            name.parse().map_err(|_| format!("keys.{name}: no such command; `?` lists them"))?;
        let key: Key = key.parse().map_err(|e| format!("keys.{name}: {e}"))?;
        bindings.bind(command, key);
    }
    Ok((theme.with(file.theme, file.ascii), bindings))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DARK: Theme = Theme::of(Palette::Dark, false);

    #[test]
    fn a_file_sets_theme_and_keys() {
        let (theme, bindings) =
            parse("theme = \"light\"\nascii = true\n[keys]\nundo = \"Ctrl-u\"", DARK).unwrap();
        assert_eq!(theme, Theme::of(Palette::Light, true));
        assert_eq!(bindings.key(Command::Undo), "Ctrl-u");
    }

    #[test]
    fn what_is_unknown_is_named() {
        for (text, word) in [
            ("colour = 1", "colour"),
            ("theme = \"pink\"", "pink"),
            ("[keys]\nfly = \"f\"", "keys.fly"),
            ("[keys]\nundo = \"Hyper-u\"", "Hyper"),
        ] {
            let error = parse(text, DARK).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
