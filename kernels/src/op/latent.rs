//! Attention over one latent row per token (MLA, absorbed form), read from its packed bytes.

use std::ops::Range;

use kvplan_core::codec::Side;

use super::attention::{launch, merge};
use super::segment::{cut, follow, longest, parts_bytes, room};
use super::{CodecKernels, Domain, Segment, Tensor};
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, Attention, Shader};

/// What is attended to and by whom: a token has one row of `width` elements, which is every head's key; the row's first
/// `value_width` elements are every head's value. DeepSeek V2 and V3: 576 and 512.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latent {
    /// Sequences.
    pub sequences: u32,
    /// Query heads.
    pub heads: u32,
    /// Elements per row: a multiple of 4.
    pub width: u32,
    /// Elements of the output: a multiple of 4 up to 512 and `width`.
    pub value_width: u32,
    /// Queries per sequence: its last tokens. 1 is decoding.
    pub queries: u32,
    /// Most tokens of a sequence.
    pub capacity: u32,
    /// What scores are multiplied by: 1/√(width of a head before absorption), 192 in DeepSeek V2 and V3, not 1/√width.
    pub scale: f32,
}

impl Latent {
    /// Tokens of a part: a decoding step is spread over the device, a prompt's rows do that by themselves.
    pub(super) fn split(&self, shader: &Shader, tokens: u32) -> u32 {
        if self.queries == 1 { shader.constant("SPLIT").unwrap_or(1) } else { tokens.max(1) }
    }

    fn splits(&self, tokens: u32) -> u32 {
        tokens.div_ceil(self.split(&shader::attention::latent::F16, tokens)).max(1)
    }

    /// Bytes needed for the parts: per sequence, query, head and split, the sum and its weight.
    #[must_use]
    pub fn parts_bytes(&self, segments: &[Segment<'_>]) -> u64 {
        let splits = segments.iter().map(|segment| u64::from(self.splits(segment.tokens))).sum();
        parts_bytes(self.sequences, self.queries, self.heads, self.value_width, splits)
    }

    /// The runs of tokens to keep in buffers of their own, as [`super::Shape::runs`] gives them.
    ///
    /// # Errors
    /// As there.
    pub fn runs(&self, kernels: &CodecKernels, limit: u64) -> Result<Vec<Range<u32>>, GpuError> {
        let tokens = longest(&kernels.key, self.sequences, 1, self.width, self.capacity, limit)?;
        Ok(cut(self.capacity, tokens))
    }

    /// The kernel's parameters over one segment, of all splits the first one on.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when the kernel does not take the shape, or the codec's layout does not.
    pub fn params(&self, kernels: &CodecKernels, segment: &Segment<'_>) -> Result<Attention, GpuError> {
        let shader = kernels.latent;
        let Self { width, value_width, heads, queries, .. } = *self;
        let widest = shader.constant("MAX_VALUE_DIM").unwrap_or(0);
        let fours = width.is_multiple_of(4) && value_width.is_multiple_of(4);
        if !fours || value_width == 0 || value_width > width.min(widest) {
            let message =
                format!("{value_width} of {width} elements: multiples of 4 up to {widest} are taken");
            return super::refuse(shader, message);
        }
        if heads == 0 || queries == 0 {
            return super::refuse(shader, format!("{heads} heads, {queries} queries"));
        }
        if kernels.key.domain != Domain::Plain {
            return super::refuse(
                shader,
                "a turned row has no first elements: its values cannot be turned back",
            );
        }
        let addressing = segment.cache.addressing(kernels)?;
        if addressing.ring > 0 {
            return super::refuse(shader, "a ring has a window, which no latent cache has");
        }
        let tensor =
            Tensor { tokens: self.sequences.saturating_mul(segment.tokens), heads: 1, head_dim: width };
        let page_size = addressing.page_size;
        Ok(segment.bounds(Attention {
            k_side: kernels.side(Side::Key).geometry(tensor, addressing.arrangement, addressing.key)?,
            sequences: self.sequences,
            heads,
            kv_heads: 1,
            head_dim: width,
            value_dim: value_width,
            queries,
            capacity: segment.tokens,
            page_size,
            pages: segment.tokens.checked_div(page_size).map_or(0, |_| segment.tokens.div_ceil(page_size)),
            splits: self.splits(segment.tokens),
            split: self.split(shader, segment.tokens),
            scale: self.scale,
            ..Attention::default()
        }))
    }

    /// The splits of every segment, then their merge. `q` is `[sequence][query][head][width]`, `out` the same with
    /// `value_width`; the rows are in the segments' `k`.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] as for [`Latent::params`], and where the segments do not follow one another from token 0
    /// to the capacity.
    pub fn attend<'a>(
        &self,
        kernels: &CodecKernels,
        q: &'a Buffer,
        segments: &[Segment<'a>],
        parts: &'a Buffer,
        out: &'a Buffer,
    ) -> Result<Vec<Dispatch<'a>>, GpuError> {
        let shader = kernels.latent;
        let sinks = follow(shader, segments, self.capacity, kernels.key.layout().residual.window() > 0)?;
        room(shader, parts, self.parts_bytes(segments))?;
        let all = segments.iter().map(|segment| self.splits(segment.tokens)).sum();
        let rows = self.queries.saturating_mul(self.heads).div_ceil(shader.constant("ROWS").unwrap_or(1));
        let mut launches = Vec::with_capacity(segments.len() + 1);
        let (mut first_split, mut last) = (0, None);
        for segment in segments {
            let own = self.params(kernels, segment)?;
            let params = Attention { splits: all, first_split, ..own };
            let cache = segment.cache;
            launches.push(
                launch(shader, &params)
                    .buffers([q, cache.k, cache.table(), cache.lengths, cache.beside(), parts])
                    .workgroups([own.splits, rows, self.sequences].map(u64::from))
                    .rounds(self.rounds(kernels, segment.tokens)),
            );
            first_split += own.splits;
            last = Some(params);
        }
        launches.extend(last.map(|params| merge(&params, parts, sinks, out)));
        Ok(launches)
    }
}
