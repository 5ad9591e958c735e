//! Colours say what kind of memory it is and how it grows; letters say the same where there is no colour.

use kvplan_core::planner::Part;
use kvplan_core::planner::view::headline::Word;
use ratatui::style::{Color, Modifier, Style};

/// How things are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    palette: Palette,
    /// Only ASCII signs.
    ascii: bool,
}

/// The ground that colours stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, strum::EnumIter)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Palette {
    /// Dark.
    Dark,
    /// Light.
    Light,
    /// `NO_COLOR`.
    None,
}

impl Default for Theme {
    fn default() -> Self {
        Self { palette: Palette::Dark, ascii: false }
    }
}

impl Theme {
    /// A theme as it is asked for.
    #[cfg(test)]
    pub(crate) const fn of(palette: Palette, ascii: bool) -> Self {
        Self { palette, ascii }
    }

    /// The same with what a configuration says.
    pub(crate) const fn with(self, palette: Option<Palette>, ascii: Option<bool>) -> Self {
        let palette = match palette {
            Some(palette) => palette,
            None => self.palette,
        };
        let ascii = match ascii {
            Some(ascii) => ascii,
            None => self.ascii,
        };
        Self { palette, ascii }
    }

    /// Whether the ground is light.
    pub(crate) fn is_light(self) -> bool {
        self.palette == Palette::Light
    }

    /// As the environment asks: `NO_COLOR`, `COLORFGBG` for a light background, a locale without UTF-8.
    pub(crate) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let light = set("COLORFGBG").and_then(|v| v.rsplit(';').next().map(|bg| matches!(bg, "7" | "15")));
        let palette = match (set("NO_COLOR"), light) {
            (Some(_), _) => Palette::None,
            (None, Some(true)) => Palette::Light,
            (None, Some(false) | None) => Palette::Dark,
        };
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let utf8 = locale.as_deref().is_none_or(|l| l.to_lowercase().replace('-', "").contains("utf8"));
        let plain = locale.as_deref().is_some_and(|l| matches!(l, "C" | "POSIX"));
        let console = set("TERM").is_some_and(|term| term == "linux" || term == "dumb");
        Self { palette, ascii: set("KVPLAN_ASCII").is_some() || console || (!utf8 && !plain) }
    }

    /// Whether parts are told apart by letters alone.
    fn letters(self) -> bool {
        self.ascii || self.palette == Palette::None
    }

    /// The fill of a part.
    pub(crate) const fn part(self, part: Part) -> Style {
        let (light, dark) = match part {
            Part::Weights => (242, 252),
            Part::Full => (20, 69),
            Part::Window => (31, 38),
            Part::Compressed => (55, 99),
            Part::Indexer => (89, 162),
            Part::State => (130, 214),
            Part::Cross => (64, 106),
            Part::Compute | Part::InUse | Part::KeptFree => (245, 137),
        };
        self.indexed(light, dark)
    }

    const fn indexed(self, light: u8, dark: u8) -> Style {
        match self.palette {
            Palette::Light => Style::new().fg(Color::Indexed(light)),
            Palette::Dark => Style::new().fg(Color::Indexed(dark)),
            Palette::None => Style::new(),
        }
    }

    /// The headline's word.
    pub(crate) const fn word(self, word: Word) -> Style {
        let style = match word {
            Word::Over | Word::Unknown | Word::Refused => self.over(),
            Word::Fits | Word::Barely | Word::Needs => Style::new(),
        };
        style.add_modifier(Modifier::BOLD)
    }

    /// The mark of a headline's word.
    pub(crate) const fn mark(self, word: Word) -> char {
        if !self.ascii {
            return word.mark();
        }
        match word {
            Word::Fits => '+',
            Word::Barely => '~',
            Word::Over | Word::Refused => '!',
            Word::Needs => '.',
            Word::Unknown => '?',
        }
    }

    /// What is over.
    pub(crate) const fn over(self) -> Style {
        self.indexed(124, 209)
    }

    /// Labels, rules, hints.
    pub(crate) const fn dim(self) -> Style {
        match self.palette {
            Palette::Light => Style::new().fg(Color::Indexed(243)),
            Palette::Dark => Style::new().fg(Color::Indexed(245)),
            Palette::None => Style::new(),
        }
    }

    /// A title or a value.
    pub(crate) const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What is selected.
    pub(crate) const fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The curve of the plan, of plan A, of a preview.
    pub(crate) const fn curve(self, of: CurveOf) -> (char, Style) {
        match (of, self.ascii) {
            (CurveOf::Plan, true) => ('o', self.part(Part::Full)),
            (CurveOf::Plan, false) => ('●', self.part(Part::Full)),
            (CurveOf::PlanA, true) => ('a', self.dim()),
            (CurveOf::PlanA, false) => ('◇', self.dim()),
            (CurveOf::Preview, true) => ('.', self.part(Part::Compressed)),
            (CurveOf::Preview, false) => ('∙', self.part(Part::Compressed)),
        }
    }

    /// The cell of a part's bytes; `value` for the second half of what has keys and values.
    pub(crate) fn fill(self, part: Part, value: bool) -> char {
        match part {
            Part::KeptFree if self.ascii => '.',
            Part::KeptFree => '·',
            Part::InUse if self.ascii => 'x',
            Part::InUse => '▓',
            Part::Weights
            | Part::Full
            | Part::Window
            | Part::Compressed
            | Part::Indexer
            | Part::State
            | Part::Cross
            | Part::Compute => {
                if !self.letters() {
                    '█'
                } else if value {
                    'V'
                } else {
                    part.letter()
                }
            }
        }
    }

    /// The cell of padding.
    pub(crate) const fn waste(self) -> char {
        if self.ascii { ':' } else { '░' }
    }

    /// The cell of what another rank holds too.
    pub(crate) const fn copies(self) -> char {
        if self.ascii { '/' } else { '▒' }
    }

    /// The cell of what the engine leaves alone.
    pub(crate) const fn withheld(self) -> char {
        if self.ascii { '-' } else { '╌' }
    }

    /// The cell of room left in a pool.
    pub(crate) const fn room(self) -> char {
        if self.ascii { '_' } else { '▁' }
    }

    /// The cell of what is over.
    pub(crate) const fn excess(self) -> char {
        if self.ascii { '!' } else { '╳' }
    }

    /// A horizontal rule.
    pub(crate) const fn rule(self) -> char {
        if self.ascii { '-' } else { '─' }
    }

    /// The ends of a bar.
    pub(crate) const fn edge(self) -> char {
        if self.ascii { '|' } else { '│' }
    }

    /// The line of the capacity.
    pub(crate) const fn capacity(self) -> char {
        if self.ascii { '=' } else { '═' }
    }

    /// A vertical marker in the curve.
    pub(crate) const fn marker(self) -> char {
        if self.ascii { ':' } else { '┊' }
    }

    /// The end of plan A's bar.
    pub(crate) const fn pinned(self) -> char {
        'A'
    }

    /// Text as this theme can write it.
    pub(crate) fn text(self, text: &str) -> String {
        if !self.ascii || text.is_ascii() {
            return text.to_owned();
        }
        text.chars()
            .map(|c| match c {
                '→' => "->".to_owned(),
                '←' => "<-".to_owned(),
                '↑' => "up".to_owned(),
                '↓' => "down".to_owned(),
                '×' => "x".to_owned(),
                '±' => "+-".to_owned(),
                '≈' => "~".to_owned(),
                '–' | '−' => "-".to_owned(),
                '’' => "'".to_owned(),
                '…' => "...".to_owned(),
                c if c.is_ascii() => c.to_string(),
                _ => "?".to_owned(),
            })
            .collect()
    }
}

/// Whose curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CurveOf {
    /// What is set.
    Plan,
    /// What is pinned.
    PlanA,
    /// The alternative under the cursor.
    Preview,
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator as _;

    fn of(variables: &'static [(&str, &str)]) -> Theme {
        Theme::of_environment(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_chooses_the_theme() {
        assert_eq!(of(&[("LANG", "en_US.UTF-8")]), Theme::of(Palette::Dark, false));
        assert_eq!(of(&[("COLORFGBG", "0;15")]), Theme::of(Palette::Light, false));
        assert_eq!(of(&[("NO_COLOR", "1"), ("TERM", "linux")]), Theme::of(Palette::None, true));
        assert_eq!(of(&[("LANG", "de_DE.ISO-8859-1")]), Theme::of(Palette::Dark, true));
    }

    #[test]
    fn parts_are_told_apart_without_colour() {
        let theme = Theme::of(Palette::None, true);
        let mut seen: Vec<char> = Part::iter().map(|part| theme.fill(part, false)).collect();
        seen.sort_unstable();
        let all = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), all);
        assert!(seen.iter().all(char::is_ascii));
    }
}
