//! The terminal itself: raw mode and its end, events, and what has to be done outside.

use super::app::{App, Deed};
use super::proof::{Running, Shown};
use super::{first, in_use, mouse, open, panel, svg};
use crate::quiet;
use anyhow::Context as _;
use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event,
    KeyEventKind,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, SetTitle,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use kvplan_core::planner::Tab;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io::{self, Stdout, Write as _};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

/// A burst of keys ends when none comes for this long.
const BURST: Duration = Duration::from_millis(700);
/// How often a running proof is asked how far it is.
const NEWS: Duration = Duration::from_millis(120);

/// The terminal as it was, when this goes.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        restore();
    }
}

/// Nothing can be done about a terminal that does not listen.
fn restore() {
    let _ = disable_raw_mode();
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        cursor::Show
    );
    quiet::end();
}

/// Shows the planner until it is left.
///
/// # Errors
/// Whatever the terminal refuses.
pub(crate) fn run(app: &mut App) -> anyhow::Result<()> {
    let hook = std::panic::take_hook();
    let drawing = std::thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        // Whoever else panics ends without the screen: what waits for it hears that nobody answers any more.
        if std::thread::current().id() == drawing {
            restore();
            hook(info);
        }
    }));
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT]).context("signals")?;
    let handle = signals.handle();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in &mut signals {
            restore();
            // The process then ends as that signal ends any.
            let _ = emulate_default_handler(signal);
        }
    })?;
    quiet::begin();
    let _restored = Restored;
    enable_raw_mode()?;
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableMouseCapture,
        EnableBracketedPaste,
        SetTitle("kvplan")
    )?;
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let result = go(app, &mut terminal);
    handle.close();
    result
}

fn go(app: &mut App, terminal: &mut Terminal<CrosstermBackend<Stdout>>) -> anyhow::Result<()> {
    let mut proof: Option<Running> = None;
    let detected = app.machine.as_ref().is_some_and(|(_, from)| *from == first::DETECTED);
    let mut asked = detected.then(in_use::ask);
    let mut burst = false;
    loop {
        draw(app, terminal)?;
        // The alternatives follow the frame, unless a key is waiting already.
        if !event::poll(Duration::ZERO)? && app.finish() {
            continue;
        }
        let patience = match (proof.is_some() || asked.is_some(), burst) {
            (true, _) => Some(NEWS),
            (false, true) => Some(BURST),
            (false, false) => None,
        };
        // Without anything to wait for it sleeps until a key comes.
        let event = match patience {
            Some(patience) if !event::poll(patience)? => None,
            Some(_) | None => Some(event::read()?),
        };
        if let Some(news) = proof.as_ref().and_then(Running::news) {
            if !matches!(news, Shown::Running { .. }) {
                proof = None;
            }
            app.proof = news;
        }
        match asked.as_ref().map(Receiver::try_recv) {
            Some(Ok(bytes)) => {
                app.found_in_use(bytes);
                asked = None;
            }
            Some(Err(TryRecvError::Disconnected)) => asked = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
        let Some(event) = event else {
            if burst {
                app.settle();
                burst = false;
            }
            continue;
        };
        let size = terminal.size()?;
        let area = Rect::new(0, 0, size.width, size.height);
        let deed = match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                burst = true;
                app.key(key)
            }
            Event::Mouse(event) => mouse::mouse(app, event, area),
            Event::Paste(text) => app.paste(&text),
            Event::Resize(..) | Event::FocusGained | Event::FocusLost | Event::Key(_) => None,
        };
        match deed {
            None => {}
            Some(Deed::Quit) => return Ok(()),
            Some(deed) => perform(app, deed, area, &mut proof)?,
        }
    }
}

fn draw(app: &mut App, terminal: &mut Terminal<CrosstermBackend<Stdout>>) -> anyhow::Result<()> {
    let size = terminal.size()?;
    app.compact = super::layout::is_compact(Rect::new(0, 0, size.width, size.height));
    queue!(terminal.backend_mut(), BeginSynchronizedUpdate)?;
    terminal.draw(|frame: &mut Frame<'_>| {
        let area = frame.area();
        panel::render(app, area, frame.buffer_mut());
    })?;
    execute!(terminal.backend_mut(), EndSynchronizedUpdate)?;
    Ok(())
}

/// Does what the app itself cannot.
fn perform(app: &mut App, deed: Deed, area: Rect, proof: &mut Option<Running>) -> anyhow::Result<()> {
    match deed {
        Deed::Quit => {}
        Deed::Copy { what, text } => {
            let mut out = io::stdout();
            execute!(out, CopyToClipboard::to_clipboard_from(&text))?;
            out.flush()?;
            app.say(format!(
                "{what}: sent to the terminal's clipboard (OSC 52; tmux needs `set-clipboard on`)"
            ));
        }
        Deed::Save(path) => {
            app.finish();
            let mut screen = Buffer::empty(area);
            panel::render(app, area, &mut screen);
            let picture = path.to_ascii_lowercase().ends_with(".svg");
            let text = if picture { svg::svg(&screen, app.theme.is_light()) } else { svg::text(&screen) };
            match std::fs::write(&path, text) {
                Ok(()) => app.say(format!("wrote {path}")),
                Err(error) => app.say(format!("{path}: {error}")),
            }
        }
        Deed::Write { path, text } => {
            let made = std::fs::File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
            app.described(&path, &text, made);
        }
        Deed::Open(text) => {
            let opened = open::open(&text, &app.planner.state().request);
            app.opened(opened);
        }
        Deed::Proof => match proof {
            Some(running) => {
                running.cancel();
                app.say("stops before its next launch");
            }
            None => match begin(app) {
                Ok(running) => *proof = Some(running),
                Err(why) => app.say(why),
            },
        },
    }
    Ok(())
}

fn begin(app: &mut App) -> Result<Running, String> {
    debug_assert!(app.planner.state().view.tab == Tab::Proof, "the proof is begun from its own tab");
    let model = app.planner.model().map_err(|error| error.message.clone())?.clone();
    let context = app.number(kvplan_core::planner::Field::Context);
    let running = Running::begin(model, context).map_err(|error| error.to_string())?;
    app.proof = Shown::Running { done: 0, steps: 0, at: "opening the adapter".to_owned() };
    Ok(running)
}
