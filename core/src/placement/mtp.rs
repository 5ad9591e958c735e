//! Prediction layers that draft: their weights as a line of their own, and llama.cpp's context for them. Other engines
//! keep their cache in the model's own pool.

use super::layers::index;
use super::ranks::Ranks;
use super::tenants::of_draft;
use super::{Bill, Case, TenantLine};
use crate::engine::llama_cpp::{ContextType, Options};
use crate::engine::{CacheTypes, Engine};
use crate::error::PlanError;
use crate::explain::{Basis, Rule};
use crate::unit::{Bytes, Overflow};
use crate::weights::MtpLayer;

static LOADED: Rule = Rule {
    id: "llama.cpp/mtp-weights",
    says: "prediction layers are loaded with the model where they draft (--spec-type draft-mtp), all of them, the file's copies of embedding and head among it; otherwise their tensors are skipped",
    source: "llama.cpp common/common.cpp (mparams.load_mtp), src/llama-model-loader.cpp TENSOR_SKIP, src/models/*.cpp",
};
static CONTEXT: Rule = Rule {
    id: "llama.cpp/mtp-context",
    says: "prediction layers draft in a context of their own on the model's weights, with the target's sizes and slots and the draft's cache types (f16)",
    source: "llama.cpp common/speculative.cpp common_speculative_init_result (ctx_type mtp, n_rs_seq 0)",
};
static SHARED: Rule = Rule {
    id: "placement/mtp-weights",
    says: "prediction layers are with the last stage and use the model's own embedding and head; their cache is in the model's pool",
    source: "vLLM 0.33.0 v1/worker/gpu/spec_decode/eagle/utils.py, SGLang 0.5.23 speculative/eagle_worker_v2.py",
};
static APART: Rule = Rule {
    id: "vllm/mtp-embedding",
    says: "prediction layers are with the last pipeline stage, which loads the embedding that the first one has a second time; the head is shared",
    source: "vLLM 0.33.0 v1/worker/gpu/spec_decode/eagle/utils.py maybe_share_target_embed",
};

impl Case<'_> {
    /// The lines of prediction layers that draft; none where none do.
    pub(super) fn mtp_lines(&self, bill: &Bill) -> Result<Vec<TenantLine>, PlanError> {
        let mut lines = Vec::new();
        if self.scenario.mtp == 0 {
            return Ok(lines);
        }
        if let Some(weights) = self.weights {
            let all = matches!(self.engine, Engine::LlamaCpp(_));
            let count =
                if all { usize::MAX } else { usize::try_from(self.scenario.mtp).map_err(|_| Overflow)? };
            let layers: Vec<MtpLayer> = weights.mtp.iter().take(count).copied().collect();
            if !layers.is_empty() {
                lines.push(self.mtp_weights(bill, &layers, weights.embedding, weights.basis)?);
            }
        }
        if let Engine::LlamaCpp(options) = &self.engine
            && options.ctx_type == ContextType::Default
        {
            lines.extend(self.mtp_context(options)?);
        }
        Ok(lines)
    }

    fn mtp_weights(
        &self,
        bill: &Bill,
        layers: &[MtpLayer],
        embedding: Bytes,
        basis: Basis,
    ) -> Result<TenantLine, PlanError> {
        let devices = bill.devices();
        let mut by_place = vec![Bytes::ZERO; devices + 1];
        let mut doubt = by_place.clone();
        let mut put = |place: usize, bytes: Bytes, layer: &MtpLayer| -> Result<(), PlanError> {
            if let (Some(here), Some(off)) = (by_place.get_mut(place), doubt.get_mut(place)) {
                *here = here.plus(bytes)?;
                // A layer's part may be off by its part of the layer's error, at most by all of it.
                *off = off.plus(layer.error.min(bytes))?;
            }
            Ok(())
        };
        if self.by_layers() {
            let llama_cpp = if let Engine::LlamaCpp(options) = &self.engine { Some(options) } else { None };
            let on_host = llama_cpp.and_then(|options| options.n_cpu_moe).unwrap_or(0);
            let on_host = usize::try_from(on_host).unwrap_or(usize::MAX);
            let own = llama_cpp.is_some();
            for (il, layer) in (self.model.layer_count()..).zip(layers) {
                let one = if devices > 0 { 0 } else { devices };
                let place =
                    bill.layers.as_ref().map_or(one, |p| p.get(il).map_or(devices, |p| index(*p, devices)));
                let rest = layer.bytes.rest;
                let rest = if own { rest } else { rest.minus(layer.copies).unwrap_or_default() };
                put(place, rest, layer)?;
                put(if il < on_host { devices } else { place }, layer.bytes.experts, layer)?;
            }
            let rule = if own { &LOADED } else { &SHARED };
            return Ok(TenantLine::new("mtp weights", by_place, doubt, basis, rule));
        }
        let Ranks { tp, pp, .. } = self.ranks;
        let part = |bytes: Bytes, parts: u64| Bytes::new(bytes.get().div_ceil(parts.max(1)));
        let apart = pp > 1 && matches!(self.engine, Engine::Vllm(_));
        let world = self.ranks.world().ok_or(Overflow)?;
        for (place, rank) in (0..world).enumerate() {
            if self.ranks.stage_of(rank).saturating_add(1) < pp {
                continue;
            }
            for layer in layers {
                let rest = layer.bytes.rest.minus(layer.copies).unwrap_or_default();
                let here = part(rest, tp).plus(part(layer.bytes.experts, self.ranks.expert_parts()))?;
                put(place, here, layer)?;
            }
            if apart {
                put(place, part(embedding, tp), &MtpLayer::default())?;
            }
        }
        let rule = if apart { &APART } else { &SHARED };
        Ok(TenantLine::new("mtp weights", by_place, doubt, basis, rule))
    }

    /// llama.cpp's context of prediction layers: where the model's own layers are.
    fn mtp_context(&self, options: &Options) -> Result<Vec<TenantLine>, PlanError> {
        let mut case = self.of_another(self.model, None);
        let own = Options {
            ctx_type: ContextType::Mtp,
            n_gpu_layers: options.n_gpu_layers.clone(),
            ..of_draft(options)
        };
        case.engine = Engine::LlamaCpp(Box::new(own));
        case.scenario.cache = self.tenants.as_ref().map_or(CacheTypes::default(), |t| t.draft_cache);
        case.scenario.mtp = 0;
        let reservation = case.reserve()?;
        let bill = case.bill(&reservation)?;
        let names = ["mtp cache", "mtp compute"];
        case.context_lines(names, [&CONTEXT, &CONTEXT], &reservation, bill)
    }
}
