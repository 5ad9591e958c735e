//! What other programs hold of the graphics cards now, asked beside the screen: a driver takes longer than a frame.

use crate::detect::{Depth, detect};
use std::sync::mpsc::{Receiver, channel};

/// Asks; nothing comes where no driver says it.
pub(crate) fn ask() -> Receiver<u64> {
    let (send, answer) = channel();
    // Where no thread is to be had, nobody answers.
    let _ = std::thread::Builder::new().name("in use".to_owned()).spawn(move || {
        let held = detect(Depth::Drivers).in_use();
        if held > 0 {
            let _ = send.send(held);
        }
    });
    answer
}
