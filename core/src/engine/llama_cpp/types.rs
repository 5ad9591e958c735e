//! Cache types under ggml's names, and `ggml_row_size`.

use crate::codec::Codec;
use crate::error::PlanError;
use crate::spec::gguf::GgmlType;
use crate::unit::{Bytes, Overflow};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// A type that llama.cpp can keep a cache in: any of ggml's floats and quantized types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheType {
    ggml: GgmlType,
    codec: Codec,
}

impl CacheType {
    /// f16, the default of both K and V.
    pub(super) const F16: Self = Self { ggml: GgmlType::F16, codec: Codec::F16 };

    /// The type of that name in ggml's spelling, letter case aside.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let ggml = GgmlType::ALL.iter().copied().find(|t| t.name().eq_ignore_ascii_case(name))?;
        let codec = match ggml {
            GgmlType::I8 | GgmlType::I16 | GgmlType::I32 | GgmlType::I64 | GgmlType::F64 => None,
            GgmlType::F32
            | GgmlType::F16
            | GgmlType::Bf16
            | GgmlType::Q4_0
            | GgmlType::Q4_1
            | GgmlType::Q5_0
            | GgmlType::Q5_1
            | GgmlType::Q8_0
            | GgmlType::Q8_1
            | GgmlType::Q2K
            | GgmlType::Q3K
            | GgmlType::Q4K
            | GgmlType::Q5K
            | GgmlType::Q6K
            | GgmlType::Q8K
            | GgmlType::Iq2Xxs
            | GgmlType::Iq2Xs
            | GgmlType::Iq3Xxs
            | GgmlType::Iq1S
            | GgmlType::Iq4Nl
            | GgmlType::Iq3S
            | GgmlType::Iq2S
            | GgmlType::Iq4Xs
            | GgmlType::Iq1M
            | GgmlType::Tq1_0
            | GgmlType::Tq2_0
            | GgmlType::Mxfp4
            | GgmlType::Nvfp4
            | GgmlType::Q1_0
            | GgmlType::Q2_0 => Codec::parse_ggml(name),
        }?;
        Some(Self { ggml, codec })
    }

    /// The type a request's `cache` names, where it is one of ggml's.
    pub(super) fn of(codec: Codec, field: &str) -> Result<Self, PlanError> {
        if codec == Codec::F16 {
            return Ok(Self::F16);
        }
        // ggml's NVFP4 is a layout of its own and carries ggml's name as a suffix among the codecs.
        let name = codec.name();
        let found = Self::parse(name.strip_suffix("_ggml").unwrap_or(name));
        found.filter(|found| found.codec == codec).ok_or_else(|| {
            let message = format!("llama.cpp has no cache type `{}`", codec.name());
            PlanError::invalid(field, message).with_value(codec.name())
        })
    }

    /// The codec of the same layout.
    #[must_use]
    pub const fn codec(self) -> Codec {
        self.codec
    }

    /// ggml's spelling (`q4_K`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.ggml.name()
    }

    /// Elements per block.
    #[must_use]
    pub const fn block(self) -> u64 {
        self.ggml.layout().block
    }

    /// `ggml_is_quantized`.
    #[must_use]
    pub const fn is_quantized(self) -> bool {
        self.block() > 1
    }

    /// Whether `-ctk` and `-ctv` take it (`kv_cache_types` of `common/arg.cpp`); the C API takes more.
    pub(super) const fn is_offered(self) -> bool {
        matches!(
            self.ggml,
            GgmlType::F32
                | GgmlType::F16
                | GgmlType::Bf16
                | GgmlType::Q8_0
                | GgmlType::Q4_0
                | GgmlType::Q4_1
                | GgmlType::Iq4Nl
                | GgmlType::Q5_0
                | GgmlType::Q5_1
        )
    }

    /// `ggml_row_size`: a row that blocks do not divide is cut, as release builds do.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn row_size(self, elements: u64) -> Result<Bytes, Overflow> {
        let layout = self.ggml.layout();
        Ok(Bytes::new(Bytes::new(elements).times(layout.bytes)?.get() / layout.block))
    }
}

impl Serialize for CacheType {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for CacheType {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = Cow::<'_, str>::deserialize(d)?;
        Self::parse(&name).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "llama.cpp has no cache type `{name}`; f32, f16, bf16, q8_0, q4_0, q4_1, iq4_nl, q5_0, q5_1 are offered"
            ))
        })
    }
}

impl schemars::JsonSchema for CacheType {
    fn schema_name() -> Cow<'static, str> {
        "GgmlCacheType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "a ggml type (f16, q8_0, q4_K, …)" })
    }
}
