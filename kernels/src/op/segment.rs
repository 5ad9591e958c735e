//! Attention over a cache that no single binding holds: its tokens in several buffers, their parts merged.
//!
//! A device binds 128 MiB at once unless asked for more: 32 768 tokens of 8 heads of 128 in 16 bits, per side of a
//! layer. Sequences can go to separate buffers and launches without further ado; this is for the tokens of one.

use std::ops::Range;

use super::attention::merge;
use super::{Cache, CodecKernels, Placement, Shape, SideKernels, Tensor};
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, Attention};

/// Buffers that hold a run of every sequence's tokens.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// The first token.
    pub first: u32,
    /// Tokens: the capacity of these buffers per sequence.
    pub tokens: u32,
    /// The buffers. A block table counts from the segment's first token on.
    pub cache: Cache<'a>,
}

impl<'a> Segment<'a> {
    /// A cache that holds everything.
    #[must_use]
    pub const fn whole(cache: Cache<'a>, capacity: u32) -> Self {
        Self { first: 0, tokens: capacity, cache }
    }
}

impl Shape {
    /// The runs of tokens to keep in buffers of their own, so that none passes `limit` bytes
    /// ([`crate::gpu::Gpu::largest_binding`]).
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when the codec's layout cannot hold the shape, or cannot be cut: a window in 16 bits lies
    /// at the sequence's end, wherever that is. [`GpuError::BindingTooLarge`] when not even the smallest run of all
    /// sequences fits: give sequences buffers of their own.
    pub fn runs(&self, kernels: &CodecKernels, limit: u64) -> Result<Vec<Range<u32>>, GpuError> {
        let mut tokens = self.capacity.max(1);
        for side in kernels.sides() {
            tokens = tokens.min(longest(
                side,
                self.sequences,
                self.kv_heads,
                self.head_dim,
                self.capacity,
                limit,
            )?);
        }
        Ok(cut(self.capacity, tokens))
    }

    /// Bytes that [`Shape::decode_over`] needs for its parts.
    #[must_use]
    pub fn decode_parts_bytes(&self, segments: &[Segment<'_>]) -> u64 {
        let splits = segments.iter().map(|segment| u64::from(self.within(segment).decode_splits()));
        parts_bytes(self.sequences, 1, self.heads, self.head_dim, splits.sum())
    }

    /// Bytes that [`Shape::prefill_over`] needs for its parts: the output once per segment, and a little more.
    #[must_use]
    pub fn prefill_parts_bytes(&self, segments: &[Segment<'_>]) -> u64 {
        parts_bytes(self.sequences, self.queries, self.heads, self.head_dim, segments.len() as u64)
    }

    /// [`Shape::decode`] over a cache in segments.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when no kernel takes the shape, or the segments do not follow one another from token 0 to
    /// the capacity.
    pub fn decode_over<'a>(
        &self,
        kernels: &CodecKernels,
        q: &'a Buffer,
        segments: &[Segment<'a>],
        parts: &'a Buffer,
        out: &'a Buffer,
    ) -> Result<Vec<Dispatch<'a>>, GpuError> {
        if self.queries != 1 {
            let message = format!("{} queries per sequence: it takes one", self.queries);
            return super::refuse(kernels.decode, message);
        }
        room(kernels.decode, parts, self.decode_parts_bytes(segments))?;
        let splits = segments.iter().map(|segment| self.within(segment).decode_splits()).collect();
        self.over(kernels, kernels.decode, segments, splits, parts, out, |shape, params, segment| {
            shape.split(kernels.decode, params, q, segment.cache, parts).rounds(shape.decode_rounds(kernels))
        })
    }

    /// [`Shape::prefill`] over a cache in segments.
    ///
    /// # Errors
    /// As [`Shape::decode_over`].
    pub fn prefill_over<'a>(
        &self,
        kernels: &CodecKernels,
        q: &'a Buffer,
        segments: &[Segment<'a>],
        parts: &'a Buffer,
        out: &'a Buffer,
    ) -> Result<Vec<Dispatch<'a>>, GpuError> {
        room(kernels.prefill, parts, self.prefill_parts_bytes(segments))?;
        let splits = vec![1; segments.len()];
        self.over(kernels, kernels.prefill, segments, splits, parts, out, |shape, params, segment| {
            let params = Attention { raw: 1, ..*params };
            shape
                .tiles(kernels.prefill, &params, q, segment.cache, parts)
                .rounds(shape.prefill_rounds(kernels))
        })
    }

    #[expect(clippy::too_many_arguments, reason = "one launch per segment and what it is made from")]
    fn over<'a>(
        &self,
        kernels: &CodecKernels,
        shader: &'static shader::Shader,
        segments: &[Segment<'a>],
        splits: Vec<u32>,
        parts: &'a Buffer,
        out: &'a Buffer,
        launch: impl Fn(&Self, &Attention, &Segment<'a>) -> Dispatch<'a>,
    ) -> Result<Vec<Dispatch<'a>>, GpuError> {
        let residual = kernels.sides().iter().any(|side| side.layout().residual.window() > 0);
        let sinks = follow(shader, segments, self.capacity, residual)?;
        let all = splits.iter().sum();
        let mut first_split = 0;
        let mut launches = Vec::with_capacity(segments.len() + 1);
        let mut last = None;
        for (segment, splits) in segments.iter().zip(splits) {
            let shape = self.within(segment);
            let params = shape.params(kernels, &segment.cache.addressing(kernels)?)?;
            let params = segment.bounds(Attention { splits: all, first_split, ..params });
            launches.push(launch(&shape, &params, segment));
            first_split += splits;
            last = Some(params);
        }
        if let Some(params) = last {
            launches.push(merge(&params, parts, sinks, out));
        }
        Ok(launches)
    }

    /// The same shape over one segment's tokens.
    fn within(&self, segment: &Segment<'_>) -> Self {
        Self { capacity: segment.tokens, ..*self }
    }

    fn decode_splits(&self) -> u32 {
        self.splits(&shader::attention::decode::F16)
    }
}

impl Segment<'_> {
    /// The parameters of a launch over this segment alone.
    pub(super) fn bounds(&self, params: Attention) -> Attention {
        Attention { first: self.first, last: self.first.saturating_add(self.tokens), ..params }
    }
}

/// The buffer of sinks, where the segments follow one another from 0 to `capacity`.
pub(super) fn follow<'a>(
    shader: &'static shader::Shader,
    segments: &[Segment<'a>],
    capacity: u32,
    residual: bool,
) -> Result<&'a Buffer, GpuError> {
    let mut next = 0u32;
    for segment in segments {
        if segment.first != next || segment.tokens == 0 {
            let Segment { first, tokens, .. } = segment;
            let message = format!("a segment of {tokens} tokens at {first}, where token {next} comes next");
            return super::refuse(shader, message);
        }
        let ring = matches!(segment.cache.placement, Placement::Ring { .. });
        if segments.len() > 1 && (ring || residual) {
            return super::refuse(shader, "a ring or a window in 16 bits cannot be cut into segments");
        }
        next = next.saturating_add(segment.tokens);
    }
    match segments.first() {
        Some(segment) if next == capacity => Ok(segment.cache.sinks),
        _ => super::refuse(shader, format!("segments of {next} tokens in all, where {capacity} are needed")),
    }
}

pub(super) fn room(shader: &'static shader::Shader, parts: &Buffer, needed: u64) -> Result<(), GpuError> {
    if parts.bytes() < needed {
        let given = parts.bytes();
        return super::refuse(shader, format!("parts of {given} bytes, {needed} needed"));
    }
    Ok(())
}

/// Per query, head and part: the weighted sum, its greatest score, its weight, and two words to fill up.
pub(super) fn parts_bytes(sequences: u32, queries: u32, heads: u32, dim: u32, splits: u64) -> u64 {
    [u64::from(queries), u64::from(heads), splits, u64::from(dim) + 4, 4]
        .iter()
        .fold(u64::from(sequences), |n, factor| n.saturating_mul(*factor))
}

/// The most tokens of every sequence that one buffer of `limit` bytes holds, a multiple of what decoding splits by (and
/// so of every page and group), or all.
pub(super) fn longest(
    side: &SideKernels,
    sequences: u32,
    heads: u32,
    head_dim: u32,
    capacity: u32,
    limit: u64,
) -> Result<u32, GpuError> {
    let bytes =
        |tokens: u32| side.bytes(Tensor { tokens: tokens.saturating_mul(sequences), heads, head_dim });
    if bytes(capacity)? <= limit {
        return Ok(capacity);
    }
    if side.layout().residual.window() > 0 {
        return super::refuse(side.dequantize, "a window in 16 bits cannot be cut into segments");
    }
    let step = shader::attention::decode::F16.constant("SPLIT").unwrap_or(1);
    let each = bytes(step)?.max(1);
    let steps = u32::try_from(limit / each).unwrap_or(u32::MAX);
    if steps == 0 {
        return Err(GpuError::BindingTooLarge {
            label: format!("{step} tokens of {sequences} sequences"),
            bytes: each,
            limit,
        });
    }
    Ok(steps.saturating_mul(step))
}

pub(super) fn cut(capacity: u32, tokens: u32) -> Vec<Range<u32>> {
    let runs = (0..capacity).step_by(usize::try_from(tokens.max(1)).unwrap_or(usize::MAX));
    runs.map(|first| first..capacity.min(first.saturating_add(tokens))).collect()
}
