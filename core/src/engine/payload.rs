//! The ideal engine: exactly what the tokens need under the chosen codecs, no padding, no pages.

use super::{Carriers, Common, Reservation, Scenario, StoreLine, codec_error};
use crate::cache::{Knob, Retention, Role, Store};
use crate::codec::Codec;
use crate::error::PlanError;
use crate::explain::{Basis, Rule};
use crate::spec::ModelSpec;
use crate::unit::{Bytes, Tokens};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The ideal engine has no options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {}

/// Entries × row bytes.
pub static ENTRIES: Rule = Rule {
    id: "payload/entries",
    says: "layers × sequences × entries kept after n tokens × bytes per entry, nothing rounded",
    source: "the cache algebra of this project",
};

/// The codec a knob has when a request names none. Keys and values are f16; the rest is what published footprints use.
#[must_use]
pub const fn default_codec(knob: Knob) -> Codec {
    match knob {
        Knob::K | Knob::V => Codec::F16,
        Knob::Indexer | Knob::Conv => Codec::Bf16,
        Knob::State => Codec::F32,
    }
}

/// What a cache is called when its engine has no name for it: by how it grows.
#[must_use]
pub const fn cache_name(store: &Store) -> &'static str {
    match (store.role, store.retention) {
        (Role::Indexer, _) => "indexer",
        (Role::ConvState | Role::RecurrentState | Role::CompressorState, _) => "state",
        (Role::CrossK | Role::CrossV, _) => "cross",
        (_, Retention::Window(_)) => "window",
        (_, Retention::Chunk(_)) => "chunk",
        (_, Retention::Strided(_)) => "compressed",
        (_, Retention::Fixed(_)) => "state",
        (_, Retention::Encoder) => "cross",
        (_, Retention::All | Retention::Evicted(_)) => "full",
    }
}

/// Payload bytes of one layer's store for one sequence.
pub(crate) fn store_payload(store: &Store, codec: Codec, entries: Tokens) -> Result<Bytes, PlanError> {
    codec
        .store_bytes(store.role.side(), store.heads, store.dim, entries.get())
        .map_err(|e| codec_error(store.role.knob(), codec, &e))
}

/// What the tokens need.
///
/// # Errors
/// `missing-field` without a context, `invalid` where a codec cannot hold a store, `overflow` past 64 bits.
pub fn reserve(model: &ModelSpec, scenario: &Scenario) -> Result<Reservation, PlanError> {
    reserve_share(model, scenario, 1)
}

/// What one of `ranks` that share the tokens of full layers needs; windows and states are not shared.
pub(crate) fn reserve_share(
    model: &ModelSpec,
    scenario: &Scenario,
    ranks: u64,
) -> Result<Reservation, PlanError> {
    let context = scenario.context.ok_or_else(|| {
        PlanError::missing("context", "how many tokens does a sequence hold? `context` is needed")
    })?;
    let sequences = scenario.sequences.unwrap_or(1);
    let mut lines = Vec::with_capacity(8);
    // A sequence that is the same to its last token is no other.
    let prefix = Tokens::new(scenario.shared.get().min(context.get().saturating_sub(1)));
    let (mut once, mut each) = (Bytes::ZERO, Bytes::ZERO);
    for (index, kind, layers) in model.kept_kinds(scenario.mtp) {
        for store in kind.stores().iter().filter(|s| s.role.is_payload()) {
            let knob = store.role.knob();
            let codec = scenario.cache.get(knob).unwrap_or(default_codec(knob));
            let shard = |entries: Tokens| match store.retention {
                Retention::All if ranks > 1 => Tokens::new(entries.get().div_ceil(ranks)),
                Retention::All
                | Retention::Window(_)
                | Retention::Chunk(_)
                | Retention::Strided(_)
                | Retention::Fixed(_)
                | Retention::Encoder
                | Retention::Evicted(_) => entries,
            };
            let entries = shard(store.entries(context, scenario.encoder_tokens)?);
            let whole = store_payload(store, codec, entries)?.times(layers)?;
            // Groups of tokens that a codec packs together are shared whole.
            let period = codec.growth_period();
            let common = shard(store.retention.common(context, prefix)).get() / period * period;
            let shared = match Tokens::new(common).min(entries) {
                Tokens::ZERO => Bytes::ZERO,
                common => store_payload(store, codec, common)?.times(layers)?,
            };
            let own = whole.minus(shared)?;
            (once, each) = (once.plus(shared)?, each.plus(own)?);
            let payload = shared.plus(own.times(sequences)?)?;
            lines.push(StoreLine {
                cache: cache_name(store),
                role: store.role,
                layers,
                carriers: Carriers::Kind(index),
                heads: store.heads,
                dim: store.dim,
                entries,
                sequences,
                codec,
                payload,
                allocated: payload,
                rule: &ENTRIES,
                basis: Basis::Exact,
            });
        }
    }
    let common = Some(Common { tokens: prefix.get(), once, each });
    Ok(Reservation { context, sequences, lines, common, ..Reservation::default() })
}
