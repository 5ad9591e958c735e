//! llama.cpp's compute buffers: the peak of the worst graph, by stage.
//!
//! A stage is what is alive at once: the logits of the last layer, a feed-forward block, routed experts, attention
//! without flash attention, latent attention. Sizes are 32-bit floats over the tokens of one physical batch. On a
//! processor, for plain gated models with flash attention and caches of 16 or 32 bits, the largest stage is the buffer to
//! the byte; for others it is near. docs/planning.md says how near.

use super::layers::index;
use super::machine::Slot;
use super::{Case, Place};
use crate::cache::{Keeps, Reach, Role};
use crate::codec::Codec;
use crate::engine::{Report, Reservation, llama_cpp};
use crate::explain::Basis;
use crate::spec::shape::Tensors;
use crate::spec::{Mixer, ModelSpec};
use crate::unit::{Bytes, Overflow};
use schemars::JsonSchema;
use serde::Serialize;

/// Buffers by place, and how far each may be off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compute {
    pub(super) bytes: Vec<Bytes>,
    pub(super) doubt: Vec<Bytes>,
    pub(super) lines: Vec<ComputeLine>,
}

/// A part of what an engine takes beside weights and cache, over all places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ComputeLine {
    /// What it is.
    pub name: &'static str,
    /// All of it.
    pub bytes: Bytes,
    /// How far it may be off.
    pub doubt_bytes: Bytes,
    /// How sure.
    pub basis: Basis,
    /// Where the figure is from.
    pub source: &'static str,
}

/// Architectures whose largest stage was equal to the engine's buffer in every case measured.
const EQUAL: &[&str] = &["llama", "qwen2", "qwen3", "qwen3moe", "smollm3", "minimax-m2", "olmo2"];

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
struct Graph {
    tokens: u64,
    outputs: u64,
    cells: u64,
    window_cells: u64,
    flash: bool,
    hidden: u64,
    vocabulary: u64,
    /// Widest feed-forward block outside the experts.
    feed_forward: u64,
    gated: bool,
    /// Experts used, and the width of one.
    experts: u64,
    expert_width: u64,
    heads: u64,
    /// Elements of V a token.
    values: u64,
    latent: u64,
    indexed: bool,
    /// The most cells that a layer scores.
    scored: u64,
    /// Layers whose own indexer chooses tokens for them.
    choosing: u64,
    cached: bool,
    /// Channels of recurrent layers.
    recurrent: u64,
    /// Whether some layers hold a matrix of state: the masks of the others are alive to the end.
    delta: bool,
    lean: bool,
    /// Sequences with cells of their own.
    streams: u64,
    /// Whether a kernel that wants 16-bit floats gets a copy of K, and of V.
    copies_k: bool,
    copies_v: bool,
    /// The largest such copy, one layer's whole cache, bytes.
    copy: u64,
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
    fn of(model: &ModelSpec, report: &llama_cpp::Report, options: &llama_cpp::Options) -> Option<Self> {
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
    fn on_cuda(self, reservation: &Reservation) -> Self {
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
    fn widen(&mut self, tensors: &Tensors, mixers: &[Mixer], experts: u64) -> Result<(), Overflow> {
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
    fn floats(&self, width: u64) -> Sum {
        product(&[4, self.tokens, width])
    }

    /// Masks, positions and the numbers of the rows that are written.
    fn inputs(&self) -> Sum {
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
    fn logits(&self, beside: u64) -> Sum {
        let rows = product(&[4, self.outputs, sum(&[self.vocabulary, self.hidden])?])?;
        let more = if self.lean { beside } else { beside + 1 };
        let alive = if self.delta { self.inputs()? } else { self.output_ids()? };
        sum(&[rows, self.floats(product(&[more, self.hidden])?)?, alive])
    }

    /// The largest stage of a layer.
    fn layer(&self) -> Sum {
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

impl Case<'_> {
    /// The compute buffers of a placed llama.cpp context; `None` where the model's widths are not understood.
    pub(super) fn compute(
        &self,
        reservation: &Reservation,
        options: &llama_cpp::Options,
        places: &[Place],
    ) -> Result<Option<Compute>, Overflow> {
        let Report::LlamaCpp(report) = &reservation.report else { return Ok(None) };
        let Some(base) = Graph::of(self.model, report, options) else { return Ok(None) };
        let Some(shape) = self.model.record().shape.as_ref() else { return Ok(None) };
        let devices = self.machine.devices.len();
        let mut layers = vec![0u64; devices + 1];
        let graph_of = |slot: &Slot| match slot.device.record().vendor.as_str() {
            "NVIDIA" => base.on_cuda(reservation),
            _ => base,
        };
        let mut graphs: Vec<Graph> = self.machine.devices.iter().map(graph_of).collect();
        graphs.push(base);
        let (last, blocks) =
            places.split_last().map_or((devices, places), |(p, rest)| (index(*p, devices), rest));
        let mut known: Vec<(usize, u16, u16)> = Vec::with_capacity(8);
        for (il, place) in blocks.iter().enumerate() {
            let place = index(*place, devices);
            let (Some(count), Some(graph)) = (layers.get_mut(place), graphs.get_mut(place)) else { continue };
            *count += 1;
            let of_trunk = (shape.layers.get(il), self.model.order().get(il));
            let (Some(tensors), Some(kind)) = of_trunk else { continue };
            // Layers are of few kinds: each is asked once a place.
            if known.contains(&(place, *tensors, *kind)) {
                continue;
            }
            known.push((place, *tensors, *kind));
            let (tensors, kind) =
                (shape.kinds.get(usize::from(*tensors)), self.model.kinds().get(usize::from(*kind)));
            if let (Some(tensors), Some(kind)) = (tensors, kind) {
                graph.widen(tensors, kind.mixers(), shape.experts_used.unwrap_or(0))?;
            }
        }
        let on_host = layers.get(devices).copied().unwrap_or(0) > 0;
        let used = layers.iter().take(devices).filter(|n| **n > 0).count();
        // Several devices that hold everything work on several batches at once, each with inputs of its own.
        let pipelined = devices > 1
            && !on_host
            && last < devices
            && options.offload_kqv != Some(false)
            && options.n_cpu_moe.is_none()
            && options.override_tensor.is_none();
        let copies = |hidden: u64| -> Sum {
            if !pipelined {
                return Ok(0);
            }
            sum(&[product(&[4, base.inputs()?])?, base.floats(product(&[hidden, base.hidden])?)?])
        };
        let mut bytes = Vec::with_capacity(devices + 1);
        // What the copies add: read in source and not seen in a run, so that all of it is in doubt.
        let mut copied = Vec::with_capacity(devices + 1);
        for (place, (layers, graph)) in layers.iter().zip(&graphs).enumerate() {
            let layer = if *layers > 0 { graph.layer()? } else { 0 };
            let logits = match (place == last, place == devices) {
                (true, true) => graph.logits(1)?,
                (true, false) => graph.logits(0)?,
                (false, _) => 0,
            };
            let more = match (place == devices, place == last, *layers > 0) {
                // The host hands over the inputs and the embedded tokens.
                (true, _, _) => {
                    let handed = sum(&[graph.inputs()?, graph.floats(product(&[2, graph.hidden])?)?])?;
                    if last == devices || on_host {
                        0
                    } else {
                        product(&[if pipelined { 3 } else { 1 }, handed])?
                    }
                }
                (false, true, _) => copies(if used > 1 { 8 } else { 4 })?,
                (false, false, true) => copies(3)?,
                (false, false, false) => 0,
            };
            bytes.push(Bytes::new(sum(&[layer.max(logits), more])?));
            let without = Graph { copy: 0, ..*graph };
            let without = if *layers > 0 { without.layer()? } else { 0 };
            copied.push(Bytes::new(layer.max(logits).saturating_sub(without.max(logits))));
        }
        let exact = devices == 0 && graphs.first().is_some_and(|graph| self.is_equal(graph, reservation));
        // What the measured errors come to: nine cases of ten and more are inside (docs/planning.md).
        let (part, of) = match (exact, devices) {
            (true, _) => (0, 1),
            (false, 0) => (1, 10),
            (false, _) => (1, 5),
        };
        let doubt = bytes
            .iter()
            .zip(&copied)
            .map(|(b, copied)| Bytes::new(b.minus(*copied)?.times(part)?.get() / of).plus(*copied))
            .collect::<Result<_, Overflow>>()?;
        let (mut basis, mut source) = (
            if exact { Basis::Exact } else { Basis::Derived },
            "the worst graph's largest stage; docs/planning.md has the measured error",
        );
        let mut doubt: Vec<Bytes> = doubt;
        if let Some(given) = self.machine.reserve.compute_bytes {
            // What the log of this machine said is taken for it.
            for ((slot, doubt), layers) in bytes.iter_mut().zip(&mut doubt).zip(&layers) {
                *slot = if *layers > 0 { Bytes::new(given) } else { Bytes::ZERO };
                *doubt = Bytes::ZERO;
            }
            (basis, source) = (Basis::Assumed, "given");
        }
        let total = |of: &[Bytes]| of.iter().copied().try_fold(Bytes::ZERO, Bytes::plus);
        let mut lines = vec![ComputeLine {
            name: "graph buffers",
            bytes: total(&bytes)?,
            doubt_bytes: total(&doubt)?,
            basis,
            source,
        }];
        if let (Some(host), Some(output)) = (bytes.last_mut(), report.output_buffer_bytes) {
            let output = Bytes::new(output);
            *host = host.plus(output)?;
            lines.push(ComputeLine {
                name: "output buffer",
                bytes: output,
                doubt_bytes: Bytes::ZERO,
                basis: Basis::Exact,
                source: "llama.cpp src/llama-context.cpp output_reserve: logits of every sequence, in host memory",
            });
        }
        Ok(Some(Compute { bytes, doubt, lines }))
    }

    /// Whether this is a case whose largest stage was the buffer to the byte wherever it was measured.
    fn is_equal(&self, graph: &Graph, reservation: &Reservation) -> bool {
        let wide = |mixer: &Mixer| match mixer.keeps() {
            Keeps::Heads(a) => a.reach == Reach::All && graph.heads.saturating_mul(a.k_dim) <= graph.hidden,
            Keeps::Latent(_)
            | Keeps::Compressed(_)
            | Keeps::State
            | Keeps::Encoder(_)
            | Keeps::Borrowed(_) => false,
        };
        let plain = reservation.lines.iter().all(|line| matches!(line.codec.name(), "f16" | "bf16" | "f32"));
        self.model.llama_cpp_arch().is_some_and(|arch| EQUAL.contains(&arch))
            && graph.flash
            && graph.tokens.is_multiple_of(8)
            && graph.outputs == graph.tokens
            && plain
            && (graph.experts == 0 || graph.feed_forward == 0)
            && self.model.kinds().iter().flat_map(crate::spec::Kind::mixers).all(wide)
    }
}
