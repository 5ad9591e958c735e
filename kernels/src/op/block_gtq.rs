//! Block-GTQ's keys: every KV head has its own bits per RoPE block, hence its own table and its own bytes per key.
//!
//! No row of [`super::CODECS`]: a codec's layout is known before the data, this one's is made from it. Bits come from
//! [`kvplan_core::codec::energies`] and [`kvplan_core::codec::allocate`]; the bytes are those of
//! [`kvplan_core::codec::BlockGtq`].

use kvplan_core::codec::tables::lloyd_max;
use kvplan_core::codec::{BlockGtq, Pairing};

use super::word;
use crate::cpu::shared::{Cuts, KEY_GROUP_WORDS, turn};
use crate::cpu::{dequantize, quantize, rotate};
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, KeyBlocks, Shader};

/// Widths past this are stored in a byte.
const PACKED_BITS: u8 = 4;

/// The kernels for the keys of one KV head.
#[derive(Debug, Clone)]
pub struct BlockGtqKeys {
    head_dim: u32,
    row_bytes: u32,
    groups: u32,
    table: Vec<u32>,
}

/// Which keys of a tensor `[token][head][element]` are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadKeys {
    /// Tokens.
    pub tokens: u32,
    /// KV heads of the tensor.
    pub heads: u32,
    /// The head.
    pub head: u32,
    /// The byte of the packed buffer at which the head's keys begin: a multiple of 4.
    pub base: u32,
}

impl BlockGtqKeys {
    /// For keys of `head_dim` elements with `bits` per RoPE block, every width turned by
    /// [`kvplan_core::codec::Rotation::default_for`].
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when [`BlockGtq::new`] refuses, or the head is wider than kernels turn.
    pub fn new(pairing: Pairing, head_dim: u32, bits: &[u8]) -> Result<Self, GpuError> {
        let shader = &shader::quantize::BLOCK_GTQ;
        let most = shader.constant("TURN_MOST").unwrap_or(0);
        if head_dim > most {
            return super::refuse(shader, format!("heads of {head_dim} elements: up to {most} are taken"));
        }
        let quantizer = BlockGtq::new(pairing, usize::try_from(head_dim).unwrap_or(usize::MAX), bits)
            .or_else(|error| super::refuse(shader, error.to_string()))?;
        let of = |what: &str, n: usize| word(shader, what, u64::try_from(n).unwrap_or(u64::MAX));
        let groups = quantizer.groups().count();
        let (mut table, mut lists) = (Vec::new(), Vec::new());
        let mut codes = 0;
        for (bits, dims) in quantizer.groups() {
            let half: Vec<f32> = lloyd_max(bits)
                .unwrap_or_default()
                .iter()
                .map(|x| x * turn::inverse_root(dims.len()))
                .collect();
            let next = |lists: &Vec<u32>| of("words", groups * KEY_GROUP_WORDS + lists.len());
            let stored = if bits <= PACKED_BITS { bits } else { 8 };
            let dims_at = next(&lists)?;
            for dim in dims {
                lists.push(of("dimensions", *dim)?);
            }
            let cuts_at = next(&lists)?;
            lists.extend(Cuts::between(&half, false).places());
            let levels_at = next(&lists)?;
            lists.extend(half.iter().rev().map(|x| (-x).to_bits()));
            lists.extend(half.iter().map(|x| x.to_bits()));
            let n = of("dimensions", dims.len())?;
            table.extend([u32::from(bits), u32::from(stored), n, codes, dims_at, cuts_at, levels_at]);
            // Whole bytes; codes of three bits in threes of them.
            let bytes = (n * u32::from(stored)).div_ceil(8);
            codes += 8 * if bits == 3 { bytes.next_multiple_of(3) } else { bytes };
        }
        table.extend(lists);
        let (row_bytes, groups) = (of("bytes per key", quantizer.row_bytes())?, of("groups", groups)?);
        Ok(Self { head_dim, row_bytes, groups, table })
    }

    /// Turns the queries of one query head of this KV head out of `src`, `[query][head][element]`, into the same place of
    /// `dst`, in the order in which keys are stored. `queries` says how many there are, of how many heads, and which is
    /// meant; `table` holds [`BlockGtqKeys::table`].
    ///
    /// # Errors
    /// As [`BlockGtqKeys::quantize`].
    pub fn turn_queries<'a>(
        &self,
        queries: HeadKeys,
        src: &'a Buffer,
        table: &'a Buffer,
        dst: &'a Buffer,
    ) -> Result<Dispatch<'a>, GpuError> {
        let (shader, params) = (&shader::rotate::BLOCK_GTQ, self.params(queries)?);
        let needed = u64::from(params.tokens) * u64::from(params.stride) * 4;
        if src.bytes() < needed || dst.bytes() < needed || table.bytes() / 4 < self.words() {
            let given = [src, dst, table].map(Buffer::bytes);
            return super::refuse(shader, format!("{needed} bytes of queries, {given:?} given"));
        }
        Ok(launch(shader, &params, queries.tokens).buffers([src, table, dst]))
    }

    /// What [`BlockGtqKeys::turn_queries`] does, on the CPU.
    ///
    /// # Errors
    /// As [`BlockGtqKeys::params`].
    pub fn turn_queries_twin(&self, queries: HeadKeys, src: &[u32], dst: &mut [u32]) -> Result<(), GpuError> {
        rotate::block_gtq(&self.params(queries)?, src, &self.table, dst);
        Ok(())
    }

    /// Words of the table.
    fn words(&self) -> u64 {
        u64::try_from(self.table.len()).unwrap_or(u64::MAX)
    }

    /// Elements of a key.
    pub(super) const fn head_dim(&self) -> u32 {
        self.head_dim
    }

    /// Bytes of a key, and how many widths are in use.
    pub(super) const fn row(&self) -> (u32, u32) {
        (self.row_bytes, self.groups)
    }

    /// What the kernels read beside the keys: to be uploaded once per head.
    #[must_use]
    pub fn table(&self) -> &[u32] {
        &self.table
    }

    /// Bytes of `tokens` keys: [`kvplan_core::codec::block_gtq::packed_key_bytes`] each, end to end.
    #[must_use]
    pub const fn bytes(&self, tokens: u32) -> u64 {
        // Two factors fit.
        tokens as u64 * self.row_bytes as u64
    }

    /// Parameters of all kernels.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when there is no such head, or more elements or bytes than 32 bits count.
    pub fn params(&self, keys: HeadKeys) -> Result<KeyBlocks, GpuError> {
        let shader = &shader::quantize::BLOCK_GTQ;
        let HeadKeys { tokens, heads, head, base } = keys;
        if head >= heads || !base.is_multiple_of(4) {
            return super::refuse(shader, format!("head {head} of {heads} from byte {base} on"));
        }
        word(shader, "bytes", self.bytes(tokens).saturating_add(u64::from(base)))?;
        let stride = word(shader, "elements per token", u64::from(heads) * u64::from(self.head_dim))?;
        word(shader, "elements", u64::from(tokens) * u64::from(stride))?;
        Ok(KeyBlocks {
            tokens,
            stride,
            first: head * self.head_dim,
            row_bytes: self.row_bytes,
            groups: self.groups,
            base,
        })
    }

    /// Encodes a head's keys out of `src`, the tensor in f32; `table` holds [`BlockGtqKeys::table`].
    ///
    /// # Errors
    /// [`GpuError::Arguments`] as for [`BlockGtqKeys::params`], or when a buffer is too small.
    pub fn quantize<'a>(
        &self,
        keys: HeadKeys,
        src: &'a Buffer,
        table: &'a Buffer,
        dst: &'a Buffer,
    ) -> Result<Dispatch<'a>, GpuError> {
        let (shader, params) = (&shader::quantize::BLOCK_GTQ, self.params(keys)?);
        self.room(shader, &params, dst, src, table)?;
        Ok(launch(shader, &params, keys.tokens).buffers([src, table, dst]))
    }

    /// Decodes them into `dst`, a tensor of the same shape, whose other heads stay as they are.
    ///
    /// # Errors
    /// As [`BlockGtqKeys::quantize`].
    pub fn dequantize<'a>(
        &self,
        keys: HeadKeys,
        src: &'a Buffer,
        table: &'a Buffer,
        dst: &'a Buffer,
    ) -> Result<Dispatch<'a>, GpuError> {
        let (shader, params) = (&shader::dequantize::BLOCK_GTQ, self.params(keys)?);
        self.room(shader, &params, src, dst, table)?;
        Ok(launch(shader, &params, keys.tokens).buffers([src, table, dst]))
    }

    /// What [`BlockGtqKeys::quantize`] does, on the CPU. `src` and `dst` are as its buffers.
    ///
    /// # Errors
    /// As [`BlockGtqKeys::params`].
    pub fn quantize_twin(&self, keys: HeadKeys, src: &[u32], dst: &mut [u32]) -> Result<(), GpuError> {
        quantize::block_gtq(&self.params(keys)?, src, &self.table, dst);
        Ok(())
    }

    /// What [`BlockGtqKeys::dequantize`] does, on the CPU.
    ///
    /// # Errors
    /// As [`BlockGtqKeys::params`].
    pub fn dequantize_twin(&self, keys: HeadKeys, src: &[u32], dst: &mut [u32]) -> Result<(), GpuError> {
        dequantize::block_gtq(&self.params(keys)?, src, &self.table, dst);
        Ok(())
    }

    /// Refuses buffers that do not hold the keys.
    fn room(
        &self,
        shader: &'static Shader,
        params: &KeyBlocks,
        packed: &Buffer,
        values: &Buffer,
        table: &Buffer,
    ) -> Result<(), GpuError> {
        let needed = [
            self.bytes(params.tokens).saturating_add(u64::from(params.base)),
            u64::from(params.tokens) * u64::from(params.stride) * 4,
            self.words().saturating_mul(4),
        ];
        let given = [packed, values, table].map(Buffer::bytes);
        if needed.iter().zip(given).any(|(needed, given)| *needed > given) {
            let message = format!("{needed:?} bytes packed, plain and of table needed, {given:?} given");
            return super::refuse(shader, message);
        }
        Ok(())
    }
}

/// One invocation for each of so many, or a workgroup's lanes.
fn launch<'a>(shader: &'static Shader, params: &KeyBlocks, units: u32) -> Dispatch<'a> {
    let lanes = u64::from(shader.constant("LANES").unwrap_or(1));
    Dispatch::new(shader).params(params.bytes()).invocations(u64::from(units) * lanes)
}
