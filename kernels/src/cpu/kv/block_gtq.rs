use super::{Decoder, Packed, Place, Record};

/// Words of a head's part of the table before its elements: its first byte, bytes per key, the norms' byte in a key,
/// widths in use, where the levels of each width are.
pub(crate) const HEAD_WORDS: u32 = 12;
/// The first of the words for levels.
pub(crate) const LEVELS_WORD: u32 = 4;

fn beside(packed: &Packed<'_>, at: u32) -> u32 {
    packed.beside[at as usize]
}

fn record(packed: &Packed<'_>, at: Place, head: u32) -> Record {
    let first = packed.geometry.beside;
    let part = first + beside(packed, first + head);
    let codes = beside(packed, part) + at.slot * beside(packed, part + 1);
    Record { codes, scales: codes + beside(packed, part + 2), first: part, head, inside: 0 }
}

/// The level of an element, and its width.
fn level(packed: &Packed<'_>, record: Record, element: u32) -> (f32, u32) {
    let entry = beside(packed, record.first + HEAD_WORDS + element);
    let (bit, stored, width) = (entry & 0x1fff, entry >> 13 & 15, entry >> 17);
    let bytes = [0, 1].map(|i| packed.byte(record.codes + bit / 8 + i));
    let code = u32::from(u16::from_le_bytes(bytes)) >> (bit & 7) & ((1 << stored) - 1);
    let levels = packed.geometry.beside + beside(packed, record.first + LEVELS_WORD + width);
    (f32::from_bits(beside(packed, levels + code)), width)
}

/// A width's norm over the length of its levels.
fn length(packed: &Packed<'_>, record: Record, width: u32) -> f32 {
    let levels = (0..packed.geometry.head_dim).map(|element| level(packed, record, element));
    let square: f32 = levels.filter(|(_, own)| *own == width).map(|(level, _)| level * level).sum();
    let norm = [0, 1].map(|i| packed.byte(record.scales + 2 * width + i));
    half::f16::from_le_bytes(norm).to_f32() / square.sqrt()
}

fn load4(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let mut known: Option<(u32, f32)> = None;
    [0, 1, 2, 3].map(|i| {
        let (level, width) = level(packed, record, element + i);
        let known = match known {
            Some((of, length)) if of == width => length,
            Some(_) | None => known.insert((width, length(packed, record, width))).1,
        };
        level * known
    })
}

/// `kv/block_gtq.wgsl`.
pub const BLOCK_GTQ: Decoder = Decoder { record, load4 };
