//! Finding figures in the lines of a log, whatever stands before them: timestamps, container names, colours.

/// A log's lines without terminal colours.
pub(super) fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(plain)
}

fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        // `ESC [ … letter`.
        for c in chars.by_ref() {
            if c.is_ascii_alphabetic() {
                break;
            }
        }
    }
    out
}

/// What stands after `mark`, blanks trimmed.
pub(super) fn after<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.find(mark).and_then(|at| line.get(at + mark.len()..)).map(str::trim)
}

/// The last word before `mark`.
pub(super) fn word_before<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let at = line.find(mark)?;
    line.get(..at)?.split_whitespace().next_back()
}

/// The number a text begins with, thousands separators and all: `148,816 tokens`.
pub(super) fn number(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(text.len());
    let number = text.get(..end)?.trim_end_matches([',', '.']);
    (!number.is_empty()).then_some(number)
}

/// A whole number at the start of a text.
pub(super) fn whole(text: &str) -> Option<u64> {
    number(text)?.replace(',', "").parse().ok()
}

/// The value of `name=value` or `'name': value` in a line of Python: quotes removed, up to the next comma or bracket.
pub(super) fn python<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let mut from = 0;
    while let Some(at) = line.get(from..).and_then(|rest| rest.find(name)).map(|at| at + from) {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let rest = line.get(at + name.len()..).unwrap_or_default();
        let value = rest.strip_prefix('=').or_else(|| rest.strip_prefix("': "));
        if let (Some(value), false) = (value, before.is_some_and(|c| c.is_alphanumeric() || c == '_')) {
            return Some(match value.chars().next() {
                Some(quote @ ('\'' | '"')) => value.get(1..)?.split(quote).next()?,
                _ => value.split([',', ')', '}', ' ']).next()?,
            });
        }
        from = at + name.len();
    }
    None
}

/// A size as printed: so many digits, cut to so many decimals, of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rounded {
    digits: u64,
    scale: u64,
    unit: u64,
}

impl Rounded {
    /// Reads `416.00`.
    pub(super) fn read(text: &str, unit: u64) -> Option<Self> {
        let text = number(text)?.replace(',', "");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        Some(Self { digits, scale, unit })
    }

    /// The bytes that print so: the least and the most. `float` allows for the sizes that were kept in 32-bit floats.
    pub(super) fn range(self, float: bool) -> (u64, u64) {
        let (unit, scale) = (u128::from(self.unit), u128::from(self.scale));
        let middle = u128::from(self.digits) * unit;
        let slack = unit / 2 + if float { middle >> 22 } else { 0 };
        let bytes = |value: u128| u64::try_from(value / scale).unwrap_or(u64::MAX);
        (bytes(middle.saturating_sub(slack)), bytes(middle + slack + scale - 1))
    }

    /// Whether so many bytes print so.
    pub(super) fn holds(self, bytes: u64) -> bool {
        let (low, high) = self.range(true);
        (low..=high).contains(&bytes)
    }

    /// The sum of sizes in one unit.
    pub(super) fn sum(parts: &[Self]) -> Option<Self> {
        let first = parts.first()?;
        let digits = parts.iter().try_fold(0u64, |sum, part| {
            (part.scale == first.scale && part.unit == first.unit).then(|| sum.checked_add(part.digits))?
        })?;
        Some(Self { digits, ..*first })
    }

    /// As printed, with the unit's name.
    pub(super) fn shown(self, unit: &str) -> String {
        let decimals = usize::try_from(self.scale.ilog10()).unwrap_or(0);
        let (whole, fraction) = (self.digits / self.scale, self.digits % self.scale);
        if decimals == 0 {
            format!("{whole} {unit}")
        } else {
            format!("{whole}.{fraction:0decimals$} {unit}")
        }
    }

    /// `bytes` in the same unit and with the same decimals.
    pub(super) fn like(self, bytes: u64, unit: &str) -> String {
        let scaled = u128::from(bytes) * u128::from(self.scale);
        let digits = (scaled + u128::from(self.unit) / 2) / u128::from(self.unit);
        Self { digits: u64::try_from(digits).unwrap_or(u64::MAX), ..self }.shown(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_values_are_found_by_their_whole_name() {
        let line = "config: model='Qwen/Qwen3-8B', cudagraph_model=x, max_seq_len=32768, enable_prefix_caching=True)";
        assert_eq!(python(line, "model"), Some("Qwen/Qwen3-8B"));
        assert_eq!(python(line, "max_seq_len"), Some("32768"));
        assert_eq!(python(line, "enable_prefix_caching"), Some("True"));
        assert_eq!(python(line, "prefix_caching"), None);
        assert_eq!(python("args: {'kv_cache_dtype': 'fp8', 'max_num_seqs': 3}", "max_num_seqs"), Some("3"));
    }

    #[test]
    fn printed_sizes_stand_for_a_range_of_bytes() {
        let printed = Rounded::read("149.62 MiB", 1 << 20).unwrap();
        // 48 layers × (30,720 + 786,432) × 4 bytes = 149.625 MiB, which a 32-bit float prints as 149.62.
        assert!(printed.holds(48 * (30_720 + 786_432) * 4));
        assert!(!printed.holds(150 << 20));
        assert_eq!(printed.like(150 << 20, "MiB"), "150.00 MiB");
        assert_eq!(Rounded::sum(&[printed, printed]).unwrap().shown("MiB"), "299.24 MiB");
    }

    #[test]
    fn colours_and_separators_do_not_hide_figures() {
        let line = lines("\u{1b}[34m0.1\u{1b}[0m GPU KV cache size: 148,816 tokens").next().unwrap();
        assert_eq!(after(&line, "GPU KV cache size:").and_then(whole), Some(148_816));
    }
}
