//! The spec record: what `model-specs/models/*.toml` hold, what `kvplan import` prints, what a request's `spec` says.

use super::layer::Mixer;
use super::shape::Shape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A model spec as written down: identity, provenance, and layers as runs.
///
/// The short form of a request needs `layers` only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpecFile {
    /// Catalogue id: the repository's name in lower case, without vendor or suffixes that do not change the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Other ids that resolve to this spec, each with a shape checked equal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Where the facts come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When they were taken, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The publisher's `model_type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// llama.cpp's name of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llama_cpp_arch: Option<String>,
    /// Trained context length in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_context: Option<u64>,
    /// Tokens the trained length stands for once the file's own linear or dynamic position scaling is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled_context: Option<u64>,
    /// Width of the residual stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_size: Option<u64>,
    /// Width of the embeddings a model hands out, where it is not `hidden_size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding_size: Option<u64>,
    /// Vocabulary rows of the output layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocab_size: Option<u64>,
    /// Query heads of an attention layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<u64>,
    /// The checkpoint's tensor type: `bf16`, `f16` or `f32`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// The type the publisher asks recurrent states to be kept in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dtype: Option<String>,
    /// The model attends in both directions and keeps a cache only under a block-caching sampler (diffusion) or none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bidirectional: bool,
    /// Parameter counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
    /// What the importer had to take from the family's published defaults, or could not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// The trunk, as runs in layer order.
    pub layers: Vec<Run>,
    /// Multi-token-prediction layers, kept in the cache only when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mtp: Vec<Run>,
    /// The weight tensors, where they are understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// Why there is no `shape`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape_unknown: Option<String>,
}

/// Parameter counts as published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// All of them.
    pub total: u64,
    /// Those read for one token (mixture of experts), where published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<u64>,
}

/// `count` equal layers (or repetitions of a pattern) in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// How many.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
    /// Of what.
    #[serde(flatten)]
    pub body: RunBody,
}

impl Run {
    /// `count` layers of one mixer.
    #[must_use]
    pub const fn of(count: u64, mixer: Mixer) -> Self {
        Self { count, body: RunBody::One(mixer) }
    }
}

/// What a run repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunBody {
    /// A layer of one mixer (`kind` is the mixer's).
    One(Mixer),
    /// A layer that keeps nothing: MLP, mixture of experts, no-op.
    None,
    /// A layer of several mixers side by side.
    Hybrid {
        /// The mixers, each with its own stores.
        mixers: Vec<Mixer>,
    },
    /// A sequence of runs, repeated as a whole.
    Pattern {
        /// The runs of one repetition.
        layers: Vec<Run>,
    },
}

const fn one() -> u64 {
    1
}

const fn is_one(n: &u64) -> bool {
    *n == 1
}

/// The serialised face of [`RunBody`]: the four forms as one enum tagged by `kind`, the mixers among them.
mod tagged {
    use super::{Mixer, Run, RunBody};
    use crate::read;
    use schemars::JsonSchema;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
    enum Structural {
        None {},
        Hybrid { mixers: Vec<Mixer> },
        Pattern { layers: Vec<Run> },
    }

    impl Serialize for RunBody {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::One(mixer) => mixer.serialize(s),
                Self::None => Structural::None {}.serialize(s),
                Self::Hybrid { mixers } => Structural::Hybrid { mixers: mixers.clone() }.serialize(s),
                Self::Pattern { layers } => Structural::Pattern { layers: layers.clone() }.serialize(s),
            }
        }
    }

    impl<'de> Deserialize<'de> for RunBody {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            // Buffered by hand so that an unknown kind is reported against every kind, not one half of them.
            let map = serde_json::Map::deserialize(d)?;
            let structural = matches!(
                map.get("kind").and_then(serde_json::Value::as_str),
                Some("none" | "hybrid" | "pattern")
            );
            let value = serde_json::Value::Object(map);
            if !structural {
                return read::part(&value).map(Self::One).map_err(serde::de::Error::custom);
            }
            Ok(match read::part(&value).map_err(serde::de::Error::custom)? {
                Structural::None {} => Self::None,
                Structural::Hybrid { mixers } => Self::Hybrid { mixers },
                Structural::Pattern { layers } => Self::Pattern { layers },
            })
        }
    }

    impl JsonSchema for RunBody {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "RunBody".into()
        }

        /// The forms side by side. Each closes itself against unknown fields, so each must know the run's `count`.
        fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
            let count = serde_json::json!({ "type": "integer", "minimum": 1, "description": "How many in a row; 1 where absent." });
            let halves = [Structural::json_schema(generator), Mixer::json_schema(generator)];
            let mut forms: Vec<serde_json::Value> = Vec::new();
            for half in halves {
                forms.extend(
                    half.get("oneOf").and_then(serde_json::Value::as_array).into_iter().flatten().cloned(),
                );
            }
            for form in &mut forms {
                if let Some(properties) =
                    form.get_mut("properties").and_then(serde_json::Value::as_object_mut)
                {
                    properties.insert("count".to_owned(), count.clone());
                }
            }
            schemars::json_schema!({ "oneOf": forms })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_toml_and_json_unchanged() {
        let text = r#"
id = "toy"
trained_context = 4096

[[layers]]
count = 3
kind = "full"
kv_heads = 8
k_dim = 128
v_dim = 128

[[layers]]
count = 2
kind = "pattern"
layers = [
  { kind = "hybrid", mixers = [
    { kind = "full", kv_heads = 1, k_dim = 64, v_dim = 64 },
    { kind = "short_conv", width = 64, conv_kernel = 3 },
  ] },
  { kind = "none" },
]
"#;
        let record: SpecFile = toml::from_str(text).unwrap();
        assert_eq!(record.layers[0].count, 3);
        let again: SpecFile = toml::from_str(&toml::to_string(&record).unwrap()).unwrap();
        assert_eq!(again, record);
        let json: SpecFile = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(json, record);
    }
}
