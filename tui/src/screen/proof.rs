//! The proof, running beside the screen: progress, an end on request, and what was found.

use crate::command::validate::prove;
use kvplan_core::spec::ModelSpec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

/// What the tab shows of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Not run yet.
    #[default]
    Idle,
    /// Running.
    Running {
        /// Steps done.
        done: usize,
        /// Steps in all; 0 while the adapter is opened.
        steps: usize,
        /// What is at work.
        at: String,
    },
    /// Found.
    Found {
        /// The table.
        table: String,
        /// The same in a line.
        line: String,
    },
    /// Not possible here.
    Failed(String),
}

/// A running proof.
#[derive(Debug)]
pub(crate) struct Running {
    news: Receiver<Shown>,
    cancel: Arc<AtomicBool>,
    /// Joined only by leaving the process: a launch cannot be stopped half way.
    _thread: JoinHandle<()>,
}

/// Tokens of the longest cache that is proved: enough for every rule, and soon done on a slow adapter.
const MOST_TOKENS: u64 = 1024;

impl Running {
    /// Begins with a model's shapes, at a context cut to what is soon done.
    pub(crate) fn begin(model: ModelSpec, context: u64) -> std::io::Result<Self> {
        let (send, news) = channel();
        let cancel = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&cancel);
        let context = u32::try_from(context.min(MOST_TOKENS)).unwrap_or(1024);
        let thread = std::thread::Builder::new().name("proof".to_owned()).spawn(move || {
            run(&model, context, &send, &stop);
        })?;
        Ok(Self { news, cancel, _thread: thread })
    }

    /// The last news, where there is any.
    pub(crate) fn news(&self) -> Option<Shown> {
        let mut last = None;
        loop {
            match self.news.try_recv() {
                Ok(news) => last = Some(news),
                Err(TryRecvError::Empty) => return last,
                // It sends its end before it leaves, unless it panicked.
                Err(TryRecvError::Disconnected) => {
                    let ended = matches!(last, Some(Shown::Found { .. } | Shown::Failed(_)));
                    let broke = || Some(Shown::Failed("the proof broke off without an answer".to_owned()));
                    return if ended { last } else { broke() };
                }
            }
        }
    }

    /// Ends it before its next launch.
    pub(crate) fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

/// Whoever listened may have left: news to nobody are no error.
fn run(model: &ModelSpec, context: u32, send: &Sender<Shown>, cancel: &AtomicBool) {
    let mut progress = |at: kvplan_kernels::validate::Progress<'_>| {
        let (done, steps) = (at.done, at.steps);
        let _ = send.send(Shown::Running { done, steps, at: format!("{}: {}", at.codec, at.stage) });
    };
    let end = match prove(model, context, &mut progress, cancel) {
        Ok((table, line)) => Shown::Found { table, line },
        Err(why) => Shown::Failed(why),
    };
    let _ = send.send(end);
}
