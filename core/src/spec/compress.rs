//! Writes a list of layers as few runs: run lengths and repeated patterns, always the same for the same list.

use super::file::{Run, RunBody};

/// Longer lists are written as plain run lengths; no published model comes near.
const LONGEST: usize = 512;
/// The longest pattern looked for.
const LONGEST_PATTERN: usize = 64;

/// The shortest writing of `layers`, where a run costs one and a pattern one more than the runs in it.
///
/// Gemma 3 27B becomes ten times (five windows, one full) and two windows.
#[must_use]
pub fn compress(layers: Vec<RunBody>) -> Vec<Run> {
    let mut kinds: Vec<RunBody> = Vec::new();
    let ids: Vec<usize> = layers
        .into_iter()
        .map(|body| match kinds.iter().position(|known| *known == body) {
            Some(id) => id,
            None => {
                kinds.push(body);
                kinds.len() - 1
            }
        })
        .collect();
    let pieces = if kinds.len() < 2 || ids.len() > LONGEST { lengths(&ids) } else { shortest(&ids) };
    pieces.into_iter().map(|piece| piece.write(&ids, &kinds)).collect()
}

/// `times` repetitions of `ids[start..start + period]`.
#[derive(Clone, Copy)]
struct Piece {
    start: usize,
    period: usize,
    times: usize,
}

impl Piece {
    fn write(self, ids: &[usize], kinds: &[RunBody]) -> Run {
        let once = &ids[self.start..self.start + self.period];
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let body = match once {
            [id] => kinds[*id].clone(),
            _ => RunBody::Pattern {
                layers: lengths(once)
                    .into_iter()
                    .map(|p| Run { count: count(p.times), body: kinds[once[p.start]].clone() })
                    .collect(),
            },
        };
        Run { count: count(self.times), body }
    }
}

/// Plain run lengths.
fn lengths(ids: &[usize]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (i, id) in ids.iter().enumerate() {
        match pieces.last_mut() {
            Some(last) if ids[last.start] == *id => last.times += 1,
            _ => pieces.push(Piece { start: i, period: 1, times: 1 }),
        }
    }
    pieces
}

/// Cheapest cover from the right: `best[i]` writes `ids[i..]`. Ties keep the longer and plainer first piece.
fn shortest(ids: &[usize]) -> Vec<Piece> {
    let end = ids.len();
    let mut best: Vec<(usize, Option<Piece>)> = vec![(0, None); end + 1];
    for start in (0..end).rev() {
        let mut found: (usize, Option<Piece>) = (usize::MAX, None);
        for period in 1..=LONGEST_PATTERN.min(end - start) {
            let once = &ids[start..start + period];
            let most = ids[start..].chunks_exact(period).take_while(|chunk| *chunk == once).count();
            let least = if period == 1 { 1 } else { 2 };
            if most < least {
                continue;
            }
            let cost = if period == 1 { 1 } else { 1 + lengths(once).len() };
            for times in (least..=most).rev() {
                let total = cost + best[start + period * times].0;
                if total < found.0 {
                    found = (total, Some(Piece { start, period, times }));
                }
            }
        }
        best[start] = found;
    }
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(piece) = best[at].1 {
        at += piece.period * piece.times;
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::layer::{Mixer, Rwkv};

    fn layers(text: &str) -> Vec<RunBody> {
        let body = |c: char| {
            RunBody::One(Mixer::Rwkv(Rwkv {
                hidden: u64::from(u32::from(c)),
                head_size: 1,
                token_shift: None,
            }))
        };
        text.chars().map(body).collect()
    }

    fn shown(runs: &[Run]) -> String {
        let one = |run: &Run| match &run.body {
            RunBody::One(Mixer::Rwkv(r)) => {
                format!("{}{}", run.count, char::from(u8::try_from(r.hidden).unwrap()))
            }
            RunBody::Pattern { layers } => format!("{}({})", run.count, shown(layers)),
            RunBody::One(_) | RunBody::None | RunBody::Hybrid { .. } => panic!("{run:?}"),
        };
        runs.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn published_orders_become_what_a_person_would_write() {
        let gemma3 = format!("{}ww", "wwwwwf".repeat(10));
        let mimo = format!("fwwww{}f", "fwwwww".repeat(7));
        for (text, expected) in [
            ("ffff", "4f"),
            (gemma3.as_str(), "10(5w 1f) 2w"),
            (mimo.as_str(), "1f 4w 1f 7(5w 1f)"),
            ("wf", "1w 1f"),
            ("wfwf", "2(1w 1f)"),
            ("", ""),
        ] {
            assert_eq!(shown(&compress(layers(text))), expected);
        }
    }

    #[test]
    fn what_is_written_expands_to_what_was_given() {
        let text = "abcabcabdddabababcccca".repeat(3);
        let mut back = Vec::new();
        for run in compress(layers(&text)) {
            for _ in 0..run.count {
                match &run.body {
                    RunBody::Pattern { layers } => {
                        for inner in layers {
                            back.extend((0..inner.count).map(|_| inner.body.clone()));
                        }
                    }
                    RunBody::One(_) | RunBody::None | RunBody::Hybrid { .. } => back.push(run.body.clone()),
                }
            }
        }
        assert_eq!(back, layers(&text));
    }
}
