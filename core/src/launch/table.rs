//! One row an option of ours: the flag that sets it, and how a value is written there. Read in both directions.

use crate::error::PlanError;
use serde_json::Value;

/// A flag that matters, and what it sets.
#[derive(Debug)]
pub(super) struct Row {
    /// One of the flag's spellings: the one that is written.
    pub flag: &'static str,
    pub sets: Sets,
}

/// What a flag sets.
#[derive(Debug)]
pub(super) enum Sets {
    /// The model.
    Model,
    /// An option of the engine, under its own name.
    Option(&'static str, Form),
    /// A field that the dialect decides when all flags are read.
    Later(&'static str),
    /// Memory that is not planned, and why that is said.
    NotModelled(&'static str),
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A whole number.
    Count,
    /// A whole number, also with k M G T (1000) or K M G T (1024), as vLLM's parser has it; `auto` is -1.
    Human,
    /// A number with a fraction.
    Fraction,
    /// A word.
    Word,
    /// A word or a whole number.
    WordOrCount,
    /// No value: the flag means this.
    Means(bool),
    /// No value: on, or off by its other spelling.
    Toggle,
    /// Further values, separated by commas, each after the last.
    List,
}

impl Form {
    /// The option's value; `off` where the flag was written in its off spelling.
    pub(super) fn read(self, text: Option<&str>, off: bool) -> Result<Value, String> {
        let text_or = || text.ok_or_else(|| "a value is missing".to_owned());
        let whole = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is no whole number"));
        Ok(match self {
            Self::Means(meaning) => Value::from(meaning),
            Self::Toggle => Value::from(!off),
            Self::Count => Value::from(whole(text_or()?)?),
            Self::Human => human(text_or()?)?,
            Self::Fraction => {
                let text = text_or()?;
                let number = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                Value::Number(number.ok_or_else(|| format!("`{text}` is no number"))?)
            }
            Self::Word => Value::from(text_or()?),
            Self::WordOrCount => {
                let text = text_or()?;
                text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from)
            }
            Self::List => Value::from(text_or()?.split(',').map(str::to_owned).collect::<Vec<_>>()),
        })
    }

    /// The words after the flag; `None` where the value is said by leaving the flag out.
    pub(super) fn write(self, value: &Value, flag: &str) -> Result<Option<Vec<String>>, PlanError> {
        let flag = flag.to_owned();
        let with = |text: String| Ok(Some(vec![flag.clone(), text]));
        match (self, value) {
            (Self::Means(meaning), Value::Bool(value)) => Ok((meaning == *value).then(|| vec![flag])),
            (Self::Toggle, Value::Bool(true)) => Ok(Some(vec![flag])),
            (Self::Toggle, Value::Bool(false)) => Ok(Some(vec![off_spelling(&flag)])),
            (Self::List, Value::Array(values)) => {
                with(values.iter().map(text_of).collect::<Vec<_>>().join(","))
            }
            (Self::Count | Self::Human | Self::Fraction | Self::Word | Self::WordOrCount, value) => {
                with(match value.as_array() {
                    Some(values) => values.iter().map(text_of).collect::<Vec<_>>().join(","),
                    None => text_of(value),
                })
            }
            (Self::Means(_) | Self::Toggle | Self::List, value) => {
                Err(PlanError::invalid("engine", format!("{flag} cannot say {value}"))
                    .with_value(value.clone()))
            }
        }
    }
}

/// The spelling of a toggle that turns it off: `-kvu` and `--kv-unified` become `-no-kvu` and `--no-kv-unified`.
fn off_spelling(flag: &str) -> String {
    match (flag, flag.strip_prefix("--")) {
        // llama.cpp's one exception.
        ("-kvo", _) => "-nkvo".to_owned(),
        (_, Some(long)) => format!("--no-{long}"),
        (short, None) => format!("-no-{}", short.trim_start_matches('-')),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `vllm.utils.argparse_utils.human_readable_int_or_auto`: small letters count in 1000, capitals in 1024.
fn human(text: &str) -> Result<Value, String> {
    let wrong = || format!("`{text}` is no whole number with an optional k, K, m, M, g, G, t or T");
    if text == "-1" || text.eq_ignore_ascii_case("auto") {
        return Ok(Value::from(-1));
    }
    let Some((number, unit)) = text.char_indices().next_back().and_then(|(at, unit)| {
        let power = "kmgt".find(unit.to_ascii_lowercase())?;
        let power = u32::try_from(power).ok()? + 1;
        let base: u64 = if unit.is_ascii_lowercase() { 1000 } else { 1024 };
        Some((text.get(..at)?, base.checked_pow(power)?))
    }) else {
        return text.parse::<u64>().map(Value::from).map_err(|_| wrong());
    };
    // Decimals go with the decimal units only.
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if unit % 1000 != 0 && number.contains('.') {
        return Err(wrong());
    }
    let digits = u32::try_from(fraction.len()).map_err(|_| wrong())?;
    let scale = 10u64.checked_pow(digits).ok_or_else(wrong)?;
    let scaled: u64 = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
    let value = u128::from(scaled) * u128::from(unit) / u128::from(scale);
    u64::try_from(value).map(Value::from).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vllm_counts_small_letters_in_1000_and_capitals_in_1024() {
        for (text, value) in
            [("1k", 1000u64), ("1K", 1024), ("25.6k", 25_600), ("16G", 16u64 << 30), ("131072", 131_072)]
        {
            assert_eq!(human(text), Ok(Value::from(value)), "{text}");
        }
        assert_eq!(human("auto"), Ok(Value::from(-1)));
        assert!(human("1.5G").is_err() && human("x").is_err());
    }

    #[test]
    fn what_is_written_reads_back_as_itself() {
        for (form, value) in [
            (Form::Count, Value::from(4096)),
            (Form::Human, Value::from(131_072)),
            (Form::Fraction, Value::from(0.92)),
            (Form::Word, Value::from("q8_0")),
            (Form::WordOrCount, Value::from("all")),
            (Form::List, serde_json::json!(["a=CPU", "b=CPU"])),
        ] {
            let words = form.write(&value, "--x").unwrap().unwrap();
            assert_eq!(form.read(words.get(1).map(String::as_str), false), Ok(value), "{form:?}");
        }
        assert_eq!(Form::Toggle.write(&Value::from(false), "-kvu").unwrap().unwrap(), ["-no-kvu"]);
    }
}
