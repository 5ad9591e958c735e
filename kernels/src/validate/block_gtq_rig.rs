//! Block-GTQ's cache of one layer on an adapter, for timing: keys packed head by head, values by `turboquant_mse_3`.

use super::block_gtq_attention::asked;
use super::case::{CaseShape, Tensors};
use super::rig::{Kernel, Timed, Work, attended, attention_shape, sum};
use super::side::Store;
use crate::gpu::{Buffer, Dispatch, Gpu, GpuError};
use crate::op::{Beside, BlockGtqCache, BlockGtqKeys, Cache, HeadKeys, Shape, Span};
use kvplan_core::codec::Side;

/// Buffers of one layer.
#[derive(Debug)]
pub(super) struct BlockGtqRig {
    cache: BlockGtqCache,
    tokens: u32,
    values: Store,
    sources: [Buffer; 2],
    caches: [Buffer; 2],
    decoded: [Buffer; 2],
    /// Each head's table.
    tables: Vec<Buffer>,
    attention: Option<Attention>,
}

#[derive(Debug)]
struct Attention {
    /// Decode's and prefill's.
    shapes: [Shape; 2],
    queries: [Buffer; 2],
    outputs: [Buffer; 2],
    lengths: Buffer,
    parts: Buffer,
    /// Of all heads.
    table: Buffer,
}

impl BlockGtqRig {
    /// Uploads `tensors` and allocates everything; without attention where kernels or the driver do not take the shape.
    pub(super) async fn new(
        gpu: &Gpu,
        shape: &CaseShape,
        tensors: &Tensors,
        heads: Vec<BlockGtqKeys>,
    ) -> Result<Self, GpuError> {
        let mut tables = Vec::new();
        for keys in &heads {
            tables.push(gpu.upload_words("table of a head", keys.table()).await?);
        }
        let cache = BlockGtqCache::new(heads, shape.tokens)?;
        let values = Store::new(cache.values()?, shape, Side::Value);
        let sources = [gpu.upload_values("K", &tensors.k).await?, gpu.upload_values("V", &tensors.v).await?];
        let [k, v] = &sources;
        let decoded = [gpu.buffer("decoded K", k.bytes()).await?, gpu.buffer("decoded V", v.bytes()).await?];
        let v_bytes = values.kernels.bytes(values.tensor)?;
        let caches = [gpu.buffer("K cache", cache.bytes()).await?, gpu.buffer("V cache", v_bytes).await?];
        let attention = Attention::new(gpu, shape, tensors, &cache).await?;
        let tokens = shape.tokens;
        Ok(Self { cache, tokens, values, sources, caches, decoded, tables, attention })
    }

    /// Launches for every head's keys.
    fn heads<'a>(
        &'a self,
        one: impl Fn(&BlockGtqKeys, HeadKeys, &'a Buffer) -> Result<Dispatch<'a>, GpuError>,
    ) -> Result<Vec<Dispatch<'a>>, GpuError> {
        let all = (0..).zip(&self.tables).filter_map(|(head, table)| {
            let (keys, of) = self.cache.keys(head, self.tokens)?;
            Some((keys, of, table))
        });
        all.map(|(keys, of, table)| one(keys, of, table)).collect()
    }

    fn stored<'a>(&'a self, attention: &'a Attention) -> Cache<'a> {
        let [k, v] = &self.caches;
        let words = u32::try_from(attention.table.bytes() / 4).unwrap_or(u32::MAX);
        let key = Span { first: 0, words };
        let beside = Beside { buffer: Some(&attention.table), key, value: Span::default() };
        Cache { beside, ..Cache::new(k, v, &attention.lengths) }
    }
}

impl Attention {
    async fn new(
        gpu: &Gpu,
        shape: &CaseShape,
        tensors: &Tensors,
        cache: &BlockGtqCache,
    ) -> Result<Option<Self>, GpuError> {
        let shapes = [1, shape.queries].map(|queries| attention_shape(shape, queries));
        let [decode, prefill] = &shapes;
        let words = u32::try_from(cache.table().len()).unwrap_or(u32::MAX);
        let taken = shape.k_dim == shape.v_dim && cache.params_for(decode, Span { first: 0, words }).is_ok();
        if !taken || gpu.leaves(cache.rounds(prefill)?).is_some() {
            return Ok(None);
        }
        let queries = [
            gpu.upload_values("Q of decode", &asked(cache, shape, tensors, 1)).await?,
            gpu.upload_values("Q of prefill", &asked(cache, shape, tensors, shape.queries)).await?,
        ];
        let [q, many] = &queries;
        let outputs = [
            gpu.buffer("output of decode", q.bytes()).await?,
            gpu.buffer("output of prefill", many.bytes()).await?,
        ];
        let lengths = gpu.upload_words("lengths", &[shape.tokens]).await?;
        let parts = gpu.buffer("parts of decode", decode.parts_bytes()).await?;
        let table = gpu.upload_words("table of all heads", cache.table()).await?;
        Ok(Some(Self { shapes, queries, outputs, lengths, parts, table }))
    }
}

impl Timed for BlockGtqRig {
    fn launches(&self, kernel: Kernel) -> Result<Vec<Dispatch<'_>>, GpuError> {
        let ([k_source, v_source], [k_cache, v_cache]) = (&self.sources, &self.caches);
        let [k_decoded, v_decoded] = &self.decoded;
        match (kernel, &self.attention) {
            (Kernel::Quantize, _) => {
                let mut launches =
                    self.heads(|keys, of, table| keys.quantize(of, k_source, table, k_cache))?;
                launches.extend(self.values.quantize(v_source, v_cache)?);
                Ok(launches)
            }
            (Kernel::Dequantize, _) => {
                let mut launches =
                    self.heads(|keys, of, table| keys.dequantize(of, k_cache, table, k_decoded))?;
                launches.push(self.values.dequantize(v_cache, v_decoded)?);
                Ok(launches)
            }
            (Kernel::Decode | Kernel::Prefill, None) => Ok(Vec::new()),
            (Kernel::Decode, Some(a)) => {
                let ([shape, _], [q, _], [out, _]) = (&a.shapes, &a.queries, &a.outputs);
                Ok(self.cache.decode(shape, q, self.stored(a), &a.parts, out)?.into())
            }
            (Kernel::Prefill, Some(a)) => {
                let ([_, shape], [_, q], [_, out]) = (&a.shapes, &a.queries, &a.outputs);
                Ok(vec![self.cache.prefill(shape, q, self.stored(a), out)?])
            }
        }
    }

    fn work(&self, kernel: Kernel) -> Work {
        let packed = sum(&self.caches);
        // An element is four bytes.
        let (given, back) = (sum(&self.sources), sum(&self.decoded));
        // A launch for each head's keys, one for the values.
        let launches = u32::try_from(self.tables.len()).unwrap_or(u32::MAX).saturating_add(1);
        match (kernel, &self.attention) {
            (Kernel::Quantize, _) => Work { bytes: given + packed, operations: given / 4, launches },
            (Kernel::Dequantize, _) => Work { bytes: back + packed, operations: back / 4, launches },
            (Kernel::Decode | Kernel::Prefill, None) => Work { bytes: 0, operations: 0, launches: 0 },
            (Kernel::Decode, Some(a)) => {
                let ([shape, _], [q, _], [out, _]) = (&a.shapes, &a.queries, &a.outputs);
                Work { launches: 2, ..attended(shape, packed, q, out) }
            }
            (Kernel::Prefill, Some(a)) => {
                let ([_, shape], [_, q], [_, out]) = (&a.shapes, &a.queries, &a.outputs);
                attended(shape, packed, q, out)
            }
        }
    }
}
