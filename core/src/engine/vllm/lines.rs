//! Line by line: what the tokens need, and which part of the groups' pages holds it.
//!
//! A line carries the bytes its stores occupy in the blocks of the sequences. What is left of those blocks (padding of
//! pages and groups, columns no other group uses) and the null block belong to no store: the reservation's overhead.

use super::demand::Load;
use super::explain::PAGES;
use super::grouping::Group;
use super::prefix::{Prefix, after};
use crate::engine::{Carriers, Growth, StoreLine};
use crate::error::PlanError;
use crate::explain::Basis;
use crate::unit::{Bytes, Overflow, Tokens};

/// The lines of the first stage, and the growth of what the tokens need.
pub(super) fn lines(
    groups: &[Group],
    load: &Load,
    prefix: &Prefix,
    encoder: Tokens,
    (sequences, resident): (u64, u64),
) -> Result<(Vec<StoreLine>, Growth), PlanError> {
    let mut lines: Vec<StoreLine> = Vec::new();
    // Which layers and which of their parts a line stands for.
    let mut keys: Vec<(usize, usize)> = Vec::new();
    let mut period = load.dcp;
    let parts = || {
        groups.iter().flat_map(|g| g.members.iter().map(move |m| (g, m))).filter_map(|(g, m)| {
            let layers = m.per_stage.first().copied().unwrap_or(0);
            (layers > 0).then_some((g, m, layers))
        })
    };
    for (_, m, _) in parts() {
        for part in &m.spec.parts {
            period = super::block_size::lcm(period, part.retention.stride())?;
        }
    }
    // Decode-context-parallel ranks share the tokens of the one class they shard.
    let kept = |tokens: u64| Tokens::new(tokens.div_ceil(load.dcp));
    let later = load.context.checked_add(period).ok_or(Overflow)?;
    let mut grown = Bytes::ZERO;
    for (group, m, layers) in parts() {
        let once = if resident > 0 { group.kept(prefix.tokens, load.dcp) } else { 0 };
        let own = group.blocks(&after(load, prefix.tokens))?;
        let blocks = own.checked_mul(resident).and_then(|n| n.checked_add(once)).ok_or(Overflow)?;
        for (i, part) in m.spec.parts.iter().enumerate() {
            let entries = part.retention.entries(kept(load.context), encoder)?;
            let mut payload = Bytes::ZERO;
            if part.role.is_payload() {
                let row = Bytes::new(part.entry).times(layers)?;
                let common = part.retention.common(kept(load.context), kept(prefix.tokens)).min(entries);
                let own = entries.minus(common)?.times(sequences)?;
                payload = row.times(own.plus(common)?.get())?;
                let more = part.retention.entries(kept(later), encoder)?.minus(entries).unwrap_or_default();
                grown = grown.plus(row.times(more.get())?)?;
            }
            let held = Bytes::new(part.held).times(m.spec.states())?.times(blocks)?;
            let allocated = held.times(layers)?;
            let key = (m.layers, i);
            match keys.iter().position(|k| *k == key).and_then(|at| lines.get_mut(at)) {
                Some(line) => {
                    line.layers += layers;
                    line.payload = line.payload.plus(payload)?;
                    line.allocated = line.allocated.plus(allocated)?;
                }
                None => {
                    keys.push(key);
                    lines.push(StoreLine {
                        cache: part.cache,
                        role: part.role,
                        layers,
                        carriers: Carriers::Any,
                        heads: part.heads,
                        dim: part.dim,
                        entries,
                        sequences,
                        codec: part.codec,
                        payload,
                        allocated,
                        rule: &PAGES,
                        basis: Basis::Exact,
                    });
                }
            }
        }
    }
    Ok((lines, Growth { bytes: grown, tokens: period }))
}
