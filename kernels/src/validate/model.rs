//! The shapes of a model's layers.

use super::case::CaseShape;
use kvplan_core::spec::{Mixer, ModelSpec};

/// Queries of prefill over a model's cache: enough for more than one tile.
const QUERIES: u32 = 37;

/// The shapes to run for a model, and what a reader has to know of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelShapes {
    /// One per kind of attention layer, and its number of layers.
    pub shapes: Vec<CaseShape>,
    /// Caps, and layers that have no kernels.
    pub notes: Vec<String>,
}

/// One shape per distinct kind of attention layer at a context of `context` tokens, windows and chunks as long as they
/// keep; none longer than what `largest_binding` bytes hold of one side in f32, which is what the kernels read.
#[must_use]
pub fn of_model(model: &ModelSpec, context: u32, largest_binding: u64) -> ModelShapes {
    let mut out = ModelShapes { shapes: Vec::new(), notes: Vec::new() };
    for (kind, layers) in model.kept(0) {
        for mixer in kind.mixers() {
            let (kv_heads, k_dim, v_dim, window) = match mixer {
                Mixer::Full(a) => (a.kv_heads, a.k_dim, a.v_dim, 0),
                Mixer::Window(a) => (a.kv_heads, a.k_dim, a.v_dim, a.window),
                // Inside a chunk a query sees all before it.
                Mixer::Chunk(a) => (a.kv_heads, a.k_dim, a.v_dim, a.chunk),
                Mixer::Mla(_)
                | Mixer::Compressed(_)
                | Mixer::Mamba1(_)
                | Mixer::Mamba2(_)
                | Mixer::GatedDelta(_)
                | Mixer::Kda(_)
                | Mixer::Lightning(_)
                | Mixer::ShortConv(_)
                | Mixer::Rwkv(_)
                | Mixer::RgLru(_)
                | Mixer::Mlstm(_)
                | Mixer::Cross(_)
                | Mixer::Shared(_) => {
                    out.notes.push(format!(
                        "{layers} {} layers are not run: they have no kernels here",
                        mixer.kind()
                    ));
                    continue;
                }
            };
            match dimensions(model, [kv_heads, k_dim, v_dim]) {
                Some([heads, kv_heads, k_dim, v_dim]) => {
                    let kept = u32::try_from(window).unwrap_or(u32::MAX);
                    let kept = if kept > 0 { context.min(kept) } else { context };
                    let (tokens, cap) = capped(kept, kv_heads, k_dim.max(v_dim), largest_binding);
                    if cap {
                        out.notes.push(format!(
                            "{} layers run {tokens} tokens, not {kept}: this adapter binds {largest_binding} bytes at once, \
                             and kernels read K in f32",
                            mixer.kind()
                        ));
                    }
                    let plural = if layers == 1 { "" } else { "s" };
                    out.shapes.push(CaseShape {
                        label: format!(
                            "{layers} {} layer{plural}, {heads} heads on {kv_heads} of {k_dim}, {tokens} tokens",
                            mixer.kind()
                        ),
                        tokens,
                        heads,
                        kv_heads,
                        k_dim,
                        v_dim,
                        window: 0,
                        queries: tokens.min(QUERIES),
                        layers,
                    });
                }
                None => out.notes.push(format!(
                    "{layers} {} layers are not run: {kv_heads} KV heads of {k_dim} and {v_dim} elements are past what \
                     kernels take",
                    mixer.kind()
                )),
            }
        }
    }
    out
}

/// Query heads, KV heads and widths in the kernels' integers. A model whose query heads are not published, or are no
/// multiple, is run with one query head per KV head.
fn dimensions(model: &ModelSpec, dims: [u64; 3]) -> Option<[u32; 4]> {
    let [kv_heads, k_dim, v_dim] = dims;
    let heads = model.record().heads.filter(|heads| heads.is_multiple_of(kv_heads)).unwrap_or(kv_heads);
    let narrow = |n: u64| u32::try_from(n).ok().filter(|n| *n > 0);
    Some([narrow(heads)?, narrow(kv_heads)?, narrow(k_dim)?, narrow(v_dim)?])
}

/// As many tokens as one binding holds of `heads` × `dim` in f32, and whether that is fewer.
fn capped(tokens: u32, heads: u32, dim: u32, largest_binding: u64) -> (u32, bool) {
    let token = u64::from(heads) * u64::from(dim) * 4;
    let most = u32::try_from(largest_binding / token.max(1)).unwrap_or(u32::MAX).max(1);
    (tokens.min(most), most < tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvplan_core::spec::catalog;

    const BINDING: u64 = 128 << 20;

    #[test]
    fn a_dense_model_has_one_shape_with_its_own_heads() {
        let model = catalog::find("qwen3-8b").unwrap();
        let ModelShapes { shapes, notes } = of_model(model, 1000, BINDING);
        let [shape] = shapes.as_slice() else { panic!("{shapes:?}") };
        // Qwen3-8B: 36 layers, 32 heads on 8 KV heads of 128.
        assert_eq!((shape.layers, shape.heads, shape.kv_heads, shape.k_dim), (36, 32, 8, 128));
        assert_eq!((shape.tokens, notes.len()), (1000, 0));
    }

    #[test]
    fn windowed_layers_are_a_shape_of_their_own_and_keep_their_window() {
        let model = catalog::find("gpt-oss-20b").unwrap();
        let mut shapes = of_model(model, 5000, BINDING).shapes;
        shapes.sort_by_key(|shape| shape.tokens);
        // gpt-oss-20b: 12 layers of window 128, 12 full, 64 heads on 8 of 64.
        let facts: Vec<_> =
            shapes.iter().map(|s| (s.layers, s.tokens, s.heads, s.kv_heads, s.k_dim)).collect();
        assert_eq!(facts, [(12, 128, 64, 8, 64), (12, 5000, 64, 8, 64)]);
    }

    #[test]
    fn a_context_past_the_binding_limit_is_capped_and_said() {
        let model = catalog::find("qwen3-8b").unwrap();
        let ModelShapes { shapes, notes } = of_model(model, 131_072, BINDING);
        assert_eq!(shapes.first().map(|shape| shape.tokens), Some(32_768));
        assert!(notes.iter().any(|note| note.contains("32768") && note.contains("131072")), "{notes:?}");
    }

    #[test]
    fn layers_without_kernels_are_named() {
        let model = catalog::find("qwen3.6-27b").unwrap();
        let ModelShapes { shapes, notes } = of_model(model, 100, BINDING);
        assert_eq!(shapes.len(), 1);
        assert!(notes.iter().any(|note| note.contains("48 gated_delta")), "{notes:?}");
    }
}
