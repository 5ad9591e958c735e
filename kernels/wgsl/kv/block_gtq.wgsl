// Block-GTQ's keys as they are stored: elements in the order of their codes, width after width, each width turned. What
// `beside` says of a head is `BlockGtqCache::table`: after a word per head with the place of its part, that part.

#import shared/place
#import shared/bytes as kv
#import shared/sixteen as kv
#import shared/one_by_one as kv

// Words of a head's part: its first byte, bytes per key, the norms' byte in a key, widths in use, where the levels of each
// width are; then a word per element.
const kv_HEAD_WORDS: u32 = 12u;
const kv_WIDTHS: u32 = 8u;
// Elements that a round of `kv_record` reads, and its other rounds.
const kv_RECORD_STEP: u32 = 4u;
const kv_RECORD_ROUNDS: u32 = kv_WIDTHS;

// What the levels of each width are multiplied by.
const kv_FACTORS: u32 = kv_WIDTHS;
var<private> kv_factors: array<f32, kv_FACTORS>;

// An element: in its low bits where its code begins in the key, then the bits of the code as stored, then its width.
fn kv_width(entry: u32) -> u32 {
    return entry >> 17u;
}

fn kv_level(record: Record, entry: u32) -> f32 {
    let bit = entry & 0x1fffu;
    let at = record.codes + (bit >> 3u);
    // A norm follows the last code: there is a second byte.
    let code = ((kv_byte(at) | (kv_byte(at + 1u) << 8u)) >> (bit & 7u)) & ((1u << ((entry >> 13u) & 15u)) - 1u);
    return bitcast<f32>(beside[params.kv_side.beside + beside[record.first + 4u + kv_width(entry)] + code]);
}

fn kv_entry(record: Record, element: u32) -> u32 {
    return beside[record.first + kv_HEAD_WORDS + element];
}

fn kv_measure(record: Record, element: u32) {
    let entry = kv_entry(record, element);
    let level = kv_level(record, entry);
    kv_factors[kv_width(entry)] += level * level;
}

fn kv_record_measured(at: Place, head: u32) -> Record {
    let part = params.kv_side.beside + beside[params.kv_side.beside + head];
    let codes = beside[part] + at.slot * beside[part + 1u];
    return Record(codes, codes + beside[part + 2u], part, head, 0u);
}

// The stored norms over the lengths of the decoded levels, width by width.
fn kv_record(at: Place, head: u32) -> Record {
    let record = kv_record_measured(at, head);
    let part = record.first;
    kv_factors = array<f32, kv_WIDTHS>();
    for (var element = 0u; element < params.kv_side.head_dim; element += kv_RECORD_STEP) {
        kv_measure(record, element);
        kv_measure(record, element + 1u);
        kv_measure(record, element + 2u);
        kv_measure(record, element + 3u);
    }
    for (var i = 0u; i < beside[part + 3u]; i++) {
        let at = record.scales + 2u * i;
        let norm = unpack2x16float(kv_byte(at) | (kv_byte(at + 1u) << 8u)).x;
        kv_factors[i] = norm / sqrt(kv_factors[i]);
    }
    return record;
}

fn kv_load(record: Record, element: u32) -> f32 {
    let entry = kv_entry(record, element);
    return kv_level(record, entry) * kv_factors[kv_width(entry)];
}

fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    return vec4<f32>(
        kv_load(record, element),
        kv_load(record, element + 1u),
        kv_load(record, element + 2u),
        kv_load(record, element + 3u),
    );
}
