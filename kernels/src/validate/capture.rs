//! Q, K and V of a real model: a user's own safetensors file, or the bundled sample.

use super::case::{CaseShape, Source, Tensors};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use std::sync::Arc;

/// Layer 10 of SmolLM2-135M-Instruct (Apache-2.0), the first 127 tokens of English prose: f16, after rotary embedding.
/// `data/PROVENANCE.md` says how it was taken.
const SAMPLE: &[u8] = include_bytes!("../../data/smollm2-135m.L10.127-tokens.safetensors");

/// A file that is no capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// No safetensors file.
    #[error("not a safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    /// No layer in it.
    #[error(
        "no tensor named `layer.<number>.k`; a capture holds `layer.<number>.q`, `.k` and `.v`; found: {found}"
    )]
    NoLayer {
        /// The names found, the first few.
        found: String,
    },
    /// A tensor of a type that is not read.
    #[error("`{tensor}` is {dtype:?}; F16, BF16 and F32 are read")]
    Type {
        /// The tensor.
        tensor: String,
        /// Its type.
        dtype: Dtype,
    },
    /// A tensor that does not fit the others of its layer.
    #[error("`{tensor}` has shape {shape:?}; {expected}")]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// What would fit.
        expected: &'static str,
    },
    /// A value that no kernel takes.
    #[error("`{tensor}` holds {value} at element {at}; kernels take finite numbers only")]
    NonFinite {
        /// The tensor.
        tensor: String,
        /// The element.
        at: usize,
        /// The value.
        value: f32,
    },
}

/// The bundled sample: 9 query heads on 3 KV heads of 64, 127 tokens.
///
/// # Errors
/// None that a test would not have met.
pub fn sample() -> Result<Option<(CaseShape, Source)>, CaptureError> {
    let layer = capture(SAMPLE, u32::MAX)?.into_iter().next();
    Ok(layer.map(|(shape, source)| {
        let label =
            format!("SmolLM2-135M layer 10, {}", shape.label.split_once(", ").map_or("", |(_, rest)| rest));
        (CaseShape { label, ..shape }, source)
    }))
}

/// The layers of a capture, in order of their numbers: `layer.{i}.q [tokens, heads, k_dim]`,
/// `layer.{i}.k [tokens, kv_heads, k_dim]`, `layer.{i}.v [tokens, kv_heads, v_dim]`, after rotary embedding; of each the
/// first `most_tokens`. All tokens ask in prefill.
///
/// # Errors
/// [`CaptureError`] when the file is no such capture.
pub fn capture(bytes: &[u8], most_tokens: u32) -> Result<Vec<(CaseShape, Source)>, CaptureError> {
    let file = SafeTensors::deserialize(bytes)?;
    let number = |name: &str| name.strip_prefix("layer.")?.strip_suffix(".k")?.parse::<u32>().ok();
    let mut layers: Vec<u32> = file.names().into_iter().filter_map(number).collect();
    layers.sort_unstable();
    if layers.is_empty() {
        let names: Vec<&str> = file.names().into_iter().take(5).collect();
        return Err(CaptureError::NoLayer { found: names.join(", ") });
    }
    layers.into_iter().map(|number| layer(&file, number, most_tokens)).collect()
}

/// A tensor of three dimensions.
struct Read {
    dims: [u32; 3],
    values: Vec<f32>,
}

fn layer(file: &SafeTensors<'_>, number: u32, most: u32) -> Result<(CaseShape, Source), CaptureError> {
    let read = |part: &str| {
        let name = format!("layer.{number}.{part}");
        read(&name, &file.tensor(&name)?, most)
    };
    let (q, k, v) = (read("q")?, read("k")?, read("v")?);
    let ([tokens, heads, k_dim], [_, kv_heads, v_dim]) = (q.dims, v.dims);
    let refuse = |part: &str, dims: [u32; 3], expected| {
        let shape = dims.iter().map(|n| usize::try_from(*n).unwrap_or(usize::MAX)).collect();
        Err(CaptureError::Shape { tensor: format!("layer.{number}.{part}"), shape, expected })
    };
    if k.dims != [tokens, kv_heads, k_dim] {
        return refuse("k", k.dims, "as many tokens and the width of `q`, as many heads as `v`");
    }
    if v.dims != [tokens, kv_heads, v_dim] {
        return refuse("v", v.dims, "as many tokens as `q`");
    }
    if !heads.is_multiple_of(kv_heads) {
        return refuse("q", q.dims, "a multiple of the KV heads");
    }
    let shape = CaseShape {
        label: format!("layer {number}, {heads} heads on {kv_heads} of {k_dim}, {tokens} tokens"),
        tokens,
        heads,
        kv_heads,
        k_dim,
        v_dim,
        window: 0,
        queries: tokens,
        layers: 1,
    };
    Ok((shape, Source::Captured(Arc::new(Tensors { q: q.values, k: k.values, v: v.values }))))
}

fn read(name: &str, tensor: &TensorView<'_>, most: u32) -> Result<Read, CaptureError> {
    let refuse = |expected| {
        Err(CaptureError::Shape { tensor: name.to_owned(), shape: tensor.shape().to_vec(), expected })
    };
    let dims: Vec<u32> = tensor.shape().iter().filter_map(|n| u32::try_from(*n).ok()).collect();
    let [tokens, heads, dim] = dims.as_slice() else {
        return refuse("[tokens, heads, elements] is read");
    };
    if [tokens, heads, dim].into_iter().any(|n| *n == 0) {
        return refuse("nothing of it may be 0");
    }
    let kept = (*tokens).min(most);
    let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let count = wide(kept).saturating_mul(wide(*heads)).saturating_mul(wide(*dim));
    let data = tensor.data();
    let halves = || data.as_chunks().0.iter().take(count).map(|bytes| u16::from_le_bytes(*bytes));
    let dtype = tensor.dtype();
    let values: Vec<f32> = if dtype == Dtype::F16 {
        halves().map(|bits| half::f16::from_bits(bits).to_f32()).collect()
    } else if dtype == Dtype::BF16 {
        halves().map(|bits| half::bf16::from_bits(bits).to_f32()).collect()
    } else if dtype == Dtype::F32 {
        data.as_chunks().0.iter().take(count).map(|bytes| f32::from_le_bytes(*bytes)).collect()
    } else {
        return Err(CaptureError::Type { tensor: name.to_owned(), dtype });
    };
    match values.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        Some((at, value)) => Err(CaptureError::NonFinite { tensor: name.to_owned(), at, value: *value }),
        None => Ok(Read { dims: [kept, *heads, *dim], values }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn file(tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
        let bytes: Vec<Vec<u8>> =
            tensors.iter().map(|(_, _, x)| x.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
        let views: HashMap<String, TensorView<'_>> = tensors
            .iter()
            .zip(&bytes)
            .map(|((name, shape, _), bytes)| {
                ((*name).to_owned(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
            })
            .collect();
        safetensors::serialize(views, None).unwrap()
    }

    #[test]
    fn the_sample_is_a_layer_of_odd_length_with_grouped_queries() {
        let (shape, source) = sample().unwrap().unwrap();
        assert_eq!((shape.tokens, shape.heads, shape.kv_heads, shape.k_dim), (127, 9, 3, 64));
        let Source::Captured(tensors) = source else { panic!("the sample is real") };
        assert_eq!(tensors.q.len(), 127 * 9 * 64);
        assert_eq!((tensors.k.len(), tensors.v.len()), (127 * 192, 127 * 192));
    }

    #[test]
    fn layers_come_in_order_and_only_the_first_tokens_are_kept() {
        let (q, kv) = ([0.5f32; 2 * 2 * 4], [0.25f32; 2 * 4]);
        let bytes = file(&[
            ("layer.10.q", &[2, 2, 4], &q),
            ("layer.10.k", &[2, 1, 4], &kv),
            ("layer.10.v", &[2, 1, 4], &kv),
            ("layer.2.q", &[2, 2, 4], &q),
            ("layer.2.k", &[2, 1, 4], &kv),
            ("layer.2.v", &[2, 1, 4], &kv),
        ]);
        let layers = capture(&bytes, 1).unwrap();
        let labels: Vec<&str> = layers.iter().map(|(shape, _)| shape.label.as_str()).collect();
        assert_eq!(labels, ["layer 2, 2 heads on 1 of 4, 1 tokens", "layer 10, 2 heads on 1 of 4, 1 tokens"]);
        let Some((_, Source::Captured(tensors))) = layers.first() else { panic!("captured") };
        assert_eq!((tensors.q.len(), tensors.k.len()), (8, 4));
    }

    #[test]
    fn what_is_no_capture_is_refused_by_name() {
        let words = |bytes: &[u8]| capture(bytes, 9).unwrap_err().to_string();
        assert!(words(b"not safetensors").contains("safetensors"));
        assert!(words(&file(&[("model.embed", &[1, 1, 4], &[0.0; 4])])).contains("model.embed"));
        let missing = file(&[("layer.0.k", &[1, 1, 4], &[0.0; 4])]);
        assert!(words(&missing).contains("layer.0.q"), "{}", words(&missing));
        let layer = |q: &[usize], k: &[usize], x: f32| {
            let count = |shape: &[usize]| vec![x; shape.iter().product()];
            file(&[
                ("layer.0.q", q, &count(q)),
                ("layer.0.k", k, &count(k)),
                ("layer.0.v", &[2, 2, 4], &[0.0; 16]),
            ])
        };
        assert!(words(&layer(&[2, 2, 4], &[2, 1, 4], 0.0)).contains("layer.0.k"));
        assert!(words(&layer(&[2, 3, 4], &[2, 2, 4], 0.0)).contains("multiple"));
        assert!(words(&layer(&[2, 2, 4], &[2, 2, 4], f32::NAN)).contains("NaN"));
    }
}
