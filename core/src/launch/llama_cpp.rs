//! llama.cpp's rows, what its server does by itself, and the command that realises a plan.

use super::export::{Launch, Source, Target};
use super::program::Program;
use super::read::{Dialect, Draft};
use super::table::{Form, Row, Sets};
use super::{flags, model};
use crate::codec::Codec;
use crate::engine::{EngineName, Report};
use crate::error::PlanError;
use crate::plan::{CacheRequest, Extras, Plan, Request, resolve_model};
use serde_json::{Map, Value, json};

pub(super) static DIALECT: Dialect = Dialect {
    engine: EngineName::LlamaCpp,
    flags: &flags::LLAMA_CPP,
    rows: ROWS,
    variables: &[],
    positional_model: false,
    finish,
};

const SPEC_TYPE: &str = "--spec-type";
const DRAFTED: &str = "--spec-draft-n-max";
/// The kind of drafting that the model's own prediction layers do.
const BY_MTP: &str = "draft-mtp";
const SPEC_TYPES: &str =
    "of the kinds of drafting, draft models and prediction layers of a catalogued model are planned";
const ROLLBACK: &str = "keeps rollback states only where prediction layers draft";
const PER_SLOT: &str = "--kv-unified-per-slot";
const DRAFT: &str = "no model of that name is catalogued: `--draft MODEL` plans another";
const DRAFT_CACHE: &str = "the type of the cache of a draft model that is not planned";
const VISION: &str = "the size of that file is not known here: `--projector SIZE` plans it";
const HOST_CACHE: &str = "host memory beside the cache: prompts and states kept for later";
const FIT: &str = "fits what is left unset to the memory found; what is set is not changed";
const ADAPTER: &str = "the size of that file is not known here: `--lora SIZE` plans it";

/// In the order they are written.
const ROWS: &[Row] = &[
    Row { flag: "-m", sets: Sets::Model },
    Row { flag: "-hf", sets: Sets::Model },
    Row { flag: "-mu", sets: Sets::Model },
    Row { flag: "-dr", sets: Sets::Model },
    Row { flag: "-c", sets: Sets::Option("n_ctx", Form::Count) },
    Row { flag: "-np", sets: Sets::Later("engine.n_seq_max") },
    Row { flag: "-kvu", sets: Sets::Option("kv_unified", Form::Toggle) },
    Row { flag: PER_SLOT, sets: Sets::Later("engine.n_ctx") },
    Row { flag: "-ctk", sets: Sets::Option("type_k", Form::Word) },
    Row { flag: "-ctv", sets: Sets::Option("type_v", Form::Word) },
    Row { flag: "-fa", sets: Sets::Later("engine.flash_attn") },
    Row { flag: "--swa-full", sets: Sets::Option("swa_full", Form::Means(true)) },
    Row { flag: "-b", sets: Sets::Option("n_batch", Form::Count) },
    Row { flag: "-ub", sets: Sets::Option("n_ubatch", Form::Count) },
    Row { flag: "-kvo", sets: Sets::Option("offload_kqv", Form::Toggle) },
    Row { flag: "-ngl", sets: Sets::Option("n_gpu_layers", Form::WordOrCount) },
    Row { flag: "-ts", sets: Sets::Option("tensor_split", Form::Word) },
    Row { flag: "-ncmoe", sets: Sets::Option("n_cpu_moe", Form::Count) },
    Row { flag: "-cmoe", sets: Sets::Later("engine.override_tensor") },
    Row { flag: "-ot", sets: Sets::Option("override_tensor", Form::List) },
    Row { flag: "--embedding", sets: Sets::Option("embeddings", Form::Means(true)) },
    Row { flag: "--reranking", sets: Sets::Option("embeddings", Form::Means(true)) },
    Row { flag: "-md", sets: Sets::Later("extras.draft") },
    Row { flag: "-hfd", sets: Sets::Later("extras.draft") },
    Row { flag: SPEC_TYPE, sets: Sets::Later("mtp") },
    Row { flag: DRAFTED, sets: Sets::Later("engine.n_rs_seq") },
    Row { flag: "-ctkd", sets: Sets::Later("extras.draft_cache.k") },
    Row { flag: "-ctvd", sets: Sets::Later("extras.draft_cache.v") },
    Row { flag: "-mm", sets: Sets::NotModelled(VISION) },
    Row { flag: "-mmu", sets: Sets::NotModelled(VISION) },
    Row { flag: "-cram", sets: Sets::NotModelled(HOST_CACHE) },
    Row { flag: "-ctxcp", sets: Sets::NotModelled(HOST_CACHE) },
    Row { flag: "-fit", sets: Sets::NotModelled(FIT) },
    Row { flag: "-fitt", sets: Sets::NotModelled(FIT) },
    Row { flag: "-fitc", sets: Sets::NotModelled(FIT) },
    Row { flag: "--lora", sets: Sets::NotModelled(ADAPTER) },
    Row { flag: "--lora-scaled", sets: Sets::NotModelled(ADAPTER) },
    Row { flag: "--override-kv", sets: Sets::NotModelled("changes the model's own metadata") },
];

/// Slots of llama-server where `-np` is not given (`tools/server/server.cpp`).
const AUTO_SLOTS: u64 = 4;

fn finish(draft: &mut Draft, program: Program) -> Result<(), PlanError> {
    let slots = match draft.later.get("-np").map(|text| (text, text.parse::<i64>())) {
        None => None,
        Some((_, Ok(-1))) => None,
        Some((_, Ok(slots))) if slots > 0 => u64::try_from(slots).ok(),
        Some((text, _)) => {
            let message = "a number of slots above 0, or -1";
            return Err(PlanError::invalid("-np", message).with_value(text.as_str()));
        }
    };
    let slots = match (slots, program) {
        (Some(slots), _) => slots,
        (None, Program::LlamaServer) => {
            draft.options.insert("kv_unified".to_owned(), json!(true));
            draft.note("without -np, llama-server opens 4 slots that share one pool of -c tokens");
            AUTO_SLOTS
        }
        (None, _) => 1,
    };
    draft.options.insert("n_seq_max".to_owned(), json!(slots));
    per_slot(draft, slots)?;
    if !draft.options.contains_key("n_ctx") {
        draft.options.insert("n_ctx".to_owned(), json!(0));
        draft.note(
            "without -c the context is the trained length, which --fit (on by default) cuts where memory is short",
        );
    }
    if let Some(text) = draft.later.get("-fa") {
        let word = match text.as_str() {
            "on" | "enabled" | "true" | "1" => "on",
            "off" | "disabled" | "false" | "0" => "off",
            "auto" | "-1" => "auto",
            _ => {
                return Err(PlanError::invalid("-fa", "on, off or auto").with_value(text.as_str()));
            }
        };
        draft.options.insert("flash_attn".to_owned(), json!(word));
    }
    drafting(draft)?;
    if draft.later.contains_key("-cmoe") {
        let experts = json!(r"\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU");
        let known = draft.options.entry("override_tensor").or_insert_with(|| json!([]));
        if let Some(list) = known.as_array_mut() {
            list.push(experts);
        }
    }
    Ok(())
}

/// What drafts (the model's own prediction layers, or a draft model by its file's or repository's name) and the types
/// of its cache; left where the name is not known.
fn drafting(draft: &mut Draft) -> Result<(), PlanError> {
    let own = draft.later.get(SPEC_TYPE).is_some_and(|kinds| kinds.split(',').any(|kind| kind == BY_MTP));
    let target =
        draft.model.as_deref().filter(|_| own).and_then(|name| resolve_model(&model::named(name)).ok());
    draft.mtp = target.map_or(0, |model| u64::try_from(model.mtp_count()).unwrap_or(0));
    if draft.mtp == 0 {
        draft.give_back("mtp", SPEC_TYPES);
        draft.give_back("engine.n_rs_seq", ROLLBACK);
    } else if let Some(text) = draft.later.get(DRAFTED) {
        let tokens: u64 = text
            .parse()
            .map_err(|_| PlanError::invalid(DRAFTED, "a whole number").with_value(text.as_str()))?;
        draft.options.insert("n_rs_seq".to_owned(), json!(tokens));
    }
    let named = ["-md", "-hfd"].iter().find_map(|flag| draft.later.get(flag)).map(|name| model::named(name));
    draft.extras.draft = named.filter(|model| resolve_model(model).is_ok());
    if draft.extras.draft.is_some() {
        draft.note("the draft model's weights are not on the command line: `--draft-weights` plans them");
    } else if draft.mtp == 0 {
        draft.give_back("extras.draft_cache.", DRAFT_CACHE);
        draft.give_back("extras.draft", DRAFT);
        return Ok(());
    }
    draft.extras.draft_cache.k = draft.later.get("-ctkd").cloned();
    draft.extras.draft_cache.v = draft.later.get("-ctvd").cloned();
    Ok(())
}

/// `--kv-unified-per-slot` sizes the pool where `-c` does not.
fn per_slot(draft: &mut Draft, slots: u64) -> Result<(), PlanError> {
    let Some(text) = draft.later.get(PER_SLOT) else { return Ok(()) };
    let tokens: u64 =
        text.parse().map_err(|_| PlanError::invalid(PER_SLOT, "a whole number").with_value(text.as_str()))?;
    if draft.options.contains_key("n_ctx") {
        draft.note("--kv-unified-per-slot only caps a slot here: -c sizes the pool");
        return Ok(());
    }
    let pool = tokens.checked_mul(slots).ok_or(crate::unit::Overflow)?;
    draft.options.insert("n_ctx".to_owned(), json!(pool));
    Ok(())
}

/// The options written out: the context as `-c` counts it, the slots, the types.
pub(super) fn settle(
    options: &mut Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<(), PlanError> {
    let Report::LlamaCpp(report) = &plan.kv.engine_report else {
        return Err(PlanError::unsupported("engine.name", "this plan is not llama.cpp's"));
    };
    let slots = report.n_seq_max;
    options.insert("n_seq_max".to_owned(), json!(slots));
    let cells = match options.get("n_ctx").and_then(Value::as_u64) {
        // Left at the trained length: written as the cells that came of it.
        None | Some(0) => match source.request.context {
            Some(context) if !options.contains_key("n_ctx") => {
                context.checked_mul(slots).ok_or(crate::unit::Overflow)?
            }
            _ => report.n_ctx,
        },
        Some(cells) => cells,
    };
    options.insert("n_ctx".to_owned(), json!(cells));
    for (option, asked) in [("type_k", source.cache.k), ("type_v", source.cache.v)] {
        if let (false, Some(codec)) = (options.contains_key(option), asked) {
            options
                .insert(option.to_owned(), json!(codec.name().strip_suffix("_ggml").unwrap_or(codec.name())));
        }
        // f16 is the default of both.
        if options.get(option).is_some_and(|ty| ty == "f16") {
            options.remove(option);
        }
    }
    if options.get("kv_unified") == Some(&json!(false)) {
        options.remove("kv_unified");
    }
    let quantized =
        options.get("type_v").is_some_and(|ty| !matches!(ty.as_str(), Some("f32" | "bf16" | "f16")));
    if quantized && !options.contains_key("flash_attn") {
        options.insert("flash_attn".to_owned(), json!("on"));
    }
    Ok(())
}

/// Options that llama-server sets by itself or has no flag for.
const WITHOUT_FLAG: [(&str, &str); 3] = [
    ("ctx_type", "llama-server makes the prediction layers' context itself (--spec-type draft-mtp)"),
    ("n_rs_seq", "llama-server derives it from what it drafts; no flag sets it"),
    ("n_outputs_max", "llama-server derives it from its slots; no flag sets it"),
];

/// `llama-server …`.
pub(super) fn write(
    options: &Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<Launch, PlanError> {
    let own = source.request.mtp > 0;
    for (option, why) in WITHOUT_FLAG {
        if let Some(value) = options.get(option).filter(|_| !(own && option == "n_rs_seq")) {
            return Err(PlanError::unsupported(format!("engine.{option}"), why).with_value(value.clone()));
        }
    }
    let mut launch = Launch::of(Target::LlamaCpp);
    let file = source.file.map_or_else(|| source.gguf_file(), str::to_owned);
    launch.command = vec!["llama-server".to_owned(), "-m".to_owned(), file];
    for row in ROWS {
        let written = match (&row.sets, row.flag) {
            (Sets::Option(option, form), flag) if flag != "--reranking" => {
                options.get(*option).map(|value| form.write(value, flag)).transpose()?.flatten()
            }
            (Sets::Later(_), "-np") => {
                options.get("n_seq_max").map(|n| vec!["-np".to_owned(), n.to_string()])
            }
            (Sets::Later(_), "-fa") => options
                .get("flash_attn")
                .and_then(Value::as_str)
                .map(|w| vec!["-fa".to_owned(), w.to_owned()]),
            (Sets::Later(_), SPEC_TYPE) => own.then(|| vec![SPEC_TYPE.to_owned(), BY_MTP.to_owned()]),
            (Sets::Later(_), DRAFTED) => {
                options.get("n_rs_seq").map(|n| vec![DRAFTED.to_owned(), n.to_string()])
            }
            (Sets::Option(..) | Sets::Later(_) | Sets::Model | Sets::NotModelled(_), _) => None,
        };
        launch.command.extend(written.into_iter().flatten());
    }
    beside(&mut launch, source)?;
    notes(&mut launch, options, plan, source);
    Ok(launch)
}

/// What lives beside the model: files that only their owner can name, and the types of a draft's own cache.
fn beside(launch: &mut Launch, source: &Source<'_>) -> Result<(), PlanError> {
    let Some(extras) = &source.request.extras else { return Ok(()) };
    let mut file = |flag: &str, name: &str, what: &str| {
        launch.command.extend([flag.to_owned(), name.to_owned()]);
        launch.notes.push(format!("{flag}: the name of your own {what}").into());
    };
    if let Some(draft) = &extras.draft {
        let name = model::gguf_file(&*resolve_model(draft)?, extras.draft_weights.as_ref());
        file("-md", &name, "draft model");
    }
    if extras.projector_bytes > 0 {
        file("-mm", "mmproj.gguf", "projector");
    }
    if extras.lora_bytes > 0 {
        file("--lora", "adapter.gguf", "adapter");
    }
    let types = draft_types(extras)?;
    for (flag, name) in [("-ctkd", types.k), ("-ctvd", types.v)] {
        launch.command.extend(name.into_iter().flat_map(|name| [flag.to_owned(), name]));
    }
    Ok(())
}

/// The types of a draft's own cache, side by side and in llama.cpp's words.
fn draft_types(extras: &Extras) -> Result<CacheRequest, PlanError> {
    let types = extras.draft_cache.parse().map_err(|error| error.within("extras.draft_cache"))?;
    let name = |codec: Codec| codec.name().strip_suffix("_ggml").unwrap_or(codec.name()).to_owned();
    Ok(CacheRequest { k: types.k.map(name), v: types.v.map(name), ..CacheRequest::default() })
}

/// What of `extras` a command says: the draft and its types; sizes of files are not on it.
pub(super) fn said(request: &Request) -> Result<Option<Extras>, PlanError> {
    let Some(extras) = &request.extras else { return Ok(None) };
    let Some(draft) = &extras.draft else {
        let own = Extras { draft_cache: draft_types(extras)?, ..Extras::default() };
        return Ok((request.mtp > 0 && own != Extras::default()).then_some(own));
    };
    let named = model::named(&model::gguf_file(&*resolve_model(draft)?, extras.draft_weights.as_ref()));
    // A draft that the catalogue does not have is not read back either.
    Ok(match resolve_model(&named) {
        Err(_) => None,
        Ok(_) => Some(Extras { draft: Some(named), draft_cache: draft_types(extras)?, ..Extras::default() }),
    })
}

/// The defaults that would have bitten.
fn notes(launch: &mut Launch, options: &Map<String, Value>, plan: &Plan, source: &Source<'_>) {
    if source.file.is_none() {
        launch.notes.push("-m: the name of your own file".into());
    }
    let Report::LlamaCpp(report) = &plan.kv.engine_report else { return };
    let slots = report.n_seq_max;
    if slots == 1 {
        launch.notes.push("-np 1 is written out: without it llama-server opens 4 slots that share -c".into());
    } else if report.kv_unified {
        launch.notes.push(format!("-c is one pool that {slots} slots share").into());
    } else {
        let note = format!("-c is the total: {slots} slots of {} tokens each", report.n_ctx_seq);
        launch.notes.push(note.into());
    }
    let quantized = options.get("type_v").is_some();
    if quantized && options.get("flash_attn") == Some(&json!("on")) {
        launch.notes.push("-fa on is written out: a quantized V needs flash attention".into());
    }
    launch.notes.push(
        "beside the plan: up to 8192 MiB of RAM for cached prompts (--cache-ram, 0 turns it off)".into(),
    );
}
