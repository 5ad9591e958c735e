//! The shapes of a model's layers.

use super::case::CaseShape;
use super::record::{ModelRecord, ModelTotal, Report};
use kvplan_core::cache::Role;
use kvplan_core::plan::{CacheRequest, ModelRef, Request, plan_model};
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
    /// Whether a shape has fewer tokens than its layers keep, or a kind of attention is missing.
    pub capped: bool,
}

/// One shape per distinct kind of attention layer at a context of `context` tokens, windows and chunks as long as they
/// keep; none longer than what `largest_binding` bytes hold of one side in f32, which is what the kernels read.
#[must_use]
pub fn of_model(model: &ModelSpec, context: u32, largest_binding: u64) -> ModelShapes {
    let mut out = ModelShapes { shapes: Vec::new(), notes: Vec::new(), capped: false };
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
                        out.capped = true;
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
                None => {
                    out.capped = true;
                    out.notes.push(format!(
                    "{layers} {} layers are not run: {kv_heads} KV heads of {k_dim} and {v_dim} elements are past what \
                     kernels take",
                    mixer.kind()
                    ));
                }
            }
        }
    }
    out
}

/// The plan's bytes of a whole model beside what its layers were found to take, for every codec of which each of `shapes`
/// ran; nothing where a shape was capped, for then no layer of that length was run.
#[must_use]
pub fn totals(model: &ModelSpec, context: u32, shapes: &ModelShapes, report: &Report) -> ModelRecord {
    let mut totals: Vec<ModelTotal> = Vec::new();
    let mut codecs: Vec<&str> = report.cases.iter().map(|case| case.codec.as_str()).collect();
    codecs.dedup();
    for codec in codecs.into_iter().filter(|_| !shapes.capped) {
        let of_codec = report.cases.iter().filter(|case| case.codec == codec);
        let measured: Option<u64> = of_codec
            .map(|case| {
                let measured = case.outcome.measured()?;
                case.shape.layers.checked_mul(measured.k.measured_bytes + measured.v.measured_bytes)
            })
            .sum();
        if let (Some(measured_bytes), Some(planned_bytes)) = (measured, planned(model, context, codec)) {
            totals.push(ModelTotal { codec: codec.to_owned(), planned_bytes, measured_bytes });
        }
    }
    ModelRecord { name: model.name().to_owned(), context, totals }
}

/// K and V of the plan for the ideal engine; nothing where there is no such plan.
fn planned(model: &ModelSpec, context: u32, codec: &str) -> Option<u64> {
    let request = Request {
        context: Some(u64::from(context)),
        cache: CacheRequest { kv: Some(codec.to_owned()), ..CacheRequest::default() },
        ..Request::of(ModelRef::Id(model.id().to_owned()))
    };
    let plan = plan_model(model, &request).ok()?;
    let kv = plan.kv.stores.iter().filter(|store| matches!(store.role, Role::K | Role::V));
    kv.map(|store| store.payload_bytes.get()).try_fold(0u64, u64::checked_add)
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
        let ModelShapes { shapes, notes, .. } = of_model(model, 1000, BINDING);
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
        let ModelShapes { shapes, notes, .. } = of_model(model, 131_072, BINDING);
        assert_eq!(shapes.first().map(|shape| shape.tokens), Some(32_768));
        assert!(notes.iter().any(|note| note.contains("32768") && note.contains("131072")), "{notes:?}");
    }

    /// Sizes that models' papers and configs give, worked out by hand.
    #[test]
    fn a_models_total_is_its_plans_and_a_missing_byte_shows() {
        use crate::validate::{Run, Source, cases, validate_on_cpu};
        let model = catalog::find("gpt-oss-20b").unwrap();
        let found = of_model(model, 201, BINDING);
        let kernels = [crate::op::CodecKernels::of(kvplan_core::codec::Codec::Q8_0).unwrap()];
        let shapes: Vec<_> = found.shapes.iter().map(|shape| (shape.clone(), Source::Synthetic)).collect();
        let cancel = std::sync::atomic::AtomicBool::new(false);
        let cases = cases(&kernels, &shapes);
        let mut run = Run { cases: &cases, clock: false, progress: &mut |_| (), cancel: &cancel };
        let mut report = validate_on_cpu(&mut run);
        let record = totals(model, 201, &found, &report);
        // 12 layers of 201 tokens and 12 of the last 128, K and V of 8 heads of 64 in 34 bytes per 32.
        let bytes = 12 * (201 + 128) * 2 * 8 * 64 * 34 / 32;
        let total = record.totals.first().unwrap();
        assert_eq!((total.planned_bytes, total.measured_bytes), (bytes, bytes));
        report.model = Some(record);
        assert!(report.holds());
        report.model.as_mut().unwrap().totals[0].measured_bytes += 1;
        assert!(!report.holds());
    }

    #[test]
    fn layers_without_kernels_are_named() {
        let model = catalog::find("qwen3.6-27b").unwrap();
        let ModelShapes { shapes, notes, .. } = of_model(model, 100, BINDING);
        assert_eq!(shapes.len(), 1);
        assert!(notes.iter().any(|note| note.contains("48 gated_delta")), "{notes:?}");
    }
}
