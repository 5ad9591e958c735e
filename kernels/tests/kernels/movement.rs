//! Copying and appending, whatever the alignment of rows.

use crate::common::{Random, fresh, gpu, read, upload, values};
use kvplan_core::codec::{Codec, Route, nvfp4_swizzled_scale};
use kvplan_kernels::cpu::movement as cpu;
use kvplan_kernels::gpu::{POISON, block_on};
use kvplan_kernels::op::{Arrangement, Beside, CodecKernels, Destination, Placement, Tensor, append, copy};
use kvplan_kernels::shader::{Append, Geometry};

fn random_words(seed: u32, count: usize) -> Vec<u32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.word()).collect()
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_copy_is_the_same_words() {
    let words = random_words(1, 70_000 * 4);
    let (src, dst) = (upload(&words), fresh(words.len() as u64 * 4));
    block_on(gpu().run(&[copy(&src, &dst).unwrap()])).unwrap();
    assert!(read(&dst) == words);
}

/// Rows of 34 and 17 bytes share words with their neighbours; all else must stay poisoned.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn rows_arrive_in_their_slots_and_nowhere_else() {
    for row_bytes in [1, 17, 34, 36, 68, 130] {
        let (rows, first_token, slots) = (11, 6, 24);
        let words = random_words(row_bytes, (rows * row_bytes) as usize / 4 + 1);
        let src = upload(&words);
        let table_words = [2, 0, 3, 5, 1];
        let table = upload(&table_words);
        let dst_side = Geometry { page_tokens: 1, page_bytes: row_bytes, heads: 1, ..Geometry::default() };
        let record_bytes = row_bytes;
        let mut params = Append {
            dst_side,
            rows,
            record_bytes,
            first_token,
            src_row_bytes: row_bytes,
            ..Append::default()
        };
        let bytes = u64::from(slots * row_bytes);
        let poisoned = || vec![POISON; bytes.div_ceil(4) as usize];

        let mut want = [poisoned(), poisoned(), poisoned()];
        cpu::append(&params, &words, &mut want[0]);
        params.page_size = 4;
        cpu::append_paged(&params, &words, &mut want[1], &table_words);
        params.ring = 13;
        cpu::append_ring(&params, &words, &mut want[2]);

        let paged = Placement::Paged { table: &table, page_size: 4 };
        let placements = [Placement::Contiguous, paged, Placement::Ring { slots: 13 }];
        for (placement, want) in placements.into_iter().zip(want) {
            let cache = fresh(bytes.next_multiple_of(4));
            let launch = append(&src, &cache, placement, first_token, rows, row_bytes).unwrap();
            block_on(gpu().run(&[launch])).unwrap();
            assert!(read(&cache) == want, "{row_bytes} bytes per row, {placement:?}");
        }
    }
}

/// A token of both sides packed and appended in two portions to one buffer of `bytes`.
fn appended(
    kernels: &CodecKernels,
    tensor: Tensor,
    sides: [&[f32]; 2],
    (placement, arrangement): (Placement<'_>, Arrangement),
    bytes: u64,
) -> Vec<u8> {
    let cache = fresh(bytes);
    let to = Destination { buffer: &cache, placement, arrangement };
    let row = (tensor.heads * tensor.head_dim) as usize;
    for (kernels, all) in kernels.sides().into_iter().zip(sides) {
        let mut first = 0;
        for tokens in [tensor.tokens / 3, tensor.tokens - tensor.tokens / 3] {
            let part = Tensor { tokens, ..tensor };
            let src = values(&all[first as usize * row..][..tokens as usize * row]);
            let packed = fresh(kernels.bytes(part).unwrap());
            block_on(gpu().run(&kernels.quantize(part, &src, Beside::NOTHING, &packed).unwrap())).unwrap();
            block_on(gpu().run(&kernels.append(part, &packed, first, to).unwrap())).unwrap();
            first += tokens;
        }
    }
    block_on(gpu().read(&cache)).unwrap()
}

/// Key and value of a head side by side, as `kvplan-core` puts them there.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn slots_hold_a_heads_key_and_value_side_by_side() {
    let mut random = Random::new(41);
    for codec in [Codec::Int8PerTokenHead, Codec::Nvfp4, Codec::Q8_0] {
        let tensor = Tensor { tokens: 13, heads: 3, head_dim: 32 };
        let [k, v] = [(); 2].map(|()| random.normals(tensor.elements() as usize));
        let expected = codec.encode_slots(32, &k, &v).unwrap();
        let how = (Placement::Contiguous, Arrangement::Slots);
        let kernels = CodecKernels::of(codec).unwrap();
        let got = appended(kernels, tensor, [&k, &v], how, expected.len() as u64);
        assert!(got == expected, "{codec}");
    }
}

/// vLLM's pages of NVFP4, written out here byte by byte from the description of its layout: per page a plane of keys'
/// codes, one of their scales, one of values' codes, one of their scales, head after head or token after token.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn pages_hold_codes_and_scales_in_planes() {
    let (tensor, page) = (Tensor { tokens: 22, heads: 2, head_dim: 64 }, 8);
    let (codes, scales) = (32, 4);
    let pages = [2, 0, 1];
    let table = upload(&pages);
    let mut random = Random::new(43);
    let [k, v] = [(); 2].map(|()| random.normals(tensor.elements() as usize));
    let plane = |vector: usize| page * 2 * vector;
    let page_bytes = 2 * (plane(codes) + plane(scales));
    for (heads_first, swizzled) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut expected: Vec<u8> = POISON.to_le_bytes().repeat(3 * page_bytes / 4);
        for (side, all) in [&k, &v].into_iter().enumerate() {
            let encoded = Codec::Nvfp4.encode(Route::Reference, 64, all).unwrap();
            for (vector, bytes) in encoded.chunks_exact(codes + scales).enumerate() {
                let (token, head) = (vector / 2, vector % 2);
                let begin = pages[token / page] as usize * page_bytes + side * (plane(codes) + plane(scales));
                let inside = token % page;
                let at = |slot: usize, size: usize| {
                    if heads_first { (head * page + slot) * size } else { (slot * 2 + head) * size }
                };
                let to = begin + at(inside, codes);
                expected[to..to + codes].copy_from_slice(&bytes[..codes]);
                for (i, scale) in bytes[codes..].iter().enumerate() {
                    let (slot, place) = match nvfp4_swizzled_scale(inside, i, scales) {
                        Some(moved) if swizzled && side == 1 => moved,
                        _ => (inside, i),
                    };
                    expected[begin + plane(codes) + at(slot, scales) + place] = *scale;
                }
            }
        }
        let placement = Placement::Paged { table: &table, page_size: 8 };
        let how = (placement, Arrangement::Pages { tokens: 8, heads_first, swizzled });
        let kernels = CodecKernels::of(Codec::Nvfp4).unwrap();
        let got = appended(kernels, tensor, [&k, &v], how, expected.len() as u64);
        assert!(got == expected, "heads first {heads_first}, swizzled {swizzled}");
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn what_has_no_planes_is_not_laid_out_in_pages() {
    let buffer = fresh(4096);
    let tensor = Tensor { tokens: 4, heads: 1, head_dim: 32 };
    let pages = |swizzled| Arrangement::Pages { tokens: 8, heads_first: true, swizzled };
    let append = |codec, arrangement| {
        let to = Destination { buffer: &buffer, placement: Placement::Contiguous, arrangement };
        let value = &CodecKernels::of(codec).unwrap().value;
        value.append(tensor, &buffer, 0, to).unwrap_err().to_string()
    };
    assert!(append(Codec::Q8_0, pages(false)).contains("no plane"));
    // Two scales per vector are not transposed by fours.
    assert!(append(Codec::Nvfp4, pages(true)).contains("2 scales"));
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn more_rows_than_a_ring_holds_are_refused() {
    let buffer = fresh(64);
    let error = append(&buffer, &buffer, Placement::Ring { slots: 3 }, 0, 4, 4).unwrap_err();
    assert!(error.to_string().contains("ring of 3"), "{error}");
}
