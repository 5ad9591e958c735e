//! Block-GTQ's keys: byte for byte as `kvplan-core` encodes them, and better than uniform TurboQuant on a model's keys.

use crate::common::{Random, adversarial, bits, fresh, gpu, read, upload, values, words};
use kvplan_core::codec::block_gtq::packed_key_bytes;
use kvplan_core::codec::{BlockGtq, Codec, Pairing, Rotation, TurboQuant, allocate, energies};
use kvplan_kernels::convert::turn_back;
use kvplan_kernels::cpu::{self, oracle};
use kvplan_kernels::gpu::{Buffer, POISON, block_on};
use kvplan_kernels::op::{
    Beside, BlockGtqCache, BlockGtqKeys, Cache, CodecKernels, HeadKeys, Shape, Span, Tensor,
};
use kvplan_tests::capture::{HEAD_DIM, HEADS, KV_HEADS, LAYERS, Layer};

/// Keys of all heads of a tensor, and bits per RoPE block for each head.
struct Input {
    name: String,
    dim: u32,
    keys: Vec<f32>,
    bits: Vec<Vec<u8>>,
}

impl Input {
    fn new(name: impl Into<String>, keys: Vec<f32>, bits: Vec<Vec<u8>>) -> Self {
        let dim = bits[0].len() as u32 * 2;
        Self { name: name.into(), dim, keys, bits }
    }

    fn head(&self, head: usize) -> HeadKeys {
        let heads = self.bits.len() as u32;
        let tokens = self.keys.len() as u32 / self.dim / heads;
        HeadKeys { tokens, heads, head: head as u32, base: 0 }
    }

    fn kernels(&self, head: usize) -> BlockGtqKeys {
        BlockGtqKeys::new(Pairing::Interleaved, self.dim, &self.bits[head]).unwrap()
    }

    fn reference(&self, head: usize) -> BlockGtq {
        BlockGtq::new(Pairing::Interleaved, self.dim as usize, &self.bits[head]).unwrap()
    }

    /// One head's keys, token after token.
    fn of(&self, head: usize) -> Vec<f32> {
        let rows = self.keys.chunks_exact(self.dim as usize).skip(head).step_by(self.bits.len());
        rows.flatten().copied().collect()
    }
}

/// The first KV heads' bits for a layer's keys and queries.
fn allocations(layer: &Layer, average: u8) -> Vec<Vec<u8>> {
    let group = HEADS / KV_HEADS;
    let bits = (0..KV_HEADS).map(|head| {
        let queries = (head * group..(head + 1) * group).flat_map(|h| Layer::head(&layer.q, HEADS, h));
        let keys = Layer::head(&layer.k, KV_HEADS, head);
        let energies = energies(Pairing::Interleaved, HEAD_DIM, &queries.collect::<Vec<_>>(), &keys);
        allocate(&energies.unwrap(), average)
    });
    bits.collect()
}

fn inputs() -> Vec<Input> {
    let mut random = Random::new(17);
    let mut inputs = Vec::new();
    // All widths in one key, groups of every size, odd bytes per key, tokens that no unit divides.
    for dim in [4u32, 64, 80, 96, 128, 256, 512] {
        for tokens in [1, 6, 19] {
            let bits =
                (0..2).map(|_| (0..dim / 2).map(|_| (random.word() % 8) as u8 + 1).collect()).collect();
            let keys = random.normals((dim * 2 * tokens) as usize);
            inputs.push(Input::new(format!("{tokens} tokens of {dim}"), keys, bits));
        }
    }
    for width in 1..=8 {
        // As a bf16 model writes them.
        let keys = random.normals(64 * 40).iter().map(|x| half::bf16::from_f32(*x).to_f32()).collect();
        inputs.push(Input::new(format!("all at {width} bits"), keys, vec![vec![width; 32]]));
        let mixed = (0..32).map(|block| if block % 5 == 0 { width } else { 2 }).collect();
        inputs.push(Input::new(format!("adversarial at {width} bits"), adversarial(), vec![mixed]));
    }
    let layer = Layer::read(10).unwrap();
    let keys = layer.k[..KV_HEADS * HEAD_DIM * 101].to_vec();
    inputs.push(Input::new("a model's keys", keys, allocations(&layer, 3)));
    inputs
}

fn each(f: impl Fn(&Input, usize, &str)) {
    for input in inputs() {
        for head in 0..input.bits.len() {
            f(&input, head, &format!("{}, head {head}", input.name));
        }
    }
}

#[test]
fn the_twins_encode_and_decode_as_the_reference_does() {
    each(|input, head, what| {
        let (kernels, keys) = (input.kernels(head), input.head(head));
        let encoded = input.reference(head).encode(&input.of(head)).unwrap();
        let mut packed = vec![POISON; encoded.len().div_ceil(4)];
        kernels.quantize_twin(keys, &bits(&input.keys), &mut packed).unwrap();
        assert!(packed == words(&encoded), "{what}");
        let mut back = vec![0; input.keys.len()];
        kernels.dequantize_twin(keys, &packed, &mut back).unwrap();
        let back = Input { keys: back.into_iter().map(f32::from_bits).collect(), ..clone(input) };
        let decoded = input.reference(head).decode(&encoded).unwrap();
        let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(back.of(head).iter().zip(&decoded).all(same), "decoded, {what}");
    });
}

fn clone(input: &Input) -> Input {
    Input { name: input.name.clone(), dim: input.dim, keys: Vec::new(), bits: input.bits.clone() }
}

fn quantized(input: &Input, head: usize, src: &Buffer, table: &Buffer) -> Buffer {
    let (kernels, keys) = (input.kernels(head), input.head(head));
    let packed = fresh(kernels.bytes(keys.tokens));
    block_on(gpu().run(&[kernels.quantize(keys, src, table, &packed).unwrap()])).unwrap();
    packed
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_encodes_as_the_reference_does_in_the_bytes_its_histogram_predicts() {
    each(|input, head, what| {
        let (src, table) = (values(&input.keys), upload(input.kernels(head).table()));
        let got = block_on(gpu().read(&quantized(input, head, &src, &table))).unwrap();
        let reference = input.reference(head);
        let predicted = packed_key_bytes(reference.histogram()) * u64::from(input.head(head).tokens);
        assert_eq!(got.len() as u64, predicted, "{what}");
        let encoded = reference.encode(&input.of(head)).unwrap();
        let wrong = got.iter().zip(&encoded).position(|(a, b)| a != b);
        assert_eq!(wrong, None, "first wrong byte; {what}");
    });
}

/// The device sums squares, divides and takes roots in its own way. A decoded vector of n dimensions and length l is off
/// by (n + 48)·2^-24 of each element (sum, root, quotient) and by 96·2^-24·l (four transforms of nine steps on both sides,
/// each adding an error of length 2^-24·l, and the quotients').
fn bound(x: f32, dim: u32, length: f32) -> f32 {
    (x.abs() * (dim as f32 + 48.0) + 96.0 * length) * 2f32.powi(-24)
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn the_gpu_decodes_as_the_twin_does_and_leaves_other_heads_alone() {
    each(|input, head, what| {
        let (kernels, keys) = (input.kernels(head), input.head(head));
        let (src, table) = (values(&input.keys), upload(kernels.table()));
        let packed = quantized(input, head, &src, &table);
        let dst = fresh(src.bytes());
        block_on(gpu().run(&[kernels.dequantize(keys, &packed, &table, &dst).unwrap()])).unwrap();
        let mut out = vec![POISON; input.keys.len()];
        let stored = block_on(gpu().read(&packed)).unwrap();
        kernels.dequantize_twin(keys, &words(&stored), &mut out).unwrap();
        for (i, (got, want)) in
            read(&dst).chunks(input.dim as usize).zip(out.chunks(input.dim as usize)).enumerate()
        {
            if i % input.bits.len() != head {
                assert!(got.iter().all(|word| *word == POISON), "another head's key {i}; {what}");
                continue;
            }
            let want: Vec<f32> = want.iter().map(|x| f32::from_bits(*x)).collect();
            let length = want.iter().map(|x| x * x).sum::<f32>().sqrt();
            // A norm past f16's range decodes to infinities.
            if length.is_finite() {
                for (got, want) in got.iter().map(|x| f32::from_bits(*x)).zip(want) {
                    let off = (got - want).abs();
                    assert!(off <= bound(want, input.dim, length), "{got} for {want}, {what}");
                }
            }
        }
    });
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn one_flipped_bit_in_the_table_or_the_packed_keys_is_caught() {
    let layer = Layer::read(0).unwrap();
    let input = Input::new("", layer.k[..KV_HEADS * HEAD_DIM * 8].to_vec(), allocations(&layer, 3));
    let (kernels, src) = (input.kernels(0), values(&input.keys));
    let mut table = kernels.table().to_vec();
    let want = read(&quantized(&input, 0, &src, &upload(&table)));
    // The lowest bit of the first dimension's number: two dimensions change places.
    let dims = table[4] as usize;
    table[dims] ^= 1;
    assert_ne!(read(&quantized(&input, 0, &src, &upload(&table))), want);
}

/// Mean |q·(k̂ − k)| over all query heads and visible pairs of every seventh query.
fn logit_error(layer: &Layer, decoded: &[f32]) -> f64 {
    let delta: Vec<f32> = decoded.iter().zip(&layer.k).map(|(a, b)| a - b).collect();
    let (mut sum, mut pairs) = (0.0, 0u32);
    for head in 0..HEADS {
        let queries = Layer::head(&layer.q, HEADS, head);
        let delta = Layer::head(&delta, KV_HEADS, head / (HEADS / KV_HEADS));
        for (token, q) in queries.chunks_exact(HEAD_DIM).enumerate().step_by(7) {
            for k in delta.chunks_exact(HEAD_DIM).take(token + 1) {
                sum += f64::from(q.iter().zip(k).map(|(a, b)| a * b).sum::<f32>().abs());
                pairs += 1;
            }
        }
    }
    sum / f64::from(pairs)
}

/// Table 1 of arXiv 2606.24033: at the same bits per dimension, logits of Block-GTQ's keys are nearer to the exact ones
/// than those of TurboQuant-MSE's, in all layers of all its models. Bits of codes are equal here by construction.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn on_a_models_keys_its_logits_are_nearer_than_uniform_turboquants_at_equal_bits() {
    for (average, uniform) in [(2, Codec::TurboquantMse2), (3, Codec::TurboquantMse3)] {
        for index in LAYERS {
            let layer = Layer::read(index).unwrap();
            let bits = allocations(&layer, average);
            for bits in &bits {
                assert_eq!(
                    bits.iter().map(|b| usize::from(*b)).sum::<usize>(),
                    HEAD_DIM / 2 * usize::from(average)
                );
            }
            let input = Input::new("", layer.k.clone(), bits);
            let (src, dst) = (values(&input.keys), fresh(layer.k.len() as u64 * 4));
            for head in 0..KV_HEADS {
                let (kernels, keys) = (input.kernels(head), input.head(head));
                let table = upload(kernels.table());
                let packed = quantized(&input, head, &src, &table);
                block_on(gpu().run(&[kernels.dequantize(keys, &packed, &table, &dst).unwrap()])).unwrap();
            }
            let blocks = logit_error(&layer, &block_on(gpu().read_values(&dst)).unwrap());

            let side = &CodecKernels::of(uniform).unwrap().key;
            let [heads, head_dim] = [KV_HEADS, HEAD_DIM].map(|n| n as u32);
            let tensor = Tensor { tokens: input.head(0).tokens, heads, head_dim };
            let packed = fresh(side.bytes(tensor).unwrap());
            block_on(gpu().run(&side.quantize(tensor, &src, Beside::NOTHING, &packed).unwrap())).unwrap();
            block_on(gpu().run(&[side.dequantize(tensor, &packed, Beside::NOTHING, &dst).unwrap()])).unwrap();
            let decoded = turn_back(side.domain, head_dim, &block_on(gpu().read_values(&dst)).unwrap());
            let plain = logit_error(&layer, &decoded);
            // Norm correction, which Block-GTQ has, is no kernel of TurboQuant's.
            let corrected = TurboQuant::new(average, HEAD_DIM, Rotation::default_for(HEAD_DIM)).unwrap();
            let corrected = corrected.with_norm_correction();
            let corrected =
                logit_error(&layer, &corrected.decode(&corrected.encode(&layer.k).unwrap()).unwrap());
            let what = format!("layer {index} at {average} bits: {blocks}, uniform {plain}, {corrected}");
            assert!(blocks < plain && blocks < corrected, "{what}");
        }
    }
}

/// The keys of all heads of an input in one buffer, as attention reads them.
fn cache(input: &Input) -> BlockGtqCache {
    let heads = (0..input.bits.len()).map(|head| input.kernels(head)).collect();
    BlockGtqCache::new(heads, input.head(0).tokens).unwrap()
}

/// Bits per RoPE block of `heads` heads, widths of every kind among them.
fn mixed(random: &mut Random, heads: u32, dim: u32) -> Vec<Vec<u8>> {
    (0..heads).map(|_| (0..dim / 2).map(|_| (random.word() % 8) as u8 + 1).collect()).collect()
}

/// What attention is given and what it must give.
struct Attending {
    input: Input,
    shape: Shape,
    /// Plain.
    q: Vec<f32>,
    v: Vec<f32>,
}

impl Attending {
    fn new(heads: u32, kv_heads: u32, head_dim: u32, tokens: u32, queries: u32) -> Self {
        let mut random = Random::new(tokens * 7 + head_dim);
        let bits = mixed(&mut random, kv_heads, head_dim);
        let mut some = |n: u32| random.normals(n as usize);
        let keys: Vec<f32> = some(tokens * kv_heads * head_dim).iter().map(|x| x * 2.0).collect();
        let (q, v) = (some(queries * heads * head_dim), some(tokens * kv_heads * head_dim));
        let scale = 1.0 / (head_dim as f32).sqrt();
        let shape = Shape {
            sequences: 1,
            heads,
            kv_heads,
            head_dim,
            queries,
            window: 0,
            capacity: tokens,
            scale,
            sinks: false,
        };
        Self { input: Input::new("", keys, bits), shape, q, v }
    }

    fn values(&self) -> &'static CodecKernels {
        CodecKernels::of(Codec::TurboquantMse3).unwrap()
    }

    fn tensor(&self) -> Tensor {
        let Shape { capacity: tokens, kv_heads: heads, head_dim, .. } = self.shape;
        Tensor { tokens, heads, head_dim }
    }

    /// The twins' packed keys and values.
    fn packed(&self, cache: &BlockGtqCache) -> [Vec<u32>; 2] {
        let mut keys = vec![POISON; cache.bytes() as usize / 4];
        for head in 0..self.shape.kv_heads {
            let (kernels, head) = cache.keys(head, self.shape.capacity).unwrap();
            kernels.quantize_twin(head, &bits(&self.input.keys), &mut keys).unwrap();
        }
        let (side, tensor) = (&self.values().value, self.tensor());
        let mut values = vec![0; side.bytes(tensor).unwrap().div_ceil(4) as usize];
        side.quantize_twin(tensor, &bits(&self.v), Span::default(), &[], &mut values).unwrap();
        [keys, values]
    }

    /// The queries of one query head, as those of the KV head it asks.
    fn queries(&self, head: u32) -> (u32, HeadKeys) {
        let Shape { heads, kv_heads, queries, .. } = self.shape;
        (head / (heads / kv_heads), HeadKeys { tokens: queries, heads, head, base: 0 })
    }

    /// The twins' turned queries.
    fn turned(&self, cache: &BlockGtqCache) -> Vec<f32> {
        let mut turned = vec![POISON; self.q.len()];
        for head in 0..self.shape.heads {
            let (kv_head, queries) = self.queries(head);
            let (kernels, _) = cache.keys(kv_head, 0).unwrap();
            kernels.turn_queries_twin(queries, &bits(&self.q), &mut turned).unwrap();
        }
        turned.into_iter().map(f32::from_bits).collect()
    }

    /// Attention in f64 over what the bytes say: keys by the reference's decoder, turned back and in their own order.
    fn oracle(&self) -> oracle::Oracle {
        let mut keys = vec![0.0; self.input.keys.len()];
        let dim = self.input.dim as usize;
        for head in 0..self.input.bits.len() {
            let reference = self.input.reference(head);
            let decoded = reference.decode(&reference.encode(&self.input.of(head)).unwrap()).unwrap();
            let places = keys.chunks_exact_mut(dim).skip(head).step_by(self.input.bits.len());
            places.zip(decoded.chunks_exact(dim)).for_each(|(to, from)| to.copy_from_slice(from));
        }
        let (side, tensor) = (&self.values().value, self.tensor());
        let mut values = vec![0; self.v.len()];
        let [_, packed] = self.packed(&cache(&self.input));
        let params = side.packed(tensor, Span::default()).unwrap();
        cpu::dequantize::rows(&side.decoder, &params, &packed, &[], &mut values);
        let values: Vec<f32> = values.into_iter().map(f32::from_bits).collect();
        let Self { shape, q, .. } = self;
        oracle::attention(shape, shape.capacity as usize, q, &keys, &values, &[shape.capacity], &[])
    }

    /// Keys and queries are turned in f32 on their way, which the oracle does not: four transforms of up to nine steps on
    /// either side change a score by less than 2·96·2^-24·|q|·|k|·scale, and by that much, relative, every weight twice.
    fn check(&self, what: &str, out: &[f32]) {
        let oracle = self.oracle();
        let longest = |values: &[f32]| {
            let lengths = values.chunks_exact(self.shape.head_dim as usize);
            lengths.map(|x| x.iter().map(|x| x * x).sum::<f32>().sqrt()).fold(0.0, f32::max)
        };
        let score = longest(&self.q) * longest(&self.input.keys) * self.shape.scale;
        let turned = f64::from(2.0 * 2.0 * 96.0 * score) / 2f64.powi(24);
        let largest = self.v.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        let slack = turned * f64::from(largest);
        assert!(slack < 2e-3 * f64::from(largest), "{slack} would let anything pass");
        for (i, (got, (want, bound))) in out.iter().zip(oracle.output.iter().zip(&oracle.bound)).enumerate() {
            let off = (f64::from(*got) - want).abs();
            assert!(off <= bound + slack, "{what} {:?}: element {i} is {got} for {want}", self.shape);
        }
        assert_eq!(out.len(), oracle.output.len());
    }

    /// On the device, from plain keys, values and queries on.
    fn on_gpu(&self) -> Vec<f32> {
        let layout = cache(&self.input);
        let tables: Vec<Buffer> =
            (0..self.input.bits.len()).map(|head| upload(self.input.kernels(head).table())).collect();
        let (src, k, v_src, q) =
            (values(&self.input.keys), fresh(layout.bytes()), values(&self.v), values(&self.q));
        let mut launches = Vec::new();
        for (head, table) in (0..).zip(&tables) {
            let (kernels, keys) = layout.keys(head, self.shape.capacity).unwrap();
            launches.push(kernels.quantize(keys, &src, table, &k).unwrap());
        }
        let (side, turned) = (&self.values().value, fresh(q.bytes()));
        let v = fresh(side.bytes(self.tensor()).unwrap());
        launches.extend(side.quantize(self.tensor(), &v_src, Beside::NOTHING, &v).unwrap());
        for head in 0..self.shape.heads {
            let (kv_head, queries) = self.queries(head);
            let (kernels, _) = layout.keys(kv_head, 0).unwrap();
            launches.push(kernels.turn_queries(queries, &q, &tables[kv_head as usize], &turned).unwrap());
        }
        let (table, lengths) = (upload(layout.table()), upload(&[self.shape.capacity]));
        let key = Span { first: 0, words: layout.table().len() as u32 };
        let beside = Beside { buffer: Some(&table), key, value: Span::default() };
        let caches = Cache { beside, ..Cache::new(&k, &v, &lengths) };
        let (parts, out) = (fresh(self.shape.parts_bytes()), fresh(q.bytes()));
        if self.shape.queries == 1 {
            launches.extend(layout.decode(&self.shape, &turned, caches, &parts, &out).unwrap());
        } else {
            launches.push(layout.prefill(&self.shape, &turned, caches, &out).unwrap());
        }
        block_on(gpu().run(&launches)).unwrap();
        block_on(gpu().read_values(&out)).unwrap()
    }

    fn twin(&self) -> Vec<f32> {
        let layout = cache(&self.input);
        let ([k, v], q) = (self.packed(&layout), self.turned(&layout));
        let nothing = fresh(4);
        let room = fresh(layout.table().len() as u64 * 4);
        let key = Span { first: 0, words: layout.table().len() as u32 };
        let beside = Beside { buffer: Some(&room), key, value: Span::default() };
        let caches = Cache { beside, ..Cache::new(&nothing, &nothing, &nothing) };
        let params = layout.params(&self.shape, &caches).unwrap();
        let (decoder, lengths) = (&self.values().value.decoder, [self.shape.capacity]);
        let mut out = vec![f32::NAN; q.len()];
        let (key, table) = (&cpu::kv::BLOCK_GTQ, layout.table());
        if self.shape.queries == 1 {
            let mut parts = vec![f32::NAN; self.shape.parts_bytes() as usize / 4];
            cpu::attention::decode(key, decoder, &params, &q, &k, &v, &[], &lengths, table, &mut parts);
            cpu::attention::merge(&params, &parts, &[], &mut out);
        } else {
            cpu::attention::prefill(key, decoder, &params, &q, &k, &v, &[], &lengths, table, &[], &mut out);
        }
        out
    }
}

/// Query heads, KV heads, elements, tokens, queries: lengths that no tile divides, all widths in every head.
const ATTENDED: [(u32, u32, u32, u32, u32); 6] = [
    (4, 2, 64, 301, 1),
    (2, 2, 128, 67, 1),
    (8, 1, 128, 1, 1),
    (4, 1, 256, 530, 1),
    (2, 1, 64, 99, 37),
    (4, 2, 128, 45, 45),
];

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn attention_over_stored_keys_agrees_with_f64_over_the_references_decoded_ones() {
    for (heads, kv_heads, head_dim, tokens, queries) in ATTENDED {
        let case = Attending::new(heads, kv_heads, head_dim, tokens, queries);
        case.check("on the device", &case.on_gpu());
        case.check("the twins", &case.twin());
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
#[should_panic(expected = "on the device")]
fn a_level_that_is_another_width_s_is_caught() {
    let mut case = Attending::new(4, 2, 64, 301, 1);
    let out = case.on_gpu();
    case.input.bits[1].swap(3, 4);
    case.input.bits[1][5] = case.input.bits[1][5] % 8 + 1;
    case.check("on the device", &out);
}

#[test]
fn heads_that_are_not_alike_and_shapes_of_other_keys_are_refused() {
    let keys = |dim: u32| BlockGtqKeys::new(Pairing::Halves, dim, &vec![3; dim as usize / 2]).unwrap();
    assert!(BlockGtqCache::new(vec![keys(64), keys(128)], 4).is_err());
    assert!(BlockGtqCache::new(Vec::new(), 4).is_err());
    assert!(BlockGtqCache::new(vec![keys(66)], 4).is_err(), "four elements at a time");
    assert!(BlockGtqCache::new(vec![keys(64); 2], u32::MAX).is_err(), "past 32 bits");
}
