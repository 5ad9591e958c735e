//! Caches that lie otherwise: block tables, rings, slots, planes, scales beside them.

use super::*;

/// Pages in any order and a ring that has gone round give the same as a contiguous cache.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn attention_finds_its_tokens_through_a_block_table_and_in_a_ring() {
    for codec in [Codec::Bf16, Codec::Q8_0] {
        let (page_size, length, ring) = (16, 147, 40);
        let base = shape(4, 2, 64, 160);
        let case = Case::new(codec, base, &[length]);
        let token = Tensor { tokens: 1, heads: 2, head_dim: 64 };
        let row_bytes: u32 = case.kernels.key.bytes(token).unwrap().try_into().unwrap();
        let [k, v, lengths] = [&case.k, &case.v, &case.lengths].map(|words| upload(words));
        let sinks = values(&case.sinks);
        let table = upload(&[3, 9, 0, 7, 1, 8, 2, 6, 4, 5]);
        let place = |rows: &Buffer, placement, slots: u32| {
            let cache = fresh(u64::from(slots * row_bytes));
            let mut token = 0;
            // As decoding does it: some now, some later.
            for count in [39, 40, 28, 40] {
                let bytes = block_on(gpu().read(rows)).unwrap();
                let from = (token * row_bytes) as usize;
                let part = block_on(gpu().upload("rows", &bytes[from..from + (count * row_bytes) as usize]))
                    .unwrap();
                block_on(gpu().run(&[append(&part, &cache, placement, token, count, row_bytes).unwrap()]))
                    .unwrap();
                token += count;
            }
            cache
        };

        let placement = Placement::Paged { table: &table, page_size };
        let (pk, pv) = (place(&k, placement, 160), place(&v, placement, 160));
        let cache = Cache { placement, sinks: &sinks, ..Cache::new(&pk, &pv, &lengths) };
        case.check("paged decode", &case.decode(cache));
        let many = Case { shape: Shape { queries: 33, ..base }, q: Random::new(2).normals(33 * 256), ..case };
        many.check("paged prefill", &many.prefill(cache));

        let placement = Placement::Ring { slots: ring };
        let (rk, rv) = (place(&k, placement, ring), place(&v, placement, ring));
        let cache = Cache { placement, sinks: &sinks, ..Cache::new(&rk, &rv, &lengths) };
        let mut one = Case { shape: Shape { window: 33, ..base }, q: Random::new(2).normals(256), ..many };
        for sinks in [false, true] {
            one.shape = Shape { window: 33, queries: 1, sinks, ..base };
            one.q = Random::new(2).normals(256);
            one.check("ring decode", &one.decode(cache));
            one.shape.queries = 8;
            one.q = Random::new(2).normals(8 * 256);
            one.check("ring prefill", &one.prefill(cache));
        }
    }
}

/// K and V in one buffer: side by side per head, or in planes of pages that a block table names.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn attention_reads_slots_and_planes() {
    let table = upload(&[3, 9, 0, 7, 1, 8, 2, 6, 4, 5]);
    let paged = Placement::Paged { table: &table, page_size: 16 };
    let pages = |heads_first, swizzled| Arrangement::Pages { tokens: 16, heads_first, swizzled };
    let cases = [
        (Codec::Int8PerTokenHead, Placement::Contiguous, Arrangement::Slots),
        (Codec::Nvfp4, paged, Arrangement::Slots),
        (Codec::Nvfp4, paged, pages(true, true)),
        (Codec::Nvfp4, paged, pages(false, false)),
    ];
    for (codec, placement, arrangement) in cases {
        let base = shape(4, 2, 64, 160);
        let case = Case::new(codec, base, &[147]);
        let tensor = Tensor { tokens: 160, heads: 2, head_dim: 64 };
        let [key, value] = case.kernels.sides();
        let bytes = key.bytes(tensor).unwrap() + value.bytes(tensor).unwrap();
        let buffer = fresh(bytes);
        let to = Destination { buffer: &buffer, placement, arrangement };
        for (side, packed) in [(key, &case.k), (value, &case.v)] {
            let src = upload(packed);
            let launches = side.append(tensor, &src, 0, to).unwrap();
            block_on(gpu().run(&launches)).unwrap();
        }
        let (lengths, sinks) = (upload(&case.lengths), values(&case.sinks));
        let cache = Cache { placement, arrangement, sinks: &sinks, ..Cache::new(&buffer, &buffer, &lengths) };
        case.check(&format!("decode over {arrangement:?}"), &case.decode(cache));
        let many = Case { shape: Shape { queries: 33, ..base }, q: Random::new(2).normals(33 * 256), ..case };
        many.check(&format!("prefill over {arrangement:?}"), &many.prefill(cache));
    }
}

/// A scale per head of K and one for the tensor of V.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn attention_multiplies_by_the_scales_beside_the_cache() {
    let scales = [0.5f32, 1.75, 0.3];
    for codec in [Codec::Fp8E4m3, Codec::Nvfp4] {
        let mut case = Case::new(codec, shape(4, 2, 64, 300), &[300]);
        let heads = case.k_values.chunks_exact_mut(64).zip(scales[..2].iter().cycle());
        heads.for_each(|(vector, scale)| vector.iter_mut().for_each(|x| *x *= scale));
        case.v_values.iter_mut().for_each(|x| *x *= scales[2]);
        let buffer = upload(&scales.map(f32::to_bits));
        let (key, value) = (Span { first: 0, words: 2 }, Span { first: 2, words: 1 });
        let beside = Beside { buffer: Some(&buffer), key, value };
        case.check("scaled decode", &case.contiguous(|cache| case.decode(Cache { beside, ..cache })));
    }
}
