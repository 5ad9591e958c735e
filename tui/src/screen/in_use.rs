//! What other programs hold of the graphics cards now, asked beside the screen: a driver's tool takes longer than a frame.

use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// Asks; nothing comes where no driver's tool says it.
pub(crate) fn ask() -> Receiver<u64> {
    let (send, answer) = channel();
    // Where no thread is to be had, nobody answers.
    let _ = std::thread::Builder::new().name("in use".to_owned()).spawn(move || {
        if let Some(bytes) = nvidia() {
            let _ = send.send(bytes);
        }
    });
    answer
}

fn nvidia() -> Option<u64> {
    let asked = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"];
    let mut tool = Command::new("nvidia-smi");
    let output = tool.args(asked).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    fullest(&String::from_utf8_lossy(&output.stdout))
}

/// What the fullest card holds: the tool prints a line of MiB a card, and a plan reserves alike on all of them.
fn fullest(text: &str) -> Option<u64> {
    let cards: Option<Vec<u64>> = text.lines().map(|line| line.trim().parse().ok()).collect();
    cards?.into_iter().max()?.checked_mul(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_card_counts_and_what_is_no_number_does_not() {
        assert_eq!(fullest("922\n1843\n"), Some(1843 << 20));
        assert_eq!(fullest("[N/A]\n"), None);
        assert_eq!(fullest(""), None);
    }
}
