//! Codec sizes against figures published elsewhere: the size table of the projects' own layouts at head width 128, the
//! KIVI ratios, and sizes that other people measured or printed.

#[cfg(test)]
mod tests {
    use kvplan_core::codec::{Codec, Residual, Side};
    use kvplan_core::spec::gguf::GgmlType;
    use rstest::rstest;

    fn row(codec: Codec, side: Side, heads: u64, dim: u64) -> u64 {
        codec.row_bytes(side, heads, dim).unwrap().get()
    }

    fn store(codec: Codec, side: Side, dim: u64, entries: u64) -> u64 {
        codec.store_bytes(side, 1, dim, entries).unwrap().get()
    }

    /// K bytes, V bytes and bits per element of one token and head of 128. Sources: the formats' implementations, as
    /// each layout's `source` names them.
    #[rstest]
    #[case("f16", 256, 256, 16.0)]
    #[case("bf16", 256, 256, 16.0)]
    #[case("fp8_e4m3", 128, 128, 8.0)]
    #[case("fp8_e5m2", 128, 128, 8.0)]
    #[case("int8", 128, 128, 8.0)]
    #[case("int8_per_token_head", 132, 132, 8.25)]
    #[case("fp8_per_token_head", 132, 132, 8.25)]
    #[case("lmdeploy_int8", 132, 132, 8.25)]
    #[case("q8_0", 136, 136, 8.5)]
    #[case("exl2_q8", 136, 136, 8.5)]
    #[case("exl2_q6", 136, 72, 6.5)]
    #[case("exl2_q4", 72, 72, 4.5)]
    #[case("exl3_2", 40, 40, 2.5)]
    #[case("exl3_5", 88, 88, 5.5)]
    #[case("exl3_8", 136, 136, 8.5)]
    #[case("mlx_2", 40, 40, 2.5)]
    #[case("mlx_3", 56, 56, 3.5)]
    #[case("mlx_4", 72, 72, 4.5)]
    #[case("mlx_6", 104, 104, 6.5)]
    #[case("mlx_8", 136, 136, 8.5)]
    #[case("q5_1", 96, 96, 6.0)]
    #[case("q5_0", 88, 88, 5.5)]
    #[case("q4_1", 80, 80, 5.0)]
    #[case("q4_0", 72, 72, 4.5)]
    #[case("iq4_nl", 72, 72, 4.5)]
    #[case("nvfp4", 72, 72, 4.5)]
    #[case("fp4_e2m1", 72, 72, 4.5)]
    #[case("mxfp4", 68, 68, 4.25)]
    #[case("mxfp8", 132, 132, 8.25)]
    #[case("int4_per_token_head", 68, 68, 4.25)]
    #[case("lmdeploy_int4", 68, 68, 4.25)]
    #[case("qserve_kv4", 68, 68, 4.25)]
    #[case("turbo4_0", 68, 68, 4.25)]
    #[case("turbo3_0", 50, 50, 3.125)]
    #[case("turbo2_0", 34, 34, 2.125)]
    #[case("turboquant_k8v4", 128, 68, 6.125)]
    #[case("turboquant_4bit_nc", 66, 68, 4.1875)]
    #[case("turboquant_k3v4_nc", 50, 68, 3.6875)]
    #[case("turboquant_3bit_nc", 50, 52, 3.1875)]
    #[case("lmdeploy_turboquant", 68, 34, 3.1875)]
    #[case("int2_per_token_head", 36, 36, 2.25)]
    #[case("kivi2", 48, 48, 3.0)]
    #[case("kivi4", 80, 80, 5.0)]
    #[case("quanto_int4", 72, 72, 4.5)]
    #[case("quanto_int2", 40, 40, 2.5)]
    #[case("polarquant", 62, 62, 3.875)]
    #[case("turboquant_mse_4", 66, 66, 4.125)]
    #[case("turboquant_2_5", 48, 48, 3.0)]
    #[case("turboquant_3_5", 64, 64, 4.0)]
    #[case("block_gtq_k3v3", 91, 66, 4.90625)]
    fn a_head_of_128_takes_the_published_bytes(
        #[case] name: &str,
        #[case] k: u64,
        #[case] v: u64,
        #[case] bits: f64,
    ) {
        let codec = Codec::parse(name).unwrap();
        assert_eq!(row(codec, Side::Key, 1, 128), k);
        assert_eq!(row(codec, Side::Value, 1, 128), v);
        let info = codec.layout().info();
        assert_eq!(info.bits_per_element.to_bits(), bits.to_bits());
    }

    /// llama.cpp 0c1e57098, type_traits as printed by a compiled program: elements and bytes per block.
    #[rstest]
    #[case("f32", 1, 4)]
    #[case("f16", 1, 2)]
    #[case("bf16", 1, 2)]
    #[case("q8_0", 32, 34)]
    #[case("q4_0", 32, 18)]
    #[case("q4_1", 32, 20)]
    #[case("iq4_nl", 32, 18)]
    #[case("q5_0", 32, 22)]
    #[case("q5_1", 32, 24)]
    #[case("q8_1", 32, 36)]
    #[case("q2_K", 256, 84)]
    #[case("q3_K", 256, 110)]
    #[case("q4_K", 256, 144)]
    #[case("q5_K", 256, 176)]
    #[case("q6_K", 256, 210)]
    #[case("q8_K", 256, 292)]
    #[case("iq2_xxs", 256, 66)]
    #[case("iq2_xs", 256, 74)]
    #[case("iq2_s", 256, 82)]
    #[case("iq3_xxs", 256, 98)]
    #[case("iq3_s", 256, 110)]
    #[case("iq1_s", 256, 50)]
    #[case("iq1_m", 256, 56)]
    #[case("iq4_xs", 256, 136)]
    #[case("tq1_0", 256, 54)]
    #[case("tq2_0", 256, 66)]
    #[case("mxfp4", 32, 17)]
    #[case("nvfp4", 64, 36)]
    #[case("q1_0", 128, 18)]
    #[case("q2_0", 64, 18)]
    fn ggml_types_have_ggmls_block_and_size(#[case] name: &str, #[case] elements: u64, #[case] bytes: u64) {
        let codec = Codec::parse_ggml(name).unwrap();
        let block = codec.layout().block();
        assert_eq!((block.elements, block.bytes), (elements, bytes));
        assert_eq!(row(codec, Side::Key, 2, 128 * elements), 256 * bytes);
    }

    /// A type has one size, whether a tensor of a file or a row of a cache is stored in it.
    #[test]
    fn what_files_store_and_what_caches_store_agree_on_every_ggml_type() {
        let mut compared = 0;
        for ty in GgmlType::ALL {
            if let Some(codec) = Codec::parse_ggml(ty.name()) {
                let (block, stored) = (codec.layout().block(), ty.layout());
                assert_eq!((block.elements, block.bytes), (stored.block, stored.bytes), "{}", ty.name());
                compared += 1;
            }
        }
        assert_eq!(compared, 30);
    }

    #[test]
    fn ggmls_nvfp4_is_its_own_layout_and_other_engines_types_are_not_ggmls() {
        assert_eq!(Codec::parse("nvfp4"), Some(Codec::Nvfp4));
        assert_eq!(Codec::parse_ggml("nvfp4"), Some(Codec::Nvfp4Ggml));
        assert_eq!(Codec::parse_ggml("fp8"), None);
        assert_eq!(Codec::parse_ggml("kivi2"), None);
    }

    /// vLLM 0.33 prints 656, 352 and 584 bytes per token for these rows, and 132 for an indexer key of 128.
    #[test]
    fn latent_rows_and_indexer_keys_take_the_engines_bytes() {
        assert_eq!(row(Codec::Fp8DsMla, Side::Key, 1, 576), 656);
        assert_eq!(row(Codec::Nvfp4DsMla, Side::Key, 1, 576), 352);
        assert_eq!(row(Codec::Fp8DsV4, Side::Key, 1, 512), 584);
        assert_eq!(row(Codec::Nvfp4DsV4, Side::Key, 1, 512), 384);
        assert_eq!(row(Codec::Fp8Block128, Side::Key, 1, 128), 132);
        assert_eq!(row(Codec::Nvfp4, Side::Key, 1, 576), 576 / 2 + 576 / 16);
    }

    /// QJL's defaults: 68.25 bytes per key, 84.25 in its first layers; only whole groups of 32 tokens exist.
    #[test]
    fn qjl_keys_take_their_bytes_per_group_of_32_tokens() {
        assert_eq!(store(Codec::Qjl, Side::Key, 128, 1024), 1024 * 6825 / 100);
        assert_eq!(store(Codec::Qjl512, Side::Key, 128, 1024), 1024 * 8425 / 100);
        assert!(Codec::Qjl.row_bytes(Side::Key, 1, 128).is_err());
        assert_eq!(row(Codec::Qjl, Side::Value, 1, 128), 48);
    }

    /// KIVI-2 at head width 128: 3.55x smaller than f16 at 1000 tokens, 5.00x at 4096, 5.29x at 32768.
    #[rstest]
    #[case(1000, 355)]
    #[case(4096, 500)]
    #[case(32768, 529)]
    fn kivi_reaches_its_published_ratio(#[case] tokens: u64, #[case] hundredths: u64) {
        let kivi =
            store(Codec::Kivi2, Side::Key, 128, tokens) + store(Codec::Kivi2, Side::Value, 128, tokens);
        let f16 = 2 * store(Codec::F16, Side::Key, 128, tokens);
        assert_eq!((f16 * 1000 / kivi + 5) / 10, hundredths);
    }

    #[test]
    fn kivi_keeps_the_remainder_of_keys_and_the_newest_values_in_f16() {
        // 300 tokens: 256 keys packed and 44 in f16; 172 values packed and 128 in f16
        assert_eq!(store(Codec::Kivi2, Side::Key, 128, 300), 256 * 48 + 44 * 256);
        assert_eq!(store(Codec::Kivi2, Side::Value, 128, 300), 172 * 48 + 128 * 256);
        assert_eq!(store(Codec::Kivi2, Side::Key, 128, 127), 127 * 256);
    }

    #[test]
    fn hugging_face_keeps_generated_tokens_modulo_128_in_full_precision() {
        let after = |prompt, generated| {
            Codec::QuantoInt4.store_bytes_after(Side::Key, 1, 128, prompt, generated).unwrap().get()
        };
        assert_eq!(after(1000, 0), 1000 * 72);
        assert_eq!(after(1000, 127), 1000 * 72 + 127 * 256);
        assert_eq!(after(1000, 128), 1128 * 72);
    }

    /// Bytes of K and V that transformers 5.23 held on CPU tensors (one layer, bf16, q_group_size 64, residual_length
    /// 128): KV heads, head width, prompt, generated, bytes.
    #[rstest]
    #[case("quanto_int4", 8, 128, 300, 5, 366_080)]
    #[case("quanto_int2", 8, 128, 300, 127, 712_192)]
    #[case("quanto_int2", 8, 128, 1024, 200, 1_032_192)]
    #[case("quanto_int4", 2, 64, 1024, 200, 202_752)]
    #[case("quanto_int2", 2, 64, 300, 128, 34_240)]
    #[case("hqq_1", 8, 128, 300, 5, 135_680)]
    #[case("hqq_8", 8, 128, 300, 127, 1_172_992)]
    #[case("hqq_8", 2, 64, 1024, 200, 350_208)]
    fn quantized_caches_hold_what_transformers_held(
        #[case] name: &str,
        #[case] heads: u64,
        #[case] dim: u64,
        #[case] prompt: u64,
        #[case] generated: u64,
        #[case] bytes: u64,
    ) {
        let codec = Codec::parse(name).unwrap();
        let side = |side| codec.store_bytes_after(side, heads, dim, prompt, generated).unwrap().get();
        assert_eq!(side(Side::Key) + side(Side::Value), bytes);
    }

    /// Qwen3.5-9B on the TurboQuant fork: MiB printed by a third party's runs (taOS #144). 8 attention layers
    /// (3, 7, … 31) of 4 heads of 256, 50.25 MiB of recurrent state; with turbo2 values the fork keeps q8_0 in the
    /// attention layers among the first and last two of all 32, which is layer 31 alone.
    #[rstest]
    #[case(Codec::Turbo2_0, Codec::Turbo2_0, 131_072, 696)]
    #[case(Codec::Q8_0, Codec::Turbo3_0, 65_536, 794)]
    fn the_forks_cache_has_the_measured_size(
        #[case] k: Codec,
        #[case] v: Codec,
        #[case] tokens: u64,
        #[case] mib: u64,
    ) {
        let layer_31 = if v == Codec::Turbo2_0 { Codec::Q8_0 } else { v };
        let token = 8 * row(k, Side::Key, 4, 256)
            + 7 * row(v, Side::Value, 4, 256)
            + row(layer_31, Side::Value, 4, 256);
        assert_eq!((token * tokens + (201 << 18)) >> 20, mib);
    }

    /// Luce-Org's table for Qwen3.5-27B at 64K, 16 layers of 4 heads of 256: 1152 MiB of q4_0, 896 MiB of tq3_0.
    #[rstest]
    #[case(Codec::Q4_0, 1152)]
    #[case(Codec::Tq3_0, 896)]
    fn qwen_takes_the_size_that_was_printed(#[case] codec: Codec, #[case] mib: u64) {
        assert_eq!(2 * 16 * 65_536 * row(codec, Side::Key, 4, 256), mib << 20);
    }

    /// vLLM's slot per token and head: 196, 134, 118 and 102 bytes at head width 128.
    #[rstest]
    #[case(Codec::TurboquantK8v4, 196)]
    #[case(Codec::Turboquant4bitNc, 134)]
    #[case(Codec::TurboquantK3v4Nc, 118)]
    #[case(Codec::Turboquant3bitNc, 102)]
    fn vllms_turboquant_slot_has_the_printed_size(#[case] codec: Codec, #[case] bytes: u64) {
        assert_eq!(row(codec, Side::Key, 1, 128) + row(codec, Side::Value, 1, 128), bytes);
        // A slot of an odd number of bytes is rounded up to the next even one, whatever the width.
        for dim in 1..300 {
            assert_eq!((row(codec, Side::Key, 1, dim) + row(codec, Side::Value, 1, dim)) % 2, 0);
        }
    }

    #[test]
    fn the_forks_heads_are_padded_to_128() {
        assert_eq!(row(Codec::Turbo3_0, Side::Key, 8, 64), 8 * 50);
        assert_eq!(row(Codec::Turbo3_0, Side::Key, 8, 192), 8 * 100);
    }

    #[test]
    fn a_shape_the_block_does_not_divide_is_named() {
        let error =
            |codec: Codec, heads, dim| codec.row_bytes(Side::Key, heads, dim).unwrap_err().to_string();
        assert_eq!(error(Codec::Q8_0, 1, 80), "q8_0 stores blocks of 32 elements, which do not divide 80");
        assert_eq!(error(Codec::Nvfp4, 2, 88), "nvfp4 stores blocks of 16 elements, which do not divide 88");
        assert_eq!(error(Codec::Fp8DsMla, 1, 512), "fp8_ds_mla stores vectors of 576 elements, not of 512");
        // ggml's blocks run through the row: two heads of 80 are five blocks.
        assert_eq!(row(Codec::Q8_0, Side::Key, 2, 80), 5 * 34);
        assert!(Codec::F32.row_bytes(Side::Key, u64::MAX, 2).is_err());
    }

    #[test]
    fn every_name_and_alias_belongs_to_one_codec() {
        let mut seen = std::collections::BTreeMap::new();
        for codec in Codec::ALL {
            let layout = codec.layout();
            for name in std::iter::once(&layout.name).chain(layout.aliases) {
                let other = seen.insert(name.to_ascii_lowercase(), layout.name);
                assert_eq!(other, None, "{name}");
                assert_eq!(Codec::parse(name), Some(*codec));
            }
            assert_eq!(layout.name, layout.name.to_ascii_lowercase());
            assert!(!layout.source.is_empty() && !layout.engines.is_empty(), "{}", layout.name);
        }
    }

    #[test]
    fn the_fields_of_an_interleaved_block_fill_it() {
        for codec in Codec::ALL {
            let layout = codec.layout();
            let end = layout.fields.iter().fold(0, |end, field| {
                assert_eq!(field.offset, end, "{codec}: {}", field.name);
                end + field.bytes
            });
            assert!(end == 0 || end == layout.key.packing.block().bytes, "{codec}");
        }
    }

    /// The growth of every store repeats after its period, once residual windows are full.
    #[test]
    fn stores_grow_periodically() {
        for codec in Codec::ALL {
            let layout = codec.layout();
            for (side, of) in [(Side::Key, layout.key), (Side::Value, layout.value)] {
                let dim =
                    [128, 512, 576, 256].into_iter().find(|d| codec.store_bytes(side, 1, *d, 128).is_ok());
                let dim = dim.unwrap_or_else(|| panic!("{codec} holds no common width"));
                let period = codec.growth_period();
                let start = match of.residual {
                    Residual::Newest(r) => r,
                    Residual::None | Residual::Remainder(_) | Residual::SinceFlush(_) => 0,
                };
                let at = |n| store(*codec, side, dim, start + n);
                for n in [0, 1, 31, 200] {
                    assert_eq!(
                        at(n + period) - at(n),
                        at(n + 5 * period) - at(n + 4 * period),
                        "{codec} at {n}"
                    );
                }
            }
        }
    }

    /// The nine keys that scripts rely on, and both sides wherever K and V differ.
    #[test]
    fn the_listing_has_the_contracts_keys() {
        for codec in Codec::ALL {
            let layout = codec.layout();
            let row = serde_json::to_value(layout.info()).unwrap();
            for key in [
                "name",
                "block_elements",
                "block_bytes",
                "bits_per_element",
                "axis",
                "residual_tokens",
                "constraints",
                "engines",
                "source",
            ] {
                assert!(row.get(key).is_some_and(|v| !v.is_null()), "{codec}: {key}");
            }
            assert_eq!(row.get("k").is_some(), layout.key != layout.value, "{codec}");
        }
        let kivi = serde_json::to_value(Codec::Kivi2.layout().info()).unwrap();
        assert_eq!(kivi["axis"], "k: tokens, v: head");
        assert_eq!(kivi["residual_tokens"], 128);
        let k8v4 = serde_json::to_value(Codec::TurboquantK8v4.layout().info()).unwrap();
        assert_eq!(
            (&k8v4["k"]["bits_per_element"], &k8v4["v"]["bits_per_element"]),
            (&8.0.into(), &4.25.into())
        );
    }
}
