//! SGLang's start-up log: tokens of its pools and what they take. It prints GB and means GiB.

use super::scan::{Rounded, after, python, whole};
use super::started::Started;
use super::{Given, Line, Reconciliation, Verdict, model_of, planned, request_of};
use crate::cache::Role;
use crate::engine::EngineName;
use crate::error::PlanError;
use crate::plan::{Plan, Request, StoreShown};
use crate::spec::ModelSpec;
use crate::speed::real;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

const GIB: u64 = 1 << 30;

#[derive(Debug, Default)]
struct Log {
    names: Vec<String>,
    version: Option<String>,
    options: Map<String, Value>,
    pools: Vec<Pool>,
    total_tokens: Option<u64>,
    /// Tokens of the pools of full and of sliding layers, where those are two.
    apart: Option<(u64, u64)>,
    /// Recurrent states: how many slots are counted, and what they take.
    slots: Option<u64>,
    /// Tensor-parallel ranks that print.
    ranks: u64,
    /// Whether it says how keys and values are kept.
    says_dtype: bool,
    states: Vec<(Role, Rounded)>,
}

/// `KV Cache is allocated. #tokens: N, K size: x GB, V size: y GB`.
#[derive(Debug)]
struct Pool {
    tokens: u64,
    k: Option<Rounded>,
    v: Option<Rounded>,
    both: Option<Rounded>,
}

/// `None` where this is no log of SGLang.
pub(super) fn reconcile(
    lines: &[String],
    started: Option<&Started>,
    given: &Given<'_>,
) -> Option<Result<Reconciliation, PlanError>> {
    let mut log = Log::default();
    for line in lines {
        log.read(line);
    }
    if let Some(started) = started {
        started.complete(&mut log.names, &mut log.options);
    }
    if log.ranks > 1 {
        log.options.entry("tp_size").or_insert_with(|| json!(log.ranks));
    }
    let total = log.total_tokens;
    for pool in log.pools.iter_mut().filter(|pool| pool.tokens == 0) {
        pool.tokens = total.unwrap_or_default();
    }
    (!log.pools.is_empty()).then(|| compare(&log, given))
}

fn compare(log: &Log, given: &Given<'_>) -> Result<Reconciliation, PlanError> {
    let names: Vec<&str> = log.names.iter().map(String::as_str).collect();
    let model = model_of(given, &names)?;
    let mut out = Vec::new();
    let mut notes =
        vec![Cow::Borrowed("SGLang prints GB and means GiB; a pool has a padding page beside its tokens")];
    let (request, apart, why) = log.set_up(&model, given, &mut out)?;
    notes.extend(why);
    let compared = if apart.is_some() { 2 } else { 1 };
    for pool in log.pools.iter().skip(compared) {
        let printed = pool.k.or(pool.both).map_or_else(String::new, |size| size.shown("GB"));
        out.push(Line::not_planned(format!("a further pool of {} tokens", pool.tokens), printed));
    }
    if log.pools.len() > compared {
        notes.push(Cow::Borrowed("a further pool is a window's or a draft model's; it is not compared"));
    }
    let full = apart.map(|(full, _)| full).or_else(|| log.pools.first().map(|pool| pool.tokens));
    if let (Some(total), Some(tokens)) = (log.total_tokens, full) {
        out.push(Line::compared(
            "max_total_num_tokens",
            total.to_string(),
            tokens.to_string(),
            total == tokens,
        ));
    }
    Ok(Reconciliation {
        engine: EngineName::Sglang,
        program: None,
        version: log.version.clone(),
        modelled: EngineName::Sglang.modelled_version().unwrap_or_default(),
        model: model.name().to_owned(),
        request,
        lines: out,
        notes,
    })
}

/// A set-up: what was asked, tokens of the full and the sliding layers' pools where those are two, and what of it the log
/// does not say.
type SetUp = (Request, Option<(u64, u64)>, Option<Cow<'static, str>>);

impl Log {
    /// The set-up that gives the pools printed, their lines in `out`: what the log says, and where that gives others, what
    /// an excerpt may leave out. Where none does, the log's own.
    fn set_up(&self, model: &ModelSpec, given: &Given<'_>, out: &mut Vec<Line>) -> Result<SetUp, PlanError> {
        let says = |name: &str| {
            self.options.contains_key(name) || given.options.is_some_and(|options| options.contains_key(name))
        };
        let mut tries: Vec<(Option<&'static str>, u64)> = vec![(None, 0)];
        let pages = if says("page_size") { vec![0] } else { vec![0, 16, 32, 64, 128, 256] };
        tries.extend(pages.iter().skip(1).map(|page| (None, *page)));
        if !says("kv_cache_dtype") && !self.says_dtype {
            tries.extend(pages.iter().map(|page| (Some("fp8_e4m3"), *page)));
        }
        let mut own = None;
        for (dtype, page) in tries {
            let mut options = self.options.clone();
            let mut why = Vec::new();
            if let Some(dtype) = dtype {
                options.insert("kv_cache_dtype".to_owned(), json!(dtype));
                why.push("keys and values of 8 bits".to_owned());
            }
            if page > 0 {
                options.insert("page_size".to_owned(), json!(page));
                why.push(format!("pages of {page} tokens"));
            }
            let why = (!why.is_empty())
                .then(|| Cow::Owned(format!("{}: the log does not say so, its sizes do", why.join(", "))));
            let mut lines = Vec::new();
            let (request, apart) = self.planned_as(model, options, given, &mut lines)?;
            if !lines.iter().any(|line| line.verdict == Verdict::Differs) {
                out.append(&mut lines);
                return Ok((request, apart, why));
            }
            own.get_or_insert((lines, request, apart));
        }
        let (mut lines, request, apart) =
            own.ok_or_else(|| PlanError::invalid("engine", "no pool is printed"))?;
        out.append(&mut lines);
        Ok((request, apart, None))
    }

    /// One set-up: the lines of its pools, and of the states beside them.
    fn planned_as(
        &self,
        model: &ModelSpec,
        mut options: Map<String, Value>,
        given: &Given<'_>,
        out: &mut Vec<Line>,
    ) -> Result<(Request, Option<(u64, u64)>), PlanError> {
        let of = |options: &Map<String, Value>, context: u64| {
            let mut request = request_of(EngineName::Sglang, model, options.clone(), given);
            request.context = Some(context);
            planned(model, &request).map(|plan| (request, plan))
        };
        let tokens = self.pools.first().map_or(0, |pool| pool.tokens);
        let (mut request, mut plan) = of(&options, tokens)?;
        let slides = plan.kv.stores.iter().any(|store| store.cache == "swa");
        // The sliding layers' pool is made and printed first.
        let printed = match self.pools.as_slice() {
            [sliding, full, ..] if slides && sliding.tokens != full.tokens => {
                Some((full.tokens, sliding.tokens))
            }
            _ => None,
        };
        let apart = self.apart.or(printed);
        if let Some((full, sliding)) = apart {
            options.insert("swa_full_tokens_ratio".to_owned(), json!(real(sliding) / real(full.max(1))));
            (request, plan) = of(&options, full)?;
        }
        for (at, pool) in self.pools.iter().take(if apart.is_some() { 2 } else { 1 }).enumerate() {
            let cache = apart.map(|(full, sliding)| {
                let slides = if full == sliding { at == 0 } else { pool.tokens == sliding };
                if slides { "swa" } else { "full" }
            });
            pool.compare(&plan, cache, out);
        }
        self.compare_states(&plan, out);
        Ok((request, apart))
    }
}

impl Pool {
    /// Compares it with the plan's bytes: all of them, or those of one cache.
    fn compare(&self, plan: &Plan, cache: Option<&str>, out: &mut Vec<Line>) {
        let role = |role: Role| {
            let its =
                |store: &&StoreShown| store.role == role && cache.is_none_or(|cache| store.cache == cache);
            let stores = plan.kv.stores.iter().filter(its);
            stores.map(|store| store.allocated_bytes.get()).fold(0, u64::saturating_add)
        };
        let (k, v) = (role(Role::K), role(Role::V));
        let all = [Role::Latent, Role::Indexer]
            .into_iter()
            .map(role)
            .fold(k.saturating_add(v), u64::saturating_add);
        for (figure, printed, bytes) in
            [("K size", self.k, k), ("V size", self.v, v), ("KV size", self.both, all)]
        {
            if let Some(printed) = printed {
                let figure = cache.map_or_else(|| figure.to_owned(), |cache| format!("{cache}: {figure}"));
                let line = Line::compared(
                    figure,
                    printed.shown("GB"),
                    printed.like(bytes, "GB"),
                    printed.holds(bytes),
                );
                out.push(line);
            }
        }
    }
}

impl Log {
    /// The states of all slots: one more than are counted, for padding.
    fn compare_states(&self, plan: &Plan, out: &mut Vec<Line>) {
        let Some(slots) = self.slots else { return };
        for (role, printed) in &self.states {
            let of = plan.kv.stores.iter().filter(|store| store.role == *role);
            let each = of.map(|store| store.payload_bytes.get()).fold(0, u64::saturating_add);
            let name = if *role == Role::ConvState { "conv_state" } else { "ssm_state" };
            let figure = format!("{name}, {slots} slots");
            let bytes = each.saturating_mul(slots.saturating_add(1));
            let without = each.saturating_mul(slots);
            let why = printed
                .holds(without)
                .then_some("this version has no slot for padding beside those it counts");
            out.push(
                Line::compared(figure, printed.shown("GB"), printed.like(bytes, "GB"), printed.holds(bytes))
                    .because(why.map(Cow::Borrowed)),
            );
        }
    }

    fn read(&mut self, line: &str) {
        // `[2026-02-26 16:41:18 TP7]`: every rank prints, and says which it is.
        if let Some(rank) = after(line, " TP").filter(|_| line.starts_with('[')).and_then(whole) {
            self.ranks = self.ranks.max(rank.saturating_add(1));
        }
        if line.contains("ServerArgs(") {
            self.names.extend(python(line, "model_path").map(str::to_owned));
            let served = python(line, "served_model_name").filter(|name| *name != "None");
            self.names.extend(served.map(str::to_owned));
            for name in ["tp_size", "page_size"] {
                if let Some(value) = python(line, name).and_then(|text| text.parse::<u64>().ok()) {
                    self.options.insert(name.to_owned(), json!(value));
                }
            }
            if let Some(dtype) = python(line, "kv_cache_dtype").filter(|value| *value != "auto") {
                self.options.insert("kv_cache_dtype".to_owned(), json!(dtype));
            }
        }
        if let Some(page) =
            after(line, "changing page_size from").and_then(|text| after(text, " to")).and_then(whole)
        {
            self.options.insert("page_size".to_owned(), json!(page));
        }
        if let Some(version) = after(line, "sglang version") {
            self.version = version.split_whitespace().next().map(str::to_owned);
        }
        // Only where it is not the model's own type.
        let stored = ["KV cache dtype: torch.", "KV Cache is allocated. dtype: torch."];
        self.says_dtype |=
            stored.iter().any(|mark| line.contains(mark)) || line.contains("kv_cache_dtype='bf");
        if let Some(dtype) =
            stored.iter().find_map(|mark| after(line, mark)).filter(|dtype| dtype.starts_with("float8"))
        {
            let name = if dtype.starts_with("float8_e5m2") { "fp8_e5m2" } else { "fp8_e4m3" };
            self.options.entry("kv_cache_dtype").or_insert_with(|| json!(name));
        }
        if let Some(tokens) = after(line, "max_total_num_tokens=").and_then(whole) {
            self.total_tokens = Some(tokens);
        }
        // Both are said where sliding layers have a pool of their own: before the pools are made, or after.
        for (full, sliding) in [("full_layer_tokens=", "swa_layer_tokens="), (" full size:", " swa size:")] {
            let tokens = |mark: &str| after(line, mark).and_then(whole);
            if let (Some(full), Some(sliding)) = (tokens(full), tokens(sliding)) {
                self.apart = Some((full, sliding));
            }
        }
        if let Some(text) = after(line, "KV Cache is allocated.") {
            // Before 0.4.3 the tokens were not said here; `max_total_num_tokens` follows.
            let tokens = after(text, "#tokens:").and_then(whole).unwrap_or_default();
            let size = |mark: &str| after(text, mark).and_then(|text| Rounded::read(text, GIB));
            let pool = Pool { tokens, k: size(" K size:"), v: size(" V size:"), both: size(" KV size:") };
            let pool = match pool.k {
                None if pool.both.is_none() => Pool { k: size("K size:"), ..pool },
                Some(_) | None => pool,
            };
            // Every rank prints the same.
            if !self.pools.iter().any(|known| known.tokens == tokens && known.k == pool.k) {
                self.pools.push(pool);
            }
        }
        if let Some(slots) = after(line, "max_mamba_cache_size:").and_then(whole) {
            self.slots = Some(slots);
            self.states.clear();
            for (mark, role) in
                [("conv_state size:", Role::ConvState), ("ssm_state size:", Role::RecurrentState)]
            {
                let size = after(line, mark).and_then(|text| Rounded::read(text, GIB));
                self.states.extend(size.map(|size| (role, size)));
            }
        }
    }
}
