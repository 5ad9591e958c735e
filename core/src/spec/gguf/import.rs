//! From GGUF metadata to a model spec: layers as llama.cpp would cache them, under the names of its architecture.

use super::arch::{Arch, ExtraLayers, Indexer, Memory, RecurrentLayers, State};
use super::hparams::{self, Attention, Keys, Swa};
use super::metadata::Metadata;
use super::value::MAX_KEPT_ARRAY;
use crate::error::PlanError;
use crate::spec::compress::compress;
use crate::spec::layer::{
    Chunk, Compressed, Full, GatedDelta, Kda, Lightning, Mamba1, Mamba2, Mixer, Mla, Rwkv, Shared, ShortConv,
    Window,
};
use crate::spec::{Run, RunBody, SpecFile};

/// The spec that a GGUF file's metadata describes.
///
/// Errors name the key (`llama.block_count`).
///
/// # Errors
/// `unsupported` for an architecture llama.cpp 0c1e57098 does not have, `missing-field` for a key it requires,
/// `invalid` for one it cannot read.
pub fn spec_file(meta: &Metadata) -> Result<SpecFile, PlanError> {
    let name = meta.architecture()?;
    let arch = Arch::find(name).ok_or_else(|| {
        let message = format!("llama.cpp 0c1e57098 has no architecture `{name}` that is modelled");
        PlanError::unsupported("general.architecture", message).with_value(name)
    })?;
    let keys = Keys::new(meta, name);
    let blocks = keys.need("block_count")?;
    if blocks > MAX_KEPT_ARRAY {
        let message = format!("{blocks} layers; at most {MAX_KEPT_ARRAY} are read");
        return Err(PlanError::invalid(keys.name("block_count"), message).with_value(blocks));
    }
    let trained = keys.need("context_length")?;
    let hidden = keys.need("embedding_length")?;
    let attention = Attention::read(&keys, arch, blocks, hidden)?;
    let vocab = match keys.opt("vocab_size")? {
        Some(vocab) => Some(vocab),
        None => meta.opt_array_len("tokenizer.ggml.tokens")?,
    };
    let mut assumptions = Vec::new();
    let (layers, mtp) = Reader::read(&keys, arch, blocks, hidden, &attention, &mut assumptions)?;
    let embedding = keys.opt("embedding_length_out")?;
    let streams = match arch.indexer {
        Indexer::Compressed => keys.opt("hyper_connection.count")?,
        Indexer::None | Indexer::Every | Indexer::Typed | Indexer::AfterDense | Indexer::Pooled => None,
    };
    let embedding = match (embedding, streams) {
        (Some(width), _) => Some(width),
        (None, Some(streams)) => Some(hidden.checked_mul(streams).ok_or(crate::unit::Overflow)?),
        (None, None) => None,
    };
    Ok(SpecFile {
        name: meta.opt_str("general.name")?.map(str::to_owned),
        source: Some("GGUF metadata".to_owned()),
        llama_cpp_arch: Some(name.to_owned()),
        trained_context: Some(trained),
        hidden_size: Some(hidden),
        vocab_size: vocab,
        heads: Some(attention.heads).filter(|heads| *heads > 0),
        embedding_size: embedding,
        bidirectional: !hparams::causal(&keys, arch)?,
        assumptions,
        layers,
        mtp,
        ..SpecFile::default()
    })
}

/// Everything a layer's mixers depend on.
struct Reader<'a> {
    keys: &'a Keys<'a>,
    arch: &'static Arch,
    attention: &'a Attention,
    swa: Swa,
    recurrent: Vec<bool>,
    state: Option<Mixer>,
    latent: Option<Mla>,
    indexer: Option<u64>,
    indexed: Vec<bool>,
    ratios: Vec<u64>,
    feed_forward: Vec<u64>,
    /// Layers before the prediction layers.
    trunk: usize,
    /// Trunk layers with a cache of their own.
    owners: usize,
}

impl<'a> Reader<'a> {
    fn read(
        keys: &'a Keys<'a>,
        arch: &'static Arch,
        blocks: u64,
        hidden: u64,
        attention: &'a Attention,
        assumptions: &mut Vec<String>,
    ) -> Result<(Vec<Run>, Vec<Run>), PlanError> {
        let drafted = keys.opt("nextn_predict_layers")?.unwrap_or_default();
        let trunk = blocks.checked_sub(drafted).filter(|trunk| *trunk > 0).ok_or_else(|| {
            let message = format!("{drafted} prediction layers leave nothing of {blocks} layers");
            PlanError::invalid(keys.name("nextn_predict_layers"), message).with_value(drafted)
        })?;
        let swa = Swa::read(keys, arch, blocks, trunk)?;
        if swa.ignored && swa.window > 0 {
            assumptions.push(format!(
                "attention.sliding_window {} is the model's; llama.cpp does not read it for architecture {}",
                swa.window, arch.name
            ));
        }
        let feed_forward = match arch.recurrent.map(|r| r.layers) {
            Some(RecurrentLayers::WithoutKvHeadsOrFeedForward) => hparams::feed_forward(keys, blocks)?,
            None
            | Some(
                RecurrentLayers::All
                | RecurrentLayers::WithoutKvHeads
                | RecurrentLayers::Beside
                | RecurrentLayers::Interval(_),
            ) => Vec::new(),
        };
        let (indexer, indexed) = indexer(keys, arch, blocks)?;
        let owners = hparams::owners(keys, arch, trunk)?;
        let recurrent = hparams::recurrent_layers(keys, arch, &attention.kv_heads, blocks, trunk)?;
        let trunk = usize::try_from(trunk).unwrap_or(usize::MAX);
        let reader = Self {
            keys,
            arch,
            attention,
            swa,
            recurrent,
            state: state(keys, arch, hidden, attention)?,
            latent: latent(keys, arch, attention)?,
            indexer,
            indexed,
            ratios: match arch.indexer {
                Indexer::Compressed => {
                    let found = keys.per_layer("attention.compress_ratios", blocks)?;
                    found.map_or_else(|| keys.need("attention.compress_ratios").map(|_| Vec::new()), Ok)?
                }
                Indexer::None | Indexer::Every | Indexer::Typed | Indexer::AfterDense | Indexer::Pooled => {
                    Vec::new()
                }
            },
            feed_forward,
            trunk,
            owners: usize::try_from(owners).unwrap_or(usize::MAX),
        };
        let mut layers = compress((0..trunk).map(|layer| reader.layer(layer)).collect::<Result<_, _>>()?);
        let all = attention.kv_heads.len();
        let mtp =
            compress((trunk..all).map(|layer| reader.attention(layer, false)).collect::<Result<_, _>>()?);
        match arch.extra {
            ExtraLayers::None => {}
            ExtraLayers::Loops => {
                let loops = keys.opt("num_loops")?.unwrap_or(1);
                if loops == 0 {
                    return Err(PlanError::invalid(keys.name("num_loops"), "at least one loop").with_value(0));
                }
                if loops > 1 {
                    layers = match layers.as_slice() {
                        // One run needs no pattern around it.
                        [Run { count, body: RunBody::One(mixer) }] => {
                            let count = count.checked_mul(loops).ok_or(crate::unit::Overflow)?;
                            vec![Run::of(count, mixer.clone())]
                        }
                        _ => vec![Run { count: loops, body: RunBody::Pattern { layers } }],
                    };
                }
            }
            ExtraLayers::Router => {
                let (k_dim, v_dim) = attention.dims(false);
                layers.push(Run::of(1, Mixer::Full(Full { kv_heads: 1, k_dim, v_dim, indexer_dim: None })));
            }
        }
        Ok((layers, mtp))
    }

    /// A trunk layer.
    fn layer(&self, layer: usize) -> Result<RunBody, PlanError> {
        if self.arch.memory == Memory::Encoder {
            return Ok(RunBody::None);
        }
        let recurrent = self.recurrent.get(layer).copied().unwrap_or(false);
        match (&self.state, self.arch.recurrent.map(|r| r.layers)) {
            (Some(state), Some(RecurrentLayers::Beside)) => {
                let mut mixers = vec![state.clone()];
                if let RunBody::One(attention) = self.attention(layer, false)? {
                    mixers.insert(0, attention);
                }
                Ok(RunBody::Hybrid { mixers })
            }
            (Some(state), _) if recurrent => Ok(RunBody::One(state.clone())),
            // A feed-forward block of a model whose blocks are mixers or feed-forwards.
            (_, Some(RecurrentLayers::WithoutKvHeadsOrFeedForward))
                if self.feed_forward.get(layer).is_some_and(|width| *width > 0) =>
            {
                Ok(RunBody::None)
            }
            _ => self.attention(layer, self.swa.is_windowed(layer)),
        }
    }

    fn attention(&self, layer: usize, windowed: bool) -> Result<RunBody, PlanError> {
        let window = windowed.then_some(self.swa.window);
        if (self.owners..self.trunk).contains(&layer) {
            return Ok(RunBody::One(Mixer::Shared(Shared { window })));
        }
        let (k_dim, v_dim) = self.attention.dims(windowed && !self.swa.ignored);
        if let Some(ratio) = self.ratios.get(layer) {
            return self.compressed(k_dim, *ratio);
        }
        let kv_heads = self.attention.kv_heads.get(layer).copied().unwrap_or_default();
        if kv_heads == 0 || (k_dim == 0 && v_dim == 0) {
            return Ok(RunBody::None);
        }
        let indexer_dim = self.indexer.filter(|_| self.indexed.get(layer).copied().unwrap_or(true));
        if let Some(latent) = &self.latent {
            if kv_heads != 1 {
                let key = self.keys.name("attention.head_count_kv");
                let message = format!("latent rows are kept for one KV head, not for {kv_heads}");
                return Err(PlanError::unsupported(key, message).with_value(kv_heads));
            }
            if windowed {
                let key = self.keys.name("attention.sliding_window_pattern");
                return Err(PlanError::unsupported(key, "latent layers with a window are not modelled"));
            }
            let indexer_stride = latent.indexer_stride.filter(|_| indexer_dim.is_some());
            return Ok(RunBody::One(Mixer::Mla(Mla { indexer_dim, indexer_stride, ..latent.clone() })));
        }
        Ok(RunBody::One(match window {
            None => Mixer::Full(Full { kv_heads, k_dim, v_dim, indexer_dim }),
            Some(chunk) if self.swa.chunked => Mixer::Chunk(Chunk { kv_heads, k_dim, v_dim, chunk }),
            Some(window) => Mixer::Window(Window { kv_heads, k_dim, v_dim, window }),
        }))
    }

    fn compressed(&self, dim: u64, ratio: u64) -> Result<RunBody, PlanError> {
        let indexer_dim = match ratio {
            0 | 128 => None,
            4 => self.indexer,
            other => {
                let key = self.keys.name("attention.compress_ratios");
                let message = "llama.cpp compresses by 4 or 128, or not at all (0)";
                return Err(PlanError::unsupported(key, message).with_value(other));
            }
        };
        let window = self.swa.window;
        Ok(RunBody::One(Mixer::Compressed(Compressed { dim, window, ratio, indexer_dim })))
    }
}

/// What a recurrent layer keeps (`llama_hparams::n_embd_r`, `n_embd_s`).
fn state(
    keys: &Keys<'_>,
    arch: &Arch,
    hidden: u64,
    attention: &Attention,
) -> Result<Option<Mixer>, PlanError> {
    let Some(recurrent) = arch.recurrent else { return Ok(None) };
    Ok(Some(match recurrent.state {
        State::Rwkv => Mixer::Rwkv(Rwkv {
            hidden,
            head_size: keys.need("wkv.head_size")?,
            token_shift: keys.opt("token_shift_count")?.filter(|shifts| *shifts != 2),
        }),
        State::ShortConv => {
            Mixer::ShortConv(ShortConv { width: hidden, conv_kernel: keys.need("shortconv.l_cache")? })
        }
        State::Kda => Mixer::Kda(Kda {
            heads: attention.heads,
            head_dim: keys.need("kda.head_dim")?,
            conv_kernel: keys.need("ssm.conv_kernel")?,
        }),
        State::Lightning => {
            Mixer::Lightning(Lightning { heads: attention.heads, head_dim: attention.dims(false).0 })
        }
        State::Mamba | State::DeltaNet => ssm(keys, recurrent.state)?,
    }))
}

/// Mamba-1, Mamba-2 and gated delta nets share their keys; what tells them apart is the groups.
fn ssm(keys: &Keys<'_>, state: State) -> Result<Mixer, PlanError> {
    let inner = keys.need("ssm.inner_size")?;
    let width = keys.need("ssm.state_size")?;
    let conv_kernel = keys.need("ssm.conv_kernel")?;
    let groups = keys.opt("ssm.group_count")?.unwrap_or_default();
    if groups == 0 {
        return Ok(Mixer::Mamba1(Mamba1 { inner, state: width, conv_kernel }));
    }
    // llama.cpp allocates by the product alone; the split into heads is the publisher's.
    let ranks = keys.opt("ssm.time_step_rank")?.filter(|heads| inner.checked_rem(*heads) == Some(0));
    let heads = ranks.unwrap_or(1);
    let head_dim = inner.checked_div(heads).unwrap_or(inner);
    Ok(match state {
        State::DeltaNet => Mixer::GatedDelta(GatedDelta {
            k_heads: groups,
            k_dim: width,
            v_heads: heads,
            v_dim: head_dim,
            conv_kernel,
        }),
        State::Mamba | State::Rwkv | State::ShortConv | State::Kda | State::Lightning => {
            Mixer::Mamba2(Mamba2 { heads, head_dim, groups, state: width, conv_kernel })
        }
    })
}

/// The latent row, where the file has both `*_length_mla` keys; without them the cache is plain multi-head.
fn latent(keys: &Keys<'_>, arch: &Arch, attention: &Attention) -> Result<Option<Mla>, PlanError> {
    if !arch.latent {
        return Ok(None);
    }
    let (Some(k_mla), Some(v_mla)) =
        (keys.opt("attention.key_length_mla")?, keys.opt("attention.value_length_mla")?)
    else {
        return Ok(None);
    };
    if k_mla == 0 || v_mla == 0 {
        return Ok(None);
    }
    let row = keys.need("attention.key_length")?;
    let latent_dim = keys.opt("attention.kv_lora_rank")?.unwrap_or(row);
    let rope_dim = row.checked_sub(latent_dim).ok_or_else(|| {
        let message = format!("the latent row of {row} is narrower than kv_lora_rank {latent_dim}");
        PlanError::invalid(keys.name("attention.key_length"), message).with_value(row)
    })?;
    Ok(Some(Mla {
        latent_dim,
        rope_dim,
        indexer_dim: None,
        indexer_stride: match arch.indexer {
            Indexer::Pooled => keys.opt("attention.indexer.kpool")?.filter(|pool| *pool > 0),
            Indexer::None | Indexer::Every | Indexer::Typed | Indexer::AfterDense | Indexer::Compressed => {
                None
            }
        },
        indexer_shared: false,
        heads: Some(attention.heads).filter(|heads| *heads > 0),
        nope_dim: k_mla.checked_sub(rope_dim),
        v_dim: Some(v_mla),
    }))
}

/// The indexer's key width, and which layers keep its keys.
fn indexer(keys: &Keys<'_>, arch: &Arch, blocks: u64) -> Result<(Option<u64>, Vec<bool>), PlanError> {
    let every = || (0..blocks).map(|_| true).collect();
    let layers: Vec<bool> = match arch.indexer {
        Indexer::None => return Ok((None, Vec::new())),
        Indexer::Every | Indexer::Pooled | Indexer::Compressed => every(),
        Indexer::Typed => match keys.per_layer("attention.indexer.types", blocks)? {
            Some(types) => types.into_iter().map(|kind| kind == 1).collect(),
            None => every(),
        },
        Indexer::AfterDense => {
            let dense = keys.opt("leading_dense_block_count")?.unwrap_or_default();
            (0..blocks).map(|layer| layer >= dense).collect()
        }
    };
    Ok((Some(keys.need("attention.indexer.key_length")?), layers))
}
