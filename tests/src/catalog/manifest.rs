//! `MANIFEST.csv`: which repository each collected file is of, where it was found, and how much of it.

use crate::configs;

/// One line of the manifest.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// `publisher/repository`.
    pub(super) model: String,
    pub(super) file: String,
    pub(super) source: String,
    /// The file is the publisher's own, to the letter.
    pub(super) verbatim: bool,
    pub(super) total_params: Option<u64>,
    pub(super) note: String,
}

pub(super) fn entries() -> Result<Vec<Entry>, String> {
    let text = configs::manifest()?;
    text.lines().skip(1).map(entry).collect()
}

fn entry(line: &str) -> Result<Entry, String> {
    let [model, file, source, verbatim, _model_type, total, note] =
        <[String; 7]>::try_from(cells(line)).map_err(|_| format!("MANIFEST.csv: not seven cells: {line}"))?;
    let total_params = match total.as_str() {
        "" => None,
        digits => Some(digits.parse().map_err(|_| format!("MANIFEST.csv: {file}: `{digits}` is no count"))?),
    };
    Ok(Entry { model, file, source, verbatim: verbatim == "yes", total_params, note })
}

/// The cells of a CSV line; quotes protect commas, and a doubled quote is a quote.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, cells.last_mut()) {
            ('"', Some(cell)) if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', _) if !quoted => cells.push(String::new()),
            (letter, Some(cell)) => cell.push(letter),
            (_, None) => {}
        }
    }
    cells
}
