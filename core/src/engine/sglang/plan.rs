//! What one rank keeps, the pools it gets, and how much of them the sequences asked for use.

use super::layers::{Of, Rank, Row};
use super::pool::{self, Cells};
use super::{Options, PADDING, Report, SLIDING, SLOTS, options};
use crate::codec::Codec;
use crate::engine::ledger::{Held, Ledger, is_one_of, with_borrowed};
use crate::engine::{Common, Pool, Report as AnyReport, Reservation, Room, Scenario};
use crate::error::PlanError;
use crate::explain::Term;
use crate::spec::{Mixer, ModelSpec};
use crate::unit::{Bytes, Overflow, Tokens};
use std::borrow::Cow;

/// Model types SGLang gives a pool of their own for sliding layers (`is_hybrid_swa_model`); the others keep every token
/// in every layer.
const HYBRID: &[&str] = &[
    "gpt_oss",
    "llama4",
    "mimo_v2",
    "step3p5",
    "step3p7",
    "gemma4",
    "laguna",
    "mellum",
    "muse_glimmer",
    "inkling",
];

/// Slots a running request may hold while prefixes are kept.
const SLOTS_PER_REQUEST: u64 = 3;

/// What one rank keeps.
pub(super) struct Plan<'a> {
    options: &'a Options,
    /// The stores with the number of layers that have them.
    rows: Vec<(Row, u64)>,
    cells: Cells,
    /// Bytes of all states of one slot.
    slot: u64,
    window: u64,
    sequences: u64,
}

/// Tokens and slots of the pools, and how many the sequences asked for use.
pub(super) struct Sized {
    tokens: pool::Tokens,
    slots: u64,
    context: Tokens,
    used: (u64, u64, u64),
    room: Room,
    common: Common,
}

/// Tokens in full layers, tokens in sliding ones, and slots of states: once for all sequences, and for each.
struct Share {
    /// Tokens at the start that are kept once.
    tokens: u64,
    once: (u64, u64, u64),
    each: (u64, u64, u64),
}

impl<'a> Plan<'a> {
    pub(super) fn of(
        model: &ModelSpec,
        scenario: &Scenario,
        options: &'a Options,
        assumptions: &mut Vec<Cow<'static, str>>,
    ) -> Result<Self, PlanError> {
        let mut mixers = with_borrowed(model)?;
        let sparse = mixers.iter().any(|m| matches!(m, Mixer::Mla(a) if a.is_sparse()));
        let kv = options::codec(options, model, scenario, sparse, assumptions)?;
        let hybrid = hybrid(model, options, &mixers)?;
        if scenario.mtp > 0 {
            if hybrid {
                let message = "SGLang's sliding pools for draft layers are not modelled";
                return Err(PlanError::unsupported("mtp", message).with_value(scenario.mtp));
            }
            // A draft's layers have a pool of their own, of as many tokens.
            let drafted = usize::try_from(scenario.mtp).map_err(|_| Overflow)?;
            mixers.extend(model.mtp_layers().take(drafted).flat_map(|kind| kind.mixers()));
        }
        let rank = Rank { kv, state: model.state_dtype().unwrap_or(Codec::F32), tp: options.tp_size, hybrid };
        let mut rows: Vec<(Row, u64)> = Vec::with_capacity(8);
        let mut window = 0;
        for (mixer, layers) in counted(mixers) {
            for row in rank.rows(mixer)? {
                if row.of == Of::Sliding {
                    window = match row.retention {
                        crate::cache::Retention::Window(w) | crate::cache::Retention::Chunk(w) => {
                            w.max(window)
                        }
                        crate::cache::Retention::All
                        | crate::cache::Retention::Strided(_)
                        | crate::cache::Retention::Fixed(_)
                        | crate::cache::Retention::Encoder
                        | crate::cache::Retention::Evicted(_) => window,
                    };
                }
                rows.push((row, layers));
            }
        }
        let stride = rows.iter().map(|(row, _)| row.retention.stride()).max().unwrap_or(1);
        let page = if sparse { 64u64.checked_mul(stride).ok_or(Overflow)? } else { 1 };
        let page = match options.page_size {
            Some(asked) if sparse && asked != page => {
                assumptions
                    .push(Cow::Owned(format!("SGLang sets page_size {page} for sparse latent attention")));
                page
            }
            Some(asked) => asked,
            None => page,
        };
        let mut sum = [0u64; 3];
        for (row, layers) in &rows {
            let slot = match row.of {
                Of::Full => &mut sum[0],
                Of::Sliding => &mut sum[1],
                Of::Slots => &mut sum[2],
            };
            *slot = slot.checked_add(row.cell.times(*layers)?.get()).ok_or(Overflow)?;
        }
        let [mut full, sliding, slot] = sum;
        let mut charged = full;
        if let Some(draft) = &scenario.draft {
            if sliding > 0 || slot > 0 {
                let message =
                    "a draft model beside sliding pools or recurrent states is not modelled for SGLang";
                return Err(PlanError::unsupported("extras.draft", message));
            }
            for (mixer, layers) in counted(with_borrowed(draft)?) {
                for row in rank.rows(mixer)? {
                    if row.of != Of::Full {
                        let message = "a draft model with sliding pools or states of its own is not modelled for SGLang";
                        return Err(PlanError::unsupported("extras.draft", message));
                    }
                    full = full.checked_add(row.cell.times(layers)?.get()).ok_or(Overflow)?;
                    rows.push((row, layers));
                }
            }
            // Its pool is paid for as if its layers were as wide as the model's.
            let own = u64::try_from(draft.layer_count()).map_err(|_| Overflow)?;
            let trunk = u64::try_from(model.layer_count()).map_err(|_| Overflow)?.max(1);
            charged =
                charged.checked_mul(own).and_then(|n| charged.checked_add(n / trunk)).ok_or(Overflow)?;
            assumptions.push(Cow::Owned(format!(
                "the draft model's pool has as many tokens; SGLang sizes both as if its {own} layers were as wide as the model's"
            )));
        }
        if matches!(kv, Codec::Nvfp4 | Codec::Fp4E2m1) {
            assumptions.push(Cow::Borrowed(
                "4-bit keys and values: one scale layout and no dequantization workspace, which depend on the attention backends",
            ));
        }
        let cells = Cells { full, charged, sliding, ratio: options.swa_full_tokens_ratio, page };
        let sequences = scenario.sequences.unwrap_or(1);
        Ok(Self { options, rows, cells, slot, window, sequences })
    }

    /// Tokens the pools of `bytes` (or of the sequences asked for) hold.
    pub(super) fn size(
        &self,
        model: &ModelSpec,
        scenario: &Scenario,
        assumptions: &mut Vec<Cow<'static, str>>,
    ) -> Result<Sized, PlanError> {
        let asked = self.options.context_length.map(Tokens::new).or(scenario.context);
        let page = self.cells.page;
        let (tokens, slots) = match self.options.kv_memory_bytes {
            Some(bytes) => self.held(bytes)?,
            None => {
                let context = asked.ok_or_else(|| {
                    let message = "how many tokens does a sequence hold? `context`, `context_length` or `kv_memory_bytes` is needed";
                    PlanError::missing("context", message)
                })?;
                assumptions.push(Cow::Owned(format!(
                    "without kv_memory_bytes the pool is not sized (mem_fraction_static becomes bytes only on the GPU, \
                     after loading): reserved is what {} sequences of {} tokens need",
                    self.sequences,
                    context.get()
                )));
                let share = self.share(context, scenario.shared)?;
                let all = |once: u64, each: u64| {
                    each.checked_mul(self.sequences).and_then(|n| n.checked_add(once)).ok_or(Overflow)
                };
                let tokens = all(share.once.0, share.each.0)?;
                // SGLang starts only with room for a window and more than a page in its sliding pool.
                let floor = self.window.checked_add(page).and_then(|n| n.checked_add(1)).ok_or(Overflow)?;
                let sliding = all(share.once.1, share.each.1)?.max(floor);
                let slots = all(share.once.2, share.each.2)?;
                (self.cells.least(tokens, sliding)?, self.own_slots(slots)?)
            }
        };
        if tokens.full == 0 && tokens.sliding.unwrap_or(0) == 0 {
            let message = "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static.";
            return Err(PlanError::refused("engine.kv_memory_bytes", message));
        }
        pool::admits(tokens, self.window, page)?;
        let longest = if self.cells.full > 0 { tokens.full } else { tokens.sliding.unwrap_or(0) };
        let context = match asked.or_else(|| model.trained_context()) {
            Some(context) => context,
            None => {
                assumptions.push(Cow::Borrowed("no context given: one sequence that fills the pool"));
                Tokens::new(longest / self.sequences.max(1))
            }
        };
        let share = self.share(context, scenario.shared)?;
        let use_of = |pool: u64, once: u64, each: u64| {
            let all = each.checked_mul(self.sequences).and_then(|n| n.checked_add(once)).ok_or(Overflow);
            all.map(|n| n.min(pool))
        };
        let used = (
            use_of(tokens.full, share.once.0, share.each.0)?,
            use_of(tokens.sliding.unwrap_or(0), share.once.1, share.each.1)?,
            self.sequences.saturating_add(share.once.2).min(slots),
        );
        let (once, each) =
            if self.cells.full > 0 { (share.once.0, share.each.0) } else { (share.once.1, share.each.1) };
        let needed = each.checked_mul(self.sequences).and_then(|n| n.checked_add(once)).ok_or(Overflow)?;
        if needed > longest {
            assumptions.push(Cow::Owned(format!(
                "the pool holds {longest} tokens, fewer than {} sequences of {}; SGLang queues or retracts requests",
                self.sequences,
                context.get()
            )));
        }
        let fixed = self.options.kv_memory_bytes.is_some();
        let pools = [
            (tokens.full, share.once.0, share.each.0),
            (tokens.sliding.unwrap_or(0), share.once.1, share.each.1),
        ];
        let held = pools
            .into_iter()
            .filter(|(pool, _, _)| *pool > 0)
            .map(|(pool, once, each)| pool.saturating_sub(once) / each.max(1));
        let running = slots.saturating_sub(share.once.2);
        let room = Room {
            pool: held.min().filter(|_| fixed),
            slots: (fixed && self.slot > 0).then_some(running),
            ..Room::default()
        };
        let common =
            Common { tokens: share.tokens, once: self.priced(share.once)?, each: self.priced(share.each)? };
        Ok(Sized { tokens, slots, context, used, room, common })
    }

    /// What sequences of `context` tokens take, of which `shared` are the same in all.
    fn share(&self, context: Tokens, shared: Tokens) -> Result<Share, Overflow> {
        let page = self.cells.page;
        // The last token is always computed.
        let prefix = shared.get().min(context.get().saturating_sub(1)) / page * page;
        let own = context.minus(Tokens::new(prefix))?;
        let window = Tokens::new(self.window).round_up(page)?.get();
        let slots = if self.slot > 0 { (u64::from(prefix > 0), SLOTS_PER_REQUEST) } else { (0, 0) };
        Ok(Share {
            tokens: prefix,
            once: (prefix, prefix.min(window), slots.0),
            each: (own.round_up(page)?.get(), self.sliding(own)?, slots.1),
        })
    }

    /// The bytes of so many tokens in full layers, tokens in sliding ones, and slots.
    fn priced(&self, (full, sliding, slots): (u64, u64, u64)) -> Result<Bytes, Overflow> {
        let of = |cell: u64, n: u64| Bytes::new(cell).times(n);
        of(self.cells.full, full)?.plus(of(self.cells.sliding, sliding)?)?.plus(of(self.slot, slots)?)
    }

    /// Tokens of the sliding pool that a sequence uses: its window and the page it writes.
    fn sliding(&self, context: Tokens) -> Result<u64, Overflow> {
        let last = self.window.checked_add(self.cells.page).ok_or(Overflow)?;
        Ok(Tokens::new(context.get().min(last)).round_up(self.cells.page)?.get())
    }

    /// The slots asked for, which must be as many as the sequences need.
    fn own_slots(&self, needed: u64) -> Result<u64, PlanError> {
        match self.options.max_mamba_cache_size {
            Some(slots) if needed > slots => {
                let message = format!("{needed} slots of states are what {} sequences need", self.sequences);
                Err(PlanError::refused("engine.max_mamba_cache_size", message).with_value(slots))
            }
            Some(slots) if self.slot > 0 => Ok(slots),
            Some(_) | None => Ok(needed),
        }
    }

    /// What so many bytes hold: states first, then keys and values.
    fn held(&self, bytes: u64) -> Result<(pool::Tokens, u64), PlanError> {
        if self.slot == 0 {
            return Ok((self.cells.hold(bytes), 0));
        }
        let slots = self.options.max_mamba_cache_size.unwrap_or_else(|| pool::slots(bytes, self.slot));
        if slots == 0 || slots.saturating_add(1).saturating_mul(self.slot) > bytes {
            let message =
                "RuntimeError: Not enough GPU memory for hybrid (mamba/linear-attention) state cache.";
            return Err(PlanError::refused("engine.kv_memory_bytes", message).with_value(bytes));
        }
        let states = slots.checked_add(1).and_then(|n| n.checked_mul(self.slot)).ok_or(Overflow)?;
        Ok((self.cells.hold(bytes.saturating_sub(states)), slots))
    }

    pub(super) fn reservation(
        self,
        scenario: &Scenario,
        sized: &Sized,
        mut assumptions: Vec<Cow<'static, str>>,
    ) -> Result<Reservation, PlanError> {
        let page = self.cells.page;
        let sliding = sized.tokens.sliding;
        let mut ledger = Ledger::new(sized.context, scenario.encoder_tokens, self.sequences);
        let (mut total, mut free) = (Bytes::ZERO, Bytes::ZERO);
        for (row, layers) in &self.rows {
            let (entries, padding, used, cache, rule) = match row.of {
                Of::Full => (sized.tokens.full, page, sized.used.0, "full", &PADDING),
                Of::Sliding => (sliding.unwrap_or(0), page, sized.used.1, "swa", &SLIDING),
                Of::Slots => (sized.slots, 1, sized.used.2, "mamba", &SLOTS),
            };
            let cell = row.cell.times(*layers)?;
            let allocated = cell.times(entries.checked_add(padding).ok_or(Overflow)?)?;
            total = total.plus(allocated)?;
            free = free.plus(cell.times(entries.saturating_sub(used))?)?;
            ledger.hold(Held {
                cache,
                role: row.role,
                layers: *layers,
                heads: row.heads,
                dim: row.dim,
                retention: row.retention,
                codec: row.codec,
                row: row.row,
                allocated,
                rule,
                basis: row.basis,
            })?;
        }
        let (lines, growth) = ledger.close()?;
        let fixed = self.options.kv_memory_bytes.is_some();
        if self.options.tp_size > 1 {
            assumptions.push(Cow::Borrowed("figures are those of one tensor-parallel rank"));
        }
        let report = Report {
            max_total_num_tokens: if self.cells.full > 0 { sized.tokens.full } else { sliding.unwrap_or(0) },
            full_tokens: sliding.map(|_| sized.tokens.full),
            swa_tokens: sliding,
            allocated_bytes: total.get(),
        };
        let terms = if scenario.explain { self.terms(sized) } else { Vec::new() };
        Ok(Reservation {
            context: sized.context,
            sequences: self.sequences,
            lines,
            pool: fixed.then_some(Pool { total, free }),
            room: sized.room,
            common: Some(sized.common),
            report: AnyReport::Sglang(report),
            growth: Some(growth),
            assumptions,
            terms,
            ..Reservation::default()
        })
    }

    fn terms(&self, sized: &Sized) -> Vec<Term> {
        let Cells { full, charged, sliding, ratio, page } = self.cells;
        let cell = Term::new("full cell", "bytes of a token in the full layers", full, "bytes", &PADDING);
        let formula = match (self.options.kv_memory_bytes, sized.tokens.sliding) {
            (None, _) => format!("sequences × context in pages of {page}"),
            (Some(bytes), None) => format!("⌊({bytes} − states) / {charged}⌋ in whole pages of {page}"),
            (Some(bytes), Some(_)) => {
                format!("⌊{bytes} / ({full} + {ratio} × {sliding})⌋ in whole pages of {page}")
            }
        };
        let mut terms =
            vec![Term::new("tokens", formula, sized.tokens.full, "tokens", &PADDING).made_of(vec![cell])];
        if let Some(tokens) = sized.tokens.sliding {
            let formula = format!("⌊{ratio} × {}⌋ in whole pages of {page}", sized.tokens.full);
            terms.push(Term::new("sliding tokens", formula, tokens, "tokens", &SLIDING));
        }
        if self.slot > 0 {
            terms.push(Term::new("state slots", SLOTS.says, sized.slots, "cells", &SLOTS));
        }
        terms
    }
}

/// Equal layers, and how many there are.
fn counted(mixers: Vec<&Mixer>) -> Vec<(&Mixer, u64)> {
    let mut kinds: Vec<(&Mixer, u64)> = Vec::with_capacity(4);
    for mixer in mixers {
        match kinds.iter_mut().find(|(known, _)| *known == mixer) {
            Some((_, layers)) => *layers += 1,
            None => kinds.push((mixer, 1)),
        }
    }
    kinds
}

/// Whether sliding layers have a pool of their own.
fn hybrid(model: &ModelSpec, options: &Options, mixers: &[&Mixer]) -> Result<bool, PlanError> {
    let sliding = mixers.iter().any(|m| matches!(m, Mixer::Window(_) | Mixer::Chunk(_)));
    match (sliding, options.hybrid_swa, model.family()) {
        (false, _, _) => Ok(false),
        (true, Some(hybrid), _) => Ok(hybrid),
        (true, None, Some(family)) => Ok(is_one_of(family, HYBRID)),
        (true, None, None) => {
            let message = "whether sliding layers have their own pool depends on the architecture, which is not named; say hybrid_swa";
            Err(PlanError::missing("engine.hybrid_swa", message))
        }
    }
}
