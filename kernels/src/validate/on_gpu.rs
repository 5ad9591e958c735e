//! One case on an adapter.

use super::block_gtq;
use super::case::{Case, CaseShape, Coder, Tensors};
use super::compare;
use super::record::{Attended, BytesRecord, CaseRecord, ErrorRecord, Measured, OutputError};
use super::rig::{Kernel, Rig, Timed, asked, attention_shape, last_queries};
use super::side::Store;
use crate::cpu::oracle::{self, Oracle};
use crate::gpu::{Gpu, GpuError};
use crate::op::CodecKernels;
use kvplan_core::codec::Side;
use std::sync::atomic::{AtomicBool, Ordering};

/// Room behind a cache in which a kernel that writes too much shows.
pub(super) const ROOM: u64 = 256;

/// A bit to flip, to show that the checks see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: At,
    pub(super) bit: usize,
}

/// Where to flip it: in the values' packed bytes before they are compared, or after, before attention reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Packed,
    Attended,
}

/// Runs a case; nothing when the flag went up.
pub(super) async fn case(
    gpu: &Gpu,
    case: &Case,
    cancel: &AtomicBool,
    fault: Option<Fault>,
) -> Result<Option<CaseRecord>, GpuError> {
    let (shape, tensors) = (case.shape(), case.tensors());
    let kernels = match case.coder() {
        Coder::Codec(kernels) => kernels,
        Coder::BlockGtq => return block_gtq::on_gpu(gpu, case, &tensors, cancel).await,
    };
    let expected = match Expected::new(kernels, shape, &tensors) {
        Ok(expected) => expected,
        Err(reason) => return Ok(Some(CaseRecord::skipped(case, reason))),
    };
    let predicted = [expected.k.predicted, expected.v.predicted];
    let (mut rig, attention_skipped) = Rig::new(gpu, kernels, shape, &tensors, predicted).await?;
    let mut times = Vec::new();
    let mut sides = None;
    for kernel in Kernel::ALL {
        if kernel == Kernel::Decode {
            // Before a fault that only attention is to see.
            let k = side(gpu, &rig, Side::Key, &expected.k).await?;
            sides = Some((k, side(gpu, &rig, Side::Value, &expected.v).await?));
            rig.flip(gpu, fault, At::Attended).await?;
        }
        let timed = rig.time(gpu, kernel, cancel).await?;
        if cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        times.extend(timed);
        if kernel == Kernel::Quantize {
            rig.flip(gpu, fault, At::Packed).await?;
        }
    }
    let Some((k, v)) = sides else { return Ok(None) };
    let mut error = ErrorRecord {
        real: case.real(),
        k_rel_mse: crate::quality::relative_mse(&tensors.k, &expected.k.plain()),
        v_rel_mse: crate::quality::relative_mse(&tensors.v, &expected.v.plain()),
        output: None,
    };
    let attention = match rig.outputs() {
        None => None,
        Some([decode, prefill]) => {
            let (decode, prefill) = (gpu.read_values(decode).await?, gpu.read_values(prefill).await?);
            let asked = |queries| asked(kernels, shape, &tensors, queries);
            let (attended, output) =
                attended(shape, &tensors, asked, &expected.k.values, &expected.v, &decode, &prefill);
            error.output = Some(output);
            Some(attended)
        }
    };
    let bits_per_element = bits(predicted, shape);
    let measured = Measured { bits_per_element, k, v, attention, attention_skipped, error, times };
    Ok(Some(CaseRecord::measured(case, measured)))
}

/// What the CPU says of one side.
pub(super) struct ExpectedSide {
    pub(super) store: Store,
    pub(super) predicted: u64,
    pub(super) packed: Vec<u8>,
    /// In the decoder's domain.
    pub(super) values: Vec<f32>,
}

impl ExpectedSide {
    /// The twin's bytes and values, or why the codec does not take the shape.
    pub(super) fn new(store: Store, values: &[f32]) -> Result<Self, String> {
        let predicted = store.predicted().map_err(|error| error.to_string())?;
        let packed = store.pack(values).map_err(|error| error.to_string())?;
        let values = store.unpack(&packed).map_err(|error| error.to_string())?;
        Ok(Self { store, predicted, packed, values })
    }

    pub(super) fn plain(&self) -> Vec<f32> {
        self.store.plain(&self.values)
    }
}

/// What the CPU says of a case.
pub(super) struct Expected {
    pub(super) k: ExpectedSide,
    pub(super) v: ExpectedSide,
}

impl Expected {
    /// The twins' bytes and values, or why the codec does not take the shape.
    pub(super) fn new(
        kernels: &'static CodecKernels,
        shape: &CaseShape,
        tensors: &Tensors,
    ) -> Result<Self, String> {
        let side = |side, values| ExpectedSide::new(Store::new(kernels, shape, side), values);
        Ok(Self { k: side(Side::Key, &tensors.k)?, v: side(Side::Value, &tensors.v)? })
    }
}

/// Stored bits per element of K and V together.
pub(super) fn bits(bytes: [u64; 2], shape: &CaseShape) -> f64 {
    let elements = u64::from(shape.tokens)
        * u64::from(shape.kv_heads)
        * (u64::from(shape.k_dim) + u64::from(shape.v_dim));
    ratio(bytes.iter().sum::<u64>() * 8, elements)
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for reading")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
}

async fn side(gpu: &Gpu, rig: &Rig, side: Side, expected: &ExpectedSide) -> Result<BytesRecord, GpuError> {
    let ([k, v], [k_decoded, v_decoded]) = (&rig.caches, &rig.decoded);
    let (cache, decoded) = match side {
        Side::Key => (k, k_decoded),
        Side::Value => (v, v_decoded),
    };
    let roomy = gpu.buffer("a cache with room to spare", expected.predicted + ROOM).await?;
    gpu.run(&expected.store.quantize(rig.source(side), &roomy)?).await?;
    let measured_bytes = compare::written(&gpu.read(&roomy).await?, &expected.packed);
    Ok(BytesRecord {
        predicted_bytes: expected.predicted,
        measured_bytes,
        allocator_bytes: gpu.allocator_bytes(cache),
        packed: compare::bytes(&gpu.read(cache).await?, &expected.packed),
        unpacked: Some(compare::values(&gpu.read_values(decoded).await?, &expected.values)),
    })
}

/// Attention's outputs against f64 over what the packed bytes say, and against attention over exact K and V. `asked` gives
/// the last tokens' queries in the domain of the decoded `keys`.
pub(super) fn attended(
    shape: &CaseShape,
    tensors: &Tensors,
    asked: impl Fn(u32) -> Vec<f32>,
    keys: &[f32],
    v: &ExpectedSide,
    decode: &[f32],
    prefill: &[f32],
) -> (Attended, OutputError) {
    let oracle = |queries, q: &[f32], k: &[f32], v: &[f32]| -> Oracle {
        let stride = usize::try_from(shape.tokens).unwrap_or(usize::MAX);
        oracle::attention(&attention_shape(shape, queries), stride, q, k, v, &[shape.tokens], &[])
    };
    let packed = |queries| oracle(queries, &asked(queries), keys, &v.values);
    let many = packed(shape.queries);
    let q = last_queries(shape, &tensors.q, shape.queries);
    let exact = single(&oracle(shape.queries, q, &tensors.k, &tensors.v).output);
    let error = |output: &[f32]| compare::relative_error(&v.store.plain(output), &exact);
    let output = OutputError { predicted: error(&single(&many.output)), measured: error(prefill) };
    let attended = Attended {
        decode: compare::within(decode, &packed(1)),
        prefill: compare::within(prefill, &many),
        queries: shape.queries,
    };
    (attended, output)
}

#[expect(clippy::cast_possible_truncation, reason = "outputs to the precision kernels have")]
fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|x| *x as f32).collect()
}

impl Rig {
    /// Flips a fault's bit of the packed values, where this is its place.
    async fn flip(&mut self, gpu: &Gpu, fault: Option<Fault>, place: At) -> Result<(), GpuError> {
        let Some(Fault { bit, .. }) = fault.filter(|fault| fault.at == place) else { return Ok(()) };
        let [_, v] = &mut self.caches;
        let mut bytes = gpu.read(v).await?;
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        *v = gpu.upload("V cache", &bytes).await?;
        Ok(())
    }
}
