//! What a token and a request cost in every layer of one rank.

use crate::cache::{Knob, Retention, Role};
use crate::codec::{Codec, Side};
use crate::engine::codec_error;
use crate::engine::ledger::plain_row;
use crate::error::PlanError;
use crate::explain::Basis;
use crate::spec::Mixer;
use crate::spec::layer::Mla;
use crate::unit::{Bytes, Overflow};

/// The pool a store belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The pool of all tokens.
    Full,
    /// The pool of sliding layers.
    Sliding,
    /// The slots of recurrent states.
    Slots,
}

/// One store of one layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub of: Of,
    pub role: Role,
    pub heads: u64,
    pub dim: u64,
    pub retention: Retention,
    pub codec: Codec,
    /// Bytes an entry needs.
    pub row: Bytes,
    /// Bytes a token (or slot) of the pool takes.
    pub cell: Bytes,
    pub basis: Basis,
}

/// What layers are laid out by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rank {
    /// The type of keys and values.
    pub kv: Codec,
    /// The type of recurrent states.
    pub state: Codec,
    pub tp: u64,
    /// Sliding layers have a pool of their own.
    pub hybrid: bool,
}

/// Elements per scale of a sparse latent row and of an indexer key.
const QUANT_BLOCK: u64 = 128;

impl Rank {
    /// The stores of a layer.
    ///
    /// # Errors
    /// `unsupported` for layers not modelled, `engine-refuses` for what does not shard.
    pub(super) fn rows(self, mixer: &Mixer) -> Result<Vec<Row>, PlanError> {
        match mixer {
            Mixer::Full(a) if a.indexer_dim.is_none() => {
                self.attention(Of::Full, (a.kv_heads, a.k_dim, a.v_dim), Retention::All)
            }
            Mixer::Window(a) => {
                self.attention(self.sliding(), (a.kv_heads, a.k_dim, a.v_dim), Retention::Window(a.window))
            }
            Mixer::Chunk(a) => {
                self.attention(self.sliding(), (a.kv_heads, a.k_dim, a.v_dim), Retention::Chunk(a.chunk))
            }
            Mixer::Mla(a) => self.latent(a),
            Mixer::Mamba1(a) => {
                let inner = self.share(a.inner)?;
                self.state((inner, a.conv_kernel), (inner, a.state))
            }
            Mixer::Mamba2(a) => {
                let inner = product(a.heads, a.head_dim)?;
                self.grouped(
                    (inner, a.groups, a.state),
                    a.conv_kernel,
                    (a.heads, product(a.head_dim, a.state)?),
                )
            }
            Mixer::GatedDelta(a) => {
                let inner = product(a.v_heads, a.v_dim)?;
                self.grouped(
                    (inner, a.k_heads, a.k_dim),
                    a.conv_kernel,
                    (a.v_heads, product(a.v_dim, a.k_dim)?),
                )
            }
            Mixer::Kda(a) => {
                let channels = product(3, self.share(product(a.heads, a.head_dim)?)?)?;
                let state = (self.share(a.heads)?, product(a.head_dim, a.head_dim)?);
                self.state((channels, a.conv_kernel), state)
            }
            Mixer::ShortConv(a) => self.state((self.share(a.width)?, a.conv_kernel), (0, 0)),
            Mixer::Full(_) => Err(not_modelled("MiniMax's sparse attention")),
            Mixer::Compressed(_)
            | Mixer::Lightning(_)
            | Mixer::Rwkv(_)
            | Mixer::RgLru(_)
            | Mixer::Mlstm(_)
            | Mixer::Cross(_)
            | Mixer::Shared(_) => Err(not_modelled(&format!("a layer of kind {}", mixer.kind()))),
        }
    }

    const fn sliding(self) -> Of {
        if self.hybrid { Of::Sliding } else { Of::Full }
    }

    /// A rank's part of something that divides.
    fn share(self, whole: u64) -> Result<u64, PlanError> {
        if whole.is_multiple_of(self.tp) {
            return Ok(whole / self.tp);
        }
        let message = format!("AssertionError: {whole} is not divisible by {}", self.tp);
        Err(PlanError::refused("engine.tp_size", message).with_value(self.tp))
    }

    fn attention(
        self,
        of: Of,
        (heads, k_dim, v_dim): (u64, u64, u64),
        retention: Retention,
    ) -> Result<Vec<Row>, PlanError> {
        // With fewer heads than ranks every rank keeps one.
        let heads = (heads / self.tp).max(1);
        // Formats whose pools were read in the source and not run.
        let unchecked = matches!(self.kv, Codec::Mxfp8 | Codec::Nvfp4 | Codec::Fp4E2m1);
        let basis = if unchecked { Basis::Derived } else { Basis::Exact };
        [(Role::K, Knob::K, k_dim), (Role::V, Knob::V, v_dim)]
            .into_iter()
            .filter(|(_, _, dim)| *dim > 0)
            .map(|(role, knob, dim)| {
                let row = self.kv.row_bytes(role.side(), heads, dim);
                let row = row.map_err(|e| codec_error(knob, self.kv, &e))?;
                Ok(Row { of, role, heads, dim, retention, codec: self.kv, row, cell: row, basis })
            })
            .collect()
    }

    /// Latent rows are replicated: every rank holds them whole.
    fn latent(self, a: &Mla) -> Result<Vec<Row>, PlanError> {
        let dim = a.latent_dim.checked_add(a.rope_dim).ok_or(Overflow)?;
        let sparse = a.is_sparse();
        let (codec, row) = match (self.kv, sparse) {
            (Codec::Fp8E4m3, true) => {
                // FP8 latent with a scale per 128, and the rotary part in bfloat16.
                let scales = Bytes::new(a.latent_dim / QUANT_BLOCK).times(4)?;
                let rope = plain_row(Codec::Bf16, 1, a.rope_dim)?;
                (Codec::Fp8DsMla, Bytes::new(a.latent_dim).plus(scales)?.plus(rope)?)
            }
            (Codec::Bf16 | Codec::F16 | Codec::F32, _)
            | (Codec::Fp8E4m3 | Codec::Fp8E5m2 | Codec::Nvfp4 | Codec::Fp4E2m1, false) => {
                let row = self.kv.row_bytes(Side::Key, 1, dim);
                (self.kv, row.map_err(|e| codec_error(Knob::K, self.kv, &e))?)
            }
            (_, true) => {
                let message =
                    "AssertionError: DeepSeek DSA only supports bf16/bfloat16 or fp8_e4m3 kv_cache_dtype";
                return Err(PlanError::refused("engine.kv_cache_dtype", message).with_value(self.kv.name()));
            }
            (_, false) => {
                let message = format!("{} is not modelled for latent attention on sglang", self.kv.name());
                return Err(
                    PlanError::unsupported("engine.kv_cache_dtype", message).with_value(self.kv.name())
                );
            }
        };
        let of = Of::Full;
        let basis = if sparse { Basis::Derived } else { Basis::Exact };
        let law = Retention::All;
        let mut rows =
            vec![Row { of, role: Role::Latent, heads: 1, dim, retention: law, codec, row, cell: row, basis }];
        if let Some(dim) = a.indexer_dim {
            let codec = Codec::Fp8Block128;
            let key = Bytes::new(dim).plus(Bytes::new(dim / QUANT_BLOCK).times(4)?)?;
            let stride = a.indexer_stride.unwrap_or(1).max(1);
            let retention = if stride > 1 { Retention::Strided(stride) } else { Retention::All };
            let cell = Bytes::new(key.get().div_ceil(stride));
            rows.push(Row {
                of,
                role: Role::Indexer,
                heads: 1,
                dim,
                retention,
                codec,
                row: key,
                cell,
                basis,
            });
        }
        Ok(rows)
    }

    /// A mixer whose convolution runs over `inner` channels and two vectors of `state` per group; groups that do not
    /// divide are repeated until each rank has one.
    fn grouped(
        self,
        (inner, groups, state): (u64, u64, u64),
        kernel: u64,
        (heads, matrix): (u64, u64),
    ) -> Result<Vec<Row>, PlanError> {
        let groups = if groups.is_multiple_of(self.tp) { groups } else { self.tp };
        let channels = inner.checked_add(product(2, product(groups, state)?)?).ok_or(Overflow)?;
        self.state((self.share(channels)?, kernel), (self.share(heads)?, matrix))
    }

    /// Convolution inputs in bfloat16 and a state per slot.
    fn state(self, (channels, kernel): (u64, u64), (heads, dim): (u64, u64)) -> Result<Vec<Row>, PlanError> {
        let stores = [
            (Role::ConvState, channels, kernel.saturating_sub(1), Codec::Bf16),
            (Role::RecurrentState, heads, dim, self.state),
        ];
        stores
            .into_iter()
            .filter(|(_, heads, dim, _)| *heads > 0 && *dim > 0)
            .map(|(role, heads, dim, codec)| {
                let row = plain_row(codec, heads, dim)?;
                let (of, retention, basis) = (Of::Slots, Retention::Fixed(1), Basis::Derived);
                Ok(Row { of, role, heads, dim, retention, codec, row, cell: row, basis })
            })
            .collect()
    }
}

fn not_modelled(what: &str) -> PlanError {
    PlanError::unsupported("model", format!("{what} is not modelled for sglang"))
}

fn product(a: u64, b: u64) -> Result<u64, Overflow> {
    a.checked_mul(b).ok_or(Overflow)
}
