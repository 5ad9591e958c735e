//! ExLlamaV3 1.4.1: pages of 256 tokens shared by all jobs, and a slot per job for rings and recurrent states.
//!
//! Attention over all tokens is paged: `max_num_tokens` tokens in every layer, f16 or packed per 32 elements. Sliding
//! layers of some architectures keep a ring per slot instead, always f16; recurrent layers keep their state per slot,
//! with `max_history` earlier ones for speculative decoding.
//!
//! [`options`] holds the options and types, [`layers`] what each kind of layer is allocated.

mod layers;
mod options;

pub use options::Options;

use super::ledger::{Ledger, is_one_of, positive};
use super::{Common, Pool, Reservation, Room, Scenario};
use crate::error::PlanError;
use crate::explain::{Rule, Term};
use crate::spec::{Mixer, ModelSpec};
use crate::unit::{Bytes, Overflow, Tokens};
use layers::{Cache, PAGE, PAGES};
use std::borrow::Cow;

pub(crate) static PREFIXES: Rule = Rule {
    id: "exllamav3/shared-pages",
    says: "whole pages of 256 tokens of an equal beginning are kept once, by their hash; beside rings and states, which are a slot's own, nothing is counted as shared",
    source: "exllamav3 1.4.1 generator/pagetable.py",
};

/// Architectures whose sliding layers are rings (`SlidingAttention`); elsewhere they are paged like the rest.
const RINGS: &[&str] = &["gpt_oss", "gemma4", "afmoe", "laguna", "step3p5", "step3p7"];

/// Whether sliding layers are rings here.
fn rings(
    model: &ModelSpec,
    options: &Options,
    assumptions: &mut Vec<Cow<'static, str>>,
) -> Result<bool, PlanError> {
    let sliding = model.kinds().iter().flat_map(|k| k.mixers()).any(|m| matches!(m, Mixer::Window(_)));
    if !sliding {
        return Ok(false);
    }
    match (model.family(), options.swa_full) {
        (_, Some(true)) => Ok(false),
        (Some(family), _) => Ok(is_one_of(family, RINGS)),
        (None, Some(false)) => {
            assumptions.push(Cow::Borrowed(
                "no architecture is named: sliding layers are rings, as for gpt-oss, Gemma 4, AFMoE, Laguna and Step 3.5",
            ));
            Ok(true)
        }
        (None, None) => {
            let message = "whether sliding layers are rings depends on the architecture, which is not named; say swa_full";
            Err(PlanError::missing("engine.swa_full", message))
        }
    }
}

/// What ExLlamaV3 reserves.
///
/// # Errors
/// `engine-refuses` in its own words; `unsupported` for layers it does not have; `missing-field` without a length.
pub fn reserve(model: &ModelSpec, scenario: &Scenario, options: &Options) -> Result<Reservation, PlanError> {
    positive(&[
        ("max_num_tokens", options.max_num_tokens),
        ("max_batch_size", Some(options.max_batch_size)),
    ])?;
    let mut assumptions: Vec<Cow<'static, str>> = Vec::new();
    let (k, v) = options::types(options, scenario)?;
    let rings = rings(model, options, &mut assumptions)?;
    let kept = || model.kept(scenario.mtp).flat_map(|(kind, _)| kind.mixers());
    let per_slot = |m: &Mixer| {
        matches!(m, Mixer::GatedDelta(_) | Mixer::Mamba2(_) | Mixer::ShortConv(_) | Mixer::Shared(_))
            || (rings && matches!(m, Mixer::Window(_)))
    };
    let sequences = scenario.sequences.unwrap_or(1);
    let context = match (scenario.context, options.max_num_tokens) {
        (Some(context), _) => context,
        (None, Some(tokens)) => Tokens::new(tokens),
        (None, None) if kept().all(per_slot) => {
            assumptions.push(Cow::Borrowed("no context given: every ring counts as full"));
            let windows = kept().map(|m| if let Mixer::Window(a) = m { a.window } else { 0 });
            Tokens::new(windows.max().unwrap_or(0))
        }
        (None, None) => {
            let message = "how many tokens does a sequence hold? `context` or `max_num_tokens` is needed";
            return Err(PlanError::missing("context", message));
        }
    };
    let whole = context.round_up(PAGE)?;
    // The last token is always computed.
    let prefix = match kept().any(per_slot) {
        true => 0,
        false => scenario.shared.get().min(context.get().saturating_sub(1)) / PAGE * PAGE,
    };
    let each = whole.minus(Tokens::new(prefix))?;
    let needed = each.times(sequences)?.get().checked_add(prefix).ok_or(Overflow)?;
    let pool = options.max_num_tokens.unwrap_or(needed);
    if !pool.is_multiple_of(PAGE) {
        let message = "AssertionError: max_num_tokens must be a multiple of 256.";
        return Err(PlanError::refused("engine.max_num_tokens", message).with_value(pool));
    }
    if whole.get() > pool {
        let (asked, there) = (whole.get() / PAGE, pool / PAGE);
        let message = format!("Job requires {asked} pages (only {there} available) and cannot be enqueued");
        return Err(PlanError::refused("context", message).with_value(context.get()));
    }
    let ledger = Ledger::new(context, scenario.encoder_tokens, sequences);
    let (slots, history) = (options.max_batch_size, options.max_history);
    let mut cache = Cache { ledger, k, v, pool, slots, history, page: Bytes::ZERO };
    for (kind, layers) in model.kept(scenario.mtp) {
        for mixer in kind.mixers() {
            cache.layer(mixer, layers, rings)?;
        }
    }
    if sequences > slots && kept().any(per_slot) {
        assumptions.push(Cow::Owned(format!(
            "exllamav3 runs at most {slots} of {sequences} sequences at once (max_batch_size)"
        )));
    }
    let holds = (pool - prefix) / each.get().max(1);
    let resident = sequences.min(holds);
    if resident < sequences {
        assumptions.push(Cow::Owned(format!(
            "the pool holds {resident} of {sequences} sequences of {} tokens; the rest wait",
            context.get()
        )));
    }
    let free = cache.page.times((pool - needed.min(pool)) / PAGE)?;
    let page = cache.page;
    let common =
        Common { tokens: prefix, once: page.times(prefix / PAGE)?, each: page.times(each.get() / PAGE)? };
    let (lines, growth) = cache.ledger.close()?;
    let mut total = Bytes::ZERO;
    for line in &lines {
        total = total.plus(line.allocated)?;
    }
    let terms = if scenario.explain && page > Bytes::ZERO {
        let formula = format!("{pool} tokens / {PAGE} per page");
        let pages = Term::new("pages", formula, pool / PAGE, "blocks", &PAGES);
        let formula = format!("bytes of {PAGE} tokens in all paged layers");
        vec![pages, Term::new("page", formula, page.get(), "bytes", &PAGES)]
    } else {
        Vec::new()
    };
    Ok(Reservation {
        context,
        sequences,
        lines,
        pool: options.max_num_tokens.map(|_| Pool { total, free }),
        room: Room {
            pool: options.max_num_tokens.map(|_| holds),
            slots: kept().any(per_slot).then_some(slots),
            ..Room::default()
        },
        growth: Some(growth),
        common: Some(common),
        assumptions,
        terms,
        ..Reservation::default()
    })
}
