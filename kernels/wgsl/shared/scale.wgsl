// The scale that lies beside the cache: one per tensor, one per head, or none, which is 1. Import as `kv`.
fn kv_scale(head: u32) -> f32 {
    if params.kv_side.beside_words == 0u {
        return 1.0f;
    }
    return bitcast<f32>(beside[params.kv_side.beside + head % params.kv_side.beside_words]);
}
