use kvplan_core::codec::{Codec, SideLayout};

use super::{Decoder, Packed, Place, Record, record};

const KEYS: SideLayout = Codec::Kivi2.layout().key;
const VALUES: SideLayout = Codec::Kivi2.layout().value;
const GROUP: u32 = 32;
/// `kv_in_f16`: no record's scales begin here.
const IN_F16: u32 = u32::MAX;

/// The window's tokens, no more than 32 bits count.
#[expect(clippy::cast_possible_truncation, reason = "128")]
const fn residual(side: SideLayout) -> u32 {
    side.residual.window() as u32
}

/// `kv_window`.
fn window(packed: &Packed<'_>, at: Place, index: u32, head: u32) -> Record {
    let g = packed.geometry;
    let vector = (index * g.heads + head) * g.head_dim * 2;
    let codes = g.window + at.sequence * g.window_bytes + vector;
    Record { codes, scales: IN_F16, first: 0, head, inside: index }
}

/// `kv_window_load4`.
fn window_load4(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    [0, 1, 2, 3].map(|i| packed.half(record.codes + (element + i) * 2))
}

/// `kivi_decoded`.
fn decoded(code: u32, scale: f32, lowest: f32) -> f32 {
    let rounded = |x: f32| half::f16::from_f32(x).to_f32();
    #[expect(clippy::cast_precision_loss, reason = "codes of at most four bits")]
    let step = rounded(code as f32 * scale);
    rounded(step + lowest)
}

fn key_record<const BITS: u32>(packed: &Packed<'_>, at: Place, head: u32) -> Record {
    let g = packed.geometry;
    let in_groups = at.length - at.length % residual(KEYS);
    if at.token >= in_groups {
        return window(packed, at, at.token - in_groups, head);
    }
    let group = g.base + at.slot / GROUP * g.page_bytes + head * g.head_bytes;
    let scales = group + g.head_dim * 4 * BITS;
    Record { codes: group, scales, first: 0, head, inside: at.slot % GROUP }
}

fn key_load4<const BITS: u32>(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    if record.scales == IN_F16 {
        return window_load4(packed, record, element);
    }
    let bit = record.inside * BITS;
    [0, 1, 2, 3].map(|i| {
        let channel = element + i;
        let byte = u32::from(packed.byte(record.codes + channel * 4 * BITS + bit / 8));
        let scale = record.scales + channel * 2;
        let lowest = scale + packed.geometry.head_dim * 2;
        decoded(byte >> (bit & 7) & ((1 << BITS) - 1), packed.half(scale), packed.half(lowest))
    })
}

fn value_record<const BITS: u32>(packed: &Packed<'_>, at: Place, head: u32) -> Record {
    let in_rows = at.length - at.length.min(residual(VALUES));
    if at.token >= in_rows {
        return window(packed, at, at.token - in_rows, head);
    }
    let record = record(packed, at, head);
    Record { scales: record.codes + packed.geometry.head_dim * BITS / 8, ..record }
}

fn value_load4<const BITS: u32>(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    if record.scales == IN_F16 {
        return window_load4(packed, record, element);
    }
    let scale = record.scales + element / GROUP * 2;
    let lowest = scale + packed.geometry.head_dim / GROUP * 2;
    [0, 1, 2, 3].map(|i| {
        let bit = (element + i) * BITS;
        let byte = u32::from(packed.byte(record.codes + bit / 8));
        decoded(byte >> (bit & 7) & ((1 << BITS) - 1), packed.half(scale), packed.half(lowest))
    })
}

/// `kv/kivi2_key.wgsl`.
pub const KIVI2_KEY: Decoder = Decoder { record: key_record::<2>, load4: key_load4::<2> };
/// `kv/kivi4_key.wgsl`.
pub const KIVI4_KEY: Decoder = Decoder { record: key_record::<4>, load4: key_load4::<4> };
/// `kv/kivi2_value.wgsl`.
pub const KIVI2_VALUE: Decoder = Decoder { record: value_record::<2>, load4: value_load4::<2> };
/// `kv/kivi4_value.wgsl`.
pub const KIVI4_VALUE: Decoder = Decoder { record: value_record::<4>, load4: value_load4::<4> };
