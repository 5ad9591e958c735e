//! What is asked of every engine alike: tokens, codecs, what is served.

use clap::Args;
use kvplan_core::plan::{CacheRequest, ModelRef, Projections, Request, WhatIf, Workload};
use kvplan_core::unit::{Bytes, Tokens, parse_bytes, parse_tokens};
use serde_json::Value;

/// The part of a request that is the same for every engine.
#[derive(Debug, Clone, Args)]
pub(crate) struct ScenarioArgs {
    /// Tokens per sequence, prompt and generated (128k = 131072)
    #[arg(short, long, value_parser = parse_tokens)]
    pub(crate) context: Option<Tokens>,
    /// Sequences resident at once
    #[arg(short, long, value_parser = parse_tokens)]
    pub(crate) sequences: Option<Tokens>,
    /// Encoder or image tokens per sequence
    #[arg(long, value_parser = parse_tokens)]
    pub(crate) encoder_tokens: Option<Tokens>,
    /// Codec of keys and values
    #[arg(long, value_name = "CODEC")]
    pub(crate) cache: Option<String>,
    /// Codec of keys
    #[arg(short, long, value_name = "CODEC")]
    pub(crate) k: Option<String>,
    /// Codec of values
    #[arg(short, long, value_name = "CODEC")]
    pub(crate) v: Option<String>,
    /// Codec of sparse-attention indexer keys
    #[arg(long, value_name = "CODEC")]
    pub(crate) indexer: Option<String>,
    /// Codec of recurrent states
    #[arg(long, value_name = "CODEC")]
    pub(crate) state: Option<String>,
    /// Codec of convolution states
    #[arg(long, value_name = "CODEC")]
    pub(crate) conv: Option<String>,
    /// Multi-token-prediction layers kept in the cache
    #[arg(long, default_value_t = 0)]
    pub(crate) mtp: u64,
    /// Tokens a sequence typically holds, where conversations are served: how many the pool holds of that length
    #[arg(long, value_name = "TOKENS", value_parser = parse_tokens)]
    pub(crate) typical: Option<Tokens>,
    /// Tokens that 19 of 20 sequences stay below
    #[arg(long, value_name = "TOKENS", value_parser = parse_tokens)]
    pub(crate) p95: Option<Tokens>,
    /// Tokens at the start that are the same in all sequences
    #[arg(long, value_name = "TOKENS", value_parser = parse_tokens)]
    pub(crate) shared_prefix: Option<Tokens>,
    /// Sequences to serve: how many copies of the machine hold them
    #[arg(long, value_name = "N", value_parser = parse_tokens)]
    pub(crate) sessions: Option<Tokens>,
    /// A tier behind the cache in host memory, all ranks together: how many conversations it keeps
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub(crate) host_tier: Option<Bytes>,
    /// A tier behind the cache on disks, all ranks together
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub(crate) disk_tier: Option<Bytes>,
    /// What if projections were one tensor: `k=v` or `q=k=v`
    #[arg(long, value_name = "PROJECTIONS", value_parser = projections)]
    pub(crate) what_if: Option<Projections>,
}

impl ScenarioArgs {
    /// The request these arguments stand for.
    pub(crate) fn request(&self, model: ModelRef) -> Request {
        Request {
            context: self.context.map(Tokens::get),
            sequences: self.sequences.map(Tokens::get),
            encoder_tokens: self.encoder_tokens.map(Tokens::get),
            cache: CacheRequest {
                kv: self.cache.clone(),
                k: self.k.clone(),
                v: self.v.clone(),
                indexer: self.indexer.clone(),
                state: self.state.clone(),
                conv: self.conv.clone(),
            },
            mtp: self.mtp,
            workload: Workload {
                typical_context: self.typical.map_or(0, Tokens::get),
                p95_context: self.p95.map_or(0, Tokens::get),
                shared_prefix: self.shared_prefix.map_or(0, Tokens::get),
                sessions: self.sessions.map_or(0, Tokens::get),
                host_tier_bytes: self.host_tier.map_or(0, Bytes::get),
                disk_tier_bytes: self.disk_tier.map_or(0, Bytes::get),
            },
            what_if: self.what_if.map(|projections| WhatIf { projections }),
            ..Request::of(model)
        }
    }
}

fn projections(text: &str) -> Result<Projections, String> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|_| "use k=v or q=k=v".to_owned())
}
