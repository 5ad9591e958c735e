//! The words, letters and growth of the parts of memory: the same in a bar, a legend, a layer map and a tooltip.

use crate::hardware::catalog;
use crate::planner::state::Part;

/// A device as a person calls it: `rtx-5090` is `RTX 5090`, its second one `RTX 5090 #1` (counted from 0, as engines do),
/// host memory `RAM`. A name that no catalogue knows stays as it was given.
#[must_use]
pub fn device(name: &str) -> String {
    if name.eq_ignore_ascii_case("cpu") {
        return "RAM".to_owned();
    }
    let (id, index) = match name.rsplit_once(':') {
        Some((id, index)) if index.parse::<u64>().is_ok() => (id, Some(index)),
        Some(_) | None => (name, None),
    };
    let Ok(known) = catalog::find(id) else { return name.to_owned() };
    // Every card of that series is sold under the word, and nobody says it.
    let short = known.name().trim_start_matches("GeForce ");
    index.map_or_else(|| short.to_owned(), |index| format!("{short} #{index}"))
}

/// How a part grows while a conversation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::IntoStaticStr)]
pub enum Grows {
    /// With every token.
    #[strum(serialize = "grows with every token")]
    EveryToken,
    /// Slower than the tokens.
    #[strum(serialize = "grows slowly")]
    Slowly,
    /// Up to a window, and no further.
    #[strum(serialize = "stops growing")]
    Stops,
    /// With the encoder's or the image's input.
    #[strum(serialize = "grows with the input")]
    WithInput,
    /// A little: work buffers.
    #[strum(serialize = "grows a little")]
    ALittle,
    /// Not at all.
    #[strum(serialize = "never grows")]
    Never,
}

impl Part {
    /// Whether the cache is made of it.
    #[must_use]
    pub const fn is_cache(self) -> bool {
        match self {
            Self::Full | Self::Window | Self::Compressed | Self::Indexer | Self::State | Self::Cross => true,
            Self::Weights | Self::Compute | Self::InUse | Self::KeptFree => false,
        }
    }

    /// The letter that stands for it where there is no colour.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Weights => 'W',
            Self::Full => 'K',
            Self::Window => 'N',
            Self::Compressed => 'C',
            Self::Indexer => 'I',
            Self::State => 'S',
            Self::Cross => 'X',
            Self::Compute => 'c',
            Self::InUse => 'x',
            Self::KeptFree => '.',
        }
    }

    /// Its name in a legend.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Full => "cache",
            Self::Window => "last-N cache",
            Self::Compressed => "compressed",
            Self::Indexer => "index keys",
            Self::State => "fixed state",
            Self::Cross => "cross",
            Self::Compute => "compute",
            Self::InUse => "in use",
            Self::KeptFree => "kept free",
        }
    }

    /// What it is, in a sentence.
    #[must_use]
    pub const fn tip(self) -> &'static str {
        match self {
            Self::Weights => "The model itself: the same size for any context.",
            Self::Full => "Keys and values, or latent rows, of every token.",
            Self::Window => "Keeps only the last N tokens, so it stops growing.",
            Self::Compressed => "One row for several tokens, so it grows slowly.",
            Self::Indexer => {
                "A small key per token that picks which tokens to attend to. Grows with context; has its own type."
            }
            Self::State => {
                "Layers that keep a summary instead of tokens: same size at 1 token and 1 million, one per conversation."
            }
            Self::Cross => "Keys and values of the encoder's or the image's tokens.",
            Self::Compute => "Buffers for computing: what the engine needs beside weights and cache.",
            Self::InUse => "Memory that other programs hold.",
            Self::KeptFree => "The margin you keep.",
        }
    }

    /// How it grows.
    #[must_use]
    pub const fn grows(self) -> Grows {
        match self {
            Self::Full | Self::Indexer => Grows::EveryToken,
            Self::Compressed => Grows::Slowly,
            Self::Window => Grows::Stops,
            Self::Cross => Grows::WithInput,
            Self::Compute => Grows::ALittle,
            Self::Weights | Self::State | Self::InUse | Self::KeptFree => Grows::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator as _;

    #[test]
    fn a_device_has_the_name_on_its_box() {
        assert_eq!(["rtx-5090", "rtx-5090:1", "CPU"].map(device), ["RTX 5090", "RTX 5090 #1", "RAM"]);
        assert_eq!(device("my own: box"), "my own: box");
    }

    #[test]
    fn no_two_parts_share_a_letter_or_a_label() {
        for (at, part) in Part::iter().enumerate() {
            for other in Part::iter().skip(at + 1) {
                assert_ne!(part.letter(), other.letter());
                assert_ne!(part.label(), other.label());
            }
        }
    }
}
