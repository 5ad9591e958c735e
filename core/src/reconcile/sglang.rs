//! SGLang's start-up log: tokens of its pools and what they take. It prints GB and means GiB.

use super::scan::{Rounded, after, python, whole};
use super::{Given, Line, Reconciliation, model_of, planned, request_of};
use crate::cache::Role;
use crate::engine::EngineName;
use crate::error::PlanError;
use crate::plan::Plan;
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
    for pool in &log.pools {
        let mut request = request_of(EngineName::Sglang, &model, log.options.clone(), given);
        request.context = Some(pool.tokens);
        let plan = planned(&model, &request)?;
        if first.is_none() {
            pool.compare(&plan, &mut out);
            first = Some(request);
        } else {
            let printed = pool.k.or(pool.both).map_or_else(String::new, |size| size.shown("GB"));
            out.push(Line::not_planned(format!("a further pool of {} tokens", pool.tokens), printed));
        }
    }
    if log.pools.len() > 1 {
        notes.push(Cow::Borrowed(
            "a further pool is a window's or a draft model's; only the first is compared",
        ));
    }
    if let (Some(total), Some(pool)) = (log.total_tokens, log.pools.first()) {
        out.push(Line::compared(
            "max_total_num_tokens",
            total.to_string(),
            pool.tokens.to_string(),
            total == pool.tokens,
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
    fn compare(&self, plan: &Plan, out: &mut Vec<Line>) {
        let role = |role| plan.kv.by_role.get(role).map_or(0, crate::unit::Bytes::get);
        let (k, v) = (role(Role::K), role(Role::V));
        let all = [Role::Latent, Role::Indexer]
            .into_iter()
            .map(role)
            .fold(k.saturating_add(v), u64::saturating_add);
        for (figure, printed, bytes) in
            [("K size", self.k, k), ("V size", self.v, v), ("KV size", self.both, all)]
        {
            if let Some(printed) = printed {
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
