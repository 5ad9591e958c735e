//! How many rounds the loops of an attention kernel's invocation make in all, at most. Some drivers leave loops after so
//! many without an error ([`crate::gpu::Gpu::loop_rounds`]): a launch says what it needs, and is refused where it is more.

use super::{CodecKernels, Latent, Shape};
use crate::shader::Shader;

fn of(shader: &Shader, name: &str) -> u64 {
    u64::from(shader.constant(name).unwrap_or(1).max(1))
}

/// Rounds that finding a token's record takes: a decoder that has to read the whole vector first says in what steps.
pub(super) fn record(decoder: &Shader, head_dim: u32) -> u64 {
    let steps =
        decoder.constant("src_RECORD_STEP").map_or(0, |step| u64::from(head_dim.div_ceil(step.max(1))));
    steps + u64::from(decoder.constant("src_RECORD_ROUNDS").unwrap_or(0))
}

fn records(kernels: &CodecKernels, head_dim: u32) -> [u64; 2] {
    kernels.sides().map(|side| record(side.dequantize, head_dim))
}

impl Shape {
    /// Rounds of an invocation in [`Shape::decode`].
    #[must_use]
    pub fn decode_rounds(&self, kernels: &CodecKernels) -> u64 {
        self.split_rounds(kernels.decode, records(kernels, self.head_dim))
    }

    /// Of `attention/decode`, given those of finding a key's and a value's record.
    pub(super) fn split_rounds(&self, shader: &Shader, found: [u64; 2]) -> u64 {
        let (lanes, split, shares) = (of(shader, "LANES"), of(shader, "SPLIT"), of(shader, "SHARES"));
        let (group, neighbours) = self.tile_heads(shader);
        let (group, heads) = (u64::from(group), u64::from(group * neighbours));
        let width = u64::from(self.head_dim / 4);
        let across = width.div_ceil(4).max(1);
        let slices = (lanes / across).max(1);
        let steps = split.min(u64::from(self.capacity)).div_ceil((4 / heads).max(1));
        let own = steps.div_ceil(slices);
        let records = 4 / group;
        // A key with factors is measured by one invocation, and those that read of it copy what it found.
        let factors = u64::from(shader.constant("k_FACTORS").unwrap_or(0));
        let kept = if factors > 0 { of(shader, "FACTORS") / (records * factors) } else { u64::MAX };
        let tiles = steps.div_ceil((shares / across).min(kept));
        let [found_key, found_value] = found;
        let measured = if factors > 0 {
            ((steps * records).div_ceil(lanes) + tiles) * (1 + found_key + factors)
        } else {
            own * records * found_key
        };
        // Steps that are read together are walked first, and what is left of a tile after them.
        let key = measured + own * (1 + records * factors) + 2 * tiles;
        let value = own * (1 + records * found_value);
        // A tile's shares are summed up by all invocations, each for some steps; those of a last, smaller tile too.
        let sums = (steps.div_ceil(lanes) + tiles) * (1 + across);
        let ends = 4 * (1 + heads) + 2 * lanes + heads * (5 + width.div_ceil(lanes) * slices);
        key + value + tiles + 2 * sums + ends
    }

    /// Rounds of an invocation in [`Shape::prefill`].
    #[must_use]
    pub fn prefill_rounds(&self, kernels: &CodecKernels) -> u64 {
        self.tile_rounds(kernels.prefill, records(kernels, self.head_dim))
    }

    /// Of `attention/prefill`, given those of finding a key's and a value's record.
    pub(super) fn tile_rounds(&self, shader: &Shader, [key, value]: [u64; 2]) -> u64 {
        let (keys, chunk, lanes) = (of(shader, "KEYS"), of(shader, "CHUNK"), of(shader, "LANES"));
        let chunks = u64::from(self.head_dim / 4).div_ceil(chunk);
        let values = 2 * keys + 8 + keys * of(shader, "PASS_COLUMNS") / lanes * value;
        // Per chunk its staging and its columns; per tile the tests of visibility, the weights twice, V's rows.
        let each = chunks * (1 + keys * chunk / lanes * (1 + key) + chunk)
            + 12
            + 2 * keys
            + keys * keys / lanes
            + values;
        let window = if self.window > 0 { self.window.saturating_add(self.queries) } else { u32::MAX };
        let tiles = u64::from(self.capacity.min(window)).div_ceil(keys) + 1;
        tiles * each
    }

    /// Rounds of an invocation in the longest step of [`Shape::naive`].
    #[must_use]
    pub fn naive_rounds(&self, kernels: &CodecKernels) -> u64 {
        self.softmax_rounds().max(self.output_rounds(kernels))
    }

    /// `attention/naive_softmax`: a row of scores three times.
    pub(super) fn softmax_rounds(&self) -> u64 {
        3 * u64::from(self.capacity)
    }

    /// `attention/naive_output`.
    pub(super) fn output_rounds(&self, kernels: &CodecKernels) -> u64 {
        u64::from(self.capacity) * (1 + record(kernels.value.dequantize, self.head_dim))
    }
}

impl Latent {
    /// Rounds of an invocation in [`Latent::attend`] over a segment of so many tokens.
    #[must_use]
    pub fn rounds(&self, kernels: &CodecKernels, tokens: u32) -> u64 {
        let shader = kernels.latent;
        let [keys, chunk, lanes] = ["KEYS", "CHUNK", "LANES"].map(|name| of(shader, name));
        let rows = of(shader, "ROWS");
        let groups = rows.div_ceil(4);
        let record = record(kernels.key.dequantize, self.width);
        let chunks = u64::from(self.width / 4).div_ceil(chunk);
        let staged = rows * chunk / lanes + keys * chunk / lanes * (1 + record);
        // Per tile: its chunks, the greatest and the sum of its scores, rescaling, and every key's values.
        let each = 1 + chunks * (1 + staged + chunk) + 2 * keys + groups + keys * (1 + groups + record);
        let tiles = u64::from(self.split(shader, tokens).min(tokens)).div_ceil(keys);
        tiles * each + 4 + 2 * rows
    }
}
