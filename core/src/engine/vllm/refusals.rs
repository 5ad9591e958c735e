//! Models and settings vLLM 0.33.0 does not run, before anything is counted.

use super::attention::Attention;
use super::dtype::KvCacheDtype;
use super::options::Setup;
use crate::error::PlanError;
use crate::spec::Mixer;

/// Models vLLM 0.33.0 does not run, and layers it does not have.
pub(super) fn check(setup: &Setup<'_>) -> Result<(), PlanError> {
    let no = |what: &str| PlanError::refused("model", format!("vLLM 0.33.0 has no implementation of {what}"));
    let family = setup.model.family().unwrap_or_default();
    if setup.is_family(&["minimax_m1", "minimax", "minimax_text_01", "bamba", "plamo2", "mllama"]) {
        return Err(no(&format!("{family}: it was removed in an earlier release")).with_value(family));
    }
    if setup.model.record().bidirectional {
        let message = "vLLM's block-diffusion models are not modelled";
        return Err(PlanError::unsupported("model", message).with_value(family));
    }
    let mut latent = false;
    for mixer in setup.model.kinds().iter().flat_map(|k| k.mixers()) {
        match mixer {
            Mixer::Rwkv(_) => return Err(no("RWKV")),
            Mixer::RgLru(_) => return Err(no("RecurrentGemma's recurrent unit")),
            Mixer::Mlstm(_) => return Err(no("xLSTM")),
            Mixer::Mla(a) => {
                latent = true;
                if a.indexer_stride.is_some_and(|s| s > 1) {
                    let message = "pooled index keys (index_kpool) have a layout of their own, not modelled";
                    return Err(PlanError::unsupported("model", message));
                }
            }
            Mixer::Full(_)
            | Mixer::Window(_)
            | Mixer::Chunk(_)
            | Mixer::Compressed(_)
            | Mixer::Mamba1(_)
            | Mixer::Mamba2(_)
            | Mixer::GatedDelta(_)
            | Mixer::Kda(_)
            | Mixer::Lightning(_)
            | Mixer::ShortConv(_)
            | Mixer::Cross(_)
            | Mixer::Shared(_) => {}
        }
    }
    if latent && matches!(setup.kv, KvCacheDtype::Nvfp4 | KvCacheDtype::Nvfp44over6) {
        let message = "nvfp4 KV cache is not supported with MLA (Multi-head Latent Attention) backends. Please use a \
                       different --kv-cache-dtype (e.g., 'fp8', 'auto', or 'nvfp4_ds_mla' with a sparse MLA backend) \
                       for MLA models such as DeepSeek.";
        return Err(PlanError::refused("engine.kv_cache_dtype", message).with_value(setup.kv.as_str()));
    }
    check_dcp(setup, latent)
}

/// Decode-context parallelism for grouped queries wants more ranks than KV heads (`config/model.py`).
fn check_dcp(setup: &Setup<'_>, latent: bool) -> Result<(), PlanError> {
    let (tp, dcp) = (setup.tp, setup.dcp);
    if dcp == 1 || latent {
        return Ok(());
    }
    let refuse = |message: String| {
        Err(PlanError::refused("engine.decode_context_parallel_size", message).with_value(dcp))
    };
    let heads = setup.model.kinds().iter().flat_map(|k| k.mixers()).find_map(kv_heads);
    let Some(heads) = heads else { return Ok(()) };
    if tp <= heads {
        return refuse(format!(
            "Decode context parallelism for GQA/MQA requires `--tensor-parallel-size` ({tp}) to be greater than the \
             model's total number of KV heads ({heads}). Increase `--tensor-parallel-size` or set \
             `--decode-context-parallel-size 1`."
        ));
    }
    if dcp > tp / heads {
        return refuse(format!(
            "`--decode-context-parallel-size` ({dcp}) exceeds the maximum supported value ({}) for \
             `--tensor-parallel-size` ({tp}) and {heads} model KV heads.",
            tp / heads
        ));
    }
    if let Some(queries) = setup.model.record().heads
        && !(queries / heads).is_multiple_of(dcp)
    {
        return refuse(format!(
            "The model's number of query heads per KV head ({}) must be divisible by \
             `--decode-context-parallel-size` ({dcp}) for GQA/MQA.",
            queries / heads
        ));
    }
    Ok(())
}

fn kv_heads(mixer: &Mixer) -> Option<u64> {
    match Attention::of(mixer)? {
        Attention::Heads(a) => Some(a.kv_heads),
        Attention::Latent(_) | Attention::Compressed(_) => None,
    }
}
