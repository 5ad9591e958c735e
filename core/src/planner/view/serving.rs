//! Conversations held: a row a length, what is kept once, what the engine will print.

use super::text::{bytes, grouped};
use crate::engine::Report;
use crate::placement::BoundBy;
use crate::plan::{LengthShown, Plan, ServingShown};
use crate::planner::state::View;

/// The panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// The lengths asked for, the full one first.
    pub rows: Vec<Row>,
    /// What a common beginning comes to, or why nothing of it is shared; `None` where none is given.
    pub shared: Option<String>,
    /// What the engine will print of its pool.
    pub prints: Option<String>,
    /// What the column of copies counts: `So many copies of these 8 devices hold 2,000 sessions.`; `None` where no sessions
    /// are given.
    pub copies: Option<String>,
    /// How many are held once their prompts are read, where that is more.
    pub settled: Option<String>,
}

/// One length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `full length`, `typical`, `19 of 20 below`.
    pub name: &'static str,
    /// Tokens: `131,072`.
    pub tokens: String,
    /// Conversations held: `11`; `–` where no memory is given.
    pub held: String,
    /// What one more runs into.
    pub bound_by: Option<BoundBy>,
    /// What each takes: `6.72 GiB`.
    pub each: String,
    /// Copies of the placement for the sessions: `182`; empty where none are given, `none fits` where not one is held.
    pub copies: String,
}

/// The panel of a plan; `None` where neither a workload is given nor the engine has a pool whose memory is known.
#[must_use]
pub fn serving(plan: &Plan, view: View) -> Option<Serving> {
    let serving = plan.serving.as_ref()?;
    let rows = serving.lengths().map(|(name, length)| row(name, length, serving, view)).collect();
    let copies = serving.sessions.map(|sessions| match serving.devices {
        1 => format!("So many copies of it hold {} sessions.", grouped(sessions)),
        devices => {
            format!(
                "So many copies of these {} devices hold {} sessions.",
                grouped(devices),
                grouped(sessions)
            )
        }
    });
    let settled = serving.lengths().filter_map(|(_, length)| Some((length.context, length.settled?)));
    let settled: Vec<String> =
        settled.map(|(tokens, n)| format!("{} of {} tokens", grouped(n), grouped(tokens))).collect();
    let settled = (!settled.is_empty())
        .then(|| format!("While one prompt is read and the others generate: {}.", settled.join(", ")));
    Some(Serving { rows, shared: shared(serving, plan, view), settled, prints: prints(plan), copies })
}

fn row(name: &str, length: &LengthShown, serving: &ServingShown, view: View) -> Row {
    let copies = match (serving.sessions, length.replicas, length.conversations) {
        (Some(_), Some(n), _) => grouped(n),
        (Some(_), None, Some(_)) => "none fits".to_owned(),
        (Some(_), None, None) => "–".to_owned(),
        (None, _, _) => String::new(),
    };
    Row {
        name: match name {
            "full" => "full length",
            "p95" => "19 of 20 below",
            _ => "typical",
        },
        tokens: grouped(length.context),
        held: length.conversations.map_or_else(|| "–".to_owned(), grouped),
        bound_by: length.bound_by,
        each: bytes(length.bytes_each, view),
        copies,
    }
}

fn shared(serving: &ServingShown, plan: &Plan, view: View) -> Option<String> {
    let most = serving.lengths().map(|(_, length)| length).max_by_key(|length| length.shared_tokens)?;
    if most.shared_tokens > 0 {
        return Some(format!(
            "The first {} tokens are kept once: {}.",
            grouped(most.shared_tokens),
            bytes(most.shared_bytes, view)
        ));
    }
    // A beginning that is given and not shared.
    serving.asked_to_share.then(|| format!("{} shares nothing: {}.", plan.engine.name, serving.sharing.says))
}

/// What an engine with a pool will print about it.
#[must_use]
pub fn prints(plan: &Plan) -> Option<String> {
    let sized = plan.kv.pool_free_bytes.map(|_| &plan.kv.engine_report);
    let about = |known: bool| if known { "" } else { "about " };
    let left = plan.pool.as_ref().map(|pool| &pool.report);
    let exact = sized.is_some();
    match sized.or(left)? {
        Report::Vllm(report) => Some(format!(
            "vLLM will print {}{} tokens, {:.2}x.",
            about(exact),
            grouped(report.kv_cache_tokens?),
            report.max_concurrency?
        )),
        Report::Sglang(report) => Some(format!(
            "SGLang will print {}max_total_num_tokens={}.",
            about(exact),
            report.max_total_num_tokens
        )),
        Report::TensorRtLlm(report) => Some(format!(
            "TensorRT-LLM will print {}{} blocks in the primary pool.",
            about(exact),
            grouped(report.blocks_in_primary_pool)
        )),
        Report::None | Report::LlamaCpp(_) => None,
    }
}

/// How many of the machine hold the sessions asked for: `2,000 sessions take 125 nodes of 8 devices at typical length, 167 at
/// "19 of 20 below", 182 at full length.`
#[must_use]
pub fn fleet(plan: &Plan) -> Option<String> {
    let serving = plan.serving.as_ref()?;
    let sessions = grouped(serving.sessions?);
    let of = |length: &Option<LengthShown>| length.as_ref().and_then(|length| length.replicas).map(grouped);
    let (full, typical, p95) = (serving.full.replicas.map(grouped), of(&serving.typical), of(&serving.p95));
    let nodes = |n: String| match serving.devices {
        1 if n == "1" => "1 device".to_owned(),
        1 => format!("{n} devices"),
        devices if n == "1" => format!("1 node of {} devices", grouped(devices)),
        devices => format!("{n} nodes of {} devices", grouped(devices)),
    };
    let p95th = |n: String| format!("{n} at \"19 of 20 below\"");
    let mut longer: Vec<String> = Vec::new();
    let first = match typical {
        Some(typical) => {
            longer.extend(p95.map(p95th));
            longer.extend(full.map(|n| format!("{n} at full length")));
            format!("{} at typical length", nodes(typical))
        }
        None => {
            longer.extend(p95.map(p95th));
            format!("{} at full length", nodes(full?))
        }
    };
    let all: Vec<String> = std::iter::once(first).chain(longer).collect();
    Some(format!("{sessions} sessions take {}.", all.join(", ")))
}

/// `Holds 11.5 conversations of 131,072 tokens, about 40 at your typical length.`
#[must_use]
pub fn holds(plan: &Plan) -> Option<String> {
    let serving = plan.serving.as_ref()?;
    let full = serving.full.conversations?;
    // The pool's own measure has the fraction that whole conversations do not.
    let sized = match &plan.kv.engine_report {
        Report::Vllm(report) => report.max_concurrency,
        Report::Sglang(_) | Report::TensorRtLlm(_) | Report::LlamaCpp(_) | Report::None => None,
    };
    let left = plan.pool.as_ref().and_then(|pool| pool.max_concurrency);
    let measure = sized.or(left).filter(|_| serving.full.shared_tokens == 0);
    let bounded = serving.full.bound_by == Some(BoundBy::Engine);
    let count = match measure {
        // It is one replica's: of several, the whole number stands.
        Some(times) if !bounded && times < 100.0 && times.floor().to_string() == full.to_string() => {
            format!("{times:.1}")
        }
        Some(_) | None => grouped(full),
    };
    let plural = if count == "1" { "" } else { "s" };
    let typical = serving.typical.as_ref().and_then(|length| length.conversations);
    let typical = typical.map_or_else(String::new, |n| format!(", {} at your typical length", grouped(n)));
    Some(format!("Holds {count} conversation{plural} of {} tokens{typical}.", grouped(serving.full.context)))
}
