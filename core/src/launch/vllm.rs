//! vLLM's rows, what it derives by itself, and the command that realises a plan.

use super::export::{Launch, Source, Target};
use super::flags;
use super::lora;
use super::model;
use super::program::Program;
use super::read::{Dialect, Draft};
use super::table::{Form, Row, Sets};
use crate::engine::EngineName;
use crate::error::PlanError;
use crate::plan::{Plan, resolve_model};
use serde_json::{Map, Value, json};

pub(super) static DIALECT: Dialect = Dialect {
    engine: EngineName::Vllm,
    flags: &flags::VLLM,
    rows: ROWS,
    variables: &[(ALLOW_LONG, "context")],
    positional_model: true,
    finish,
};

/// Lets a request be longer than the model was trained for.
const ALLOW_LONG: &str = "VLLM_ALLOW_LONG_MAX_MODEL_LEN";

const WEIGHTS: &str = "changes the weights, not the cache; weights are not planned here";
const HOST: &str = "a tier behind the cache, in host memory";

/// In the order they are written.
pub(super) const ROWS: &[Row] = &[
    Row { flag: "--model", sets: Sets::Model },
    Row { flag: "--max-model-len", sets: Sets::Option("max_model_len", Form::Human) },
    Row { flag: "--kv-cache-dtype", sets: Sets::Option("kv_cache_dtype", Form::Word) },
    Row { flag: "--block-size", sets: Sets::Option("block_size", Form::Count) },
    Row { flag: "--tensor-parallel-size", sets: Sets::Option("tensor_parallel_size", Form::Count) },
    Row { flag: "--pipeline-parallel-size", sets: Sets::Option("pipeline_parallel_size", Form::Count) },
    Row {
        flag: "--decode-context-parallel-size",
        sets: Sets::Option("decode_context_parallel_size", Form::Count),
    },
    Row { flag: "--max-num-seqs", sets: Sets::Option("max_num_seqs", Form::Count) },
    Row { flag: "--max-num-batched-tokens", sets: Sets::Option("max_num_batched_tokens", Form::Human) },
    Row { flag: "--gpu-memory-utilization", sets: Sets::Option("gpu_memory_utilization", Form::Fraction) },
    Row { flag: "--kv-cache-memory-bytes", sets: Sets::Option("kv_cache_memory_bytes", Form::Human) },
    Row { flag: "--num-gpu-blocks-override", sets: Sets::Option("num_gpu_blocks_override", Form::Count) },
    Row { flag: "--mamba-ssm-cache-dtype", sets: Sets::Option("mamba_ssm_cache_dtype", Form::Word) },
    Row { flag: "--enable-prefix-caching", sets: Sets::Option("enable_prefix_caching", Form::Toggle) },
    Row {
        flag: "--disable-hybrid-kv-cache-manager",
        sets: Sets::Option("disable_hybrid_kv_cache_manager", Form::Toggle),
    },
    Row { flag: "--speculative-config", sets: Sets::Later("engine.num_speculative_tokens") },
    Row { flag: "--dtype", sets: Sets::NotModelled("the model's own type is taken for weights and cache") },
    Row { flag: "--quantization", sets: Sets::NotModelled(WEIGHTS) },
    Row { flag: "--data-parallel-size", sets: Sets::NotModelled("every replica has a cache like this one") },
    Row { flag: "--cpu-offload-gb", sets: Sets::NotModelled(WEIGHTS) },
    Row { flag: "--enable-expert-parallel", sets: Sets::NotModelled(WEIGHTS) },
    Row { flag: "--kv-offloading-size", sets: Sets::NotModelled(HOST) },
    Row { flag: "--kv-offloading-backend", sets: Sets::NotModelled(HOST) },
    Row { flag: "--kv-transfer-config", sets: Sets::NotModelled(HOST) },
    Row {
        flag: "--mamba-cache-dtype",
        sets: Sets::NotModelled("the type of convolution states is the model's own"),
    },
    Row {
        flag: "--mamba-block-size",
        sets: Sets::NotModelled("states are kept at the block size vLLM derives"),
    },
    Row {
        flag: "--kv-cache-dtype-skip-layers",
        sets: Sets::NotModelled("layers that keep the model's own type"),
    },
    Row { flag: lora::ENABLE, sets: Sets::Later(lora::FIELD) },
    Row { flag: lora::SLOTS, sets: Sets::Later(lora::FIELD) },
    Row { flag: lora::RANK, sets: Sets::Later(lora::FIELD) },
    Row { flag: lora::TARGETS, sets: Sets::Later(lora::FIELD) },
    Row { flag: lora::SHARDED, sets: Sets::Later(lora::FIELD) },
    Row {
        flag: "--lora-dtype",
        sets: Sets::NotModelled("slots of adapters are planned in the model's own type"),
    },
    Row { flag: "--hf-overrides", sets: Sets::NotModelled("changes the model's own configuration") },
    Row {
        flag: "--enforce-eager",
        sets: Sets::NotModelled("frees what CUDA graphs would take; the pool's size is asked for"),
    },
];

/// `--speculative-config`, its method and its number of drafted tokens.
const SPECULATIVE: &str = "--speculative-config";

fn finish(draft: &mut Draft, _: Program) -> Result<(), PlanError> {
    if let Some(text) = draft.later.get(SPECULATIVE) {
        let config: Map<String, Value> = serde_json::from_str(text).map_err(|e| {
            PlanError::invalid(SPECULATIVE, format!("no JSON object: {e}")).with_value(text.as_str())
        })?;
        let method = config.get("method").and_then(Value::as_str).unwrap_or_default();
        let drafted = config.get("num_speculative_tokens").cloned().unwrap_or_else(|| json!(0));
        let own = method.ends_with("mtp");
        draft.options.insert("num_speculative_tokens".to_owned(), drafted);
        if own {
            draft.mtp = 1;
        }
        let named = config.get("model").and_then(Value::as_str).filter(|name| !own && *name != "ngram");
        match method {
            "eagle" | "eagle3" => draft.head(named),
            _ => draft.drafter(named, matches!(method, "" | "draft_model")),
        }
    }
    lora::of_vllm(draft)?;
    if !draft.options.contains_key("max_model_len") {
        let named = draft.model.as_deref().map(model::named);
        let trained =
            named.and_then(|model| resolve_model(&model).ok()).and_then(|spec| spec.scaled_context());
        draft.context = trained.map(crate::unit::Tokens::get);
        draft.note("without --max-model-len a request may be as long as the model was trained for");
    }
    // With the variable set the length is a wish like any other; without it vLLM refuses what is too long.
    if draft.later.get(ALLOW_LONG).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
        && let Some(length) = draft.options.get("max_model_len").and_then(Value::as_u64)
    {
        draft.options.remove("max_model_len");
        draft.context = Some(length);
    }
    let sized = ["kv_cache_memory_bytes", "num_gpu_blocks_override"];
    if !sized.iter().any(|option| draft.options.contains_key(*option)) {
        draft.note(
            "vLLM fills --gpu-memory-utilization (0.92) of the GPU with its pool; the plan shows what the sequences need",
        );
    }
    Ok(())
}

/// The options written out: the length, the types, and a pool of what was planned.
pub(super) fn settle(
    options: &mut Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<(), PlanError> {
    let drafts =
        source.request.mtp > 0 || source.request.extras.as_ref().is_some_and(|extras| extras.draft.is_some());
    if drafts && !options.contains_key("num_speculative_tokens") {
        let message = "how many tokens are drafted a step? vLLM is told by --speculative-config";
        return Err(PlanError::missing("engine.num_speculative_tokens", message));
    }
    if !too_long(plan, source) {
        options.entry("max_model_len").or_insert_with(|| json!(plan.context.get()));
    }
    if !options.contains_key("kv_cache_dtype") {
        let dtype = crate::engine::vllm::KvCacheDtype::from_cache(source.cache.k, source.cache.v)?;
        if dtype != crate::engine::vllm::KvCacheDtype::Auto {
            options.insert("kv_cache_dtype".to_owned(), json!(dtype.as_str()));
        }
    }
    let sized = ["kv_cache_memory_bytes", "num_gpu_blocks_override", "gpu_memory_utilization"];
    if let Some(sequences) = source.request.sequences
        && !sized.iter().any(|option| options.contains_key(*option))
    {
        options.entry("max_num_seqs").or_insert_with(|| json!(sequences));
        options.insert("kv_cache_memory_bytes".to_owned(), json!(plan.kv.allocated_bytes.get()));
    }
    Ok(())
}

/// Whether the plan's length is above what vLLM takes without being told twice.
fn too_long(plan: &Plan, source: &Source<'_>) -> bool {
    source.model.scaled_context().is_some_and(|trained| plan.context > trained)
}

/// `vllm serve …`.
pub(super) fn write(
    options: &Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<Launch, PlanError> {
    let mut launch = Launch::of(Target::Vllm);
    launch.command = vec!["vllm".to_owned(), "serve".to_owned(), source.repository()];
    if too_long(plan, source) {
        launch.variables.push((ALLOW_LONG, "1".to_owned()));
        launch.notes.push(format!("{ALLOW_LONG}=1: the model was trained for less").into());
        launch.command.extend(["--max-model-len".to_owned(), plan.context.get().to_string()]);
    }
    for row in ROWS {
        match &row.sets {
            Sets::Option(option, form) => {
                let written = options.get(*option).map(|value| form.write(value, row.flag)).transpose()?;
                launch.command.extend(written.flatten().into_iter().flatten());
            }
            Sets::Later(_) if row.flag == SPECULATIVE => {
                launch.command.extend(speculative(options, source));
            }
            Sets::Later(_) | Sets::Model | Sets::NotModelled(_) => {}
        }
    }
    if let Some(platform) = options.get("platform").and_then(Value::as_str) {
        launch.notes.push(format!("planned for a GPU of compute capability {platform}").into());
    }
    if plan.model.id.is_empty() {
        launch.notes.push("the model: the repository or folder it is in".into());
    }
    let fixed = options.contains_key("kv_cache_memory_bytes") && source.request.sequences.is_some();
    if fixed && source.chose_pool {
        launch.notes.push(
            "--kv-cache-memory-bytes is written out (per GPU): without it vLLM fills 0.92 of the GPU with its pool"
                .into(),
        );
    } else if !fixed {
        launch
            .notes
            .push("the pool takes what --gpu-memory-utilization leaves: more sequences than planned".into());
    }
    Ok(launch)
}

/// The drafting that the options ask for: by the model's own layers, or from the prompt.
pub(super) fn speculative(options: &Map<String, Value>, source: &Source<'_>) -> Vec<String> {
    let Some(drafted) = options.get("num_speculative_tokens") else { return Vec::new() };
    let draft = source.request.extras.as_ref().and_then(|extras| extras.draft.as_ref());
    let config = if let Some(name) = draft.and_then(super::model::repository_of) {
        json!({ "model": name, "num_speculative_tokens": drafted })
    } else if source.request.mtp > 0 {
        json!({ "method": "mtp", "num_speculative_tokens": drafted })
    } else {
        json!({ "method": "ngram", "num_speculative_tokens": drafted, "prompt_lookup_max": 4 })
    };
    vec![SPECULATIVE.to_owned(), config.to_string()]
}
