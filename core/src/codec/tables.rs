//! Fixed numbers of the formats, for encoders, decoders and kernels alike.
//!
//! Sources: ggml-common.h of llama.cpp 0c1e57098 (`iq4_nl`, E2M1) and ggml-turbo-quant.c of TheTom/llama-cpp-turboquant
//! (turbo types; its 4-bit codebook is not the Lloyd–Max one, which would halve the error).

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
