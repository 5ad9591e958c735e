//! One case by the twins alone: their bytes against `kvplan-core`'s reference encoder, their attention against f64.

use super::block_gtq;
use super::case::{Case, CaseShape, Coder, Tensors};
use super::compare;
use super::on_gpu::{Expected, ExpectedSide, attended, bits};
use super::record::{BytesRecord, CaseRecord, ErrorRecord, Measured};
use super::rig::{asked, attention_shape, refused};
use super::side::words;
use crate::cpu::attention;
use crate::op::{Addressing, CodecKernels, Domain, Tensor};
use kvplan_core::codec::{ArithmeticError, Route, TensorShape};

pub(super) fn case(case: &Case) -> CaseRecord {
    let tensors = case.tensors();
    let kernels = match case.coder() {
        Coder::Codec(kernels) => kernels,
        Coder::BlockGtq => return block_gtq::on_cpu(case, &tensors),
    };
    let shape = case.shape();
    let expected = match Expected::new(kernels, shape, &tensors) {
        Ok(expected) => expected,
        Err(reason) => return CaseRecord::skipped(case, reason),
    };
    let sides = (reference(&expected.k, &tensors.k), reference(&expected.v, &tensors.v));
    let (k, v) = match sides {
        (Ok(k), Ok(v)) => (k, v),
        (Err(error), _) | (_, Err(error)) => return CaseRecord::skipped(case, error.to_string()),
    };
    let mut error = ErrorRecord {
        real: case.real(),
        k_rel_mse: crate::quality::relative_mse(&tensors.k, &expected.k.plain()),
        v_rel_mse: crate::quality::relative_mse(&tensors.v, &expected.v.plain()),
        output: None,
    };
    let attention_skipped = refused(kernels, shape);
    let attention = attend(kernels, shape, &tensors, &expected).map(|(decode, prefill)| {
        let asked = |queries| asked(kernels, shape, &tensors, queries);
        let (attended, output) =
            attended(shape, &tensors, asked, &expected.k.values, &expected.v, &decode, &prefill);
        error.output = Some(output);
        attended
    });
    let bits_per_element = bits([expected.k.predicted, expected.v.predicted], shape);
    let measured =
        Measured { bits_per_element, k, v, attention, attention_skipped, error, times: Vec::new() };
    CaseRecord::measured(case, measured)
}

/// The twin's bytes and values against the reference's.
pub(super) fn reference(side: &ExpectedSide, values: &[f32]) -> Result<BytesRecord, ArithmeticError> {
    let (kernels, Tensor { tokens, heads, head_dim }) = (side.store.kernels, side.store.tensor);
    let [tokens, heads, dim] = [tokens, heads, head_dim].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let shape = TensorShape { tokens, heads, dim };
    let encoded = kernels.codec.encode_tensor(kernels.side, Route::Reference, shape, values)?;
    let bytes = [encoded.packed(), encoded.window()].concat();
    let unpacked = match kernels.domain {
        Domain::Plain => Some(compare::values(&side.values, &encoded.decode()?)),
        Domain::Hadamard(_) => None,
    };
    Ok(BytesRecord {
        predicted_bytes: side.predicted,
        measured_bytes: side.packed.len() as u64,
        allocator_bytes: None,
        packed: compare::bytes(&side.packed, &bytes),
        unpacked,
    })
}

/// The twins' decode and prefill; nothing where kernels do not take the shape.
fn attend(
    kernels: &'static CodecKernels,
    shape: &CaseShape,
    tensors: &Tensors,
    expected: &Expected,
) -> Option<(Vec<f32>, Vec<f32>)> {
    let (k, v) = (words(&expected.k.packed), words(&expected.v.packed));
    let (key, value) = (&kernels.key.decoder, &kernels.value.decoder);
    let lengths = [shape.tokens];
    let run = |decode: bool| -> Option<Vec<f32>> {
        let queries = if decode { 1 } else { shape.queries };
        let attention_shape = attention_shape(shape, queries);
        let params = attention_shape.params(kernels, &Addressing::default()).ok()?;
        let q = &asked(kernels, shape, tensors, queries);
        let mut out = vec![f32::NAN; q.len()];
        if decode {
            let parts = usize::try_from(attention_shape.parts_bytes() / 4).ok()?;
            let mut parts = vec![f32::NAN; parts];
            attention::decode(key, value, &params, q, &k, &v, &[], &lengths, &[], &mut parts);
            attention::merge(&params, &parts, &[], &mut out);
        } else {
            attention::prefill(key, value, &params, q, &k, &v, &[], &lengths, &[], &[], &mut out);
        }
        Some(out)
    };
    refused(kernels, shape).is_none().then(|| Some((run(true)?, run(false)?))).flatten()
}
