//! SGLang's start-up log: tokens of its pools and what they take. It prints GB and means GiB.

use super::scan::{Rounded, after, python, whole};
use super::{Given, Line, Reconciliation, model_of, planned, request_of};
use crate::cache::Role;
use crate::engine::EngineName;
use crate::error::PlanError;
use crate::plan::{Plan, StoreShown};
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
    others: Vec<(&'static str, Rounded)>,
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
pub(super) fn reconcile(lines: &[String], given: &Given<'_>) -> Option<Result<Reconciliation, PlanError>> {
    let mut log = Log::default();
    for line in lines {
        log.read(line);
    }
    (!log.pools.is_empty()).then(|| compare(&log, given))
}

fn compare(log: &Log, given: &Given<'_>) -> Result<Reconciliation, PlanError> {
    let names: Vec<&str> = log.names.iter().map(String::as_str).collect();
    let model = model_of(given, &names)?;
    let mut out = Vec::new();
    let mut notes =
        vec![Cow::Borrowed("SGLang prints GB and means GiB; a pool has a padding page beside its tokens")];
    let mut first = None;
    for (at, pool) in log.pools.iter().enumerate() {
        let mut options = log.options.clone();
        let sliding = log.apart.map(|(full, sliding)| {
            options.insert("swa_full_tokens_ratio".to_owned(), json!(real(sliding) / real(full.max(1))));
            // The sliding layers' pool is made and printed first.
            (full, if full == sliding { at == 0 } else { pool.tokens == sliding })
        });
        let mut request = request_of(EngineName::Sglang, &model, options, given);
        request.context = Some(sliding.map_or(pool.tokens, |(full, _)| full));
        let plan = planned(&model, &request)?;
        let cache = sliding.map(|(_, sliding)| if sliding { "swa" } else { "full" });
        if first.is_none() || cache.is_some_and(|_| at < 2) {
            pool.compare(&plan, cache, &mut out);
            first.get_or_insert(request);
        } else {
            let printed = pool.k.or(pool.both).map_or_else(String::new, |size| size.shown("GB"));
            out.push(Line::not_planned(format!("a further pool of {} tokens", pool.tokens), printed));
        }
    }
    if log.pools.len() > if log.apart.is_some() { 2 } else { 1 } {
        notes.push(Cow::Borrowed("a further pool is a window's or a draft model's; it is not compared"));
    }
    let full = log.apart.map(|(full, _)| full).or_else(|| log.pools.first().map(|pool| pool.tokens));
    if let (Some(total), Some(tokens)) = (log.total_tokens, full) {
        out.push(Line::compared(
            "max_total_num_tokens",
            total.to_string(),
            tokens.to_string(),
            total == tokens,
        ));
    }
    out.extend(log.others.iter().map(|(figure, size)| Line::not_planned(*figure, size.shown("GB"))));
    let request = first.ok_or_else(|| PlanError::invalid("", "no pool is printed"))?;
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
    fn read(&mut self, line: &str) {
        if line.contains("ServerArgs(") {
            self.names.extend(python(line, "model_path").map(str::to_owned));
            self.names.extend(python(line, "served_model_name").map(str::to_owned));
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
        if let Some(dtype) = after(line, "KV cache dtype: torch.").filter(|dtype| dtype.starts_with("float8"))
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
        if let Some(text) = after(line, "KV Cache is allocated.")
            && let Some(tokens) = after(text, "#tokens:").and_then(whole)
        {
            let size = |mark: &str| after(text, mark).and_then(|text| Rounded::read(text, GIB));
            let pool = Pool { tokens, k: size(" K size:"), v: size(" V size:"), both: size(" KV size:") };
            // Every rank prints the same.
            if !self.pools.iter().any(|known| known.tokens == tokens && known.k == pool.k) {
                self.pools.push(pool);
            }
        }
        for (mark, figure) in
            [("conv_state size:", "convolution states"), ("ssm_state size:", "recurrent states")]
        {
            if let Some(size) = after(line, mark).and_then(|text| Rounded::read(text, GIB)) {
                self.others.push((figure, size));
            }
        }
    }
}
