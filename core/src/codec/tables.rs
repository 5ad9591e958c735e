//! Fixed numbers of the formats, for encoders, decoders and kernels alike.
//!
//! Sources: ggml-common.h of llama.cpp 0c1e57098 (`iq4_nl`, E2M1) and ggml-turbo-quant.c of TheTom/llama-cpp-turboquant
//! (turbo types; its 4-bit codebook is not the Lloyd–Max one, which would halve the error).

mod lloyd_max;

pub use lloyd_max::lloyd_max;

/// `iq4_nl`: the 16 levels, as multiples of the block's scale.
pub const IQ4_NL_LEVELS: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// E2M1 magnitudes by code; bit 3 of a code is the sign.
pub const E2M1: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

/// Half-way points between neighbouring E2M1 magnitudes.
pub const E2M1_MIDPOINTS: [f32; 7] = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0];

/// Doubled E2M1 values by code: both FP4 types of ggml keep integers and halve the scale.
pub const E2M1_DOUBLED: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// Turbo types: the ±1 diagonal applied before the Hadamard transform; bit i is set where element i is negated.
pub const TURBO_SIGNS_BEFORE: u128 = 0x49f250a9_a4c63bbb_42f85949_e46a0359;
/// Turbo types: the diagonal applied after the transform.
pub const TURBO_SIGNS_AFTER: u128 = 0xbea56562_b7a5357a_3f628fdc_16acee90;

/// `turbo2_0`: positive half of the symmetric codebook.
pub const TURBO_LEVELS_2: [f32; 2] = [0.039_994, 0.133_462];
/// `turbo2_0`: where its encoder cuts between those levels; 0 is the middle cut.
pub const TURBO_CUTS_2: [f32; 1] = [0.086_728];

/// `turbo3_0`: positive half of the symmetric codebook.
pub const TURBO_LEVELS_3: [f32; 4] = [0.021_46, 0.065_717, 0.117_832, 0.190_685];
/// `turbo3_0`: where its encoder cuts between those levels; 0 is the middle cut.
pub const TURBO_CUTS_3: [f32; 3] = [0.043_589, 0.091_775, 0.154_259];

/// `turbo4_0`: positive half of the symmetric codebook.
pub const TURBO_LEVELS_4: [f32; 8] =
    [0.006_938, 0.020_989, 0.035_597, 0.051_262, 0.068_756, 0.089_527, 0.117_195, 0.173_926];
/// `turbo4_0`: where its encoder cuts between those levels; 0 is the middle cut.
pub const TURBO_CUTS_4: [f32; 7] =
    [0.013_963, 0.028_293, 0.043_43, 0.060_009, 0.079_142, 0.103_361, 0.145_56];

/// vLLM's `int4_per_token_head`: the ±1 diagonal before its Hadamard transform, 128 elements per word; bit i is set where
/// element i is negated. Worked out from its definition (torch's CPU generator seeded with 0x9E3779B9, Bernoulli(½)) and
/// compared with torch 2.15.
pub const VLLM_INT4_SIGNS: [u128; 4] = [
    0x9480abc7_59bbc293_7f7fca4e_9a8ca6f2,
    0x05dfbc5f_cdf467b7_54503bbe_b55b747e,
    0x67fc4ca6_e46ae225_57563834_b291e3cc,
    0x75625346_365fdb89_32d9dff1_cfc78691,
];

/// vLLM's TurboQuant: positive half of the 3-bit codebook at head_dim 64. Its solver (trapezoids of 200 steps) ends about
/// 1e-3 beside the Lloyd–Max levels; other widths scale by a power of two, exactly.
pub const VLLM_LEVELS_3_AT_64: [f32; 4] = [0.030_622_95, 0.094_455_69, 0.167_897_51, 0.268_793_7];
/// The 3-bit codebook at head_dim 128.
pub const VLLM_LEVELS_3_AT_128: [f32; 4] = [0.021_653_695, 0.066_790_26, 0.118_721_46, 0.190_065_85];
/// The 4-bit codebook at head_dim 64.
pub const VLLM_LEVELS_4_AT_64: [f32; 8] = [
    0.016_053_457,
    0.048_517_223,
    0.082_109_99,
    0.117_806_03,
    0.157_032_19,
    0.202_235_22,
    0.258_555_9,
    0.341_365_28,
];
/// The 4-bit codebook at head_dim 128.
pub const VLLM_LEVELS_4_AT_128: [f32; 8] = [
    0.011_351_509,
    0.034_306_858,
    0.058_060_53,
    0.083_301_44,
    0.111_038_53,
    0.143_001_9,
    0.182_826_62,
    0.241_381_7,
];
