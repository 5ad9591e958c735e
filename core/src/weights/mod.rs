//! What a model's weights occupy: from its tensors and a format, or from a file's own tensor table.
//!
//! [`of`] walks the tensors of a [`Shape`] and asks the format for the bytes of each; [`of_file`] sums a file's table and
//! is exact. Both end in the same [`Weights`]: lines by place and component, with the bytes of one token's pass beside
//! them. A model whose tensors are not understood has no figure, and the error says why.
//!
//! - `applied`: what one token meets; `component`: what a tensor is for; `format`: names of formats;
//! - `mixture`: llama.cpp's choice of type per tensor; `packed`: quantized safetensors and MLX;
//! - `file`: GGUF and safetensors tables.

mod applied;
mod component;
mod file;
mod format;
mod mixture;
mod packed;

pub use applied::Applied;
pub use component::Component;
pub use file::{TableUse, of_file};
pub use format::{FileType, Float, Packing, WeightFormat};

use crate::cache::Keeps;
use crate::error::PlanError;
use crate::explain::Basis;
use crate::order;
use crate::spec::ModelSpec;
use crate::spec::shape::{ROPE_TABLE, Shape, Tensors, is_routed};
use crate::unit::{Bytes, Overflow};
use serde::{Serialize, Serializer};

/// Where weights sit in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Before the layers: embeddings.
    Input,
    /// A trunk layer, from 0.
    Layer(u64),
    /// After the layers: the last norm and the output head.
    Output,
    /// A multi-token-prediction layer, from 0.
    Mtp(u64),
    /// Beside the model: projector, draft, adapters.
    Beside,
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Input => s.serialize_str("input"),
            Self::Layer(i) => s.serialize_u64(*i),
            Self::Output => s.serialize_str("output"),
            Self::Mtp(i) => s.collect_str(&format_args!("mtp {i}")),
            Self::Beside => s.serialize_str("beside"),
        }
    }
}

/// One line: what one component weighs in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Where.
    pub place: Place,
    /// What for.
    pub component: Component,
    /// All of it.
    pub bytes: Bytes,
    /// Read for one token: of routed experts the used ones, of looked-up tables one row.
    pub active_bytes: Bytes,
    /// How sure.
    pub basis: Basis,
    /// The stated error of `bytes`, either way; 0 where exact.
    pub error_bytes: Bytes,
}

/// What one layer weighs, split as placements need it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LayerBytes {
    /// Routed experts (`…_exps`): what `--n-cpu-moe` and expert parallelism move.
    pub experts: Bytes,
    /// Everything else.
    pub rest: Bytes,
}

impl LayerBytes {
    /// Both together.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn total(self) -> Result<Bytes, Overflow> {
        self.experts.plus(self.rest)
    }
}

/// What one multi-token-prediction layer weighs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MtpLayer {
    /// All of it.
    pub bytes: LayerBytes,
    /// Its own copies of the token embedding and of the head, which are in `bytes`.
    pub copies: Bytes,
    /// The stated error of `bytes`.
    pub error: Bytes,
}

/// A model's weights in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    /// What they are stored as, for people: a format's name, or that of a file's types.
    pub format: String,
    /// By place, then component.
    pub lines: Vec<Line>,
    /// How sure the whole is.
    pub basis: Basis,
    /// The head is the token embedding: an engine that puts the head on another device than the embedding holds it twice.
    pub tied: bool,
    /// What of the parameters a token meets.
    pub applied: Applied,
    /// What is not in the figure, or was assumed.
    pub notes: Vec<String>,
}

impl Weights {
    /// What an engine loads: everything but prediction layers.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn loaded(&self) -> Result<Bytes, Overflow> {
        self.sum(|line| !matches!(line.place, Place::Mtp(_)))
    }

    /// What the checkpoint holds, prediction layers among it.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn checkpoint(&self) -> Result<Bytes, Overflow> {
        self.sum(|line| line.place != Place::Beside)
    }

    /// What one token's pass reads of what is loaded.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn active(&self) -> Result<Bytes, Overflow> {
        let loaded = self.lines.iter().filter(|line| !matches!(line.place, Place::Mtp(_)));
        loaded.map(|line| line.active_bytes).try_fold(Bytes::ZERO, Bytes::plus)
    }

    /// The stated error of what is loaded: lines err together, so errors add.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn error(&self) -> Result<Bytes, Overflow> {
        let loaded = self.lines.iter().filter(|line| !matches!(line.place, Place::Mtp(_)));
        loaded.map(|line| line.error_bytes).try_fold(Bytes::ZERO, Bytes::plus)
    }

    /// Every trunk layer in order, experts apart.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn layers(&self) -> Result<Vec<LayerBytes>, Overflow> {
        let layers = self.blocks(|place| if let Place::Layer(i) = place { Some(i) } else { None })?;
        Ok(layers.into_iter().map(|(_, layer)| layer).collect())
    }

    /// Every prediction layer in order, experts apart.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn mtp_layers(&self) -> Result<Vec<MtpLayer>, Overflow> {
        let mtp = |place: Place| if let Place::Mtp(i) = place { Some(i) } else { None };
        let mut layers = Vec::new();
        for (index, bytes) in self.blocks(mtp)? {
            let mut layer = MtpLayer { bytes, ..MtpLayer::default() };
            for line in self.lines.iter().filter(|line| mtp(line.place) == Some(index)) {
                layer.error = layer.error.plus(line.error_bytes)?;
                if matches!(line.component, Component::TokenEmbedding | Component::OutputHead) {
                    layer.copies = layer.copies.plus(line.bytes)?;
                }
            }
            layers.push(layer);
        }
        Ok(layers)
    }

    /// By index, in order.
    fn blocks(&self, of: impl Fn(Place) -> Option<u64>) -> Result<Vec<(u64, LayerBytes)>, Overflow> {
        let mut layers = Vec::new();
        for line in &self.lines {
            let Some(index) = of(line.place) else { continue };
            let layer: &mut LayerBytes = order::slot(&mut layers, index);
            let slot =
                if line.component == Component::Experts { &mut layer.experts } else { &mut layer.rest };
            *slot = slot.plus(line.bytes)?;
        }
        Ok(layers)
    }

    /// Embeddings.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn input(&self) -> Result<Bytes, Overflow> {
        self.sum(|line| line.place == Place::Input)
    }

    /// The last norm and the output head; without the head where it is tied, see [`Weights::tied_head`].
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn output(&self) -> Result<Bytes, Overflow> {
        self.sum(|line| line.place == Place::Output)
    }

    /// What is loaded beside the model: encoders and projectors that a checkpoint holds.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn beside(&self) -> Result<Bytes, Overflow> {
        self.sum(|line| line.place == Place::Beside)
    }

    /// What a second copy of the token embedding weighs where it is the head too; 0 where the head is its own.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn tied_head(&self) -> Result<Bytes, Overflow> {
        if !self.tied {
            return Ok(Bytes::ZERO);
        }
        let head = self
            .lines
            .iter()
            .filter(|line| line.place == Place::Input && line.component == Component::TokenEmbedding);
        // Of all looked-up tables only the one that is the head is read whole.
        head.map(|line| line.active_bytes).try_fold(Bytes::ZERO, Bytes::plus)
    }

    /// What a component weighs in all places.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn component(&self, component: Component) -> Result<Bytes, Overflow> {
        self.sum(|line| line.component == component)
    }

    fn sum(&self, wanted: impl Fn(&Line) -> bool) -> Result<Bytes, Overflow> {
        let lines = self.lines.iter().filter(|line| wanted(line));
        lines.map(|line| line.bytes).try_fold(Bytes::ZERO, Bytes::plus)
    }
}

/// The weights of a model in a format, tensor by tensor.
///
/// # Errors
/// `unsupported` where the model's tensors are not understood, `overflow`.
pub fn of(model: &ModelSpec, format: WeightFormat) -> Result<Weights, PlanError> {
    let record = model.record();
    let Some(shape) = &record.shape else {
        let why = record.shape_unknown.as_deref().unwrap_or("its spec lists no tensors");
        let message =
            format!("no formula for the weights of {}: {why}; give their bytes, or the file", model.name());
        return Err(PlanError::unsupported("weights.format", message).with_value(format.name()));
    };
    let mut walk = Walk::new(model, shape, format);
    walk.add(Place::Input, &shape.model, false)?;
    for (i, kind) in (0u64..).zip(&shape.layers) {
        walk.add(Place::Layer(i), kind_of(shape, *kind), false)?;
    }
    walk.add(Place::Output, &shape.model, true)?;
    for (i, kind) in (0u64..).zip(&shape.mtp) {
        walk.add(Place::Mtp(i), kind_of(shape, *kind), false)?;
    }
    Ok(Weights {
        format: format.name(),
        lines: walk.lines(format)?,
        basis: Basis::Derived,
        tied: shape.tied,
        applied: Applied::of(shape)?,
        notes: shape.notes.clone(),
    })
}

fn kind_of(shape: &Shape, kind: u16) -> &Tensors {
    static NONE: Tensors = Tensors::new();
    shape.kinds.get(usize::from(kind)).unwrap_or(&NONE)
}

/// Whether a tensor outside the layers belongs after them.
fn is_last(name: &str) -> bool {
    name.starts_with("output")
}

struct Walk<'a> {
    shape: &'a Shape,
    format: WeightFormat,
    model: mixture::Model,
    seen: mixture::Seen,
    /// By place and component, in their order.
    sums: Vec<((Place, Component), (Bytes, Bytes))>,
}

impl<'a> Walk<'a> {
    fn new(model: &ModelSpec, shape: &'a Shape, format: WeightFormat) -> Self {
        let count = |wanted: fn(&str) -> bool| {
            let of = |kind: &u16| kind_of(shape, *kind).keys().filter(|name| wanted(name)).count();
            shape.layers.iter().chain(&shape.mtp).map(of).sum::<usize>()
        };
        let layers = shape.layers.len().saturating_add(shape.mtp.len());
        let stacks = shape.kinds.iter().flatten().filter(|(name, _)| is_routed(name));
        let experts = stacks.filter_map(|(_, dims)| dims.last()).max().copied().unwrap_or(0);
        let grouping = grouping(model);
        Self {
            shape,
            format,
            model: mixture::Model {
                layers: u64::try_from(layers).unwrap_or(u64::MAX),
                value_tensors: u64::try_from(count(mixture::is_value)).unwrap_or(u64::MAX),
                grouping,
                experts,
                tied: shape.tied,
                seventy: layers == 80
                    && grouping > 1
                    && matches!(model.llama_cpp_arch(), Some("llama" | "qwen2" | "qwen2vl")),
                falcon: model.llama_cpp_arch() == Some("falcon"),
            },
            seen: mixture::Seen::default(),
            sums: Vec::new(),
        }
    }

    fn add(&mut self, place: Place, tensors: &Tensors, last: bool) -> Result<(), PlanError> {
        let outside = matches!(place, Place::Input | Place::Output);
        for (name, dims) in tensors.iter().filter(|(name, _)| !outside || is_last(name) == last) {
            if name == ROPE_TABLE && !matches!(self.format, WeightFormat::Gguf(_)) {
                continue;
            }
            let bytes = self.bytes(place, name, dims)?;
            let component = match place {
                Place::Mtp(_) if !is_routed(name) => Component::of_mtp(name),
                Place::Input | Place::Layer(_) | Place::Output | Place::Mtp(_) | Place::Beside => {
                    Component::of_gguf(name)
                }
            };
            let active = self.active(component, name, dims, bytes)?;
            let slot = order::slot(&mut self.sums, (place, component));
            *slot = (slot.0.plus(bytes)?, slot.1.plus(active)?);
        }
        Ok(())
    }

    fn bytes(&mut self, place: Place, name: &str, dims: &[u64]) -> Result<Bytes, PlanError> {
        let layer = match place {
            Place::Layer(i) => Some(i),
            Place::Mtp(i) => Some(self.model.layers.saturating_add(i)),
            Place::Input | Place::Output | Place::Beside => None,
        };
        Ok(match self.format {
            WeightFormat::Plain(float) => packed::plain(float, dims)?,
            WeightFormat::Packed(packing) => packed::bytes(packing, name, dims)?,
            WeightFormat::Gguf(file) => {
                let ggml = mixture::ggml_type(file, &self.model, &mut self.seen, layer, name, dims);
                mixture::bytes(ggml, dims)?
            }
        })
    }

    fn active(
        &self,
        component: Component,
        name: &str,
        dims: &[u64],
        bytes: Bytes,
    ) -> Result<Bytes, PlanError> {
        let last = dims.last().copied().unwrap_or(1).max(1);
        if is_routed(name) {
            let one = Bytes::new(bytes.get().div_ceil(last));
            return Ok(one.times(self.shape.experts_used.unwrap_or(last).min(last))?);
        }
        // A table is read one row a token, unless it is the head as well.
        let head = self.shape.tied && name == "token_embd";
        Ok(if component == Component::TokenEmbedding && !head {
            Bytes::new(bytes.get().div_ceil(last))
        } else {
            bytes
        })
    }

    fn lines(self, format: WeightFormat) -> Result<Vec<Line>, PlanError> {
        self.sums
            .into_iter()
            .map(|((place, component), (bytes, active_bytes))| {
                let error_bytes = stated_error(format, bytes)?;
                Ok(Line { place, component, bytes, active_bytes, basis: Basis::Derived, error_bytes })
            })
            .collect()
    }
}

/// Query heads per KV head of the first attention layer; a latent row is one KV head.
fn grouping(model: &ModelSpec) -> u64 {
    let heads = model.record().heads.unwrap_or(0);
    let kv = model.layers().flat_map(crate::spec::Kind::mixers).find_map(|mixer| match mixer.keeps() {
        Keeps::Heads(a) => Some(a.kv_heads),
        Keeps::Latent(_) | Keeps::Compressed(_) => Some(1),
        Keeps::State | Keeps::Encoder(_) | Keeps::Borrowed(_) => None,
    });
    heads.checked_div(kv.unwrap_or(0)).unwrap_or(0)
}

/// The stated error of a formula, in thousandths of the bytes: see docs/weights.md for what was measured.
fn stated_error(format: WeightFormat, bytes: Bytes) -> Result<Bytes, Overflow> {
    let thousandths = match format {
        WeightFormat::Plain(_) => 1,
        WeightFormat::Gguf(FileType::F32 | FileType::F16 | FileType::Bf16 | FileType::Q80) => 1,
        WeightFormat::Gguf(_) => 10,
        WeightFormat::Packed(_) => 20,
    };
    Ok(Bytes::new(bytes.times(thousandths)?.get().div_ceil(1000)))
}
