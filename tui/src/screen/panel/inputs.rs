//! ```text
//!  Model qwen3.6-27b  Weights Q4_K_M  Engine llama.cpp 0c1e57098  Cache K f16  V f16  Context 131,072  Slots 1
//!        m                    w              e                         k        v            c            s
//!  More  in use 0.90 GiB   keep free 1.00 GiB   layers on the GPU 20                                          [f]
//! ------------------------------------------------------------------------------------------------------------
//! ```

use super::text;
use crate::screen::app::{App, Mode};
use crate::screen::command::Command;
use crate::screen::entry::Purpose;
use crate::screen::options;
use kvplan_core::cache::Role;
use kvplan_core::engine::EngineName;
use kvplan_core::plan::ModelRef;
use kvplan_core::planner::Field;
use kvplan_core::planner::view::{self, change};
use kvplan_core::spec::ModelSpec;
use kvplan_core::unit::grouped;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use strum::IntoEnumIterator as _;

/// One input on the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    label: &'static str,
    value: String,
    command: Command,
    field: Option<Field>,
    /// Columns from the left, and the line.
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) width: u16,
}

impl Input {
    /// What it is set by.
    pub(crate) const fn command(&self) -> Command {
        self.command
    }
}

/// The codec of a role, as the plan has it.
fn codec(app: &App, role: Role, set: Option<&String>) -> String {
    let plan = app.answers.plan.as_ref().ok();
    let found = plan.and_then(|plan| plan.kv.stores.iter().find(|store| store.role == role));
    found.map(|store| store.codec.to_owned()).or_else(|| set.cloned()).unwrap_or_else(|| "default".to_owned())
}

/// The inputs with their places in lines of `width` columns.
pub(crate) fn inputs(app: &App, width: u16) -> Vec<Input> {
    let state = app.planner.state();
    let request = &state.request;
    let model = match &request.model {
        ModelRef::Id(id) => id.clone(),
        ModelRef::Hf(config) => {
            let family = config.get("model_type").and_then(|name| name.as_str()).unwrap_or("a config");
            app.planner.model().map_or_else(|_| family.to_owned(), |model| model.name().to_owned())
        }
        ModelRef::Gguf(_) | ModelRef::Spec(_) => {
            app.planner.model().map_or_else(|_| "a file".to_owned(), |model| model.name().to_owned())
        }
    };
    let engine = app.engine();
    let version = engine.modelled_version().filter(|_| width >= 110).unwrap_or_default();
    let cache = &request.cache;
    let latent = app.answers.plan.as_ref().is_ok_and(|plan| plan.kv.by_role.get(Role::Latent).is_some());
    let k = codec(app, if latent { Role::Latent } else { Role::K }, cache.k.as_ref().or(cache.kv.as_ref()));
    // A latent is keys and values at once.
    let v =
        if latent { "–".to_owned() } else { codec(app, Role::V, cache.v.as_ref().or(cache.kv.as_ref())) };
    let own = app.planner.model().ok().and_then(ModelSpec::own_weights).and_then(|own| own.loaded().ok());
    let own = own.map(|bytes| format!("file {}", view::text::bytes(bytes, state.view)));
    let weights = request.weights.as_ref().map(|set| change::weights(Some(set), state.view)).or(own);
    // A number that is kept at the largest that fits says so.
    let number = |field: Field| {
        let kept = if state.largest == Some(field) { "= " } else { "" };
        format!("{kept}{}", grouped(app.number(field)))
    };
    let own = |label, value, command, field| Input { label, value, command, field, x: 0, y: 0, width: 0 };
    let mut all = vec![
        own("Model", model, Command::Model, None),
        own("Weights", weights.unwrap_or_else(|| "none".to_owned()), Command::Weights, None),
        own("Engine", format!("{engine} {version}").trim().to_owned(), Command::Engine, None),
        own("Cache K", k, Command::CacheK, None),
        own("V", v, Command::CacheV, None),
        own("Context", number(Field::Context), Command::Context, Some(Field::Context)),
        own("Slots", number(Field::Sequences), Command::Sequences, Some(Field::Sequences)),
    ];
    let (mut x, mut y) = (1, 0);
    let gap = if width >= 118 { 3 } else { 2 };
    for input in &mut all {
        let length = input.label.chars().count() + 1 + input.value.chars().count();
        input.width = u16::try_from(length).unwrap_or(width);
        if x > 1 && x + input.width > width {
            (x, y) = (1, y + 1);
        }
        (input.x, input.y) = (x, y);
        x += input.width + gap;
    }
    all
}

/// Draws the inputs.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = app.theme;
    let all = inputs(app, area.width);
    let lines = all.iter().map(|input| input.y).max().unwrap_or(0) + 1;
    // One line has room for the keys under it; two lines carry them in front.
    let under = lines == 1;
    for input in &all {
        let (x, y) = (input.x, input.y);
        let typed = match &app.mode {
            Mode::Type(entry) if input.field.is_some_and(|f| entry.purpose == Purpose::Number(f)) => {
                Some(entry.text.as_str())
            }
            Mode::Type(_) | Mode::Browse | Mode::Pick(_) | Mode::Read(_) => None,
        };
        let at = text(buf, area, x, y, input.label, theme.dim()) + 1;
        let style = match (typed, input.field == Some(app.focus)) {
            (Some(_), _) => theme.selected(),
            (None, true) => theme.strong().add_modifier(ratatui::style::Modifier::UNDERLINED),
            (None, false) => theme.strong(),
        };
        let shown = typed.map_or_else(|| input.value.clone(), |typed| format!("{typed}_"));
        text(buf, area, at, y, &theme.text(&shown), style);
        let key = app.bindings.key(input.command);
        if under {
            text(buf, area, at, y + 1, &key, theme.dim());
        }
    }
    let y = if under { 2 } else { lines };
    if y + 1 < area.height || !under {
        more(app, area, y.min(area.height.saturating_sub(1)), buf);
    }
    if area.height > y + 1 {
        super::rule(buf, area, area.height - 1, "", "", theme);
    }
}

/// Something else that is set, or a number that is assumed for none.
struct More {
    label: String,
    value: String,
    typed: bool,
    set: bool,
    focus: bool,
}

impl More {
    fn width(&self) -> u16 {
        let width = self.label.chars().count() + 1 + self.value.chars().count();
        u16::try_from(width).unwrap_or(u16::MAX)
    }
}

/// Every other number, the draft model and the options of the engine, where they are set.
fn others(app: &App) -> Vec<More> {
    let state = app.planner.state();
    let request = &state.request;
    let typing = |purpose: &Purpose| match &app.mode {
        Mode::Type(entry) if entry.purpose == *purpose => Some(format!("{}_", entry.text)),
        Mode::Type(_) | Mode::Browse | Mode::Pick(_) | Mode::Read(_) => None,
    };
    let number = |field: Field| {
        let set = field.get(request);
        let usual = matches!(field, Field::InUse | Field::KeepFree)
            || field == app.focus
            || field == Field::Mtp && app.planner.model().is_ok_and(|model| model.mtp_count() > 0)
            || field == Field::ExpertLayersOnHost && app.engine() == EngineName::LlamaCpp && has_experts(app);
        let plain = !matches!(field, Field::Context | Field::Sequences);
        let n = set.filter(|_| plain).or((plain && usual).then_some(0))?;
        let found = field == Field::InUse && app.in_use == Some(n);
        let kept = if state.largest == Some(field) { "= " } else { "" };
        let typed = typing(&Purpose::Number(field));
        Some(More {
            label: field.label().to_owned(),
            typed: typed.is_some(),
            value: typed.unwrap_or_else(|| {
                format!(
                    "{kept}{}{}",
                    change::number(field, n, state.view),
                    if found { " (detected)" } else { "" }
                )
            }),
            set: set.is_some(),
            focus: field == app.focus,
        })
    };
    let plain = |label: &str, value: String| More {
        label: label.to_owned(),
        value,
        typed: false,
        set: true,
        focus: false,
    };
    let mut all: Vec<More> = Field::iter().filter_map(number).collect();
    let draft = change::draft(request, state.view);
    all.extend((!draft.is_empty()).then(|| plain("draft", draft)));
    let set = request.engine.iter().flat_map(|engine| &engine.options);
    all.extend(options::others(set).map(|(name, value)| plain(name, options::written(value))));
    if let Mode::Type(entry) = &app.mode
        && let Purpose::Option(name) = &entry.purpose
    {
        all.retain(|more| more.label != *name);
        let value = format!("{}_", entry.text);
        all.insert(0, More { typed: true, ..plain(name, value) });
    }
    all
}

/// Whether the model is a mixture of experts.
fn has_experts(app: &App) -> bool {
    let shape = app.planner.model().ok().and_then(|model| model.record().shape.as_ref());
    shape.is_some_and(|shape| shape.experts_used.is_some())
}

/// The line of what else is set, and what is assumed for none.
fn more(app: &App, area: Rect, y: u16, buf: &mut Buffer) {
    let theme = app.theme;
    let mut x = text(buf, area, 1, y, "More", theme.dim()) + 2;
    let end = area.width.saturating_sub(6);
    let mut all = others(app);
    // What is set comes before what is not, where not all of it has room.
    let needed = |all: &[More]| all.iter().map(|more| more.width().saturating_add(3)).sum::<u16>();
    while x.saturating_add(needed(&all)) > end.saturating_add(3)
        && let Some(at) = all.iter().position(|more| !more.set && !more.focus)
    {
        all.remove(at);
    }
    let mut left = all.len();
    for more in all {
        if x.saturating_add(more.width()) > end {
            x = text(buf, area, x, y, &format!("+{left}"), theme.dim());
            break;
        }
        left -= 1;
        let style = if more.typed {
            theme.selected()
        } else if more.focus {
            theme.strong().add_modifier(ratatui::style::Modifier::UNDERLINED)
        } else {
            theme.strong()
        };
        x = text(buf, area, x, y, &more.label, theme.dim()) + 1;
        x = text(buf, area, x, y, &theme.text(&more.value), style) + 3;
    }
    if area.width > x + 4 {
        text(buf, area, area.width - 5, y, &format!("[{}]", app.bindings.key(Command::More)), theme.dim());
    }
}
