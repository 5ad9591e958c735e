//! What llama.cpp wrote into its cache (`tests/data/capture`), by our kernels.

use crate::common::{bits, fresh, gpu, read, values};
use kvplan_core::codec::{Codec, Rotation, Side};
use kvplan_kernels::gpu::block_on;
use kvplan_kernels::op::{Beside, CODECS, Tensor, hadamard};
use kvplan_tests::capture::{HEAD_DIM, KV_HEADS, file, floats};

fn stored(tensor: &str, rotation: &str, kind: &str) -> Option<Vec<u8>> {
    file(&format!("smollm2-135m.L0.{tensor}.{rotation}.{kind}.bin.gz")).ok()
}

const TENSORS: [(&str, Side); 2] = [("k", Side::Key), ("v", Side::Value)];

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_turns_keys_and_values_as_llama_cpp_does() {
    for (tensor, side) in TENSORS {
        let read_values = |rotation| floats(&stored(tensor, rotation, "f32").unwrap());
        let width = Rotation::llama_cpp(side, HEAD_DIM).unwrap().width();
        let buffer = values(&read_values("plain"));
        block_on(gpu().run(&[hadamard(width as u32, &buffer).unwrap()])).unwrap();
        assert!(read(&buffer) == bits(&read_values("rot")), "{tensor}");
    }
}

/// From the values as the model computed them to the cache's bytes: turned, where the cache is, and encoded.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_writes_every_byte_that_llama_cpp_stored() {
    let mut compared = Vec::new();
    for kernels in CODECS {
        for ((tensor, side), rotated) in TENSORS.into_iter().flat_map(|t| [(t, false), (t, true)]) {
            let rotation = if rotated { "rot" } else { "plain" };
            let Some(want) = stored(tensor, rotation, kernels.codec.name()) else { continue };
            let input = floats(&stored(tensor, "plain", "f32").unwrap());
            let (heads, head_dim) = (KV_HEADS as u32, HEAD_DIM as u32);
            let all = Tensor { tokens: input.len() as u32 / heads / head_dim, heads, head_dim };
            let (src, dst) = (values(&input), fresh(want.len() as u64));
            let mut launches = Vec::new();
            if rotated {
                let width = Rotation::llama_cpp(side, HEAD_DIM).unwrap().width() as u32;
                launches.push(hadamard(width, &src).unwrap());
            }
            launches.extend(kernels.side(side).quantize(all, &src, Beside::NOTHING, &dst).unwrap());
            block_on(gpu().run(&launches)).unwrap();
            let got = block_on(gpu().read(&dst)).unwrap();
            assert_eq!(got.len(), want.len());
            let wrong = got.iter().zip(&want).filter(|(a, b)| a != b).count();
            assert_eq!(wrong, 0, "{} {tensor} {rotation}", kernels.codec);
            compared.push((kernels.codec, rotated));
        }
    }
    // Every type of the engine's that has kernels, plain and turned; the 16-bit ones are never turned.
    let types = [Codec::Q8_0, Codec::Q5_1, Codec::Q5_0, Codec::Q4_1, Codec::Q4_0, Codec::Iq4Nl];
    for codec in types.into_iter().filter(|codec| CODECS.iter().any(|kernels| kernels.codec == *codec)) {
        assert!(compared.contains(&(codec, false)) && compared.contains(&(codec, true)), "{codec}");
    }
    for codec in [Codec::F16, Codec::Bf16] {
        assert!(compared.contains(&(codec, false)), "{codec}");
    }
}
