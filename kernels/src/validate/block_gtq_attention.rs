//! Attention over Block-GTQ's keys as they are stored, in a case.

use super::case::{CaseShape, Tensors};
use super::on_gpu::{ExpectedSide, attended};
use super::record::{Attended, OutputError};
use super::rig::{attention_shape, last_queries, too_long};
use super::side::words;
use crate::cpu::{attention, dequantize, kv};
use crate::gpu::{Gpu, GpuError, POISON};
use crate::op::{Beside, BlockGtqCache, BlockGtqKeys, Cache, HeadKeys, Shape, Span};
use crate::shader::{Geometry, Packed};

/// The keys of a case's heads in one cache, as the twins have them.
pub(super) struct Stored {
    cache: BlockGtqCache,
    keys: Vec<u32>,
    /// What they decode to: turned, in the order of their codes.
    turned: Vec<f32>,
}

/// What attention gave: decode's output, then prefill's.
type Outputs = [Vec<f32>; 2];

impl Stored {
    /// From each head's kernels and packed keys, or why attention does not take the shape.
    pub(super) fn new<'h>(
        shape: &CaseShape,
        heads: impl Iterator<Item = (&'h BlockGtqKeys, &'h [u8])>,
    ) -> Result<Self, String> {
        if shape.k_dim != shape.v_dim {
            return Err(format!("keys of {} and values of {} elements", shape.k_dim, shape.v_dim));
        }
        let (kernels, packed): (Vec<_>, Vec<_>) =
            heads.map(|(kernels, keys)| (kernels.clone(), keys)).unzip();
        let cache = BlockGtqCache::new(kernels, shape.tokens).map_err(|error| error.to_string())?;
        let mut keys = Vec::new();
        for packed in packed {
            // Every head begins on a word.
            keys.extend(words(packed));
        }
        let k_side = Geometry {
            heads: shape.kv_heads,
            head_dim: shape.k_dim,
            beside_words: table_words(&cache),
            ..Geometry::default()
        };
        let elements = u64::from(shape.tokens) * u64::from(shape.kv_heads) * u64::from(shape.k_dim);
        let mut turned = vec![0; usize::try_from(elements).unwrap_or(usize::MAX)];
        let params = Packed { src_side: k_side, tokens: shape.tokens };
        dequantize::rows(&kv::BLOCK_GTQ, &params, &keys, cache.table(), &mut turned);
        let turned = turned.into_iter().map(f32::from_bits).collect();
        let stored = Self { cache, keys, turned };
        stored.params(&attention_shape(shape, 1)).map_err(|error| error.to_string())?;
        Ok(stored)
    }

    fn params(&self, shape: &Shape) -> Result<crate::shader::Attention, GpuError> {
        self.cache.params_for(shape, Span { first: 0, words: table_words(&self.cache) })
    }

    /// Why this driver would attend wrongly; nothing where it does not.
    pub(super) fn too_long(&self, gpu: &Gpu, shape: &CaseShape) -> Result<Option<String>, GpuError> {
        let rounds = self.cache.rounds(&attention_shape(shape, shape.queries))?;
        Ok(gpu.leaves(rounds).map(|refusal| too_long(shape, &refusal)))
    }

    /// The twins' outputs.
    pub(super) fn by_twins(
        &self,
        shape: &CaseShape,
        tensors: &Tensors,
        v: &ExpectedSide,
    ) -> Result<Outputs, GpuError> {
        let (key, value) = (&kv::BLOCK_GTQ, &v.store.kernels.decoder);
        let (k, table, v, lengths) = (&self.keys, self.cache.table(), words(&v.packed), [shape.tokens]);
        let one = attention_shape(shape, 1);
        let (params, q) = (self.params(&one)?, asked(&self.cache, shape, tensors, 1));
        let parts = usize::try_from(one.parts_bytes() / 4).unwrap_or(usize::MAX);
        let (mut parts, mut decode) = (vec![f32::NAN; parts], vec![f32::NAN; q.len()]);
        attention::decode(key, value, &params, &q, k, &v, &[], &lengths, table, &mut parts);
        attention::merge(&params, &parts, &[], &mut decode);
        let many = attention_shape(shape, shape.queries);
        let (params, q) = (self.params(&many)?, asked(&self.cache, shape, tensors, shape.queries));
        let mut prefill = vec![f32::NAN; q.len()];
        attention::prefill(key, value, &params, &q, k, &v, &[], &lengths, table, &[], &mut prefill);
        Ok([decode, prefill])
    }

    /// The kernels' outputs, over the twins' bytes.
    pub(super) async fn by_kernels(
        &self,
        gpu: &Gpu,
        shape: &CaseShape,
        tensors: &Tensors,
        v: &ExpectedSide,
    ) -> Result<Outputs, GpuError> {
        let k = gpu.upload_words("K cache of all heads", &self.keys).await?;
        let packed = gpu.upload("V cache", &v.packed).await?;
        let lengths = gpu.upload_words("lengths", &[shape.tokens]).await?;
        let table = gpu.upload_words("table of all heads", self.cache.table()).await?;
        let key = Span { first: 0, words: table_words(&self.cache) };
        let beside = Beside { buffer: Some(&table), key, value: Span::default() };
        let cache = Cache { beside, ..Cache::new(&k, &packed, &lengths) };
        let [one, many] = [1, shape.queries].map(|queries| attention_shape(shape, queries));
        let q = gpu.upload_values("Q of decode", &asked(&self.cache, shape, tensors, 1)).await?;
        let (parts, out) =
            (gpu.buffer("parts of decode", one.parts_bytes()).await?, gpu.buffer("out", q.bytes()).await?);
        gpu.run(&self.cache.decode(&one, &q, cache, &parts, &out)?).await?;
        let decode = gpu.read_values(&out).await?;
        let q = gpu.upload_values("Q of prefill", &asked(&self.cache, shape, tensors, shape.queries)).await?;
        let out = gpu.buffer("output of prefill", q.bytes()).await?;
        gpu.run(&[self.cache.prefill(&many, &q, cache, &out)?]).await?;
        Ok([decode, gpu.read_values(&out).await?])
    }

    /// Outputs against f64, and against attention over exact K and V.
    pub(super) fn judged(
        &self,
        shape: &CaseShape,
        tensors: &Tensors,
        v: &ExpectedSide,
        [decode, prefill]: &Outputs,
    ) -> (Attended, OutputError) {
        let last = |queries| asked(&self.cache, shape, tensors, queries);
        attended(shape, tensors, last, &self.turned, v, decode, prefill)
    }
}

/// The last tokens' queries, turned as the keys are.
pub(super) fn asked(cache: &BlockGtqCache, shape: &CaseShape, tensors: &Tensors, queries: u32) -> Vec<f32> {
    let plain: Vec<u32> = last_queries(shape, &tensors.q, queries).iter().map(|x| x.to_bits()).collect();
    let mut turned = vec![POISON; plain.len()];
    let group = shape.heads / shape.kv_heads.max(1);
    for head in 0..shape.heads {
        let (tokens, heads) = (queries, shape.heads);
        if let Some((kernels, _)) = cache.keys(head / group.max(1), 0) {
            // Refused only for a head that is not there.
            let own = HeadKeys { tokens, heads, head, base: 0 };
            let _turned = kernels.turn_queries_twin(own, &plain, &mut turned);
        }
    }
    turned.into_iter().map(f32::from_bits).collect()
}

fn table_words(cache: &BlockGtqCache) -> u32 {
    // Checked when the cache was made.
    u32::try_from(cache.table().len()).unwrap_or(u32::MAX)
}
