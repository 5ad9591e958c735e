//! The catalogue is what the collected configs give, and people's names for a model find it.
#![cfg(test)]

use kvplan_core::spec::catalog::{all, find};
use kvplan_tests::catalog::{generate, read};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_checked_in_specs_are_what_the_configs_give() {
    let there = read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../model-specs/models"))).unwrap();
    let made = generate().unwrap();
    assert!(made.len() >= 150, "{}", made.len());
    for file in &made {
        assert_eq!(there.get(&file.name), Some(&file.text), "run `cargo xtask specs`: {}", file.name);
    }
    assert_eq!(there.len(), made.len(), "run `cargo xtask specs`: a file that no config gives");
}

#[test]
fn every_name_people_use_finds_its_model() {
    for (name, id) in [
        ("llama-3.1-8b", "llama-3.1-8b"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("meta-llama/Meta-Llama-3.1-8B", "llama-3.1-8b"),
        ("qwen3-8b", "qwen3-8b"),
        ("Qwen/Qwen3-8B-FP8", "qwen3-8b"),
        ("qwen3.5-9b", "qwen3.5-9b"),
        ("qwen3.6-27b", "qwen3.6-27b"),
        ("Qwen/Qwen3.6-27B", "qwen3.6-27b"),
        ("deepseek-v4-pro", "deepseek-v4-pro"),
        ("gpt-oss-20b", "gpt-oss-20b"),
        ("openai/gpt-oss-20b", "gpt-oss-20b"),
        ("gemma-3-27b", "gemma-3-27b"),
        ("google/gemma-3-27b-it", "gemma-3-27b"),
        ("google/gemma-2-9b-it", "gemma-2-9b"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral-7b-v0.3"),
        ("mistral-small-3.2-24b", "mistral-small-3.2-24b-2506"),
        ("command-r7b", "command-r7b-12-2024"),
        ("ministral-3-8b", "ministral-3-8b-2512"),
        ("glm-4.5-air", "glm-4.5-air"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "qwen2.5-7b"),
        ("deepseek-r1-distill-llama-70b", "llama-3.3-70b"),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek-r1"),
        ("mistralai/Mistral-Small-3.1-24B-Instruct-2503", "mistral-small-3.2-24b-2506"),
        ("Qwen/Qwen3-Coder-Next", "qwen3-next-80b-a3b"),
        ("qwen3-coder-30b-a3b", "qwen3-30b-a3b-2507"),
        ("qwen2.5-coder-7b-instruct", "qwen2.5-7b"),
    ] {
        assert_eq!(find(name).unwrap().id(), id, "{name}");
    }
}

/// Every architecture of which a complete file was collected; Dream and LLaDA 2 came as dimensions only.
#[test]
fn every_family_with_a_complete_file_is_catalogued() {
    let families: BTreeSet<String> = all().map(|spec| spec.unwrap().family().unwrap().to_owned()).collect();
    for family in "baichuan bailing_hybrid bailing_moe_linear bloom chatglm cohere cohere2 dbrx deepseek deepseek_v2 \
        deepseek_v3 deepseek_v32 deepseek_v4 ernie4_5 ernie4_5_moe exaone exaone4 falcon falcon_h1 gemma gemma2 \
        gemma3_text gemma3n_text gemma4_text glm4_moe glm4_moe_lite glm5_next_text glm_moe_dsa gpt2 gpt_bigcode \
        gpt_neox gpt_oss gptj granite granitemoehybrid hunyuan hy_v3 internlm internlm2 jamba kimi_k2 kimi_linear lfm2 \
        lfm2_moe llada llama llama4_text longcat_flash mamba mimo_v2_flash minicpm minicpm3 minimax_m1 minimax_m2 \
        minimax_m3 ministral3 mistral mistral4 mixtral mllama_text_model mpt nemotron-nas nemotron_h olmo2 olmo3 opt \
        orion phi-msft phi3 phi3_v phi3small phimoe qwen qwen2 qwen2_5_vl qwen2_moe qwen2_vl qwen3 qwen3_5_moe_text \
        qwen3_5_text qwen3_moe qwen3_next qwen3_vl_moe_text qwen3_vl_text recurrent_gemma rwkv5 smollm3 stablelm \
        starcoder2 step3_text step3p7 t5 whisper xlstm zamba2"
        .split_whitespace()
    {
        assert!(families.contains(family), "{family}");
    }
}
