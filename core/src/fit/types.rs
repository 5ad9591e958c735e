//! Cache types an engine offers, the best first.

use super::answer::CacheChosen;
use super::quality::{measured_pairs, quality};
use super::{Question, apply};
use crate::cache::Knob;
use crate::codec::Codec;
use crate::engine::{EngineName, Report, Reservation};
use crate::error::PlanError;
use crate::placement::Case;
use crate::plan::Request;

/// Types of keys and values; `None`: the engine's own default, 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair(pub(super) Option<(Codec, Codec)>);

impl Pair {
    const fn both(codec: Codec) -> Self {
        Self(Some((codec, codec)))
    }

    /// The request with this pair in it.
    pub(super) fn of(self, request: &Request) -> Request {
        let mut request = request.clone();
        apply::cache(&mut request, self.0);
        request
    }
}

/// The pairs to try for an engine, the best first: by measured quality where it was measured, by stored bits elsewhere.
pub(super) fn pairs(engine: EngineName) -> Vec<Pair> {
    let listed = |codecs: &[Codec]| {
        std::iter::once(Pair(None)).chain(codecs.iter().map(|codec| Pair::both(*codec))).collect()
    };
    match engine {
        EngineName::Payload | EngineName::LlamaCpp => {
            measured_pairs().into_iter().map(|pair| Pair(Some(pair))).collect()
        }
        EngineName::Vllm => listed(&[
            Codec::Int8PerTokenHead,
            Codec::Fp8PerTokenHead,
            Codec::Fp8E4m3,
            Codec::TurboquantK8v4,
            Codec::Nvfp4,
            Codec::Int4PerTokenHead,
            Codec::Turboquant4bitNc,
            Codec::TurboquantK3v4Nc,
            Codec::Turboquant3bitNc,
        ]),
        EngineName::Sglang => {
            listed(&[Codec::Mxfp8, Codec::Fp8E4m3, Codec::Fp8E5m2, Codec::Nvfp4, Codec::Fp4E2m1])
        }
        EngineName::TensorRtLlm => listed(&[Codec::Fp8E4m3, Codec::Nvfp4]),
        EngineName::ExllamaV3 => listed(&[
            Codec::Exl3_8,
            Codec::Exl3_7,
            Codec::Exl3_6,
            Codec::Exl3_5,
            Codec::Exl3_4,
            Codec::Exl3_3,
            Codec::Exl3_2,
        ]),
        // Their quantized caches are options of their own, with sizes of groups and windows to choose.
        EngineName::Transformers | EngineName::Mlx => listed(&[]),
    }
}

/// What keys and values are kept in, and what that costs: the pair that was asked for, or what the engine makes of none.
/// (An engine may keep single layers in another type than the one asked for.)
pub(super) fn chosen(pair: Pair, case: &Case<'_>, reservation: &Reservation) -> CacheChosen {
    let own = |knob: Knob| {
        let mut lines = reservation.lines.iter().filter(|l| l.role.is_payload() && l.role.knob() == knob);
        lines.next().map(|l| l.codec)
    };
    let (k, v) = match pair.0 {
        Some((k, v)) => (Some(k), Some(v)),
        None => (own(Knob::K), own(Knob::V).or_else(|| own(Knob::K))),
    };
    let rotated = match &reservation.report {
        Report::LlamaCpp(report) => report.attn_rot.iter().any(|cache| cache.k || cache.v),
        // The ideal engine keeps what it is told to, as the best known method keeps it.
        Report::None | Report::Vllm(_) | Report::Sglang(_) | Report::TensorRtLlm(_) => true,
    };
    let quality = match (case.engine().name(), k, v) {
        (EngineName::LlamaCpp | EngineName::Payload, Some(k), Some(v)) => quality(k, v, rotated),
        (
            EngineName::LlamaCpp
            | EngineName::Payload
            | EngineName::Vllm
            | EngineName::Sglang
            | EngineName::TensorRtLlm
            | EngineName::Transformers
            | EngineName::Mlx
            | EngineName::ExllamaV3,
            _,
            _,
        ) => None,
    };
    CacheChosen { k: k.map(Codec::name), v: v.map(Codec::name), quality }
}

impl Question<'_> {
    /// The engine that is asked.
    pub(super) fn engine(&self) -> EngineName {
        self.request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name)
    }

    /// The best pair of cache types that holds what is asked.
    pub(super) fn cache(&self) -> Result<super::Outcome, PlanError> {
        let mut beyond = None;
        for pair in pairs(self.engine()) {
            let request = pair.of(self.request);
            let case = request.case(&self.model, &self.machine, self.weights.as_ref())?;
            let Ok(reservation) = case.reserve() else { continue };
            let chosen = super::Quantity::Cache(chosen(pair, &case, &reservation));
            if case.trial()?.is_held() {
                let mut found = self.found(&case, chosen, beyond)?;
                found.request = request;
                return Ok(super::Outcome::Found(Box::new(found)));
            }
            beyond = Some(super::obstacle::of(&case, chosen)?);
        }
        match beyond {
            Some(last) => Ok(super::Outcome::Nothing(Box::new(last))),
            // Every pair is refused: so is the request, whatever its types.
            None => match self.case()?.reserve() {
                Ok(_) => Ok(super::Outcome::Unbounded),
                Err(error) => Err(error),
            },
        }
    }
}
