//! Reference arithmetic against bytes that other programs wrote.
//!
//! `data/quant_vectors`: 64 rows of 128 (normal, scaled, outliers, zeros, exact ties, equal extremes, f16- and
//! f32-subnormal scales, constants), encoded and decoded by ggml 0.25.3 (llama.cpp 0c1e57098, x86-64 with AVX2, F16C and
//! FMA): `ref` is `from_float_ref`, `kv` what `ggml_set_rows` stores where that differs. `small.json`: bytes of the C
//! references of the TurboQuant fork, and of `ml_dtypes` and NumPy ports of KIVI, MLX and NVFP4.

#[cfg(test)]
mod tests {
    use kvplan_core::codec::{ArithmeticError, Codec, CodecError, Route, Side};
    use proptest::prelude::*;
    use rstest::rstest;

    const COLS: usize = 128;

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/quant_vectors/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn floats(bytes: &[u8]) -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    }

    fn assert_same_rows(got: &[u8], expected: &[u8], row_bytes: usize) {
        assert_eq!(got.len(), expected.len());
        for (row, (got, expected)) in got.chunks(row_bytes).zip(expected.chunks(row_bytes)).enumerate() {
            assert_eq!(got, expected, "row {row}");
        }
    }

    #[rstest]
    #[case(Codec::F16, Route::Reference, "f16.ref")]
    #[case(Codec::Bf16, Route::Reference, "bf16.ref")]
    #[case(Codec::Q8_0, Route::Reference, "q8_0.ref")]
    #[case(Codec::Q8_0, Route::Kv, "q8_0.kv")]
    #[case(Codec::Q5_1, Route::Reference, "q5_1.ref")]
    #[case(Codec::Q5_0, Route::Reference, "q5_0.ref")]
    #[case(Codec::Q4_1, Route::Reference, "q4_1.ref")]
    #[case(Codec::Q4_0, Route::Reference, "q4_0.ref")]
    #[case(Codec::Iq4Nl, Route::Reference, "iq4_nl.ref")]
    fn every_byte_and_every_decoded_value_is_ggmls(
        #[case] codec: Codec,
        #[case] route: Route,
        #[case] name: &str,
    ) {
        let expected = file(&format!("{name}.bin"));
        let got = codec.encode(route, COLS, &floats(&file("input.f32"))).unwrap();
        assert_same_rows(&got, &expected, expected.len() / 64);
        let decoded = codec.decode(COLS, &expected).unwrap();
        let decoded: Vec<u8> = decoded.iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_same_rows(&decoded, &file(&format!("{name}.dequant.f32")), COLS * 4);
    }

    #[test]
    fn the_two_routes_agree_except_for_q8_0() {
        let input = floats(&file("input.f32"));
        for codec in Codec::ALL.iter().filter(|c| c.has_arithmetic() && **c != Codec::Q8_0) {
            let encode = |route| codec.encode(route, COLS, &input).unwrap();
            assert_eq!(encode(Route::Reference), encode(Route::Kv), "{codec}");
        }
    }

    fn small() -> serde_json::Value {
        serde_json::from_slice(&file("small.json")).unwrap()
    }

    /// x[i] = ((37i + 11) mod 64 − 31.5)/16 · (1 + (i mod 5)/4), the input of `small.json`.
    fn small_input(n: u16) -> Vec<f32> {
        (0..n)
            .map(|i| (f32::from((i * 37 + 11) % 64) - 31.5) / 16.0 * (1.0 + f32::from(i % 5) / 4.0))
            .collect()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[rstest]
    #[case(Codec::Q8_0, "q8_0", 32)]
    #[case(Codec::Q4_0, "q4_0", 32)]
    #[case(Codec::Q4_1, "q4_1", 32)]
    #[case(Codec::Q5_0, "q5_0", 32)]
    #[case(Codec::Q5_1, "q5_1", 32)]
    #[case(Codec::Iq4Nl, "iq4_nl", 32)]
    #[case(Codec::Mxfp4, "mxfp4", 32)]
    #[case(Codec::Nvfp4Ggml, "nvfp4", 64)]
    #[case(Codec::Turbo2_0, "turbo2_0", 128)]
    #[case(Codec::Turbo3_0, "turbo3_0", 128)]
    #[case(Codec::Turbo4_0, "turbo4_0", 128)]
    fn one_block_has_the_bytes_of_the_c_reference(#[case] codec: Codec, #[case] name: &str, #[case] n: u16) {
        let bytes = codec.encode(Route::Reference, usize::from(n), &small_input(n)).unwrap();
        assert_eq!(hex(&bytes), small()["ggml_c_reference"]["bytes_hex"][name].as_str().unwrap());
    }

    /// Relative mean square error after a round trip, printed with the C reference's bytes.
    #[rstest]
    #[case(Codec::Turbo2_0, "turbo2_0")]
    #[case(Codec::Turbo3_0, "turbo3_0")]
    #[case(Codec::Turbo4_0, "turbo4_0")]
    fn the_turbo_types_lose_as_much_as_the_reference(#[case] codec: Codec, #[case] name: &str) {
        let x = small_input(128);
        let y = codec.decode(128, &codec.encode(Route::Reference, 128, &x).unwrap()).unwrap();
        let square = |v: f32| f64::from(v).powi(2);
        let error: f64 = x.iter().zip(&y).map(|(x, y)| square(x - y)).sum();
        let relative = error / x.iter().map(|x| square(*x)).sum::<f64>();
        let printed = small()["ggml_c_reference"]["roundtrip_rel_mse"][name].as_f64().unwrap();
        // Five decimals are printed.
        assert!((relative - printed).abs() < 6e-6, "{relative} against {printed}");
    }

    fn words(value: &serde_json::Value) -> Vec<u8> {
        let word =
            |w: &serde_json::Value| u32::from_str_radix(w.as_str().unwrap(), 16).unwrap().to_le_bytes();
        value.as_array().unwrap().iter().flat_map(word).collect()
    }

    #[test]
    fn nvfp4_has_the_codes_and_scales_of_ml_dtypes() {
        let small = small();
        let expected = &small["nvfp4_rne_global_scale_1"];
        let bytes = Codec::Nvfp4.encode(Route::Reference, 32, &small_input(32)).unwrap();
        let (codes, scales) = bytes.split_at(16);
        assert_eq!(hex(codes), expected["codes_hex"].as_str().unwrap());
        assert_eq!(hex(scales), expected["scales_hex"].as_str().unwrap());
    }

    #[test]
    fn kivi2_has_the_words_scale_and_minimum_of_the_port() {
        let small = small();
        let expected = &small["kivi_2bit_g32_fp16"];
        let bytes = Codec::Kivi2.encode(Route::Reference, 32, &small_input(32)).unwrap();
        assert_eq!(bytes[..8], words(&expected["words_hex"]));
        let f16 = |b: &[u8]| Codec::F16.decode(1, b).unwrap()[0];
        assert_eq!(f64::from(f16(&bytes[8..10])), expected["scale"].as_f64().unwrap());
        assert_eq!(f64::from(f16(&bytes[10..12])), expected["mn"].as_f64().unwrap());
    }

    #[test]
    fn mlx_4_has_the_words_scale_and_bias_of_the_port() {
        let small = small();
        let expected = &small["mlx_4bit_g64"];
        let bytes = Codec::Mlx4.encode(Route::Reference, 64, &small_input(64)).unwrap();
        assert_eq!(hex(&bytes[..32]), hex(&words(&expected["words_hex"])));
        let bf16 = |b: &[u8]| Codec::Bf16.decode(1, b).unwrap()[0];
        assert_eq!(f64::from(bf16(&bytes[32..34])), expected["scale"].as_f64().unwrap());
        assert_eq!(f64::from(bf16(&bytes[34..36])), expected["bias"].as_f64().unwrap());
    }

    /// A bit more halves the step, so the squared error falls about fourfold.
    #[test]
    fn every_wider_mlx_format_loses_less() {
        let input = floats(&file("input.f32"));
        let normal = &input[..24 * COLS];
        let error = |codec: Codec| -> f64 {
            let back = codec.decode(COLS, &codec.encode(Route::Reference, COLS, normal).unwrap()).unwrap();
            normal.iter().zip(back).map(|(x, y)| f64::from(x - y).powi(2)).sum()
        };
        let errors = [Codec::Mlx2, Codec::Mlx3, Codec::Mlx4, Codec::Mlx5, Codec::Mlx6].map(error);
        for (wider, pair) in (3..).zip(errors.windows(2)) {
            assert!(pair[0] > 2.5 * pair[1], "{wider} bits: {pair:?}");
        }
        assert!(errors[4] > 4.0 * error(Codec::Mlx8));
    }

    /// `ml_dtypes` does not saturate, so only its values within range are comparable; past it the hardware rule holds.
    #[rstest]
    #[case(Codec::Fp8E4m3, "e4m3fn_ml_dtypes", 464.0, 0x7e)]
    #[case(Codec::Fp8E5m2, "e5m2_ml_dtypes", 57344.0, 0x7b)]
    fn fp8_has_the_codes_of_ml_dtypes_and_saturates(
        #[case] codec: Codec,
        #[case] name: &str,
        #[case] range: f64,
        #[case] largest: u64,
    ) {
        let fp8 = &small()["fp8"];
        for (x, code) in fp8["inputs"].as_array().unwrap().iter().zip(fp8[name].as_array().unwrap()) {
            let single: f32 = x.to_string().parse().unwrap();
            let x = x.as_f64().unwrap();
            let code = u64::from_str_radix(code.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
            let got = codec.encode(Route::Reference, 1, &[single]).unwrap();
            assert_eq!(u64::from(got[0]), if x > range { largest } else { code }, "{x}");
        }
    }

    #[test]
    fn what_cannot_be_encoded_is_named() {
        let error =
            |codec: Codec, dim, values: &[f32]| codec.encode(Route::Reference, dim, values).unwrap_err();
        assert_eq!(error(Codec::Qjl, 128, &[0.0; 128]), ArithmeticError::Unavailable { codec: "qjl" });
        assert_eq!(
            error(Codec::Q4_0, 48, &[0.0; 48]),
            CodecError::Indivisible { codec: "q4_0", block: 32, elements: 48 }.into()
        );
        assert_eq!(error(Codec::F16, 0, &[]), ArithmeticError::EmptyRow);
        assert_eq!(error(Codec::Q4_0, 32, &[0.0; 40]), ArithmeticError::PartialRow { dim: 32, values: 40 });
        let mut values = [1.0; 96];
        values[70] = f32::NEG_INFINITY;
        assert_eq!(
            error(Codec::Q8_0, 32, &values).to_string(),
            "row 2, element 6 is -inf, which q8_0 cannot store"
        );
        assert_eq!(
            Codec::Q8_0.decode(32, &[0; 35]).unwrap_err().to_string(),
            "35 bytes are not whole rows of 34 (q8_0, 32 elements)"
        );
    }

    #[test]
    fn infinities_and_nan_are_stored_by_each_float_formats_own_rule() {
        let x = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e6];
        let back = |codec: Codec| codec.decode(4, &codec.encode(Route::Reference, 4, &x).unwrap()).unwrap();
        for codec in [Codec::F32, Codec::F16, Codec::Bf16, Codec::Fp8E4m3, Codec::Fp8E5m2] {
            assert!(back(codec)[2].is_nan(), "{codec}");
        }
        assert_eq!(back(Codec::F16)[..2], x[..2]);
        assert_eq!(back(Codec::F16)[3], f32::INFINITY);
        assert_eq!(back(Codec::Fp8E4m3)[..2], [448.0, -448.0]);
        assert_eq!(back(Codec::Fp8E5m2)[3], 57344.0);
    }

    fn finite() -> impl Strategy<Value = f32> {
        any::<f32>().prop_filter("finite", |x| x.is_finite())
    }

    proptest! {
        #[test]
        fn decoding_and_encoding_again_changes_no_byte_of_a_float_format(x in proptest::collection::vec(finite(), 8)) {
            for codec in [Codec::F32, Codec::F16, Codec::Bf16, Codec::Fp8E4m3, Codec::Fp8E5m2] {
                let bytes = codec.encode(Route::Reference, 8, &x).unwrap();
                let again = codec.encode(Route::Reference, 8, &codec.decode(8, &bytes).unwrap()).unwrap();
                prop_assert_eq!(bytes, again, "{}", codec);
            }
        }

        #[test]
        fn encoded_rows_have_the_layouts_bytes_whatever_the_values(
            x in proptest::collection::vec(finite(), 256),
            kv in any::<bool>(),
        ) {
            let route = if kv { Route::Kv } else { Route::Reference };
            for codec in Codec::ALL.iter().filter(|c| c.has_arithmetic()) {
                let bytes = codec.encode(route, 128, &x).unwrap();
                let row = codec.row_bytes(Side::Value, 1, 128).unwrap().get();
                prop_assert_eq!(u64::try_from(bytes.len()), Ok(2 * row), "{}", codec);
                prop_assert_eq!(codec.decode(128, &bytes).unwrap().len(), 256, "{}", codec);
            }
        }
    }
}
