//! How far apart tokens lie on an axis.

/// Steps between two powers of two.
const FINE: u64 = 1 << 12;
/// Where a scale of doublings begins: below it nothing is asked.
const LEAST: u64 = 256;

/// How far apart tokens lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// A token is as far from the next everywhere.
    #[default]
    Linear,
    /// Every doubling takes as much room, and is straight within: short contexts are told apart.
    Doublings,
}

impl Scale {
    /// How far along `tokens` lie, and how far the last of the axis.
    pub(super) fn along(self, tokens: u64, longest: u64) -> (u64, u64) {
        match self {
            Self::Linear => (tokens, longest),
            Self::Doublings => (doublings(tokens), doublings(longest).max(1)),
        }
    }

    /// The tokens that lie as far along.
    pub(super) fn tokens(self, along: u64) -> u64 {
        match self {
            Self::Linear => along,
            Self::Doublings => {
                let octave = LEAST << (along / FINE).min(40);
                octave + octave / LEAST * (along % FINE) / (FINE / LEAST)
            }
        }
    }

    /// Where the axis has a label, at most about `parts` of them.
    pub(super) fn labels(self, longest: u64, parts: u64) -> Vec<u64> {
        match self {
            Self::Linear => {
                let step = super::frame::step(longest, 1024, parts);
                (0..=longest / step).map(|n| n * step).collect()
            }
            Self::Doublings => {
                let octaves = u64::from((longest.max(LEAST) / LEAST).ilog2());
                let step = octaves.div_ceil(parts.max(1)).max(1);
                (0..=octaves / step).map(|n| LEAST << (n * step)).collect()
            }
        }
    }
}

/// Doublings from where the scale begins.
fn doublings(tokens: u64) -> u64 {
    let tokens = tokens.max(LEAST);
    let octaves = (tokens / LEAST).ilog2();
    let octave = LEAST << octaves;
    u64::from(octaves) * FINE + (tokens - octave) / (octave / LEAST) * (FINE / LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_doubling_takes_as_much_room() {
        let at = |tokens| Scale::Doublings.along(tokens, 1 << 20).0;
        assert_eq!(at(256), 0);
        assert_eq!(at(1 << 18) - at(1 << 17), at(1024) - at(512));
        assert_eq!(at(1), 0, "what is shorter lies at the beginning");
    }

    #[test]
    fn what_lies_somewhere_is_found_there() {
        for tokens in [256, 300, 512, 4095, 131_072, 200_000, 262_144, 1 << 20] {
            let back = Scale::Doublings.tokens(Scale::Doublings.along(tokens, 1 << 20).0);
            assert!(back.abs_diff(tokens) <= tokens / 128, "{tokens} comes back as {back}");
        }
    }

    #[test]
    fn labels_are_as_many_as_there_is_room_for() {
        assert_eq!(Scale::Doublings.labels(262_144, 5), [256, 1024, 4096, 16_384, 65_536, 262_144]);
        assert_eq!(Scale::Linear.labels(262_144, 5), [0, 65_536, 131_072, 196_608, 262_144]);
    }
}
