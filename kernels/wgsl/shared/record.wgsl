// From a token and a head to the bytes of its record. Import as `kv`: each side gets its own.

#import shared/place

// Whether slots may be laid out together; told it is not, a pipeline goes without the divisions.
override kv_PAGES: bool = true;

fn kv_record(at: Place, head: u32) -> Record {
    var page = at.slot;
    var inside = 0u;
    if kv_PAGES && params.kv_side.page_tokens > 1u {
        page = at.slot / params.kv_side.page_tokens;
        inside = at.slot % params.kv_side.page_tokens;
    }
    let begin = params.kv_side.base + page * params.kv_side.page_bytes;
    return Record(
        begin + inside * params.kv_side.token_bytes + head * params.kv_side.head_bytes,
        begin + params.kv_side.plane + inside * params.kv_side.plane_token_bytes + head * params.kv_side.plane_head_bytes,
        head * params.kv_side.head_elements,
        head,
        inside,
    );
}
