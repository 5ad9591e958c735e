//! Attention over a packed cache.

use kvplan_core::codec::Side;

use super::{Arrangement, Beside, CodecKernels, Placement, SideKernels, Span, Tensor, Turned, turn};
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, Attention, Shader};

/// What is attended to and by whom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Sequences.
    pub sequences: u32,
    /// Query heads.
    pub heads: u32,
    /// KV heads, which divide the query heads.
    pub kv_heads: u32,
    /// Elements per head: a multiple of 4, at most 512.
    pub head_dim: u32,
    /// Queries per sequence: its last tokens. 1 is decoding.
    pub queries: u32,
    /// Tokens a query sees, itself included; 0 for all.
    pub window: u32,
    /// Most tokens of a sequence (contiguous: slots; paged: pages · page size).
    pub capacity: u32,
    /// What scores are multiplied by, usually 1/√head_dim.
    pub scale: f32,
    /// Whether each head has a sink: a logit that takes weight and gives nothing.
    pub sinks: bool,
}

/// A packed cache and what it takes to find a token in it. [`Cache::new`] is the plainest one; set what differs.
#[derive(Debug, Clone, Copy)]
pub struct Cache<'a> {
    /// Keys.
    pub k: &'a Buffer,
    /// Values.
    pub v: &'a Buffer,
    /// Tokens per sequence, one word each.
    pub lengths: &'a Buffer,
    /// Where token t of a sequence lies.
    pub placement: Placement<'a>,
    /// How K and V share buffers.
    pub arrangement: Arrangement,
    /// Scales and tables outside the cache.
    pub beside: Beside<'a>,
    /// A logit per head; any buffer where the shape has no sinks.
    pub sinks: &'a Buffer,
}

/// A [`Cache`] without its buffers: what parameters need of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Addressing {
    /// Tokens per page of the block table; 0 for none.
    pub page_size: u32,
    /// Slots of the ring; 0 for none.
    pub ring: u32,
    /// How K and V share buffers.
    pub arrangement: Arrangement,
    /// The keys' part of what lies beside the cache.
    pub key: Span,
    /// The values' part.
    pub value: Span,
}

impl Shape {
    /// Tokens that a query can see at most.
    const fn visible(&self) -> u32 {
        if self.window > 0 && self.window < self.capacity { self.window } else { self.capacity }
    }

    pub(super) fn splits(&self, shader: &Shader) -> u32 {
        self.visible().div_ceil(shader.constant("SPLIT").unwrap_or(1)).max(1)
    }

    /// Bytes that decoding needs for its parts: per sequence, head and split, the sum and its weight.
    #[must_use]
    pub fn parts_bytes(&self) -> u64 {
        let splits = self.splits(&shader::attention::decode::F16);
        [self.heads, splits, self.head_dim + 4, 4]
            .iter()
            .fold(u64::from(self.sequences), |n, factor| n.saturating_mul(u64::from(*factor)))
    }

    /// Bytes of the scores that the naive form keeps: queries × capacity per head.
    #[must_use]
    pub fn scores_bytes(&self) -> u64 {
        [self.heads, self.queries, self.capacity, 4]
            .iter()
            .fold(u64::from(self.sequences), |n, factor| n.saturating_mul(u64::from(*factor)))
    }

    /// The kernels' parameters.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when no kernel takes the shape.
    pub fn params(&self, kernels: &CodecKernels, addressing: &Addressing) -> Result<Attention, GpuError> {
        let shader = kernels.decode;
        let largest = shader.constant("MAX_HEAD_DIM").unwrap_or(0);
        if !self.head_dim.is_multiple_of(4) || self.head_dim > largest || self.head_dim == 0 {
            let message = format!("head_dim {}: multiples of 4 up to {largest} are taken", self.head_dim);
            return super::refuse(shader, message);
        }
        if self.kv_heads == 0 || !self.heads.is_multiple_of(self.kv_heads) || self.queries == 0 {
            let (heads, kv_heads, queries) = (self.heads, self.kv_heads, self.queries);
            return super::refuse(shader, format!("{heads} heads over {kv_heads}, {queries} queries"));
        }
        let Addressing { page_size, ring, arrangement, .. } = *addressing;
        let windowed = kernels.sides().iter().any(|side| side.layout().residual.window() > 0);
        if windowed && (self.sequences != 1 || page_size > 0 || ring > 0) {
            let message = format!(
                "{} keeps its newest tokens behind the packed ones: one contiguous sequence, as long as the capacity",
                kernels.codec
            );
            return super::refuse(shader, message);
        }
        if ring > 0 && (self.window == 0 || self.window + self.queries > ring + 1) {
            let (window, queries) = (self.window, self.queries);
            let message = format!("a ring of {ring} cannot hold {queries} queries' window of {window}");
            return super::refuse(shader, message);
        }
        let side = |side: &SideKernels, beside| {
            let slots = self.sequences.saturating_mul(self.capacity);
            let tensor = Tensor { tokens: slots, heads: self.kv_heads, head_dim: self.head_dim };
            side.geometry(tensor, arrangement, beside)
        };
        Ok(Attention {
            k_side: side(&kernels.key, addressing.key)?,
            v_side: side(&kernels.value, addressing.value)?,
            sequences: self.sequences,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            value_dim: self.head_dim,
            queries: self.queries,
            window: self.window,
            capacity: if ring > 0 { ring } else { self.capacity },
            page_size,
            pages: if page_size > 0 { self.capacity.div_ceil(page_size) } else { 0 },
            ring,
            splits: self.splits(shader),
            first_split: 0,
            split: 0,
            first: 0,
            last: u32::MAX,
            raw: 0,
            sinks: u32::from(self.sinks),
            scale: self.scale,
        })
    }

    /// One query per sequence: the splits, then their merge. `q` and `out` are `[sequence][head][head_dim]`.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when no kernel takes the shape.
    pub fn decode<'a>(
        &self,
        kernels: &CodecKernels,
        q: &'a Buffer,
        cache: Cache<'a>,
        parts: &'a Buffer,
        out: &'a Buffer,
    ) -> Result<[Dispatch<'a>; 2], GpuError> {
        if self.queries != 1 {
            return super::refuse(
                kernels.decode,
                format!("{} queries per sequence: it takes one", self.queries),
            );
        }
        if parts.bytes() < self.parts_bytes() {
            let (given, needed) = (parts.bytes(), self.parts_bytes());
            return super::refuse(kernels.decode, format!("parts of {given} bytes, {needed} needed"));
        }
        let params = self.params(kernels, &cache.addressing(kernels)?)?;
        let split = self.split(kernels.decode, &params, q, cache, parts).rounds(self.decode_rounds(kernels));
        let merge = merge(&params, parts, cache.sinks, out);
        Ok([split, merge])
    }

    /// [`Shape::decode`] of plain queries to a plain output over a codec that keeps its vectors turned: `q` is turned in
    /// place before it (upload it anew for the next step), `out` back after it. Over any other codec it is the same.
    ///
    /// # Errors
    /// As [`Shape::decode`].
    pub fn decode_plain<'a>(
        &self,
        kernels: &CodecKernels,
        q: &'a Buffer,
        cache: Cache<'a>,
        parts: &'a Buffer,
        out: &'a Buffer,
    ) -> Result<Vec<Dispatch<'a>>, GpuError> {
        let mut launches: Vec<_> =
            turn(kernels.key.domain, self.head_dim, Turned::Queries, q)?.into_iter().collect();
        launches.extend(self.decode(kernels, q, cache, parts, out)?);
        launches.extend(turn(kernels.value.domain, self.head_dim, Turned::Outputs, out)?);
        Ok(launches)
    }

    /// Many queries per sequence, causal. `q` and `out` are `[sequence][query][head][head_dim]`.
    ///
    /// # Errors
    /// As [`Shape::decode`].
    pub fn prefill<'a>(
        &self,
        kernels: &CodecKernels,
        q: &'a Buffer,
        cache: Cache<'a>,
        out: &'a Buffer,
    ) -> Result<Dispatch<'a>, GpuError> {
        let params = self.params(kernels, &cache.addressing(kernels)?)?;
        Ok(self.tiles(kernels.prefill, &params, q, cache, out).rounds(self.prefill_rounds(kernels)))
    }

    /// Query heads of a KV head, and KV heads, that a workgroup of an `attention/decode` takes.
    pub(super) fn tile_heads(&self, shader: &Shader) -> (u32, u32) {
        let per_kv = self.heads / self.kv_heads;
        let group = match per_kv {
            1 | 2 => per_kv,
            _ => 4,
        };
        // Keys that are read together are one head's.
        if shader.constant("k_TOGETHER").unwrap_or(1) > 1 {
            return (group, 1);
        }
        // Several KV heads only with all their query heads.
        let fits =
            |count: &u32| per_kv == group && group * count <= 4 && self.kv_heads.is_multiple_of(*count);
        (group, [4, 2].into_iter().find(fits).unwrap_or(1))
    }

    /// `attention/decode`: as many workgroups along y as the buffers' tokens need.
    pub(super) fn split<'a>(
        &self,
        shader: &'static Shader,
        params: &Attention,
        q: &'a Buffer,
        cache: Cache<'a>,
        parts: &'a Buffer,
    ) -> Dispatch<'a> {
        let (group, neighbours) = self.tile_heads(shader);
        let tiles = self.kv_heads / neighbours * (self.heads / self.kv_heads).div_ceil(group);
        launch(shader, params)
            .constant("GROUP", group)
            .constant("NEIGHBOURS", neighbours)
            .constant("WHOLE", u32::from(self.head_dim.is_multiple_of(16)))
            .buffers([q, cache.k, cache.v, cache.table(), cache.lengths, cache.beside(), parts])
            .workgroups([tiles, self.splits(shader), self.sequences].map(u64::from))
    }

    /// `attention/prefill`.
    pub(super) fn tiles<'a>(
        &self,
        shader: &'static Shader,
        params: &Attention,
        q: &'a Buffer,
        cache: Cache<'a>,
        out: &'a Buffer,
    ) -> Dispatch<'a> {
        let tile = |name: &str| shader.constant(name).unwrap_or(1);
        let passes = (self.head_dim / 4).div_ceil(tile("PASS_COLUMNS"));
        let columns = if self.head_dim <= 64 { 16 } else { 32 };
        let grid = [self.queries.div_ceil(tile("QUERIES")), self.heads, self.sequences * passes];
        launch(shader, params)
            .constant("COLUMNS", columns)
            .buffers([q, cache.k, cache.v, cache.table(), cache.lengths, cache.beside(), cache.sinks, out])
            .workgroups(grid.map(u64::from))
    }

    /// The naive form of [`Shape::prefill`]: all scores in memory ([`Shape::scores_bytes`]), then softmax, then the sum.
    ///
    /// # Errors
    /// As [`Shape::decode`].
    pub fn naive<'a>(
        &self,
        kernels: &CodecKernels,
        q: &'a Buffer,
        cache: Cache<'a>,
        scores: &'a Buffer,
        out: &'a Buffer,
    ) -> Result<[Dispatch<'a>; 3], GpuError> {
        let params = self.params(kernels, &cache.addressing(kernels)?)?;
        if params.ring > 0 {
            return super::refuse(kernels.key.naive, "a ring forgets keys that this form scores");
        }
        if scores.bytes() < self.scores_bytes() {
            let (given, needed) = (scores.bytes(), self.scores_bytes());
            return super::refuse(kernels.key.naive, format!("scores of {given} bytes, {needed} needed"));
        }
        let table = cache.table();
        let rows = self.sequences * self.heads;
        let groups = |shader: &Shader, count: u32| count.div_ceil(shader.invocations());
        let softmax = &shader::attention::NAIVE_SOFTMAX;
        let grids = [
            [groups(kernels.key.naive, self.capacity), self.queries, rows],
            [groups(softmax, self.queries), rows, 1],
            [groups(kernels.value.naive, self.head_dim / 4), self.queries, rows],
        ]
        .map(|grid| grid.map(u64::from));
        Ok([
            launch(kernels.key.naive, &params)
                .buffers([q, cache.k, table, cache.lengths, cache.beside(), scores])
                .workgroups(grids[0]),
            launch(softmax, &params)
                .buffers([cache.sinks, scores])
                .workgroups(grids[1])
                .rounds(self.softmax_rounds()),
            launch(kernels.value.naive, &params)
                .buffers([scores, cache.v, table, cache.lengths, cache.beside(), out])
                .workgroups(grids[2])
                .rounds(self.output_rounds(kernels)),
        ])
    }
}

/// A launch of an attention kernel, its pipeline told what the cache is not: it goes without the divisions for rings,
/// block tables and pages, which some drivers work out whether or not a branch is taken.
#[must_use]
pub fn launch<'a>(shader: &'static Shader, params: &Attention) -> Dispatch<'a> {
    let Attention { ring, page_size, k_side, v_side, .. } = params;
    let told = [
        ("RING", *ring > 0),
        ("PAGED", *page_size > 0),
        ("k_PAGES", k_side.page_tokens > 1),
        ("v_PAGES", v_side.page_tokens > 1),
    ];
    told.into_iter()
        .filter(|(name, _)| shader.overrides.contains(name))
        .fold(Dispatch::new(shader).params(params.bytes()), |launch, (name, it_is)| {
            launch.constant(name, u32::from(it_is))
        })
}

/// `attention/merge`: one output row per query and head.
pub(super) fn merge<'a>(
    params: &Attention,
    parts: &'a Buffer,
    sinks: &'a Buffer,
    out: &'a Buffer,
) -> Dispatch<'a> {
    let rows = u64::from(params.sequences) * u64::from(params.queries);
    Dispatch::new(&shader::attention::MERGE).params(params.bytes()).buffers([parts, sinks, out]).workgroups([
        u64::from(params.heads),
        rows,
        1,
    ])
}

impl<'a> Cache<'a> {
    /// Contiguous, a buffer per side, nothing beside it, no sinks.
    #[must_use]
    pub const fn new(k: &'a Buffer, v: &'a Buffer, lengths: &'a Buffer) -> Self {
        let (placement, arrangement) = (Placement::Contiguous, Arrangement::Rows);
        Self { k, v, lengths, placement, arrangement, beside: Beside::NOTHING, sinks: lengths }
    }

    /// What parameters need of it, its parts beside the cache checked against their buffer.
    pub(super) fn addressing(&self, kernels: &CodecKernels) -> Result<Addressing, GpuError> {
        let (page_size, ring) = match self.placement {
            Placement::Contiguous => (0, 0),
            Placement::Paged { page_size, .. } => (page_size, 0),
            Placement::Ring { slots } => (0, slots),
        };
        let span = |side| self.beside.span(kernels.decode, side);
        let (key, value) = (span(Side::Key)?, span(Side::Value)?);
        Ok(Addressing { page_size, ring, arrangement: self.arrangement, key, value })
    }

    pub(super) fn beside(&self) -> &'a Buffer {
        self.beside.or(self.lengths)
    }

    /// The block table; a cache without one binds its lengths in that place, unread.
    pub(super) fn table(&self) -> &'a Buffer {
        match self.placement {
            Placement::Paged { table, .. } => table,
            Placement::Contiguous | Placement::Ring { .. } => self.lengths,
        }
    }
}
