//! One layer's cache on an adapter with everything its four kernels need, and what each of them has to do.

use super::case::{CaseShape, Tensors};
use super::record::{KernelTime, clock_name};
use super::side::Store;
use crate::convert;
use crate::gpu::{Buffer, Clock, Dispatch, Gpu, GpuError};
use crate::op::{self, Addressing, Cache, CodecKernels};
use kvplan_core::codec::Side;
use std::sync::atomic::{AtomicBool, Ordering};

/// The kernels, in the order run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    Quantize,
    Dequantize,
    Decode,
    Prefill,
}

impl Kernel {
    pub(super) const ALL: [Self; 4] = [Self::Quantize, Self::Dequantize, Self::Decode, Self::Prefill];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Quantize => "quantize",
            Self::Dequantize => "dequantize",
            Self::Decode => "decode",
            Self::Prefill => "prefill",
        }
    }
}

/// What a kernel has to do, whatever it does it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    /// Bytes read and written, each once.
    pub(super) bytes: u64,
    /// Elements converted; multiplications and additions of attention.
    pub(super) operations: u64,
    pub(super) launches: u32,
}

/// The fastest of some runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fastest {
    pub(super) seconds: f64,
    pub(super) clock: Clock,
}

/// A layer's cache whose kernels are timed.
pub(super) trait Timed {
    /// The launches of a kernel on K and V; none where attention does not take the shape.
    fn launches(&self, kernel: Kernel) -> Result<Vec<Dispatch<'_>>, GpuError>;

    /// What a kernel has to do.
    fn work(&self, kernel: Kernel) -> Work;

    /// Runs a kernel once; nothing where there is nothing to run or the flag is up.
    async fn once(
        &self,
        gpu: &Gpu,
        kernel: Kernel,
        cancel: &AtomicBool,
    ) -> Result<Option<Fastest>, GpuError> {
        let launches = self.launches(kernel)?;
        if launches.is_empty() || cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let timing = gpu.run(&launches).await?;
        Ok(Some(Fastest { seconds: timing.seconds, clock: timing.clock }))
    }

    /// The times of all kernels there are; fewer when the flag goes up.
    async fn times(&self, gpu: &Gpu, cancel: &AtomicBool) -> Result<Vec<KernelTime>, GpuError> {
        let mut times = Vec::new();
        for kernel in Kernel::ALL {
            times.extend(self.time(gpu, kernel, cancel).await?);
        }
        Ok(times)
    }

    /// Runs a kernel some times, so that one run was not disturbed; long ones are disturbed less.
    async fn time(
        &self,
        gpu: &Gpu,
        kernel: Kernel,
        cancel: &AtomicBool,
    ) -> Result<Option<KernelTime>, GpuError> {
        const RUNS: usize = 4;
        const ENOUGH_SECONDS: f64 = 0.05;
        let (mut best, mut spent) = (None::<Fastest>, 0.0);
        for _ in 0..RUNS {
            let Some(run) = self.once(gpu, kernel, cancel).await? else { break };
            best = Some(best.filter(|best| best.seconds <= run.seconds).unwrap_or(run));
            spent += run.seconds;
            if spent > ENOUGH_SECONDS {
                break;
            }
        }
        let Work { bytes, operations, launches } = self.work(kernel);
        Ok(best.map(|fastest| KernelTime {
            kernel: kernel.name().to_owned(),
            bytes,
            operations,
            launches,
            seconds: fastest.seconds,
            predicted_seconds: None,
            clock: clock_name(fastest.clock),
        }))
    }
}

/// Buffers of one layer.
#[derive(Debug)]
pub(super) struct Rig {
    kernels: &'static CodecKernels,
    stores: [Store; 2],
    sources: [Buffer; 2],
    /// K and V, packed.
    pub(super) caches: [Buffer; 2],
    /// K and V, decoded.
    pub(super) decoded: [Buffer; 2],
    attention: Option<Attention>,
}

#[derive(Debug)]
struct Attention {
    decode: op::Shape,
    prefill: op::Shape,
    queries: [Buffer; 2],
    outputs: [Buffer; 2],
    lengths: Buffer,
    parts: Buffer,
}

/// The attention shape of a case; `queries` of its last tokens ask.
pub(super) fn attention_shape(shape: &CaseShape, queries: u32) -> op::Shape {
    // Exact for every width up to 2^24; kernels take 512.
    let width = f32::from(u16::try_from(shape.k_dim).unwrap_or(u16::MAX));
    op::Shape {
        sequences: 1,
        heads: shape.heads,
        kv_heads: shape.kv_heads,
        head_dim: shape.k_dim,
        queries,
        window: shape.window,
        capacity: shape.tokens,
        scale: 1.0 / width.sqrt(),
        sinks: false,
    }
}

/// The last `queries` tokens' part of `q`.
pub(super) fn last_queries<'q>(shape: &CaseShape, q: &'q [f32], queries: u32) -> &'q [f32] {
    let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let values = wide(queries) * wide(shape.heads) * wide(shape.k_dim);
    q.get(q.len().saturating_sub(values)..).unwrap_or_default()
}

/// The last tokens' queries, turned as the codec's keys are.
pub(super) fn asked(
    kernels: &'static CodecKernels,
    shape: &CaseShape,
    tensors: &Tensors,
    queries: u32,
) -> Vec<f32> {
    convert::turn_queries(kernels.key.domain, shape.k_dim, last_queries(shape, &tensors.q, queries))
}

impl Rig {
    /// Uploads `tensors` and allocates everything, poisoned. `None` in place of attention where kernels do not take the
    /// shape, with their words.
    pub(super) async fn new(
        gpu: &Gpu,
        kernels: &'static CodecKernels,
        shape: &CaseShape,
        tensors: &Tensors,
        predicted: [u64; 2],
    ) -> Result<(Self, Option<String>), GpuError> {
        let stores = [Side::Key, Side::Value].map(|side| Store::new(kernels, shape, side));
        let [k, v] = stores;
        let sources = [gpu.upload_values("K", &tensors.k).await?, gpu.upload_values("V", &tensors.v).await?];
        let [k_bytes, v_bytes] = predicted;
        let caches = [gpu.buffer("K cache", k_bytes).await?, gpu.buffer("V cache", v_bytes).await?];
        let decoded = [
            gpu.buffer("decoded K", k.elements() * 4).await?,
            gpu.buffer("decoded V", v.elements() * 4).await?,
        ];
        let refused = refused(kernels, shape).or_else(|| driver_leaves(gpu, kernels, shape));
        let attention = match refused {
            Some(_) => None,
            None => Some(Attention::new(gpu, kernels, shape, tensors).await?),
        };
        Ok((Self { kernels, stores, sources, caches, decoded, attention }, refused))
    }

    /// K's or V's values, as uploaded.
    pub(super) fn source(&self, side: Side) -> &Buffer {
        let [k, v] = &self.sources;
        match side {
            Side::Key => k,
            Side::Value => v,
        }
    }

    fn cache<'a>(&'a self, attention: &'a Attention) -> Cache<'a> {
        let [k, v] = &self.caches;
        Cache::new(k, v, &attention.lengths)
    }

    /// What attention gave: decode's output, then prefill's. Nothing where it does not take the shape.
    pub(super) fn outputs(&self) -> Option<&[Buffer; 2]> {
        self.attention.as_ref().map(|attention| &attention.outputs)
    }
}

/// The bytes and operations of attention over `packed` bytes, by one launch.
pub(super) fn attended(shape: &op::Shape, packed: u64, q: &Buffer, out: &Buffer) -> Work {
    let seen = |token: u32| if shape.window > 0 { token.min(shape.window) } else { token };
    let first = shape.capacity.saturating_sub(shape.queries);
    let pairs: u64 = (first..shape.capacity).map(|token| u64::from(seen(token + 1))).sum();
    // A window's queries read the tokens that any of them sees.
    let read = u64::from(seen(shape.capacity).saturating_add(shape.queries - 1).min(shape.capacity));
    let rows = packed.checked_div(u64::from(shape.capacity)).unwrap_or(0) * read;
    Work {
        bytes: rows + q.bytes() + out.bytes(),
        operations: 4 * u64::from(shape.heads) * u64::from(shape.head_dim) * pairs,
        launches: 1,
    }
}

/// Bytes of both sides.
pub(super) fn sum(buffers: &[Buffer; 2]) -> u64 {
    buffers.iter().map(Buffer::bytes).sum()
}

impl Timed for Rig {
    fn launches(&self, kernel: Kernel) -> Result<Vec<Dispatch<'_>>, GpuError> {
        let [k, v] = &self.stores;
        let ([k_source, v_source], [k_cache, v_cache]) = (&self.sources, &self.caches);
        let [k_decoded, v_decoded] = &self.decoded;
        match (kernel, &self.attention) {
            (Kernel::Quantize, _) => {
                let mut launches = k.quantize(k_source, k_cache)?;
                launches.extend(v.quantize(v_source, v_cache)?);
                Ok(launches)
            }
            (Kernel::Dequantize, _) => {
                Ok(vec![k.dequantize(k_cache, k_decoded)?, v.dequantize(v_cache, v_decoded)?])
            }
            (Kernel::Decode | Kernel::Prefill, None) => Ok(Vec::new()),
            (Kernel::Decode, Some(a)) => {
                let ([q, _], [out, _]) = (&a.queries, &a.outputs);
                Ok(a.decode.decode(self.kernels, q, self.cache(a), &a.parts, out)?.into())
            }
            (Kernel::Prefill, Some(a)) => {
                let ([_, q], [_, out]) = (&a.queries, &a.outputs);
                Ok(vec![a.prefill.prefill(self.kernels, q, self.cache(a), out)?])
            }
        }
    }

    fn work(&self, kernel: Kernel) -> Work {
        let elements: u64 = self.stores.iter().map(Store::elements).sum();
        let packed = sum(&self.caches);
        match (kernel, &self.attention) {
            (Kernel::Quantize, _) => {
                Work { bytes: sum(&self.sources) + packed, operations: elements, launches: 2 }
            }
            (Kernel::Dequantize, _) => {
                Work { bytes: sum(&self.decoded) + packed, operations: elements, launches: 2 }
            }
            (Kernel::Decode | Kernel::Prefill, None) => Work { bytes: 0, operations: 0, launches: 0 },
            (Kernel::Decode, Some(a)) => {
                let ([q, _], [out, _]) = (&a.queries, &a.outputs);
                Work { launches: 2, ..attended(&a.decode, packed, q, out) }
            }
            (Kernel::Prefill, Some(a)) => {
                let ([_, q], [_, out]) = (&a.queries, &a.outputs);
                attended(&a.prefill, packed, q, out)
            }
        }
    }
}

impl Attention {
    async fn new(
        gpu: &Gpu,
        kernels: &'static CodecKernels,
        shape: &CaseShape,
        tensors: &Tensors,
    ) -> Result<Self, GpuError> {
        let [decode, prefill] = [1, shape.queries].map(|queries| attention_shape(shape, queries));
        let last = |queries| asked(kernels, shape, tensors, queries);
        let queries = [
            gpu.upload_values("Q of decode", &last(1)).await?,
            gpu.upload_values("Q of prefill", &last(shape.queries)).await?,
        ];
        let [q, many] = &queries;
        let outputs = [
            gpu.buffer("output of decode", q.bytes()).await?,
            gpu.buffer("output of prefill", many.bytes()).await?,
        ];
        let lengths = gpu.upload_words("lengths", &[shape.tokens]).await?;
        let parts = gpu.buffer("parts of decode", decode.parts_bytes()).await?;
        Ok(Self { decode, prefill, queries, outputs, lengths, parts })
    }
}

/// Why this driver would attend wrongly; nothing where it does not.
fn driver_leaves(gpu: &Gpu, kernels: &'static CodecKernels, shape: &CaseShape) -> Option<String> {
    let asked = attention_shape(shape, shape.queries);
    let rounds = asked.prefill_rounds(kernels).max(asked.decode_rounds(kernels));
    gpu.leaves(rounds).map(|refusal| too_long(shape, &refusal))
}

/// The words for that.
pub(super) fn too_long(shape: &CaseShape, refusal: &str) -> String {
    format!("attention over {} tokens: {refusal}", shape.tokens)
}

/// Why the kernels do not attend to this shape; nothing where they do.
pub(super) fn refused(kernels: &'static CodecKernels, shape: &CaseShape) -> Option<String> {
    if shape.k_dim != shape.v_dim {
        return Some(format!("keys of {} and values of {} elements", shape.k_dim, shape.v_dim));
    }
    let params = attention_shape(shape, 1).params(kernels, &Addressing::default());
    params.err().map(|error| error.to_string())
}
