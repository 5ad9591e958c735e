//! `cargo run --release -p kvplan-kernels --example ratios [PART [CODEC]] [ADAPTER]`: how fast each kernel is against a plain copy
//! on the same adapter, against the same work with one invocation per row, decoding over each codec against f16, and fused
//! against naive prefill. Ratios only: absolute figures belong to one machine. PART is `packing`, `decode`, `latent` or
//! `prefill`; without it all of them run. CODEC keeps `packing` and `decode` to one; `block_gtq` is one of them.
//!
//! Whatever is compared runs in turn, round after round, and the fastest of each counts: other programs only ever slow a
//! run down. On a CPU adapter it is processor time that is compared, of all threads: nothing is made of how many there are,
//! and little of what else the machine is doing. What a baseline computes is compared first: one that gives up early would win every race.

#![expect(clippy::print_stdout, reason = "its purpose")]
#![expect(clippy::cast_precision_loss, reason = "byte counts as the numerator of a rate")]

mod block_gtq;
mod caches;
mod decode;
mod latent;
mod packing;
mod prefill;
mod race;

use caches::{SIDE, packed_sides};
use kvplan_core::codec::Codec;
use kvplan_kernels::gpu::{Choice, Gpu, GpuError, block_on};
use kvplan_kernels::op::{CODECS, CodecKernels};

/// What can be asked for by itself.
const PARTS: [&str; 4] = ["packing", "decode", "latent", "prefill"];

fn main() -> Result<(), GpuError> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let part = arguments.first().and_then(|name| PARTS.into_iter().find(|part| part == name));
    if part.is_some() {
        arguments.remove(0);
    }
    let only = arguments.first().and_then(|name| CODECS.iter().find(|kernels| kernels.codec.name() == name));
    if only.is_some() {
        arguments.remove(0);
    }
    let block_gtq = arguments.first().is_some_and(|name| name == "block_gtq");
    if block_gtq {
        arguments.remove(0);
    }
    let codecs = if block_gtq { &[] } else { only.map_or(CODECS, std::slice::from_ref) };
    let block_gtq = only.is_none();
    let choice = arguments.pop().map_or(Choice::Fastest, Choice::Named);
    block_on(run(&choice, (codecs, block_gtq), |name| part.is_none_or(|part| part == name)))
}

async fn run(
    choice: &Choice,
    (codecs, with_block_gtq): (&[CodecKernels], bool),
    wanted: impl Fn(&str) -> bool,
) -> Result<(), GpuError> {
    let gpu = Gpu::open(choice).await?;
    println!("Adapter: {} ({})", gpu.info().name, gpu.info().driver);
    if wanted("packing") {
        println!(
            "\nBytes moved per second, a plain copy being 1; and times as fast as one invocation per row\n"
        );
        println!("| kernel | side | against a copy | against one per row |\n|---|---|---|---|");
        for kernels in codecs {
            packing::side(&gpu, &kernels.key).await?;
            // Most codecs keep both sides alike.
            if kernels.value.quantize != kernels.key.quantize {
                packing::side(&gpu, &kernels.value).await?;
            }
        }
        if with_block_gtq {
            block_gtq::packing(&gpu).await?;
        }
        packing::rotation(&gpu).await?;
    }
    if wanted("decode") {
        println!(
            "\nDecoding, 8 KV heads of 128, 4096 tokens: tokens per second against f16, the cache's bytes per"
        );
        println!(
            "second against a copy, times as fast as one invocation per query head (8 sequences of 512; KIVI: one)\n"
        );
        println!("| codec | query heads per KV head | against f16 | against a copy | against one per head |");
        println!("|---|---|---|---|---|");
        let Some(f16) = CodecKernels::of(Codec::F16) else { return Ok(()) };
        let f16_cache = packed_sides(&gpu, f16, SIDE).await?;
        for kernels in codecs {
            let cache = packed_sides(&gpu, kernels, SIDE).await?;
            for per_kv in [1, 4] {
                decode::over(&gpu, per_kv, (f16, &f16_cache), (kernels, &cache)).await?;
            }
        }
        if with_block_gtq {
            for per_kv in [1, 4] {
                block_gtq::decode(&gpu, per_kv, (f16, &f16_cache)).await?;
            }
        }
    }
    if wanted("latent") {
        println!(
            "\nDecoding over latent rows of 576, 512 tokens under 128 heads: tokens per second against f16\n"
        );
        println!("| codec | against f16 |\n|---|---|");
        latent::over(&gpu).await?;
    }
    if wanted("prefill") {
        println!("\nFused prefill against the naive form, 2 heads over 1: times as fast, and peak bytes\n");
        println!("| codec | head | tokens | fused against naive | fused MiB | naive MiB | naive / fused |");
        println!("|---|---|---|---|---|---|---|");
        for (codec, head_dim) in [
            (Codec::F16, 64),
            (Codec::F16, 128),
            (Codec::Q8_0, 128),
            (Codec::Q4_0, 128),
            (Codec::Fp8E4m3, 128),
        ] {
            for tokens in [512, 1024, 2048, 4096] {
                prefill::over(&gpu, codec, head_dim, tokens).await?;
            }
        }
    }
    Ok(())
}
