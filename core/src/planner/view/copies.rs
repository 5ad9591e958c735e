//! What ranks of a tensor-parallel group hold that another rank holds too: latents, and heads that are fewer than ranks.

use super::memory::Bar;
use super::table::{POOL_OPTIONS, RANK_OPTIONS};
use crate::placement::Machine;
use crate::plan::{Placement, Plan, Request, Reserve, plan_model};
use crate::planner::state::Part;
use crate::spec::ModelSpec;
use crate::unit::Bytes;

/// Marks in the bars of a plan what is a copy. Of equal ranks the first counts as the owner of what all hold.
pub fn mark(bars: &mut [Bar], model: &ModelSpec, request: &Request, plan: &Plan) {
    let Some((copied, own)) = share(model, request, plan) else { return };
    let holds = |bar: &&mut Bar| bar.segments.iter().any(|segment| is_cache(segment.part));
    for bar in bars.iter_mut().filter(holds).skip(1) {
        for segment in bar.segments.iter_mut().filter(|segment| is_cache(segment.part)) {
            let part = u128::from(segment.bytes.get()) * u128::from(copied) / u128::from(own.max(1));
            segment.copies = Bytes::new(u64::try_from(part).unwrap_or(0)).min(segment.bytes);
        }
    }
}

/// Of the bytes that a rank needs, how many the ranks before it hold already.
fn share(model: &ModelSpec, request: &Request, plan: &Plan) -> Option<(u64, u64)> {
    let machine = Machine::of(&request.hardware, request.reserve).ok()?;
    let ranks = request.case(model, &machine, None).ok()?.ranks();
    if ranks.tp < 2 || ranks.pp > 1 || ranks.dp > 1 {
        return None;
    }
    let mut alone = Request {
        placement: Placement::default(),
        hardware: Vec::new(),
        reserve: Reserve::default(),
        weights: None,
        explain: false,
        ..request.clone()
    };
    if let Some(engine) = &mut alone.engine {
        let ours = |name: &str| RANK_OPTIONS.contains(&name) || POOL_OPTIONS.contains(&name);
        engine.options.retain(|name, _| !ours(name));
    }
    let whole = plan_model(model, &alone).ok()?.kv.payload_bytes.get();
    let own = plan.kv.payload_bytes.get();
    let copied = own.checked_mul(ranks.tp)?.checked_sub(whole)? / (ranks.tp - 1);
    (copied > 0).then_some((copied.min(own), own))
}

const fn is_cache(part: Part) -> bool {
    match part {
        Part::Full | Part::Window | Part::Compressed | Part::Indexer | Part::State | Part::Cross => true,
        Part::Weights | Part::Compute | Part::InUse | Part::KeptFree => false,
    }
}
