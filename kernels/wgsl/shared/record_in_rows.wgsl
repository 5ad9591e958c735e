// Where a head's record lies when slot follows slot. Import as `kv`, for decoders that have a `kv_record` of their own.

#import shared/place

fn kv_record_in_rows(at: Place, head: u32) -> Record {
    let record = params.kv_side.base + at.slot * params.kv_side.page_bytes + head * params.kv_side.head_bytes;
    return Record(record, 0u, 0u, head, 0u);
}
