//! Block-GTQ: keys by energy per RoPE block, values by `turboquant_mse_3`. Its widths come from the data: here from energies
//! that halve from block to block, over and over.

use super::caches::{SEQUENCES, SIDE, noise, packed};
use super::decode::{Asked, Cached, by_head, report};
use super::race::{Moved, baseline};
use kvplan_core::codec::{Pairing, allocate};
use kvplan_kernels::gpu::{Dispatch, Gpu, GpuError};
use kvplan_kernels::op::{Beside, BlockGtqCache, BlockGtqKeys, Cache, HeadKeys, Span};
use kvplan_kernels::shader::attention;

/// What to call it.
const NAME: &str = "block_gtq_k3v3";

/// Keys of 128 elements at three bits on average, in widths of one to five bits.
fn keys() -> Result<BlockGtqKeys, GpuError> {
    const ENERGIES: [f32; 8] = [128.0, 64.0, 32.0, 16.0, 8.0, 4.0, 2.0, 1.0];
    let energies: Vec<f32> = ENERGIES.into_iter().cycle().take(SIDE.head_dim as usize / 2).collect();
    BlockGtqKeys::new(Pairing::Halves, SIDE.head_dim, &allocate(&energies, 3))
}

/// All heads' keys of the side.
fn cache() -> Result<BlockGtqCache, GpuError> {
    BlockGtqCache::new(vec![keys()?; SIDE.heads as usize], SIDE.tokens)
}

/// Launches of `one` for every head's keys.
fn heads<'a>(
    cache: &BlockGtqCache,
    one: impl Fn(&BlockGtqKeys, HeadKeys) -> Result<Dispatch<'a>, GpuError>,
) -> Result<Vec<Dispatch<'a>>, GpuError> {
    let all = (0..SIDE.heads).filter_map(|head| cache.keys(head, SIDE.tokens));
    all.map(|(keys, of)| one(keys, of)).collect()
}

pub(super) async fn packing(gpu: &Gpu) -> Result<(), GpuError> {
    let cache = cache()?;
    let src = gpu.upload_values("values", noise(SIDE.elements())).await?;
    let table = gpu.upload_words("table", keys()?.table()).await?;
    let packed = gpu.buffer("packed", cache.bytes()).await?;
    let back = gpu.buffer("back", src.bytes()).await?;
    let moved = Moved::new(gpu, src.bytes() + packed.bytes()).await?;
    let ours = heads(&cache, |keys, of| keys.quantize(of, &src, &table, &packed))?;
    moved.report(gpu, &format!("quantize {NAME} | Key"), &ours, None).await?;
    let ours = heads(&cache, |keys, of| keys.dequantize(of, &packed, &table, &back))?;
    moved.report(gpu, &format!("dequantize {NAME} | Key"), &ours, None).await
}

/// As the other codecs' rows: queries are taken as turned.
pub(super) async fn decode(gpu: &Gpu, per_kv: u32, f16: Cached<'_>) -> Result<(), GpuError> {
    let cache = cache()?;
    let src = gpu.upload_values("values", noise(SIDE.elements())).await?;
    let own = gpu.upload_words("table", keys()?.table()).await?;
    let k = gpu.buffer("keys", cache.bytes()).await?;
    gpu.run(&heads(&cache, |keys, of| keys.quantize(of, &src, &own, &k))?).await?;
    let v = packed(gpu, &cache.values()?.value, SIDE).await?;
    let table = gpu.upload_words("table of all heads", cache.table()).await?;
    let key = Span { first: 0, words: u32::try_from(cache.table().len()).unwrap_or(u32::MAX) };
    let beside = Beside { buffer: Some(&table), key, value: Span::default() };

    let asked = Asked::new(gpu, SEQUENCES, SIDE.tokens / SEQUENCES, per_kv).await?;
    let Asked { shape, q, lengths, parts, out } = &asked;
    let ours = cache.decode(shape, q, Cache { beside, ..Cache::new(&k, &v, lengths) }, parts, out)?;
    let shader = baseline("decode", &attention::decode::BLOCK_GTQ_K3V3);
    let params = cache.params_for(shape, key)?;
    let by_head = by_head(gpu, &asked, shader, &params, [&k, &v, &table], &ours).await?;

    let asked = Asked::new(gpu, 1, SIDE.tokens, per_kv).await?;
    let Asked { shape, q, lengths, parts, out } = &asked;
    let ours = cache.decode(shape, q, Cache { beside, ..Cache::new(&k, &v, lengths) }, parts, out)?;
    let moved = Moved::new(gpu, k.bytes() + v.bytes()).await?;
    report(gpu, NAME, &asked, f16, &moved, &ours, &by_head).await
}
