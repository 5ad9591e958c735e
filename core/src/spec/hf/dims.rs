//! The dimensions every attention family shares, under all the names publishers give them.

use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::MAX_LAYERS;
use crate::spec::file::RunBody;
use crate::spec::layer::{Chunk, Full, Mixer, Window};

/// What a rule understands a config as: one body per trunk layer, and the multi-token-prediction layers.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) trunk: Vec<RunBody>,
    pub(super) mtp: Vec<RunBody>,
}

impl Layers {
    pub(super) const fn of(trunk: Vec<RunBody>) -> Self {
        Self { trunk, mtp: Vec::new() }
    }

    /// `count` equal layers.
    pub(super) fn repeat(mixer: Mixer, count: usize) -> Self {
        Self::of(vec![RunBody::One(mixer); count])
    }

    /// Whether any layer has query heads.
    pub(super) fn attend(&self) -> bool {
        let attends = |mixer: &Mixer| {
            matches!(
                mixer,
                Mixer::Full(_)
                    | Mixer::Window(_)
                    | Mixer::Chunk(_)
                    | Mixer::Mla(_)
                    | Mixer::Compressed(_)
                    | Mixer::Cross(_)
            )
        };
        self.trunk.iter().any(|body| match body {
            RunBody::One(mixer) => attends(mixer),
            RunBody::Hybrid { mixers } => mixers.iter().any(attends),
            RunBody::None | RunBody::Pattern { .. } => false,
        })
    }

    /// With the multi-token-prediction layers the config asks for, each like `mixer`.
    pub(super) fn with_mtp(mut self, fields: &Fields<'_>, mixer: Mixer) -> Result<Self, PlanError> {
        self.mtp = vec![RunBody::One(mixer); mtp_count(fields)?];
        Ok(self)
    }
}

/// KV heads where the config names none.
#[derive(Debug, Clone, Copy)]
pub(super) enum KvHeads {
    /// The family has no grouped queries: as many as query heads.
    Mha,
    /// The family's class takes as many as query heads; said as an assumption.
    AsHeads,
    /// The class has a default; said as an assumption.
    Default(u64, &'static str),
    /// Nothing decides it: the config must say.
    Named,
}

/// Width of a head where the config names none.
#[derive(Debug, Clone, Copy)]
pub(super) enum HeadDim {
    /// The family divides the hidden size by the heads.
    Divided,
    /// The class has a default; said as an assumption.
    Default(u64, &'static str),
    /// Nothing decides it: the config must say.
    Named,
}

/// Grouped-query attention of one layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gqa {
    pub(super) kv_heads: u64,
    pub(super) k_dim: u64,
    pub(super) v_dim: u64,
}

impl Gqa {
    pub(super) fn read(fields: &Fields<'_>, kv: KvHeads, dim: HeadDim) -> Result<Self, PlanError> {
        let width = head_dim(fields, dim)?;
        Ok(Self { kv_heads: kv_heads(fields, kv)?, k_dim: width, v_dim: width })
    }

    pub(super) const fn full(self) -> Mixer {
        let Self { kv_heads, k_dim, v_dim } = self;
        Mixer::Full(Full { kv_heads, k_dim, v_dim, indexer_dim: None })
    }

    pub(super) const fn window(self, window: u64) -> Mixer {
        let Self { kv_heads, k_dim, v_dim } = self;
        Mixer::Window(Window { kv_heads, k_dim, v_dim, window })
    }

    pub(super) const fn chunk(self, chunk: u64) -> Mixer {
        let Self { kv_heads, k_dim, v_dim } = self;
        Mixer::Chunk(Chunk { kv_heads, k_dim, v_dim, chunk })
    }
}

/// Trunk layers.
pub(super) fn layer_count(fields: &Fields<'_>) -> Result<usize, PlanError> {
    const NAMES: &[&str] = &["num_hidden_layers", "n_layer", "n_layers", "num_layers"];
    let count = fields.need_first(NAMES)?;
    usize::try_from(count).ok().filter(|n| *n <= MAX_LAYERS).ok_or_else(|| {
        PlanError::invalid(fields.path("num_hidden_layers"), format!("more than {MAX_LAYERS} layers"))
            .with_value(count)
    })
}

/// Query heads.
pub(super) fn heads(fields: &Fields<'_>) -> Result<u64, PlanError> {
    fields.need_first(&["num_attention_heads", "n_head", "n_heads", "num_heads"])
}

/// Width of the residual stream.
pub(super) fn hidden(fields: &Fields<'_>) -> Result<u64, PlanError> {
    fields.need_first(&["hidden_size", "n_embd", "d_model", "n_embed"])
}

pub(super) fn kv_heads(fields: &Fields<'_>, otherwise: KvHeads) -> Result<u64, PlanError> {
    if let Some(n) = agreed(fields, &["num_key_value_heads", "n_kv_heads", "n_head_kv", "num_kv_heads"])? {
        return Ok(n);
    }
    match otherwise {
        KvHeads::Mha => heads(fields),
        KvHeads::AsHeads => {
            let heads = heads(fields)?;
            fields.assume(format!(
                "num_key_value_heads is absent: {heads}, as many as query heads, as its class does"
            ));
            Ok(heads)
        }
        KvHeads::Default(count, class) => fields.or_default("num_key_value_heads", count, class),
        KvHeads::Named => fields.need("num_key_value_heads"),
    }
}

pub(super) fn head_dim(fields: &Fields<'_>, otherwise: HeadDim) -> Result<u64, PlanError> {
    if let Some(n) = agreed(fields, &["head_dim", "attention_head_dim", "kv_channels"])? {
        return Ok(n);
    }
    match otherwise {
        HeadDim::Divided => divided_head_dim(fields),
        HeadDim::Default(width, class) => fields.or_default("head_dim", width, class),
        HeadDim::Named => fields.need("head_dim"),
    }
}

/// A positive dimension under any of its names, which must agree.
fn agreed(fields: &Fields<'_>, names: &[&str]) -> Result<Option<u64>, PlanError> {
    let mut found: Option<(&str, u64)> = None;
    for name in names {
        match (found, fields.positive(name)?) {
            (None, Some(n)) => found = Some((name, n)),
            (Some((first, n)), Some(other)) if n != other => {
                return Err(fields.invalid(name, format!("`{name}` says {other} and `{first}` says {n}")));
            }
            _ => {}
        }
    }
    Ok(found.map(|(_, n)| n))
}

/// hidden ÷ heads, only where that is exact.
pub(super) fn divided_head_dim(fields: &Fields<'_>) -> Result<u64, PlanError> {
    let (hidden, heads) = (hidden(fields)?, heads(fields)?);
    if hidden.is_multiple_of(heads) {
        return Ok(hidden / heads);
    }
    let message =
        format!("head_dim is absent, and the hidden size {hidden} is not a multiple of {heads} heads");
    Err(fields.missing("head_dim", message))
}

/// Multi-token-prediction layers.
pub(super) fn mtp_count(fields: &Fields<'_>) -> Result<usize, PlanError> {
    let modules = match fields.u64("num_mtp_modules")? {
        Some(modules) => {
            let each = fields.u64("mtp_transformer_layers")?.unwrap_or(1);
            Some(("num_mtp_modules", modules.checked_mul(each).ok_or(crate::unit::Overflow)?))
        }
        None => None,
    };
    let named = ["num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_layers"];
    let mut found = None;
    for key in named {
        found = found.or(fields.u64(key)?.map(|n| (key, n)));
    }
    if let (Some((key, n)), Some((other, m))) = (found, modules)
        && n != m
    {
        fields
            .assume(format!("{key} says {n} multi-token-prediction layers and {other} {m}: {n} are counted"));
    }
    if fields.bool("use_mtp")? == Some(false) {
        return Ok(0);
    }
    match found.or(modules) {
        None => Ok(0),
        Some((key, n)) => usize::try_from(n)
            .ok()
            .filter(|n| *n <= MAX_LAYERS)
            .ok_or_else(|| fields.invalid(key, format!("more than {MAX_LAYERS} layers"))),
    }
}

/// A per-layer list must cover the trunk; its tail may cover the multi-token-prediction layers, and nothing else.
pub(super) fn check_length(
    fields: &Fields<'_>,
    key: &str,
    found: usize,
    layers: usize,
) -> Result<(), PlanError> {
    if found == layers {
        return Ok(());
    }
    let mtp = mtp_count(fields)?;
    if mtp > 0 && found == layers.saturating_add(mtp) {
        return Ok(());
    }
    let message =
        format!("`{key}` has {found} entries for {layers} layers and {mtp} multi-token-prediction layers");
    Err(PlanError::invalid(fields.path(key), message).with_value(found))
}

/// The `layer_types` of a config, one per trunk layer, then possibly one per multi-token-prediction layer.
pub(super) fn layer_types<'a>(fields: &Fields<'a>, layers: usize) -> Result<Option<Vec<&'a str>>, PlanError> {
    for key in ["layer_types", "layers_block_type"] {
        if let Some(types) = fields.strings(key)? {
            check_length(fields, key, types.len(), layers)?;
            return Ok(Some(types));
        }
    }
    counted_types(fields, layers)
}

/// Counts without an order, as some transcriptions have them: enough for bytes, not for placement.
fn counted_types<'a>(fields: &Fields<'a>, layers: usize) -> Result<Option<Vec<&'a str>>, PlanError> {
    const KEY: &str = "_layer_type_counts";
    let Some(serde_json::Value::Object(counts)) = fields.value(KEY) else { return Ok(None) };
    let mut types = Vec::new();
    for (name, count) in counts {
        let count = count.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= MAX_LAYERS);
        let count =
            count.ok_or_else(|| fields.invalid(KEY, format!("`{KEY}.{name}` must be a layer count")))?;
        types.extend(std::iter::repeat_n(name.as_str(), count));
        if types.len() > layers {
            break;
        }
    }
    if types.len() != layers {
        return Err(fields.invalid(KEY, format!("`{KEY}` does not sum to {layers} layers")));
    }
    fields.assume("the order of the layers is unknown: only how many there are of each kind");
    Ok(Some(types))
}

/// An entry of a per-layer list that the rule does not know.
pub(super) fn unknown_entry(
    fields: &Fields<'_>,
    key: &str,
    index: usize,
    entry: &str,
    known: &str,
) -> PlanError {
    let message = format!("`{entry}` is not one of the kinds of layer known here: {known}");
    PlanError::unsupported(fields.path(&format!("{key}[{index}]")), message).with_value(entry)
}
