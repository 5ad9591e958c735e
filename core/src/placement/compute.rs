//! llama.cpp's compute buffers: the peak of the worst graph, by stage.
//!
//! A stage is what is alive at once: the logits of the last layer, a feed-forward block, routed experts, attention
//! without flash attention, latent attention. Sizes are 32-bit floats over the tokens of one physical batch. On a
//! processor, for plain gated models with flash attention and caches of 16 or 32 bits, the largest stage is the buffer to
//! the byte; for others it is near. docs/planning.md says how near.

use super::graph::{Graph, Sum, product, sum};
use super::layers::index;
use super::machine::Slot;
use super::{Case, Place};
use crate::cache::{Keeps, Reach};
use crate::engine::{Report, Reservation, llama_cpp};
use crate::explain::Basis;
use crate::spec::Mixer;
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
