//! Block-GTQ's bit-packed cache: keys at three bits by energy per RoPE block, values by `turboquant_mse_3`.
//!
//! Bits are allotted from the case's own K and Q, as its authors calibrate, so that the bytes of a key are predicted from
//! the histogram of its head. Which dimensions rotary embedding pairs is not known of a capture: the pairing is taken that
//! promises the smaller error. Attention reads the stored keys: [`super::block_gtq_attention`].

use super::block_gtq_attention::Stored;
use super::block_gtq_rig::BlockGtqRig;
use super::case::{Case, CaseShape, Tensors};
use super::compare;
use super::on_cpu::reference;
use super::on_gpu::{ExpectedSide, ROOM, bits};
use super::record::{Attended, BytesRecord, CaseRecord, ErrorRecord, KernelTime, Measured, OutputError};
use super::rig::Timed;
use super::side::{Store, words};
use crate::gpu::{Gpu, GpuError, POISON};
use crate::op::{BlockGtqKeys, CodecKernels, HeadKeys};
use kvplan_core::codec::block_gtq::packed_key_bytes;
use kvplan_core::codec::{BlockGtq, Codec, Pairing, Side, allocate, energies};
use std::sync::atomic::{AtomicBool, Ordering};

/// What reports call it; `block_gtq_k3v3` is the production cache's size at one width.
pub const NAME: &str = "block_gtq_k3v3_packed";
/// Bits per dimension, on average.
const AVERAGE: u8 = 3;
/// Of the values.
const VALUES: Codec = Codec::TurboquantMse3;

/// One KV head's keys, as the CPU has them.
struct Head {
    kernels: BlockGtqKeys,
    reference: BlockGtq,
    keys: HeadKeys,
    /// From the histogram.
    predicted: u64,
    /// The twin's.
    packed: Vec<u8>,
}

/// What the CPU says of a case.
struct Expected {
    heads: Vec<Head>,
    /// The twin's decoded keys of all heads.
    keys: Vec<f32>,
    v: ExpectedSide,
}

/// The values of one of `heads` heads, token after token.
fn one_head(values: &[f32], heads: u32, head: u32, dim: u32) -> Vec<f32> {
    let [heads, head, dim] = [heads, head, dim].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    values.chunks_exact(dim.max(1)).skip(head).step_by(heads.max(1)).flatten().copied().collect()
}

/// Bits per block of one KV head, and the pairing of dimensions that promises the smaller error: Σ s·4^−b.
fn allotted(shape: &CaseShape, tensors: &Tensors, head: u32) -> Result<(Pairing, Vec<u8>), String> {
    let group = shape.heads / shape.kv_heads.max(1);
    let keys = one_head(&tensors.k, shape.kv_heads, head, shape.k_dim);
    let queries: Vec<f32> = (head * group..(head + 1) * group)
        .flat_map(|query| one_head(&tensors.q, shape.heads, query, shape.k_dim))
        .collect();
    let dim = usize::try_from(shape.k_dim).unwrap_or(usize::MAX);
    let mut best: Option<(f64, Pairing, Vec<u8>)> = None;
    for pairing in [Pairing::Interleaved, Pairing::Halves] {
        let energies = energies(pairing, dim, &queries, &keys).map_err(|error| error.to_string())?;
        let bits = allocate(&energies, AVERAGE);
        let error =
            energies.iter().zip(&bits).map(|(s, b)| f64::from(*s) * 0.25f64.powi(i32::from(*b))).sum();
        if best.as_ref().is_none_or(|(least, ..)| error < *least) {
            best = Some((error, pairing, bits));
        }
    }
    best.map(|(_, pairing, bits)| (pairing, bits)).ok_or_else(|| "nothing to allot".to_owned())
}

/// The kernels of all heads' keys, as allotted from these activations.
pub(super) fn head_kernels(shape: &CaseShape, tensors: &Tensors) -> Result<Vec<BlockGtqKeys>, String> {
    let one = |head| {
        let (pairing, bits) = allotted(shape, tensors, head)?;
        BlockGtqKeys::new(pairing, shape.k_dim, &bits).map_err(|error| error.to_string())
    };
    (0..shape.kv_heads).map(one).collect()
}

impl Head {
    fn new(shape: &CaseShape, tensors: &Tensors, head: u32) -> Result<Self, String> {
        let (pairing, bits) = allotted(shape, tensors, head)?;
        let kernels = BlockGtqKeys::new(pairing, shape.k_dim, &bits).map_err(|error| error.to_string())?;
        let dim = usize::try_from(shape.k_dim).unwrap_or(usize::MAX);
        let reference = BlockGtq::new(pairing, dim, &bits).map_err(|error| error.to_string())?;
        let predicted = packed_key_bytes(reference.histogram()).saturating_mul(u64::from(shape.tokens));
        let keys = HeadKeys { tokens: shape.tokens, heads: shape.kv_heads, head, base: 0 };
        let bytes = usize::try_from(predicted).unwrap_or(usize::MAX);
        let mut packed = vec![POISON; bytes.div_ceil(4)];
        let source: Vec<u32> = tensors.k.iter().map(|x| x.to_bits()).collect();
        kernels.quantize_twin(keys, &source, &mut packed).map_err(|error| error.to_string())?;
        let mut packed: Vec<u8> = packed.iter().flat_map(|word| word.to_le_bytes()).collect();
        packed.truncate(bytes);
        Ok(Self { kernels, reference, keys, predicted, packed })
    }
}

impl Expected {
    fn new(shape: &CaseShape, tensors: &Tensors) -> Result<Self, String> {
        let heads = (0..shape.kv_heads).map(|head| Head::new(shape, tensors, head));
        let heads = heads.collect::<Result<Vec<_>, _>>()?;
        let mut keys = vec![0u32; tensors.k.len()];
        for head in &heads {
            let decoded = head.kernels.dequantize_twin(head.keys, &words(&head.packed), &mut keys);
            decoded.map_err(|error| error.to_string())?;
        }
        let values = CodecKernels::of(VALUES).ok_or_else(|| format!("{VALUES} has no kernels"))?;
        let v = ExpectedSide::new(Store::new(values, shape, Side::Value), &tensors.v)?;
        Ok(Self { heads, keys: keys.into_iter().map(f32::from_bits).collect(), v })
    }

    fn predicted(&self) -> u64 {
        self.heads.iter().map(|head| head.predicted).sum()
    }

    fn packed(&self) -> Vec<u8> {
        self.heads.iter().flat_map(|head| head.packed.iter().copied()).collect()
    }

    /// All heads' keys in one cache, or why attention does not take the shape.
    fn stored(&self, shape: &CaseShape) -> Result<Stored, String> {
        Stored::new(shape, self.heads.iter().map(|head| (&head.kernels, head.packed.as_slice())))
    }

    fn record(
        &self,
        case: &Case,
        tensors: &Tensors,
        [k, v]: [BytesRecord; 2],
        attention: Result<(Attended, OutputError), String>,
        times: Vec<KernelTime>,
    ) -> CaseRecord {
        let (attention, output, attention_skipped) = match attention {
            Ok((attended, output)) => (Some(attended), Some(output), None),
            Err(reason) => (None, None, Some(reason)),
        };
        let error = ErrorRecord {
            real: case.real(),
            k_rel_mse: crate::quality::relative_mse(&tensors.k, &self.keys),
            v_rel_mse: crate::quality::relative_mse(&tensors.v, &self.v.plain()),
            output,
        };
        let measured = Measured {
            bits_per_element: bits([self.predicted(), self.v.predicted], case.shape()),
            k,
            v,
            attention,
            attention_skipped,
            error,
            times,
        };
        CaseRecord::measured(case, measured)
    }
}

/// How far a device's decoded key may be from the twin's. It adds up squares, takes roots and divides in its own way:
/// (n + 48)·2^-24 of each element. And it turns a vector of length l by four transforms of at most nine steps, on both
/// sides, each adding an error of length 2^-24·l: with the quotients, 96·2^-24·l.
fn allowed(keys: &[f32], dim: u32) -> Vec<f32> {
    const UNIT: f32 = 5.960_464_5e-8;
    let terms = f32::from(u16::try_from(dim).unwrap_or(u16::MAX)) + 48.0;
    let vectors = keys.chunks(usize::try_from(dim).unwrap_or(usize::MAX).max(1));
    let each = vectors.flat_map(|vector| {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter().map(move |x| (x.abs() * terms + 96.0 * length) * UNIT)
    });
    each.collect()
}

/// On an adapter; nothing when the flag went up.
pub(super) async fn on_gpu(
    gpu: &Gpu,
    case: &Case,
    tensors: &Tensors,
    cancel: &AtomicBool,
) -> Result<Option<CaseRecord>, GpuError> {
    let expected = match Expected::new(case.shape(), tensors) {
        Ok(expected) => expected,
        Err(reason) => return Ok(Some(CaseRecord::skipped(case, reason))),
    };
    let source = gpu.upload_values("K", &tensors.k).await?;
    let decoded = gpu.buffer("decoded K", source.bytes()).await?;
    let (mut measured_bytes, mut packed) = (0, Vec::new());
    for head in &expected.heads {
        if cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let table = gpu.upload_words("table of a head", head.kernels.table()).await?;
        let cache = gpu.buffer("K cache of a head, with room to spare", head.predicted + ROOM).await?;
        let launches = [
            head.kernels.quantize(head.keys, &source, &table, &cache)?,
            head.kernels.dequantize(head.keys, &cache, &table, &decoded)?,
        ];
        gpu.run(&launches).await?;
        let found = gpu.read(&cache).await?;
        measured_bytes += compare::written(&found, &head.packed);
        packed.extend(found.into_iter().take(head.packed.len()));
    }
    let allowed = allowed(&expected.keys, case.shape().k_dim);
    let may = |at: usize| allowed.get(at).copied().unwrap_or_default();
    let k = BytesRecord {
        predicted_bytes: expected.predicted(),
        measured_bytes,
        allocator_bytes: None,
        packed: compare::bytes(&packed, &expected.packed()),
        unpacked: Some(compare::values_within(&gpu.read_values(&decoded).await?, &expected.keys, may)),
    };
    let v = values(gpu, &expected.v, &tensors.v).await?;
    if cancel.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let shape = case.shape();
    let stored = match expected.stored(shape) {
        Ok(stored) => stored.too_long(gpu, shape)?.map_or(Ok(stored), Err),
        Err(reason) => Err(reason),
    };
    let attention = match stored {
        Err(reason) => Err(reason),
        Ok(stored) => {
            let outputs = stored.by_kernels(gpu, shape, tensors, &expected.v).await?;
            Ok(stored.judged(shape, tensors, &expected.v, &outputs))
        }
    };
    let heads = expected.heads.iter().map(|head| head.kernels.clone()).collect();
    let times = BlockGtqRig::new(gpu, shape, tensors, heads).await?.times(gpu, cancel).await?;
    if cancel.load(Ordering::Relaxed) {
        return Ok(None);
    }
    Ok(Some(expected.record(case, tensors, [k, v], attention, times)))
}

async fn values(gpu: &Gpu, expected: &ExpectedSide, values: &[f32]) -> Result<BytesRecord, GpuError> {
    let source = gpu.upload_values("V", values).await?;
    let cache = gpu.buffer("V cache with room to spare", expected.predicted + ROOM).await?;
    let decoded = gpu.buffer("decoded V", source.bytes()).await?;
    gpu.run(&expected.store.quantize(&source, &cache)?).await?;
    gpu.run(&[expected.store.dequantize(&cache, &decoded)?]).await?;
    let mut found = gpu.read(&cache).await?;
    let measured_bytes = compare::written(&found, &expected.packed);
    found.truncate(expected.packed.len());
    Ok(BytesRecord {
        predicted_bytes: expected.predicted,
        measured_bytes,
        allocator_bytes: None,
        packed: compare::bytes(&found, &expected.packed),
        unpacked: Some(compare::values(&gpu.read_values(&decoded).await?, &expected.values)),
    })
}

/// By the twins alone, against `kvplan-core`'s reference.
pub(super) fn on_cpu(case: &Case, tensors: &Tensors) -> CaseRecord {
    let shape = case.shape();
    let expected = match Expected::new(shape, tensors) {
        Ok(expected) => expected,
        Err(reason) => return CaseRecord::skipped(case, reason),
    };
    let (mut bytes, mut found, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
    for head in &expected.heads {
        let keys = one_head(&tensors.k, shape.kv_heads, head.keys.head, shape.k_dim);
        let encoded = head.reference.encode(&keys);
        let decoded = encoded.and_then(|encoded| {
            let decoded = head.reference.decode(&encoded)?;
            bytes.extend(encoded);
            Ok(decoded)
        });
        match decoded {
            Ok(decoded) => wanted.extend(decoded),
            Err(error) => return CaseRecord::skipped(case, error.to_string()),
        }
        found.extend(one_head(&expected.keys, shape.kv_heads, head.keys.head, shape.k_dim));
    }
    let packed = expected.packed();
    let k = BytesRecord {
        predicted_bytes: expected.predicted(),
        measured_bytes: packed.len() as u64,
        allocator_bytes: None,
        packed: compare::bytes(&packed, &bytes),
        unpacked: Some(compare::values(&found, &wanted)),
    };
    let attention = expected.stored(shape).and_then(|stored| {
        let outputs = stored.by_twins(shape, tensors, &expected.v).map_err(|error| error.to_string())?;
        Ok(stored.judged(shape, tensors, &expected.v, &outputs))
    });
    match reference(&expected.v, &tensors.v) {
        Ok(v) => expected.record(case, tensors, [k, v], attention, Vec::new()),
        Err(error) => CaseRecord::skipped(case, error.to_string()),
    }
}
