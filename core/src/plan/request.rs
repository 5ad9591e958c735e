//! The request of the contract, parsed strictly: unknown fields are errors, every quantity is an integer.

use super::extras::Extras;
use super::hardware::{HardwareEntry, Placement, Reserve, Workload};
use super::object::{Object, object, object_or_null, objects};
use super::weights::WeightsRequest;
use crate::cache::Knob;
use crate::codec::Codec;
use crate::engine::{CacheTypes, Engine, EngineName, Scenario};
use crate::error::PlanError;
use crate::placement::{Case, Machine, Tenants, WeightMap};
use crate::spec::ModelSpec;
use crate::unit::Tokens;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A question: which model, on which engine, for how many tokens.
///
/// Written back, it is the shortest request that reads as the same one: what is absent or at its default is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Echoed back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// The model.
    pub model: ModelRef,
    /// The engine and its own options; the ideal engine where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineRequest>,
    /// Tokens per sequence, prompt and generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// Sequences resident at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequences: Option<u64>,
    /// Encoder (or image) tokens per sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder_tokens: Option<u64>,
    /// Codecs.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "is_default")]
    pub cache: CacheRequest,
    /// Multi-token-prediction layers kept in the cache.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mtp: u64,
    /// Hypothetical changes.
    #[serde(default, deserialize_with = "object_or_null", skip_serializing_if = "Option::is_none")]
    pub what_if: Option<WhatIf>,
    /// Weights: a format, or their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightsRequest>,
    /// Devices, in the order layers and ranks go to them.
    #[serde(default, deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub hardware: Vec<HardwareEntry>,
    /// Parallelism across devices.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "is_default")]
    pub placement: Placement,
    /// Memory of every device that is not the model's.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "is_default")]
    pub reserve: Reserve,
    /// What lives beside the model: a draft model, a projector, adapters.
    #[serde(default, deserialize_with = "object_or_null", skip_serializing_if = "Option::is_none")]
    pub extras: Option<Extras>,
    /// What sequences hold when they are served, and how many there are.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "is_default")]
    pub workload: Workload,
    /// Add the tree of terms to the answer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub explain: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A model by catalogue id, or carried in the request.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelRef {
    /// An id or alias of the catalogue.
    Id(String),
    /// A publisher's `config.json`.
    Hf(Value),
    /// GGUF metadata as a map.
    Gguf(Map<String, Value>),
    /// A model spec, short or full.
    Spec(Value),
}

impl Serialize for ModelRef {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(id) => s.serialize_str(id),
            Self::Hf(config) => s.collect_map([("hf", config)]),
            Self::Gguf(metadata) => s.collect_map([("gguf", metadata)]),
            Self::Spec(record) => s.collect_map([("spec", record)]),
        }
    }
}

impl<'de> Deserialize<'de> for ModelRef {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = ModelRef;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a catalogue id, or {\"hf\": …}, {\"gguf\": …} or {\"spec\": …}")
            }

            fn visit_str<E>(self, id: &str) -> Result<ModelRef, E> {
                Ok(ModelRef::Id(id.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<ModelRef, A::Error> {
                const FORMS: &[&str] = &["hf", "gguf", "spec"];
                let form: String = map.next_key()?.ok_or_else(|| {
                    serde::de::Error::custom("an empty object names no model; use hf, gguf or spec")
                })?;
                let model = match form.as_str() {
                    "hf" => ModelRef::Hf(map.next_value()?),
                    "gguf" => ModelRef::Gguf(map.next_value()?),
                    "spec" => ModelRef::Spec(map.next_value()?),
                    other => return Err(serde::de::Error::unknown_field(other, FORMS)),
                };
                match map.next_key::<String>()? {
                    None => Ok(model),
                    Some(extra) => Err(serde::de::Error::custom(format!(
                        "a model is one of hf, gguf, spec; found {form} and {extra}"
                    ))),
                }
            }
        }

        d.deserialize_any(Visitor)
    }
}

impl JsonSchema for ModelRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Model".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let spec = generator.subschema_for::<crate::spec::SpecFile>();
        let form = |key: &str, schema: serde_json::Value| serde_json::json!({ "type": "object", "properties": { key: schema }, "required": [key], "additionalProperties": false });
        schemars::json_schema!({ "anyOf": [
            { "type": "string", "description": "an id or alias of the catalogue" },
            form("hf", serde_json::json!({ "type": "object", "description": "a publisher's config.json" })),
            form("gguf", serde_json::json!({ "type": "object", "description": "GGUF metadata as a map" })),
            form("spec", spec.to_value()),
        ] })
    }
}

/// The engine and its own options, under its own names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineRequest {
    /// Which engine.
    pub name: EngineName,
    /// Its version; only the modelled one is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its options.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

impl EngineRequest {
    /// An engine with the defaults of its command line.
    #[must_use]
    pub fn default_of(name: EngineName) -> Self {
        Self { name, version: None, options: Map::new() }
    }
}

impl JsonSchema for EngineRequest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Engine".into()
    }

    /// One alternative an engine: its name, its version, and the options of its own type.
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        use strum::IntoEnumIterator as _;
        let forms: Vec<Value> = EngineName::iter()
            .map(|name| {
                let options = name.options_schema(generator).map(schemars::Schema::to_value);
                let mut form = options.and_then(|v| v.as_object().cloned()).unwrap_or_default();
                form.insert("title".into(), name.as_str().into());
                let properties = form.entry("properties").or_insert_with(|| Value::Object(Map::new()));
                if let Some(properties) = properties.as_object_mut() {
                    properties.insert("name".into(), serde_json::json!({ "const": name.as_str() }));
                    properties.insert("version".into(), serde_json::json!({ "type": ["string", "null"] }));
                }
                form.insert("required".into(), serde_json::json!(["name"]));
                Value::Object(form)
            })
            .collect();
        schemars::json_schema!({ "oneOf": forms })
    }
}

/// Codec names per knob; `kv` sets k and v.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheRequest {
    /// Keys and values at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv: Option<String>,
    /// Keys, latent rows, compressed rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<String>,
    /// Values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v: Option<String>,
    /// Indexer keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indexer: Option<String>,
    /// Recurrent states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Convolution states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conv: Option<String>,
}

impl CacheRequest {
    /// Sets one knob, `None` for the engine's default. Where `kv` spoke for both sides, the other keeps its codec.
    pub fn set(&mut self, knob: Knob, codec: Option<String>) {
        if matches!(knob, Knob::K | Knob::V)
            && let Some(both) = self.kv.take()
        {
            self.k.get_or_insert_with(|| both.clone());
            self.v.get_or_insert(both);
        }
        match knob {
            Knob::K => self.k = codec,
            Knob::V => self.v = codec,
            Knob::Indexer => self.indexer = codec,
            Knob::State => self.state = codec,
            Knob::Conv => self.conv = codec,
        }
    }

    /// The codec that is set for a knob, by itself or for both sides.
    #[must_use]
    pub fn side(&self, knob: Knob) -> Option<&str> {
        match knob {
            Knob::K => self.k.as_ref().or(self.kv.as_ref()),
            Knob::V => self.v.as_ref().or(self.kv.as_ref()),
            Knob::Indexer => self.indexer.as_ref(),
            Knob::State => self.state.as_ref(),
            Knob::Conv => self.conv.as_ref(),
        }
        .map(String::as_str)
    }

    pub(crate) fn parse(&self) -> Result<CacheTypes, PlanError> {
        let one = |field: &str, name: &Option<String>| match name {
            None => Ok(None),
            Some(name) => Codec::parse(name).map(Some).ok_or_else(|| {
                let message = format!("no codec `{name}`; `kvplan codecs` lists them");
                PlanError::invalid(format!("cache.{field}"), message).with_value(name.as_str())
            }),
        };
        let kv = one("kv", &self.kv)?;
        let (k, v) = (one("k", &self.k)?, one("v", &self.v)?);
        for (field, single) in [("k", k), ("v", v)] {
            if let (Some(single), Some(both)) = (single, kv)
                && single != both
            {
                let message =
                    format!("cache.kv says {} and cache.{field} says {}", both.name(), single.name());
                return Err(PlanError::invalid(format!("cache.{field}"), message).with_value(single.name()));
            }
        }
        Ok(CacheTypes {
            k: k.or(kv),
            v: v.or(kv),
            indexer: one("indexer", &self.indexer)?,
            state: one("state", &self.state)?,
            conv: one("conv", &self.conv)?,
        })
    }
}

/// A hypothetical change; always named in the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhatIf {
    /// Which projections are one.
    pub projections: Projections,
}

/// Projections that become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Projections {
    /// Keys and values are one tensor.
    #[serde(rename = "k=v")]
    KeyValue,
    /// Queries, keys and values are one tensor.
    #[serde(rename = "q=k=v")]
    QueryKeyValue,
}

impl Projections {
    pub(super) const fn says(self) -> &'static str {
        match self {
            Self::KeyValue => {
                "what if K = V: one projected tensor is cached per KV head, its keys rotated on read; no published weights of this model do this"
            }
            Self::QueryKeyValue => {
                "what if Q = K = V: one projected tensor is cached per KV head, as for K = V, its keys rotated on read; no published weights of this model do this"
            }
        }
    }
}

fn id_of(text: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(text).ok()?.get("id").cloned()
}

impl Request {
    /// A request for a catalogued model on the ideal engine, to be filled in.
    #[must_use]
    pub fn of(model: ModelRef) -> Self {
        Self {
            id: None,
            model,
            engine: None,
            context: None,
            sequences: None,
            encoder_tokens: None,
            cache: CacheRequest::default(),
            mtp: 0,
            what_if: None,
            weights: None,
            hardware: Vec::new(),
            placement: Placement::default(),
            reserve: Reserve::default(),
            extras: None,
            workload: Workload::default(),
            explain: false,
        }
    }

    /// Parses one JSON request.
    ///
    /// # Errors
    /// The request's `id`, where one could still be read, and the error.
    pub fn parse(text: &[u8]) -> Result<Self, (Option<Value>, PlanError)> {
        super::twice::refuse(text).map_err(|error| (id_of(text), error))?;
        // The common case in one pass; a request that fails is read again to say where, and because a publisher's
        // config inside it may hold the bare `Infinity` that Python writes.
        if let Ok(Object(request)) = serde_json::from_slice(text) {
            return Ok(request);
        }
        let whole: Value = match crate::spec::json::parse(text) {
            Ok(whole) => whole,
            Err(e) => return Err((None, e.into())),
        };
        Self::from_value(&whole).map_err(|error| (whole.get("id").cloned(), error))
    }

    /// A request that was read as JSON already.
    ///
    /// # Errors
    /// What is unknown, malformed or missing.
    pub fn from_value(whole: &Value) -> Result<Self, PlanError> {
        crate::read::value("", whole)
    }

    /// Whether every codec and every option of the engine is one; what they make of a model is the plan's matter.
    ///
    /// # Errors
    /// `invalid` or `unsupported`, naming the field.
    pub fn check(&self) -> Result<(), PlanError> {
        self.cache.parse()?;
        if let Some(extras) = &self.extras {
            extras.draft_cache.parse().map_err(|error| error.within("extras.draft"))?;
        }
        self.engine().map(drop)
    }

    /// The question as it is put to a machine.
    ///
    /// # Errors
    /// What is wrong with the engine's options, the tokens, the codecs or the ranks.
    pub fn case<'a>(
        &self,
        model: &'a ModelSpec,
        machine: &'a Machine,
        weights: Option<&'a WeightMap>,
    ) -> Result<Case<'a>, PlanError> {
        self.case_beside(model, machine, weights, self.tenants()?.map(Arc::new))
    }

    /// The same, with what lives beside the model worked out.
    pub(super) fn case_beside<'a>(
        &self,
        model: &'a ModelSpec,
        machine: &'a Machine,
        weights: Option<&'a WeightMap>,
        tenants: Option<Arc<Tenants>>,
    ) -> Result<Case<'a>, PlanError> {
        let case =
            Case::new(model, &self.engine()?, &self.scenario(model)?, &self.placement, machine, weights)?;
        Ok(case.beside_tenants(tenants))
    }

    /// Whether `other` asks the same about sequences of another length, or of this one.
    pub(super) fn differs_in_length_only(&self, other: &Self) -> bool {
        let Self {
            id: _,
            context: _,
            model,
            engine,
            sequences,
            encoder_tokens,
            cache,
            mtp,
            what_if,
            weights,
            hardware,
            placement,
            reserve,
            extras,
            workload,
            explain,
        } = self;
        // What varies innermost in most sweeps comes first.
        *sequences == other.sequences
            && *cache == other.cache
            && *model == other.model
            && *engine == other.engine
            && *weights == other.weights
            && *hardware == other.hardware
            && *placement == other.placement
            && *reserve == other.reserve
            && *encoder_tokens == other.encoder_tokens
            && *mtp == other.mtp
            && *what_if == other.what_if
            && *extras == other.extras
            && *workload == other.workload
            && *explain == other.explain
    }

    /// The engine asked for, its options parsed.
    pub(super) fn engine(&self) -> Result<Engine, PlanError> {
        match &self.engine {
            None => Engine::parse(EngineName::default(), None, Map::new()),
            Some(engine) => Engine::parse(engine.name, engine.version.as_deref(), engine.options.clone()),
        }
    }

    /// The codecs asked for.
    ///
    /// # Errors
    /// `invalid` for a name that no codec has, or two names for one knob.
    pub fn cache_types(&self) -> Result<CacheTypes, PlanError> {
        self.cache.parse()
    }

    /// The tokens, sequences and codecs asked for, checked against the model.
    pub(super) fn scenario(&self, model: &ModelSpec) -> Result<Scenario, PlanError> {
        if self.sequences == Some(0) {
            return Err(PlanError::invalid("sequences", "at least one sequence").with_value(0));
        }
        let mtp_layers = u64::try_from(model.mtp_count()).unwrap_or(u64::MAX);
        if self.mtp > mtp_layers {
            let message = format!("this model has {mtp_layers} multi-token-prediction layers");
            return Err(PlanError::invalid("mtp", message).with_value(self.mtp));
        }
        Ok(Scenario {
            context: self.context.map(Tokens::new),
            sequences: self.sequences,
            encoder_tokens: Tokens::new(self.encoder_tokens.unwrap_or(0)),
            cache: self.cache.parse()?,
            mtp: self.mtp,
            draft: None,
            // How many are held with a common beginning is asked beside the plan.
            shared: Tokens::ZERO,
            explain: self.explain,
        })
    }
}
