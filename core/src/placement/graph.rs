//! The widths of a model's worst graph in llama.cpp, and what its stages keep alive at once.

use crate::cache::{Keeps, Reach, Role};
use crate::codec::Codec;
use crate::engine::{Reservation, llama_cpp};
use crate::spec::shape::Tensors;
use crate::spec::{Mixer, ModelSpec};
use crate::unit::Overflow;

/// Architectures whose last layer keeps no second hidden state beside the logits.
const LEAN: &[&str] = &[
    "llama",
    "qwen2",
    "qwen3",
    "qwen3moe",
    "smollm3",
    "minimax-m2",
    "olmo2",
    "glm4",
    "deci",
    "gemma2",
    "gemma3",
    "exaone4",
];

/// Widths of a model in elements, and the batch they are multiplied by.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Graph {
    pub(super) tokens: u64,
    pub(super) outputs: u64,
    pub(super) cells: u64,
    pub(super) window_cells: u64,
    pub(super) flash: bool,
    pub(super) hidden: u64,
    pub(super) vocabulary: u64,
    /// Widest feed-forward block outside the experts.
    pub(super) feed_forward: u64,
    pub(super) gated: bool,
    /// Experts used, and the width of one.
    pub(super) experts: u64,
    pub(super) expert_width: u64,
    pub(super) heads: u64,
    /// Elements of V a token.
    pub(super) values: u64,
    pub(super) latent: u64,
    pub(super) indexed: bool,
    /// The most cells that a layer scores.
    pub(super) scored: u64,
    /// Layers whose own indexer chooses tokens for them.
    pub(super) choosing: u64,
    pub(super) cached: bool,
    /// Channels of recurrent layers.
    pub(super) recurrent: u64,
    /// Whether some layers hold a matrix of state: the masks of the others are alive to the end.
    pub(super) delta: bool,
    pub(super) lean: bool,
    /// Sequences with cells of their own.
    pub(super) streams: u64,
    /// Whether a kernel that wants 16-bit floats gets a copy of K, and of V.
    pub(super) copies_k: bool,
    pub(super) copies_v: bool,
    /// The largest such copy, one layer's whole cache, bytes.
    pub(super) copy: u64,
}

/// Tokens that sparse attention chooses (`index_topk` of DeepSeek-V3.2 and GLM-5).
const CHOSEN: u64 = 2048;

pub(super) type Sum = Result<u64, Overflow>;

pub(super) fn product(factors: &[u64]) -> Sum {
    factors.iter().try_fold(1u64, |n, f| n.checked_mul(*f)).ok_or(Overflow)
}

pub(super) fn sum(parts: &[u64]) -> Sum {
    parts.iter().try_fold(0u64, |n, p| n.checked_add(*p)).ok_or(Overflow)
}

impl Graph {
    pub(super) fn of(
        model: &ModelSpec,
        report: &llama_cpp::Report,
        options: &llama_cpp::Options,
    ) -> Option<Self> {
        let shape = model.record().shape.as_ref()?;
        let [hidden, vocabulary] = shape.model.get("token_embd")?.as_slice() else { return None };
        let batch = report.n_ctx.min(report.n_ubatch);
        let outputs = if options.n_outputs_max == 0 { report.n_batch } else { options.n_outputs_max };
        let mut graph = Self {
            tokens: batch.next_multiple_of(report.n_seq_max.max(1)),
            outputs: batch.min(outputs),
            cells: report.n_ctx_seq,
            window_cells: report.caches.iter().find(|c| c.name == "swa").map_or(0, |c| c.cells),
            flash: report.flash_attn == "on",
            cached: !report.caches.is_empty(),
            hidden: *hidden,
            vocabulary: *vocabulary,
            heads: model.record().heads.unwrap_or(0),
            lean: model.llama_cpp_arch().is_some_and(|arch| LEAN.contains(&arch)),
            streams: if report.kv_unified { 1 } else { report.n_seq_max.max(1) },
            ..Self::default()
        };
        for mixer in model.kinds().iter().flat_map(crate::spec::Kind::mixers) {
            match mixer.keeps() {
                // Its graph follows rules of its own.
                Keeps::Compressed(_) => return None,
                Keeps::State => graph.delta |= matches!(mixer, Mixer::GatedDelta(_) | Mixer::Kda(_)),
                Keeps::Heads(_) | Keeps::Latent(_) | Keeps::Encoder(_) | Keeps::Borrowed(_) => {}
            }
        }
        let choosing = |mixer: &Mixer| matches!(mixer, Mixer::Mla(a) if a.indexer_dim.is_some());
        let layers = model.layers().filter(|kind| kind.mixers().iter().any(choosing)).count();
        graph.choosing = u64::try_from(layers).ok()?;
        Some(graph)
    }

    /// The same on an NVIDIA GPU, where flash attention over a prompt reads K and V as f16: what is stored otherwise is
    /// converted first, a layer at a time (`ggml/src/ggml-cuda/fattn-common.cuh`).
    pub(super) fn on_cuda(self, reservation: &Reservation) -> Self {
        let other = |roles: &[Role]| {
            let mut lines = reservation.lines.iter().filter(|line| roles.contains(&line.role));
            self.flash && lines.any(|line| line.codec != Codec::F16)
        };
        Self { copies_k: other(&[Role::K, Role::Latent]), copies_v: other(&[Role::V]), ..self }
    }

    /// The copy that a layer of these rows takes.
    fn convert(&mut self, k: u64, v: u64, cells: u64) -> Result<(), Overflow> {
        let width = sum(&[if self.copies_k { k } else { 0 }, if self.copies_v { v } else { 0 }])?;
        self.copy = self.copy.max(product(&[2, width, cells, self.streams])?);
        Ok(())
    }

    /// The same for a place that has layers of these tensors and mixers too.
    pub(super) fn widen(
        &mut self,
        tensors: &Tensors,
        mixers: &[Mixer],
        experts: u64,
    ) -> Result<(), Overflow> {
        let width = |name: &str, at: usize| tensors.get(name).and_then(|dims| dims.get(at)).copied();
        if let Some(inner) = width("ffn_down", 0) {
            self.feed_forward = self.feed_forward.max(inner);
            // Gate and up may be one matrix of twice the width.
            self.gated |= tensors.contains_key("ffn_gate") || width("ffn_up", 1) == inner.checked_mul(2);
        }
        if let Some(inner) = width("ffn_down_exps", 0) {
            self.expert_width = self.expert_width.max(inner);
            self.experts = experts;
        }
        for mixer in mixers {
            match mixer.keeps() {
                Keeps::Heads(a) => {
                    let row = |dim: u64| a.kv_heads.saturating_mul(dim);
                    let cells = match a.reach {
                        Reach::All => self.cells,
                        Reach::Window(_) | Reach::Chunk(_) => self.windowed(),
                    };
                    self.attend(row(a.v_dim), cells);
                    self.convert(row(a.k_dim), row(a.v_dim), cells)?;
                    self.indexed |= a.indexer_dim.is_some();
                }
                Keeps::Latent(a) => {
                    // V is the beginning of the same row, and so of the same copy.
                    self.convert(a.latent_dim.saturating_add(a.rope_dim), 0, self.cells)?;
                    self.latent = a.latent_dim;
                    self.attend(a.latent_dim, self.cells);
                    self.indexed |= a.is_sparse();
                }
                Keeps::State => {
                    if let Mixer::Mamba1(a) = mixer {
                        self.recurrent = a.inner;
                    } else if let Mixer::Mamba2(a) = mixer {
                        self.recurrent = a.heads.saturating_mul(a.head_dim);
                    }
                }
                Keeps::Borrowed(_) => self.attend(0, self.cells),
                Keeps::Compressed(_) | Keeps::Encoder(_) => {}
            }
        }
        Ok(())
    }

    fn attend(&mut self, values: u64, cells: u64) {
        self.values = self.values.max(values);
        self.scored = self.scored.max(cells);
    }

    /// Cells of a window's cache; all of them where the engine gives it none of its own.
    const fn windowed(&self) -> u64 {
        if self.window_cells > 0 { self.window_cells } else { self.cells }
    }

    /// So many floats for every token of the batch, bytes.
    pub(super) fn floats(&self, width: u64) -> Sum {
        product(&[4, self.tokens, width])
    }

    /// Masks, positions and the numbers of the rows that are written.
    pub(super) fn inputs(&self) -> Sum {
        let full = if self.cached { product(&[2, self.cells, self.tokens])? } else { 0 };
        let window = match self.window_cells {
            0 => 0,
            cells => {
                sum(&[product(&[2, cells.min(self.cells), self.tokens])?, product(&[16, self.tokens])?])?
            }
        };
        sum(&[full, window, product(&[24, self.tokens])?, self.output_ids()?])
    }

    fn output_ids(&self) -> Sum {
        Ok(product(&[4, self.outputs])?.next_multiple_of(32))
    }

    /// The last layer's logits, and the hidden states beside them.
    pub(super) fn logits(&self, beside: u64) -> Sum {
        let rows = product(&[4, self.outputs, sum(&[self.vocabulary, self.hidden])?])?;
        let more = if self.lean { beside } else { beside + 1 };
        let alive = if self.delta { self.inputs()? } else { self.output_ids()? };
        sum(&[rows, self.floats(product(&[more, self.hidden])?)?, alive])
    }

    /// The largest stage of a layer.
    pub(super) fn layer(&self) -> Sum {
        let (hidden, wide) = (self.hidden, self.expert_width);
        let mut widest = 0;
        if self.feed_forward > 0 {
            let factor = if self.gated { 3 } else { 1 };
            widest = sum(&[product(&[factor, self.feed_forward])?, product(&[4, hidden])?])?;
        }
        if self.experts > 0 {
            let up = sum(&[product(&[3, self.experts, wide])?, product(&[4, hidden])?])?;
            let down = product(&[2, self.experts, sum(&[hidden, wide])?])?;
            widest = widest.max(up).max(down);
        }
        if self.latent > 0 {
            let scores = product(&[self.heads, sum(&[product(&[2, self.latent])?, 384])?])?;
            widest = widest.max(sum(&[scores, product(&[4, hidden])?])?);
        }
        if self.recurrent > 0 {
            widest = widest.max(product(&[4, sum(&[self.recurrent, hidden])?])?);
        }
        if self.choosing > 0 {
            // Choices are kept layer by layer to the end, and the scores they are made from where the latent stage
            // leaves no hole for them.
            let chosen = product(&[self.choosing, CHOSEN.min(self.cells)])?;
            let beside = if self.cells > product(&[4, hidden])? { 2 } else { 1 };
            widest =
                sum(&[widest, chosen, product(&[beside, self.cells])?.saturating_sub(self.cells / 2), 32])?;
        } else if self.indexed && self.cached {
            widest = widest.max(product(&[4, self.cells])?);
        }
        let mut stage = sum(&[self.floats(widest)?, self.inputs()?])?;
        if self.copy > 0 {
            // Beside the hidden states that attention reads and writes.
            stage = stage.max(sum(&[self.copy, self.floats(product(&[4, self.hidden])?)?, self.inputs()?])?);
        }
        if !self.flash && self.scored > 0 {
            let scores = product(&[4, self.scored, self.tokens, sum(&[self.heads, 1])?])?;
            let chosen = if self.choosing > 0 { stage } else { 0 };
            let rest =
                product(&[self.tokens, sum(&[product(&[8, self.values])?, product(&[20, hidden])?, 20])?])?;
            stage = stage.max(sum(&[scores, rest, chosen])?);
        }
        Ok(stage)
    }
}
