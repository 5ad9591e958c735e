//! Attention over Block-GTQ's keys as they are stored: all KV heads of a layer in one buffer, each with its own bits.

use kvplan_core::codec::{Codec, Side};

use super::attention::merge;
use super::rounds::record;
use super::{Addressing, BlockGtqKeys, Cache, CodecKernels, HeadKeys, Shape, Span, word};
use crate::cpu::kv::{HEAD_WORDS, LEVELS_WORD};
use crate::cpu::shared::key_group;
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, Attention, Geometry};

/// Of the values beside these keys.
const VALUES: Codec = Codec::TurboquantMse3;

/// The keys of a layer: head after head, each from a whole word on, slot after slot.
///
/// What is stored is turned: attention takes queries that [`BlockGtqKeys::turn_queries`] turned, and gives what the values
/// give, [`Codec::TurboquantMse3`]'s, turned as theirs are.
#[derive(Debug, Clone)]
pub struct BlockGtqCache {
    heads: Vec<BlockGtqKeys>,
    bases: Vec<u32>,
    bytes: u64,
    head_dim: u32,
    table: Vec<u32>,
}

impl BlockGtqCache {
    /// For the heads' keys, in so many slots each.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when there are no heads, their widths differ or are no multiple of 4, or the keys pass what
    /// 32 bits count.
    pub fn new(heads: Vec<BlockGtqKeys>, slots: u32) -> Result<Self, GpuError> {
        let shader = &shader::attention::decode::BLOCK_GTQ_K3V3;
        let head_dim = heads.first().map_or(0, BlockGtqKeys::head_dim);
        let alike = heads.iter().all(|keys| keys.head_dim() == head_dim);
        if !alike || head_dim == 0 || !head_dim.is_multiple_of(4) {
            let message = format!("{} heads of {head_dim} elements, alike: {alike}", heads.len());
            return super::refuse(shader, message);
        }
        let words = |table: &Vec<u32>| word(shader, "words", table.len() as u64);
        let (mut bases, mut bytes, mut table) = (Vec::new(), 0u64, vec![0; heads.len()]);
        for (head, keys) in heads.iter().enumerate() {
            let base = word(shader, "bytes", bytes)?;
            bases.push(base);
            bytes = bytes.saturating_add(keys.bytes(slots)).next_multiple_of(4);
            let part = words(&table)?;
            if let Some(place) = table.get_mut(head) {
                *place = part;
            }
            keys.append(base, part, &mut table);
        }
        word(shader, "bytes", bytes)?;
        words(&table)?;
        Ok(Self { heads, bases, bytes, head_dim, table })
    }

    /// Bytes of the buffer.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What attention reads beside the cache as the keys' part ([`super::Beside::key`]).
    #[must_use]
    pub fn table(&self) -> &[u32] {
        &self.table
    }

    /// Where the keys of a head go: of so many tokens, for [`BlockGtqKeys::quantize`]. `None` where there is no such head.
    #[must_use]
    pub fn keys(&self, head: u32, tokens: u32) -> Option<(&BlockGtqKeys, HeadKeys)> {
        let at = usize::try_from(head).ok()?;
        let (keys, base) = (self.heads.get(at)?, *self.bases.get(at)?);
        let heads = u32::try_from(self.heads.len()).ok()?;
        Some((keys, HeadKeys { tokens, heads, head, base }))
    }

    /// The kernels of the values.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] where there are none.
    pub fn values(&self) -> Result<&'static CodecKernels, GpuError> {
        let missing = || super::refuse(&shader::attention::decode::BLOCK_GTQ_K3V3, "no kernels for values");
        CodecKernels::of(VALUES).map_or_else(missing, Ok)
    }

    /// The parameters of both kernels over a contiguous cache, the table at `table` beside it.
    ///
    /// # Errors
    /// As [`BlockGtqCache::params`].
    pub fn params_for(&self, shape: &Shape, table: Span) -> Result<Attention, GpuError> {
        self.addressed(shape, &Addressing { key: table, ..Addressing::default() })
    }

    /// The parameters of both kernels.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when the values' kernels do not take the shape, or it is not that of the keys.
    pub fn params(&self, shape: &Shape, cache: &Cache<'_>) -> Result<Attention, GpuError> {
        self.addressed(shape, &cache.addressing(self.values()?)?)
    }

    fn addressed(&self, shape: &Shape, addressing: &Addressing) -> Result<Attention, GpuError> {
        let (shader, values) = (&shader::attention::decode::BLOCK_GTQ_K3V3, self.values()?);
        let own = (shape.kv_heads as usize, shape.head_dim) == (self.heads.len(), self.head_dim);
        if !own || (addressing.key.words as usize) < self.table.len() {
            let (heads, words) = (self.heads.len(), self.table.len());
            let message =
                format!("{heads} heads of {} with a table of {words} words, {shape:?}", self.head_dim);
            return super::refuse(shader, message);
        }
        let k_side = Geometry {
            heads: shape.kv_heads,
            head_dim: self.head_dim,
            beside: addressing.key.first,
            beside_words: addressing.key.words,
            ..Geometry::default()
        };
        Ok(Attention { k_side, ..shape.params(values, addressing)? })
    }

    /// Rounds of an invocation in the longer of [`BlockGtqCache::decode`] and [`BlockGtqCache::prefill`].
    ///
    /// # Errors
    /// As [`BlockGtqCache::values`].
    pub fn rounds(&self, shape: &Shape) -> Result<u64, GpuError> {
        let found = self.records(self.values()?);
        let decode = shape.split_rounds(&shader::attention::decode::BLOCK_GTQ_K3V3, found);
        Ok(decode.max(shape.tile_rounds(&shader::attention::prefill::BLOCK_GTQ_K3V3, found)))
    }

    /// Rounds that finding a key's and a value's record take.
    fn records(&self, values: &CodecKernels) -> [u64; 2] {
        [&shader::dequantize::rows::BLOCK_GTQ, values.side(Side::Value).dequantize]
            .map(|decoder| record(decoder, self.head_dim))
    }

    /// [`Shape::decode`] over these keys; `q` is turned.
    ///
    /// # Errors
    /// As there and [`BlockGtqCache::params`].
    pub fn decode<'a>(
        &self,
        shape: &Shape,
        q: &'a Buffer,
        cache: Cache<'a>,
        parts: &'a Buffer,
        out: &'a Buffer,
    ) -> Result<[Dispatch<'a>; 2], GpuError> {
        let shader = &shader::attention::decode::BLOCK_GTQ_K3V3;
        if shape.queries != 1 || parts.bytes() < shape.parts_bytes() {
            let (given, needed) = (parts.bytes(), shape.parts_bytes());
            let message = format!("{} queries, parts of {given} bytes: 1 and {needed} needed", shape.queries);
            return super::refuse(shader, message);
        }
        let params = self.params(shape, &cache)?;
        let rounds = shape.split_rounds(shader, self.records(self.values()?));
        let split = shape.split(shader, &params, q, cache, parts).rounds(rounds);
        Ok([split, merge(&params, parts, cache.sinks, out)])
    }

    /// [`Shape::prefill`] over these keys; `q` is turned.
    ///
    /// # Errors
    /// As there and [`BlockGtqCache::params`].
    pub fn prefill<'a>(
        &self,
        shape: &Shape,
        q: &'a Buffer,
        cache: Cache<'a>,
        out: &'a Buffer,
    ) -> Result<Dispatch<'a>, GpuError> {
        let shader = &shader::attention::prefill::BLOCK_GTQ_K3V3;
        let params = self.params(shape, &cache)?;
        let rounds = shape.tile_rounds(shader, self.records(self.values()?));
        Ok(shape.tiles(shader, &params, q, cache, out).rounds(rounds))
    }
}

impl BlockGtqKeys {
    /// Appends the head's part of [`BlockGtqCache::table`], whose keys begin at byte `base`, at word `part`.
    fn append(&self, base: u32, part: u32, table: &mut Vec<u32>) {
        let (row_bytes, groups) = self.row();
        let own = self.table();
        table.extend([base, row_bytes, row_bytes - 2 * groups, groups]);
        let all = || (0..groups).map(|index| (index, key_group(own, index)));
        let mut next = part + HEAD_WORDS + self.head_dim();
        // A word for each width there can be.
        let places = all().map(|(_, group)| {
            let place = next;
            next += 1 << group.bits;
            place
        });
        table.extend(places.chain(std::iter::repeat(0)).take((HEAD_WORDS - LEVELS_WORD) as usize));
        for (index, group) in all() {
            let bits = (0..group.n).map(|i| group.codes + i * group.stored);
            table.extend(bits.map(|bit| bit | (group.stored << 13) | (index << 17)));
        }
        for (_, group) in all() {
            table.extend(own.iter().skip(group.levels as usize).take(1 << group.bits));
        }
    }
}
