//! Splitting pasted text into commands and words, as a shell would: quotes, escapes, continued lines, comments.
//!
//! PowerShell's and cmd's ways to continue a line (`` ` `` and `^`) are understood too: people paste those as well.
//! Variables are not expanded; they stay as written.

use crate::error::PlanError;

/// One word, and whether any of it was quoted (a quoted `;` is no separator).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub quoted: bool,
}

/// The commands of a text, each a list of words.
pub(super) fn commands(text: &str) -> Result<Vec<Vec<Word>>, PlanError> {
    let windows = [".exe", "$env:", ":\\"].iter().any(|mark| text.contains(mark));
    let mut split = Splitter::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' | '`' | '^' if at_line_end(&mut chars) => split.end_word(),
            // In a path of Windows it escapes nothing but a quote.
            '\\' if windows && !matches!(chars.peek(), Some('\'' | '"')) => split.push('\\'),
            '\\' => {
                if let Some(next) = chars.next() {
                    split.push(next);
                }
            }
            '\'' => {
                split.open_quote();
                quoted(&mut chars, '\'', |c| split.push(c))?;
            }
            '"' => {
                split.open_quote();
                double_quoted(&mut chars, &mut split)?;
            }
            '#' if split.word.is_none() => while chars.next_if(|c| *c != '\n').is_some() {},
            '\n' | ';' => split.end_command(),
            '&' | '|' => {
                // `2>&1` is one word; a lone `&` or `|` ends a command.
                if split.word.as_ref().is_some_and(|w| w.text.ends_with('>')) {
                    split.push(c);
                } else {
                    split.end_command();
                }
            }
            c if c.is_whitespace() => split.end_word(),
            c => split.push(c),
        }
    }
    split.end_command();
    Ok(split.commands)
}

#[derive(Default)]
struct Splitter {
    commands: Vec<Vec<Word>>,
    words: Vec<Word>,
    word: Option<Word>,
}

impl Splitter {
    fn push(&mut self, c: char) {
        self.word.get_or_insert_with(|| Word { text: String::new(), quoted: false }).text.push(c);
    }

    fn open_quote(&mut self) {
        self.word.get_or_insert_with(|| Word { text: String::new(), quoted: true }).quoted = true;
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
    }

    fn end_command(&mut self) {
        self.end_word();
        if !self.words.is_empty() {
            self.commands.push(std::mem::take(&mut self.words));
        }
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Whether only blanks are left before the line's end; consumes them and the break where so.
fn at_line_end(chars: &mut Chars<'_>) -> bool {
    let mut ahead = chars.clone();
    while ahead.next_if(|c| *c == ' ' || *c == '\t' || *c == '\r').is_some() {}
    match ahead.next() {
        Some('\n') | None => {
            *chars = ahead;
            true
        }
        Some(_) => false,
    }
}

fn quoted(chars: &mut Chars<'_>, end: char, mut push: impl FnMut(char)) -> Result<(), PlanError> {
    for c in chars.by_ref() {
        if c == end {
            return Ok(());
        }
        push(c);
    }
    Err(unclosed(end))
}

/// Inside double quotes a backslash escapes quotes, itself and line breaks only.
fn double_quoted(chars: &mut Chars<'_>, split: &mut Splitter) -> Result<(), PlanError> {
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(()),
            '\\' => match chars.next() {
                Some(c @ ('"' | '\\' | '$' | '`')) => split.push(c),
                Some('\n') => {}
                Some(other) => {
                    split.push('\\');
                    split.push(other);
                }
                None => break,
            },
            c => split.push(c),
        }
    }
    Err(unclosed('"'))
}

fn unclosed(quote: char) -> PlanError {
    PlanError::invalid("", format!("a quote ({quote}) is opened and not closed"))
}

/// `word` as a shell reads it back.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let commands = commands(text).unwrap();
        commands.into_iter().map(|words| words.into_iter().map(|w| w.text).collect()).collect()
    }

    #[test]
    fn continued_lines_are_one_command_and_comments_are_none() {
        let text = "# start it\nllama-server \\\n  -c 4096 \\  \n  -np 1 # one slot\nls; echo 'a;b' \"c d\"";
        assert_eq!(
            texts(text),
            [vec!["llama-server", "-c", "4096", "-np", "1"], vec!["ls"], vec!["echo", "a;b", "c d"]]
        );
    }

    #[test]
    fn powershell_and_cmd_continue_lines_in_their_own_way() {
        assert_eq!(texts("a `\n b ^\r\n c"), [["a", "b", "c"]]);
    }

    #[test]
    fn a_path_of_windows_keeps_its_backslashes() {
        let line = ".\\llama-server.exe -m C:\\models\\x.gguf `\n -c 1";
        assert_eq!(texts(line), [[".\\llama-server.exe", "-m", "C:\\models\\x.gguf", "-c", "1"]]);
        // What is written for a shell is read as a shell does, whatever it names.
        assert_eq!(texts(&quote("':\\")), [["':\\"]]);
    }

    #[test]
    fn quotes_keep_json_whole_and_redirections_end_nothing() {
        assert_eq!(texts(r#"x --sc '{"a": 1}' >log 2>&1"#), [["x", "--sc", r#"{"a": 1}"#, ">log", "2>&1"]]);
        assert!(commands("echo 'x").is_err());
    }

    proptest! {
        #[test]
        fn a_quoted_word_reads_back_as_itself(word in ".+") {
            let read = commands(&quote(&word)).unwrap();
            prop_assert_eq!(read, vec![vec![Word { quoted: quote(&word).starts_with('\''), text: word }]]);
        }
    }
}
