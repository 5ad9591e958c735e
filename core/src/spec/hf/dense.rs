//! Grouped-query attention on every layer: all of it full, or some of it windowed by the family's law.

use super::dims::{Gqa, HeadDim, KvHeads, Layers, layer_count, layer_types, unknown_entry};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::Mixer;

/// How a family of this kind reads its config.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dense {
    pub(super) kv: KvHeads,
    pub(super) head_dim: HeadDim,
    pub(super) window: WindowLaw,
}

/// Which layers are windowed where the config lists no `layer_types`.
#[derive(Debug, Clone, Copy)]
pub(super) enum WindowLaw {
    /// None; a window in the config is refused.
    Never,
    /// All of them, if `sliding_window` is set and smaller than the context.
    WhenSet,
    /// Those from `max_window_layers` on, if `use_sliding_window`.
    Switched,
    /// All but every n-th, counted from 1.
    Pattern {
        /// n.
        period: u64,
        /// The class's default window.
        window: u64,
        /// The class, for the assumption.
        class: &'static str,
        /// `sliding_window: null` means no windows at all.
        nullable: bool,
    },
}

/// One body per layer.
pub(super) fn import(fields: &Fields<'_>, family: Dense) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let gqa = Gqa::read(fields, family.kv, family.head_dim)?;
    let mut all = match layer_types(fields, layers)? {
        Some(types) => by_types(fields, &types, gqa, family.window)?,
        None => by_law(fields, layers, gqa, family.window)?,
    };
    if all.len() > layers {
        let mtp = all.split_off(layers);
        return Ok(Layers { trunk: all, mtp });
    }
    Layers::of(all).with_mtp(fields, gqa.full())
}

fn bodies(layers: usize, mixer: impl Fn(usize) -> Mixer) -> Vec<RunBody> {
    (0..layers).map(|i| RunBody::One(mixer(i))).collect()
}

fn by_types(
    fields: &Fields<'_>,
    types: &[&str],
    gqa: Gqa,
    law: WindowLaw,
) -> Result<Vec<RunBody>, PlanError> {
    // The list says more than the switches that made it.
    fields.ignore(&["sliding_window_pattern", "_sliding_window_pattern", "sliding_window_size"]);
    let windowed = types.contains(&"sliding_attention");
    let window = match (windowed, law) {
        (false, _) => {
            fields.ignore(&["sliding_window", "use_sliding_window"]);
            0
        }
        (true, WindowLaw::Switched) if fields.bool("use_sliding_window")? == Some(false) => {
            let message = "`layer_types` lists sliding_attention while `use_sliding_window` is off";
            return Err(fields.invalid("use_sliding_window", message));
        }
        (true, WindowLaw::Pattern { window, class, .. }) => {
            fields.or_default("sliding_window", window, class)?
        }
        (true, WindowLaw::Never | WindowLaw::WhenSet | WindowLaw::Switched) => {
            fields.ignore(&["use_sliding_window"]);
            fields.need("sliding_window")?
        }
    };
    let chunk = if types.contains(&"chunked_attention") { fields.need("attention_chunk_size")? } else { 0 };
    let body = |(i, entry): (usize, &&str)| match *entry {
        "full_attention" | "attention" => Ok(RunBody::One(gqa.full())),
        "sliding_attention" => Ok(RunBody::One(gqa.window(window))),
        "chunked_attention" => Ok(RunBody::One(gqa.chunk(chunk))),
        other => {
            let known = "full_attention, sliding_attention, chunked_attention";
            Err(unknown_entry(fields, "layer_types", i, other, known))
        }
    };
    types.iter().enumerate().map(body).collect()
}

fn by_law(fields: &Fields<'_>, layers: usize, gqa: Gqa, law: WindowLaw) -> Result<Vec<RunBody>, PlanError> {
    let full = || bodies(layers, |_| gqa.full());
    match law {
        WindowLaw::Never => {
            if fields.bool("use_sliding_window")? == Some(false) {
                fields.ignore(&["sliding_window"]);
            }
            Ok(full())
        }
        WindowLaw::WhenSet => Ok(match set_window(fields)? {
            Some(window) => bodies(layers, |_| gqa.window(window)),
            None => full(),
        }),
        WindowLaw::Switched => {
            if fields.bool("use_sliding_window")? != Some(true) {
                fields.ignore(&["sliding_window"]);
                return Ok(full());
            }
            let window = fields.need("sliding_window")?;
            let first = fields.u64("max_window_layers")?.ok_or_else(|| {
                fields.missing(
                    "max_window_layers",
                    "`use_sliding_window` is on, and `max_window_layers` is absent",
                )
            })?;
            let windowed = |i: usize| u64::try_from(i).is_ok_and(|i| i >= first);
            Ok(bodies(layers, |i| if windowed(i) { gqa.window(window) } else { gqa.full() }))
        }
        WindowLaw::Pattern { period, window, class, nullable } => {
            if nullable && fields.written("sliding_window") && fields.value("sliding_window").is_none() {
                fields.ignore(&["sliding_window_pattern", "_sliding_window_pattern"]);
                return Ok(full());
            }
            // A class whose models differ in whether they have windows: absent is unknown.
            if nullable && !fields.written("sliding_window") {
                let message = "`sliding_window` says whether there are windows, and is absent";
                return Err(fields.missing("sliding_window", message));
            }
            let is_full = full_layers(fields, period, class)?;
            let same = fields.positive("sliding_window_size")?;
            let window = match same {
                Some(size) if fields.value("sliding_window").is_none() => size,
                _ => fields.or_default("sliding_window", window, class)?,
            };
            if same.is_some_and(|size| size != window) {
                return Err(fields.invalid("sliding_window_size", format!("`sliding_window` says {window}")));
            }
            Ok(bodies(layers, |i| if is_full(i) { gqa.full() } else { gqa.window(window) }))
        }
    }
}

/// The window of a family that has one on all layers or none: off when null, or when the context fits into it.
fn set_window(fields: &Fields<'_>) -> Result<Option<u64>, PlanError> {
    fields.ignore(&["sliding_window_indices"]);
    if fields.bool("use_sliding_window")? == Some(false) {
        fields.ignore(&["sliding_window"]);
        return Ok(None);
    }
    let Some(window) = fields.positive("sliding_window")? else {
        if !fields.written("sliding_window") {
            fields.assume("sliding_window is absent: no window, the default of its class");
        }
        return Ok(None);
    };
    match fields.u64("max_position_embeddings")? {
        Some(context) if context <= window => Ok(None),
        Some(_) => Ok(Some(window)),
        None => {
            fields.assume("max_position_embeddings is absent: taken to be longer than the window");
            Ok(Some(window))
        }
    }
}

/// Which layers are full: every n-th (`sliding_window_pattern: 6`), or a letter a layer (`"LLLG"`, repeated).
fn full_layers(
    fields: &Fields<'_>,
    period: u64,
    class: &str,
) -> Result<Box<dyn Fn(usize) -> bool>, PlanError> {
    let key = if fields.written("_sliding_window_pattern") {
        "_sliding_window_pattern"
    } else {
        "sliding_window_pattern"
    };
    if let Some(serde_json::Value::String(letters)) = fields.value(key) {
        if letters.is_empty() || !letters.bytes().all(|b| b == b'L' || b == b'G') {
            return Err(fields.invalid(key, format!("`{key}` must be made of L (local) and G (global)")));
        }
        let letters = letters.clone().into_bytes();
        return Ok(Box::new(move |i| letters.get(i % letters.len()) == Some(&b'G')));
    }
    let period = fields.or_default(key, period, class)?;
    let period = usize::try_from(period).map_err(|_| fields.invalid(key, "too long a pattern"))?;
    Ok(Box::new(move |i| (i + 1).is_multiple_of(period)))
}
