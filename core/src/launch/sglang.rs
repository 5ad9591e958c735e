//! SGLang's rows, and the command that realises a plan.

use super::export::{Launch, Source, Target};
use super::program::Program;
use super::read::{Dialect, Draft};
use super::table::{Form, Row, Sets};
use super::{flags, model};
use crate::codec::Codec;
use crate::engine::{EngineName, Report};
use crate::error::PlanError;
use crate::plan::{Plan, resolve_model};
use crate::spec::catalog;
use crate::unit::Tokens;
use serde_json::{Map, Value, json};

pub(super) static DIALECT: Dialect = Dialect {
    engine: EngineName::Sglang,
    flags: &flags::SGLANG,
    rows: ROWS,
    variables: &[(ALLOW_LONG, "engine.context_length")],
    positional_model: true,
    finish,
};

/// Lets a request be longer than the model was trained for.
const ALLOW_LONG: &str = "SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN";
const TOTAL: &str = "--max-total-tokens";
const RUNNING: &str = "--max-running-requests";
const ALGORITHM: &str = "--speculative-algorithm";
const DRAFT: &str = "--speculative-draft-model-path";
const DRAFTED: &str = "how many tokens are drafted changes no pool";
const NGRAM: &str =
    "of the kinds of drafting, draft models and prediction layers of a catalogued model are planned";
const HOST: &str = "a tier behind the cache, in host memory";
const ADAPTERS: &str = "the slots of adapters hold --max-loras-per-batch × --max-lora-rank × (inputs + outputs) of the projections that the adapters name, which is in their own files";
const STATES: &str = "slots and types of recurrent states are taken as SGLang derives them";

/// In the order they are written.
const ROWS: &[Row] = &[
    Row { flag: "--model-path", sets: Sets::Model },
    Row { flag: "--context-length", sets: Sets::Option("context_length", Form::Count) },
    Row { flag: "--kv-cache-dtype", sets: Sets::Option("kv_cache_dtype", Form::Word) },
    Row { flag: "--page-size", sets: Sets::Option("page_size", Form::Count) },
    Row { flag: "--tp-size", sets: Sets::Option("tp_size", Form::Count) },
    Row { flag: RUNNING, sets: Sets::Later("sequences") },
    Row { flag: TOTAL, sets: Sets::Later("sequences") },
    Row { flag: "--mem-fraction-static", sets: Sets::Option("mem_fraction_static", Form::Fraction) },
    Row { flag: "--swa-full-tokens-ratio", sets: Sets::Option("swa_full_tokens_ratio", Form::Fraction) },
    Row { flag: "--disable-hybrid-swa-memory", sets: Sets::Option("hybrid_swa", Form::Means(false)) },
    Row {
        flag: "--enable-dp-attention",
        sets: Sets::NotModelled(
            "attention is split over tp ÷ dp ranks, and each keeps more heads than planned: give that --tp",
        ),
    },
    Row {
        flag: "--attn-cp-size",
        sets: Sets::NotModelled(
            "attention is split over fewer ranks, and each keeps more heads than planned",
        ),
    },
    Row { flag: "--dp-size", sets: Sets::NotModelled("every replica has pools like these") },
    Row {
        flag: "--pp-size",
        sets: Sets::NotModelled("stages that share layers are not modelled for SGLang"),
    },
    Row { flag: "--dtype", sets: Sets::NotModelled("the model's own type is taken for weights and cache") },
    Row { flag: "--quantization", sets: Sets::NotModelled("changes the weights, not the cache") },
    Row { flag: "--enable-hierarchical-cache", sets: Sets::NotModelled(HOST) },
    Row { flag: "--hicache-ratio", sets: Sets::NotModelled(HOST) },
    Row {
        flag: "--hicache-size",
        sets: Sets::NotModelled("a tier behind the cache, in host memory: decimal GB per rank"),
    },
    Row { flag: ALGORITHM, sets: Sets::Later("mtp") },
    Row { flag: DRAFT, sets: Sets::Later("extras.draft") },
    Row { flag: "--speculative-num-draft-tokens", sets: Sets::NotModelled(DRAFTED) },
    Row { flag: "--max-mamba-cache-size", sets: Sets::Option("max_mamba_cache_size", Form::Count) },
    Row { flag: "--enable-lora", sets: Sets::NotModelled(ADAPTERS) },
    Row { flag: "--lora-paths", sets: Sets::NotModelled(ADAPTERS) },
    Row { flag: "--lora-target-modules", sets: Sets::NotModelled(ADAPTERS) },
    Row { flag: "--max-loras-per-batch", sets: Sets::NotModelled(ADAPTERS) },
    Row { flag: "--max-lora-rank", sets: Sets::NotModelled(ADAPTERS) },
    Row { flag: "--mamba-full-memory-ratio", sets: Sets::NotModelled(STATES) },
    Row { flag: "--mamba-ssm-dtype", sets: Sets::NotModelled(STATES) },
];

fn finish(draft: &mut Draft, _: Program) -> Result<(), PlanError> {
    let number = |draft: &Draft, flag: &'static str| {
        draft.later.get(flag).map(|text| {
            text.parse::<u64>()
                .ok()
                .filter(|n| *n > 0)
                .ok_or_else(|| PlanError::invalid(flag, "a whole number above 0").with_value(text.as_str()))
        })
    };
    let running = number(draft, RUNNING).transpose()?;
    let total = number(draft, TOTAL).transpose()?;
    let length = draft.options.get("context_length").and_then(Value::as_u64);
    draft.sequences = match (running, total, length) {
        (Some(running), _, _) => Some(running),
        (None, Some(total), Some(length)) if length > 0 => Some((total / length).max(1)),
        (None, Some(total), _) => {
            draft.context = Some(total);
            None
        }
        (None, None, _) => None,
    };
    drafting(draft);
    if draft.context.is_none() && length.is_none() {
        let model = draft.model.as_deref().and_then(|name| catalog::find(name).ok());
        draft.context = model.and_then(|model| model.scaled_context()).map(Tokens::get);
        if draft.context.is_some() {
            draft.note("without --context-length a request may be as long as the model was trained for");
        }
    }
    if total.is_none() {
        draft.note("SGLang fills what --mem-fraction-static leaves with its pools; the plan shows what the requests need");
    }
    Ok(())
}

/// What drafts: a model of its own (STANDALONE), or the model's prediction layers (EAGLE or NEXTN without a path).
fn drafting(draft: &mut Draft) {
    let Some(algorithm) = draft.later.get(ALGORITHM).map(|name| name.to_ascii_uppercase()) else { return };
    let path = draft.later.get(DRAFT).cloned();
    if algorithm == "STANDALONE" {
        return draft.drafter(path.as_deref(), true);
    }
    let own = path.is_none() || draft.model == path;
    if matches!(algorithm.as_str(), "EAGLE" | "EAGLE3") && !own {
        draft.head(path.as_deref());
        if draft.extras.draft.is_some() {
            return;
        }
    }
    if matches!(algorithm.as_str(), "EAGLE" | "NEXTN") && own {
        let target = draft.model.as_deref().and_then(|name| resolve_model(&model::named(name)).ok());
        draft.mtp = target.map_or(0, |model| u64::try_from(model.mtp_count()).unwrap_or(0));
    }
    if draft.mtp == 0 {
        draft.give_back("mtp", NGRAM);
        draft.give_back("extras.draft", NGRAM);
    }
}

/// The options written out: the length and the type.
pub(super) fn settle(
    options: &mut Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<(), PlanError> {
    if let Some(bytes) = options.get("kv_memory_bytes") {
        let message =
            "SGLang takes tokens, not bytes: leave kv_memory_bytes out, and the plan's tokens are written";
        return Err(PlanError::unsupported("engine.kv_memory_bytes", message).with_value(bytes.clone()));
    }
    if options.get("hybrid_swa") == Some(&json!(true)) {
        let message = "SGLang decides by architecture which models get a pool for sliding layers; it can only be turned off";
        return Err(PlanError::unsupported("engine.hybrid_swa", message).with_value(true));
    }
    options.entry("context_length").or_insert_with(|| json!(plan.context.get()));
    if let (false, Some(codec)) = (options.contains_key("kv_cache_dtype"), source.cache.k.or(source.cache.v))
    {
        let spelled = [
            (Codec::Bf16, "bfloat16"),
            (Codec::Fp8E4m3, "fp8_e4m3"),
            (Codec::Fp8E5m2, "fp8_e5m2"),
            (Codec::Mxfp8, "mxfp8"),
            (Codec::Nvfp4, "nvfp4"),
            (Codec::Fp4E2m1, "fp4_mx_block16"),
        ];
        // A model in half precision keeps its own type: nothing is written.
        if let Some((_, name)) = spelled.iter().find(|(of, _)| *of == codec) {
            options.insert("kv_cache_dtype".to_owned(), json!(name));
        }
    }
    Ok(())
}

/// `python -m sglang.launch_server …`.
pub(super) fn write(
    options: &Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<Launch, PlanError> {
    let mut launch = Launch::of(Target::Sglang);
    launch.command = ["python", "-m", "sglang.launch_server", "--model-path"].map(str::to_owned).to_vec();
    launch.command.push(source.repository());
    for row in ROWS {
        match (&row.sets, row.flag) {
            (Sets::Option(option, form), flag) => {
                let written = options.get(*option).map(|value| form.write(value, flag)).transpose()?;
                launch.command.extend(written.flatten().into_iter().flatten());
            }
            (Sets::Later(_), ALGORITHM) => launch.command.extend(drafter(source)),
            (Sets::Later(_), DRAFT) => {}
            (Sets::Later(_), flag) => {
                let (Some(sequences), Report::Sglang(report)) =
                    (source.request.sequences, &plan.kv.engine_report)
                else {
                    continue;
                };
                let value = if flag == TOTAL { report.max_total_num_tokens } else { sequences };
                // A model of sliding layers alone has no full pool to count.
                if value > 0 {
                    launch.command.extend([flag.to_owned(), value.to_string()]);
                }
            }
            (Sets::Model | Sets::NotModelled(_), _) => {}
        }
    }
    if source.model.scaled_context().is_some_and(|trained| plan.context > trained) {
        launch.variables.push((ALLOW_LONG, "1".to_owned()));
        launch.notes.push(format!("{ALLOW_LONG}=1: the model was trained for less").into());
    }
    launch.notes.push(if source.request.sequences.is_some() {
        "--max-total-tokens is written out: without it the pools take what --mem-fraction-static leaves"
            .into()
    } else {
        "the pools take what --mem-fraction-static leaves: more requests than planned".into()
    });
    Ok(launch)
}

/// The drafting asked for.
fn drafter(source: &Source<'_>) -> Vec<String> {
    let draft = source.request.extras.as_ref().and_then(|extras| extras.draft.as_ref());
    match draft.and_then(model::repository_of) {
        Some(name) => vec![ALGORITHM.to_owned(), "STANDALONE".to_owned(), DRAFT.to_owned(), name],
        None if source.request.mtp > 0 => vec![ALGORITHM.to_owned(), "NEXTN".to_owned()],
        None => Vec::new(),
    }
}
