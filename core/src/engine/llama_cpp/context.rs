//! From options to the context llama.cpp builds: sizes, batches, types (`llama_context` constructor).

use super::options::{ContextType, FlashAttn, Options};
use super::rules;
use super::types::CacheType;
use crate::engine::Scenario;
use crate::error::PlanError;
use crate::explain::Term;
use crate::spec::ModelSpec;
use crate::spec::gguf::Arch;
use crate::unit::Tokens;
use std::borrow::Cow;

/// Cells are padded to this.
pub(super) const PAD: u64 = 256;
/// Tokens that llama-server drafts at most (`common_params_speculative_draft::n_max`).
const DRAFTED: u64 = 3;

/// `LLAMA_MAX_SEQ`.
pub(crate) const MAX_SEQUENCES: u64 = 256;
const DEFAULT_BATCH: u64 = 2048;
const DEFAULT_UBATCH: u64 = 512;

/// A context, resolved.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) n_ctx: u64,
    pub(super) n_ctx_seq: u64,
    pub(super) n_batch: u64,
    pub(super) n_ubatch: u64,
    pub(super) n_seq_max: u64,
    pub(super) unified: bool,
    pub(super) flash_attn: bool,
    pub(super) type_k: Chosen,
    pub(super) type_v: Chosen,
    pub(super) swa_full: bool,
    pub(super) n_rs_seq: u64,
    pub(super) embeddings: bool,
    /// Only the prediction layers.
    pub(super) mtp: bool,
    /// Tokens one sequence holds.
    pub(super) tokens: Tokens,
    /// Sequences that hold them.
    pub(super) sequences: u64,
    /// `n_ctx` before padding.
    pub(super) asked: u64,
}

/// A cache type and the request's field that chose it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    pub(super) ty: CacheType,
    pub(super) field: &'static str,
    pub(super) given: bool,
}

impl Context {
    /// Streams of an ordinary cache.
    pub(super) const fn streams(&self) -> u64 {
        if self.unified { 1 } else { self.n_seq_max }
    }

    /// Rows of a recurrent state.
    pub(super) fn rows(&self) -> Result<u64, PlanError> {
        let snapshots = self.n_rs_seq.checked_add(1).ok_or(crate::unit::Overflow)?;
        Ok(self.n_seq_max.checked_mul(snapshots).ok_or(crate::unit::Overflow)?)
    }

    /// Cells of a windowed cache (`llama_kv_cache_iswa`); the padding comes after the minimum.
    pub(super) fn swa_cells(&self, window: u64, unified: bool) -> Result<u64, PlanError> {
        if self.swa_full {
            return Ok(self.n_ctx_seq);
        }
        let sequences = if unified { self.n_seq_max } else { 1 };
        let wanted = Tokens::new(window).times(sequences)?.plus(Tokens::new(self.n_ubatch))?;
        Ok(Tokens::new(self.n_ctx_seq.min(wanted.get())).round_up(PAD)?.get())
    }

    pub(super) fn resolve(
        options: &Options,
        scenario: &Scenario,
        model: &ModelSpec,
        arch: &Arch,
        assumptions: &mut Vec<Cow<'static, str>>,
    ) -> Result<Self, PlanError> {
        let n_seq_max = options.n_seq_max.or(scenario.sequences).unwrap_or(1).max(1);
        if n_seq_max > MAX_SEQUENCES {
            let field = if options.n_seq_max.is_some() { "engine.n_seq_max" } else { "sequences" };
            let message = format!("n_seq_max must be <= {MAX_SEQUENCES}");
            return Err(PlanError::refused(field, message).with_value(n_seq_max));
        }
        let unified = options.kv_unified.unwrap_or(false);
        let asked = cells(options, scenario, model, n_seq_max, unified, assumptions)?;
        let (n_batch, n_ubatch) = batches(options, asked, !model.record().bidirectional)?;
        let padded = Tokens::new(asked).round_up(PAD)?.get();
        let (n_ctx, n_ctx_seq) = if unified {
            (padded, padded)
        } else {
            let each = Tokens::new(padded / n_seq_max).round_up(PAD)?;
            (each.times(n_seq_max)?.get(), each.get())
        };
        // Prediction layers that draft need the states before every drafted token (`need_n_rs_seq`).
        let drafted = if scenario.mtp > 0 && options.n_rs_seq == 0 { DRAFTED } else { options.n_rs_seq };
        let n_rs_seq = if arch.rollback { drafted } else { 0 };
        if n_rs_seq > options.n_rs_seq {
            assumptions.push(Cow::Owned(format!(
                "{DRAFTED} tokens are drafted at most (--spec-draft-n-max), so that as many earlier states are kept of a sequence: n_rs_seq says otherwise"
            )));
        }
        if options.n_rs_seq > n_rs_seq {
            assumptions.push(Cow::Borrowed("n_rs_seq is 0: llama.cpp has no rollback for this architecture"));
        }
        let mut context = Self {
            n_ctx,
            n_ctx_seq,
            n_batch,
            n_ubatch,
            n_seq_max,
            unified,
            flash_attn: arch.flash_attn && options.flash_attn != FlashAttn::Off,
            type_k: chosen(options.type_k, "engine.type_k", scenario.cache.k, "cache.k")?,
            type_v: chosen(options.type_v, "engine.type_v", scenario.cache.v, "cache.v")?,
            swa_full: options.swa_full,
            n_rs_seq,
            embeddings: options.embeddings,
            mtp: options.ctx_type == ContextType::Mtp,
            tokens: scenario.context.unwrap_or(Tokens::new(asked / n_seq_max)),
            sequences: scenario.sequences.unwrap_or(n_seq_max),
            asked,
        };
        context.hold(assumptions);
        if !arch.flash_attn && options.flash_attn == FlashAttn::On {
            assumptions
                .push(Cow::Borrowed("flash attention is off: llama.cpp has none for this architecture"));
        }
        Ok(context)
    }

    /// What does not fit the engine's own options is cut: they win over the request's context and sequences.
    fn hold(&mut self, assumptions: &mut Vec<Cow<'static, str>>) {
        if self.sequences > self.n_seq_max {
            assumptions.push(Cow::Owned(format!(
                "n_seq_max {} holds fewer than the {} sequences asked for: it wins",
                self.n_seq_max, self.sequences
            )));
            self.sequences = self.n_seq_max;
        }
        let room = if self.unified { self.n_ctx / self.sequences.max(1) } else { self.n_ctx_seq };
        if self.tokens.get() > room {
            assumptions.push(Cow::Owned(format!(
                "n_ctx {} leaves a sequence {room} of the {} tokens asked for: it wins",
                self.n_ctx,
                self.tokens.get()
            )));
            self.tokens = Tokens::new(room);
        }
    }

    /// How the sizes came about.
    pub(super) fn terms(&self) -> Vec<Term> {
        let padded = Term::new(
            "n_ctx, padded",
            format!("PAD({}, {PAD})", self.asked),
            self.n_ctx,
            "cells",
            &rules::CONTEXT_SIZE,
        );
        let each = if self.unified {
            Term::new("n_ctx_seq", "unified: n_ctx".to_owned(), self.n_ctx_seq, "cells", &rules::CONTEXT_SIZE)
        } else {
            let formula = format!("PAD(PAD({}, {PAD}) / {}, {PAD})", self.asked, self.n_seq_max);
            Term::new("n_ctx_seq", formula, self.n_ctx_seq, "cells", &rules::CONTEXT_SIZE)
        };
        let total = if self.unified {
            padded
        } else {
            let formula = format!("{} × {} sequences", self.n_ctx_seq, self.n_seq_max);
            Term::new("n_ctx", formula, self.n_ctx, "cells", &rules::CONTEXT_SIZE)
        };
        let batch = format!("n_batch {} after clipping to n_ctx {}", self.n_batch, self.asked);
        vec![total.made_of(vec![each]), Term::new("n_ubatch", batch, self.n_ubatch, "tokens", &rules::BATCH)]
    }
}

/// `n_ctx` as asked for: the option, or what the request's tokens come to, or the trained length.
fn cells(
    options: &Options,
    scenario: &Scenario,
    model: &ModelSpec,
    n_seq_max: u64,
    unified: bool,
    assumptions: &mut Vec<Cow<'static, str>>,
) -> Result<u64, PlanError> {
    let trained = |field: &str| {
        model.trained_context().filter(|trained| *trained > Tokens::ZERO).ok_or_else(|| {
            let message =
                "n_ctx 0 is the trained length, which this model does not state; give `context` or `n_ctx`";
            PlanError::missing(field, message)
        })
    };
    let (asked, field) = match (options.n_ctx, scenario.context) {
        (Some(0), _) => (trained("engine.n_ctx")?, "engine.n_ctx"),
        (Some(n_ctx), _) => (Tokens::new(n_ctx), "engine.n_ctx"),
        (None, Some(Tokens::ZERO)) => {
            let message = "llama.cpp reads a context of 0 as the trained length; give at least 1 token";
            return Err(PlanError::invalid("context", message).with_value(0));
        }
        (None, Some(context)) => (context.times(n_seq_max)?, "context"),
        (None, None) => {
            assumptions.push(Cow::Borrowed(if unified {
                "no context given: the sequences share the trained length, as without -c"
            } else {
                "no context given: every sequence gets the trained length, as without -c"
            }));
            let trained = trained("context")?;
            (if unified { trained } else { trained.times(n_seq_max)? }, "context")
        }
    };
    let asked = asked.get();
    if u32::try_from(asked).is_err() {
        let message = "llama.cpp counts cells in 32 bits";
        return Err(PlanError::invalid(field, message).with_value(asked));
    }
    Ok(asked)
}

/// The batches; both zero is refused before a context is built.
fn batches(options: &Options, asked: u64, causal: bool) -> Result<(u64, u64), PlanError> {
    let n_batch = options.n_batch.unwrap_or(DEFAULT_BATCH);
    let n_ubatch = options.n_ubatch.unwrap_or(DEFAULT_UBATCH);
    if n_batch == 0 && n_ubatch == 0 {
        let message = "llama_init_from_model: n_batch and n_ubatch cannot both be zero";
        return Err(PlanError::refused("engine.n_batch", message).with_value(0));
    }
    let n_batch = if causal { n_batch.min(asked) } else { n_batch };
    Ok((n_batch, n_batch.min(if n_ubatch == 0 { n_batch } else { n_ubatch })))
}

fn chosen(
    option: Option<CacheType>,
    option_field: &'static str,
    codec: Option<crate::codec::Codec>,
    codec_field: &'static str,
) -> Result<Chosen, PlanError> {
    Ok(match (option, codec) {
        (Some(ty), _) => Chosen { ty, field: option_field, given: true },
        (None, Some(codec)) => {
            Chosen { ty: CacheType::of(codec, codec_field)?, field: codec_field, given: true }
        }
        (None, None) => Chosen { ty: CacheType::F16, field: option_field, given: false },
    })
}
