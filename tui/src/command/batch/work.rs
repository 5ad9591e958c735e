//! Answering, on one thread or several, in the order of the questions.

use super::form::{Form, Sink};
use super::progress::Progress;
use super::row::{Answer, Row};
use kvplan_core::error::PlanError;
use kvplan_core::plan::{Detail, Memo, Request};
use kvplan_core::sweep::Sweep;
use serde_json::Value;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, available_parallelism};

/// Questions that go to a thread together.
#[derive(Debug)]
pub(super) enum Unit {
    /// A line.
    Line(Vec<u8>),
    /// Some points of a sweep.
    Points(Arc<Sweep>, Range<u64>),
    /// A line that is no question: its answer as text, and as data.
    Refused(String, Box<(Option<Value>, PlanError)>),
}

/// Lines of this many bytes go to a thread together.
const BATCH: usize = 1 << 16;
/// Bundles under way for each thread: one it works on, one that waits for it.
const WAITING: usize = 2;

/// Answers of a bundle, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// As text, for formats that are one.
    pub(super) text: Vec<u8>,
    /// As rows, for formats that are not.
    pub(super) rows: Vec<Row>,
    /// How many.
    pub(super) count: u64,
}

/// The threads, and what is under way.
pub(super) struct Crew<'scope> {
    hands: Vec<(SyncSender<Vec<Unit>>, Receiver<Answers>)>,
    /// Whose answers come next.
    under_way: VecDeque<usize>,
    next: usize,
    bundle: Vec<Unit>,
    bytes: usize,
    form: Form,
    detail: Detail,
    /// Of the thread that asks, where it answers too.
    memo: Memo,
    scope: std::marker::PhantomData<&'scope ()>,
}

impl<'scope> Crew<'scope> {
    /// Starts `jobs` threads (0: one a core); with one, the work is done where it is asked for.
    pub(super) fn hire(scope: &'scope Scope<'scope, '_>, jobs: usize, form: Form, detail: Detail) -> Self {
        let jobs = if jobs == 0 { available_parallelism().map_or(1, std::num::NonZero::get) } else { jobs };
        let hand = |_| {
            let (ask, questions) = sync_channel::<Vec<Unit>>(WAITING);
            let (answer, answers) = sync_channel::<Answers>(WAITING);
            scope.spawn(move || {
                let mut memo = Memo::of_many();
                for bundle in questions {
                    // The other end is gone where writing failed: then there is nothing left to do.
                    if answer.send(answered(bundle, form, detail, &mut memo)).is_err() {
                        break;
                    }
                }
            });
            (ask, answers)
        };
        let hands = if jobs > 1 { (0..jobs).map(hand).collect() } else { Vec::new() };
        Self {
            hands,
            under_way: VecDeque::new(),
            next: 0,
            bundle: Vec::new(),
            bytes: 0,
            form,
            detail,
            memo: Memo::of_many(),
            scope: std::marker::PhantomData,
        }
    }

    /// Takes a question; writes what has been answered meanwhile.
    pub(super) fn take(
        &mut self,
        unit: Unit,
        sink: &mut dyn Sink,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        self.bytes += match &unit {
            Unit::Line(line) => line.len(),
            Unit::Points(..) => BATCH,
            Unit::Refused(text, _) => text.len(),
        };
        self.bundle.push(unit);
        if self.bytes >= BATCH { self.send(sink, progress) } else { Ok(()) }
    }

    /// Answers and writes everything that was taken.
    pub(super) fn settle(&mut self, sink: &mut dyn Sink, progress: &mut Progress) -> anyhow::Result<()> {
        self.send(sink, progress)?;
        while !self.under_way.is_empty() {
            self.receive(sink, progress)?;
        }
        Ok(())
    }

    fn send(&mut self, sink: &mut dyn Sink, progress: &mut Progress) -> anyhow::Result<()> {
        self.bytes = 0;
        let bundle = std::mem::take(&mut self.bundle);
        if bundle.is_empty() {
            return Ok(());
        }
        if self.hands.is_empty() {
            return write(answered(bundle, self.form, self.detail, &mut self.memo), sink, progress);
        }
        if self.under_way.len() >= self.hands.len() * WAITING {
            self.receive(sink, progress)?;
        }
        let at = self.next;
        self.next = (at + 1) % self.hands.len();
        if let Some((ask, _)) = self.hands.get(at) {
            ask.send(bundle).map_err(|_| anyhow::anyhow!("a thread of this program has ended"))?;
            self.under_way.push_back(at);
        }
        Ok(())
    }

    fn receive(&mut self, sink: &mut dyn Sink, progress: &mut Progress) -> anyhow::Result<()> {
        let Some((_, answers)) = self.under_way.pop_front().and_then(|at| self.hands.get(at)) else {
            return Ok(());
        };
        let answers = answers.recv().map_err(|_| anyhow::anyhow!("a thread of this program has ended"))?;
        write(answers, sink, progress)
    }
}

fn write(answers: Answers, sink: &mut dyn Sink, progress: &mut Progress) -> anyhow::Result<()> {
    let count = answers.count;
    sink.write(answers)?;
    progress.add(count);
    Ok(())
}

fn answered(bundle: Vec<Unit>, form: Form, detail: Detail, memo: &mut Memo) -> Answers {
    let mut answers = Answers::default();
    let mut request = Vec::new();
    for unit in bundle {
        match unit {
            Unit::Line(line) => one(&line, None, (form, detail), memo, &mut answers),
            Unit::Points(sweep, points) => {
                for point in points {
                    request.clear();
                    sweep.request_into(point, &mut request);
                    one(&request, Some((&sweep, point)), (form, detail), memo, &mut answers);
                }
            }
            Unit::Refused(text, refused) => {
                answers.count += 1;
                match form {
                    Form::JsonLines => answers.text.extend_from_slice(text.as_bytes()),
                    Form::Csv | Form::Parquet => {
                        let (id, error) = *refused;
                        let answer = Answer { id, point: None, plan: Err(error) };
                        keep(Row::of(answer), form, &mut answers);
                    }
                }
                if form == Form::JsonLines {
                    answers.text.push(b'\n');
                }
            }
        }
    }
    answers
}

/// Answers one request; `of`: the sweep it is a point of.
fn one(
    line: &[u8],
    of: Option<(&Sweep, u64)>,
    (form, detail): (Form, Detail),
    memo: &mut Memo,
    answers: &mut Answers,
) {
    answers.count += 1;
    match form {
        Form::JsonLines => {
            let out = &mut answers.text;
            if let Some((sweep, point)) = of {
                out.extend_from_slice(b"{\"point\":");
                sweep.point_into(point, out);
                // The answer is an object with members: the brace that opens it becomes the comma before them.
                let brace = out.len();
                memo.answer_into(line, detail, out);
                if let Some(brace) = out.get_mut(brace) {
                    *brace = b',';
                }
            } else {
                memo.answer_into(line, detail, out);
            }
            out.push(b'\n');
        }
        Form::Csv | Form::Parquet => {
            let (id, plan) = match Request::parse(line) {
                Ok(request) => {
                    let plan = memo.plan(&request, detail);
                    (request.id, plan)
                }
                Err((id, error)) => (id, Err(error)),
            };
            let point = of.map(|(sweep, point)| {
                let mut text = Vec::new();
                sweep.point_into(point, &mut text);
                String::from_utf8_lossy(&text).into_owned()
            });
            keep(Row::of(Answer { id, point, plan }), form, answers);
        }
    }
}

fn keep(row: Row, form: Form, answers: &mut Answers) {
    match form {
        Form::Csv => row.csv_into(&mut answers.text),
        Form::JsonLines | Form::Parquet => answers.rows.push(row),
    }
}
