// For decoders whose records say all there is to know. Import as `kv`.

// Numbers of a vector that are worked out from all its elements, and where `kv_record` leaves them.
const kv_FACTORS: u32 = 0u;
var<private> kv_factors: array<f32, 1>;

// The record of a vector whose factors are in place.
fn kv_record_measured(at: Place, head: u32) -> Record {
    return kv_record(at, head);
}
