//! What else lives on the devices: a draft model with its own cache, an image projector, adapters. Each has lines of its
//! own in the answer.

use super::{Bill, Case, WeightMap};
use crate::engine::{CacheTypes, Engine, Reservation, llama_cpp};
use crate::error::PlanError;
use crate::explain::{Basis, Rule, Term};
use crate::spec::ModelSpec;
use crate::unit::{Bytes, Overflow};
use std::sync::Arc;

static DRAFT: Rule = Rule {
    id: "llama.cpp/draft-context",
    says: "a draft model has a context of its own with the target's sizes and slots, cache types of its own (f16) and no rollback states",
    source: "llama.cpp 0c1e57098 tools/server/server-context.cpp load_model (params_dft), --spec-draft-type-k, --spec-draft-type-v",
};
static DRAFT_GRAPH: Rule = Rule {
    id: "llama.cpp/draft-graph",
    says: "a draft model's context has buffers for computing and for logits of its own, those of its own widths",
    source: "llama.cpp 0c1e57098 src/llama-context.cpp sched_reserve, output_reserve; docs/planning.md has the measured error",
};
static VLLM: Rule = Rule {
    id: "vllm/draft-model",
    says: "a draft model is on the ranks of the last pipeline stage, cut by tensor parallelism as the model is; its layers keep their cache in the model's pool",
    source: "vLLM 0.33.0 config/speculative.py create_draft_parallel_config, v1/worker/gpu/spec_decode",
};
static SGLANG: Rule = Rule {
    id: "sglang/draft-model",
    says: "a draft model is cut by tensor parallelism as the model is, and has as many tokens of its own",
    source: "SGLang 0.5.23 speculative/standalone_worker_v2.py, model_executor/pool_configurator.py",
};
static IDEAL: Rule = Rule {
    id: "payload/draft",
    says: "a draft model keeps as many tokens of as many sequences",
    source: "the cache algebra of this project",
};
static BESIDE: Rule = Rule {
    id: "placement/beside",
    says: "a projector is on the first device, adapters are where the layers are; ranks share both",
    source: "llama.cpp 0c1e57098 tools/mtmd/clip.cpp, src/llama-adapter.cpp; vLLM --mm-encoder-tp-mode weights",
};

/// What a request asks for beside its model.
#[derive(Debug, Clone, PartialEq)]
pub struct Tenants {
    /// A draft model.
    pub draft: Option<Draft>,
    /// Types of the cache of what drafts: that model, or llama.cpp's context of prediction layers.
    pub draft_cache: CacheTypes,
    /// Bytes of an image projector.
    pub projector: Bytes,
    /// Bytes of adapters.
    pub lora: Bytes,
}

/// A model that drafts.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The model.
    pub model: Arc<ModelSpec>,
    /// Its weights, where they are given.
    pub weights: Option<WeightMap>,
}

/// One line of a tenant, by place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantLine {
    /// What it is.
    pub name: &'static str,
    /// Bytes by place, host memory last.
    pub bytes: Vec<Bytes>,
    /// How far those may be off.
    pub doubt: Vec<Bytes>,
    /// How sure.
    pub basis: Basis,
    /// Why.
    pub rule: &'static Rule,
    /// The steps to it, where they were asked for.
    pub terms: Vec<Term>,
}

impl TenantLine {
    /// A line without terms.
    pub(super) const fn new(
        name: &'static str,
        bytes: Vec<Bytes>,
        doubt: Vec<Bytes>,
        basis: Basis,
        rule: &'static Rule,
    ) -> Self {
        Self { name, bytes, doubt, basis, rule, terms: Vec::new() }
    }

    /// All of it.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn total(&self) -> Result<Bytes, Overflow> {
        self.bytes.iter().try_fold(Bytes::ZERO, |sum, bytes| sum.plus(*bytes))
    }
}

impl Case<'_> {
    /// The lines of what lives beside the model; none where nothing was asked for.
    pub(super) fn tenant_lines(&self, bill: &Bill) -> Result<Vec<TenantLine>, PlanError> {
        let mut lines = self.mtp_lines(bill)?;
        let Some(tenants) = &self.tenants else { return Ok(lines) };
        if let Some(draft) = &tenants.draft {
            lines.extend(
                self.drafted(draft, tenants.draft_cache).map_err(|error| error.within("extras.draft"))?,
            );
        }
        for (name, bytes, with_layers) in
            [("projector", tenants.projector, false), ("adapters", tenants.lora, true)]
        {
            if bytes > Bytes::ZERO {
                let bytes = self.beside(bytes, bill, with_layers)?;
                let doubt = vec![Bytes::ZERO; bytes.len()];
                lines.push(TenantLine::new(name, bytes, doubt, Basis::Assumed, &BESIDE));
            }
        }
        Ok(lines)
    }

    fn beside(&self, bytes: Bytes, bill: &Bill, with_layers: bool) -> Result<Vec<Bytes>, PlanError> {
        let devices = bill.devices();
        let mut by_place = vec![Bytes::ZERO; devices + 1];
        if self.by_layers() {
            return match &bill.layers {
                Some(places) if with_layers => self.census(places).evenly(bytes),
                Some(_) | None => {
                    // Without a device the first place is host memory.
                    if let Some(first) = by_place.first_mut() {
                        *first = bytes;
                    }
                    Ok(by_place)
                }
            };
        }
        let parts = if with_layers { self.ranks.tp.saturating_mul(self.ranks.pp) } else { self.ranks.tp };
        let part = Bytes::new(bytes.get().div_ceil(parts.max(1)));
        let world = self.ranks.world().ok_or(Overflow)?;
        for (rank, place) in (0..world).zip(&mut by_place) {
            if with_layers || self.ranks.stage_of(rank) == 0 {
                *place = part;
            }
        }
        Ok(by_place)
    }

    /// A draft model's weights and cache, where the engine puts them.
    fn drafted(&self, draft: &Draft, cache: CacheTypes) -> Result<Vec<TenantLine>, PlanError> {
        let (engine, rule) = match &self.engine {
            Engine::LlamaCpp(options) => (Engine::LlamaCpp(Box::new(of_draft(options))), &DRAFT),
            Engine::Payload if !self.ranks.is_parallel() => (Engine::Payload, &IDEAL),
            Engine::Vllm(_) => return self.drafted_by_ranks(draft, cache, &VLLM),
            Engine::Sglang(_) => return self.drafted_by_ranks(draft, cache, &SGLANG),
            Engine::Payload
            | Engine::TensorRtLlm(_)
            | Engine::Transformers(_)
            | Engine::Mlx(_)
            | Engine::ExllamaV3(_) => {
                let message = format!(
                    "a draft model beside {} on ranks of its kind is not modelled; llama.cpp, vLLM, SGLang and the ideal engine without ranks are",
                    self.engine.name()
                );
                return Err(PlanError::unsupported("", message));
            }
        };
        let mut scenario = self.scenario.clone();
        (scenario.cache, scenario.mtp) = (cache, 0);
        let mut case = self.of_another(&draft.model, draft.weights.as_ref());
        (case.engine, case.scenario) = (engine, scenario);
        let reservation = case.reserve()?;
        let bill = case.bill(&reservation)?;
        let mut lines = Vec::with_capacity(3);
        if let Some(weights) = &draft.weights {
            let doubt = (0..bill.kv.len()).map(|place| case.weights_doubt(&bill, place));
            let doubt = doubt.collect::<Result<_, _>>()?;
            lines.push(TenantLine::new("draft weights", bill.weights.clone(), doubt, weights.basis, rule));
        }
        let names = ["draft cache", "draft compute"];
        lines.extend(case.context_lines(names, [rule, &DRAFT_GRAPH], &reservation, bill)?);
        Ok(lines)
    }

    /// A draft model's weights on the ranks that draft; its cache is in the engine's own figures.
    fn drafted_by_ranks(
        &self,
        draft: &Draft,
        cache: CacheTypes,
        rule: &'static Rule,
    ) -> Result<Vec<TenantLine>, PlanError> {
        if cache != CacheTypes::default() {
            let message = format!("{} keeps a draft's cache in the types of the model's", self.engine.name());
            return Err(PlanError::unsupported("cache", message));
        }
        let Some(weights) = &draft.weights else { return Ok(Vec::new()) };
        let mut case = self.of_another(&draft.model, Some(weights));
        let pp = std::mem::replace(&mut case.ranks.pp, 1);
        let each = case.stage_weights()?.first().copied().unwrap_or_default();
        let off = Bytes::new(weights.doubt.get().div_ceil(self.ranks.tp.max(1)));
        let world = self.ranks.world().ok_or(Overflow)?;
        let places = usize::try_from(world).map_err(|_| Overflow)?.max(self.machine.devices.len()) + 1;
        let (mut bytes, mut doubt) = (vec![Bytes::ZERO; places], vec![Bytes::ZERO; places]);
        for (rank, (bytes, doubt)) in (0..world).zip(bytes.iter_mut().zip(&mut doubt)) {
            if self.ranks.stage_of(rank).saturating_add(1) >= pp {
                (*bytes, *doubt) = (each, off);
            }
        }
        Ok(vec![TenantLine::new("draft weights", bytes, doubt, weights.basis, rule)])
    }

    /// The lines of a context beside the model's: its cache, and its buffers for computing where they are modelled.
    pub(super) fn context_lines(
        &self,
        [cache, compute]: [&'static str; 2],
        [rule, graph]: [&'static Rule; 2],
        reservation: &Reservation,
        bill: Bill,
    ) -> Result<Vec<TenantLine>, PlanError> {
        let terms = if self.scenario.explain { reservation.line_terms() } else { Vec::new() };
        let doubt = vec![Bytes::ZERO; bill.kv.len()];
        let mut lines =
            vec![TenantLine { terms, ..TenantLine::new(cache, bill.kv, doubt, Basis::Exact, rule) }];
        // Where the buffers of this machine were given, they are those of the whole engine.
        let given = self.machine.reserve.compute_bytes.is_some();
        if !given && let Some(basis) = bill.compute_lines.iter().map(|line| line.basis).max() {
            lines.push(TenantLine::new(compute, bill.compute, bill.compute_doubt, basis, graph));
        }
        Ok(lines)
    }
}

/// The draft's context: the target's sizes, its own types, all of its layers on the devices.
pub(super) fn of_draft(target: &llama_cpp::Options) -> llama_cpp::Options {
    llama_cpp::Options {
        type_k: None,
        type_v: None,
        n_gpu_layers: None,
        n_cpu_moe: None,
        override_tensor: None,
        n_rs_seq: 0,
        ctx_type: llama_cpp::ContextType::Default,
        ..target.clone()
    }
}
