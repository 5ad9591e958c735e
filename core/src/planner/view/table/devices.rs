//! Devices × cache types: the largest context.

use super::{Row, Table, alike, brief, cache_types, cell, codec_is, engine_name, quality, with_cache};
use crate::plan::{HardwareEntry, Placement, Request};
use crate::planner::view::change::devices;
use crate::spec::ModelSpec;

/// From a desk to a rack, for engines of one machine's owner.
const LOCAL: &[(&str, u64)] = &[
    ("rtx-4090", 1),
    ("rtx-5090", 1),
    ("rtx-3090", 2),
    ("m4-max-64gb", 1),
    ("m3-ultra-256gb", 1),
    ("rtx-pro-6000-blackwell-server", 1),
];

/// Nodes of a fleet, tensor parallel over each.
const SERVING: &[(&str, u64)] = &[
    ("h100-sxm-80gb", 8),
    ("h200-sxm-141gb", 1),
    ("h200-sxm-141gb", 8),
    ("b200-sxm-180gb", 1),
    ("b200-sxm-180gb", 8),
    ("mi300x", 8),
];

/// Options of engines that say how many ranks there are and would win over the request's.
pub(in crate::planner::view) const RANK_OPTIONS: &[&str] = &[
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "decode_context_parallel_size",
    "tp_size",
    "tensor_split",
];

/// Options of engines that give their pool a size.
pub(in crate::planner::view) const POOL_OPTIONS: &[&str] =
    &["kv_cache_memory_bytes", "num_gpu_blocks_override", "kv_memory_bytes", "free_memory_bytes"];

pub(super) fn table(model: &ModelSpec, request: &Request) -> Table {
    let engine = engine_name(request);
    let codecs = cache_types(engine);
    let pools = engine.fills_its_device();
    let mut machines: Vec<(Vec<HardwareEntry>, Placement)> = Vec::new();
    if !request.hardware.is_empty() {
        machines.push((request.hardware.clone(), request.placement));
    }
    machines.extend(if pools { SERVING } else { LOCAL }.iter().map(|(id, count)| {
        let entry = HardwareEntry {
            device: (*id).to_owned(),
            count: *count,
            memory_bytes: None,
            bandwidth_bytes_per_s: None,
        };
        let tp = if pools { *count } else { 1 };
        (vec![entry], Placement { tp, ..Placement::default() })
    }));
    let mut rows: Vec<Row> = Vec::new();
    for (at, (hardware, placement)) in machines.into_iter().enumerate() {
        // The host's memory is the same in every row.
        let named: Vec<HardwareEntry> =
            hardware.iter().filter(|entry| entry.memory_bytes.is_none()).cloned().collect();
        let label = devices(if named.is_empty() { &hardware } else { &named }).replace(" × ", "×");
        if rows.iter().any(|row| row.label == label) {
            continue;
        }
        let own = at == 0 && hardware == request.hardware;
        let cells = codecs
            .iter()
            .map(|codec| {
                let mut other = with_cache(request, codec);
                if !own {
                    other.placement = placement;
                    if let Some(engine) = &mut other.engine {
                        engine.options.retain(|name, _| !RANK_OPTIONS.contains(&name.as_str()));
                    }
                }
                other.hardware.clone_from(&hardware);
                let mut cell = cell::largest(model, other);
                cell.current = own && codec_is(request, codec);
                cell
            })
            .collect();
        let detail = if placement.tp > 1 { format!("tp {}", placement.tp) } else { String::new() };
        rows.push(Row { label, detail, cells: alike(cells) });
    }
    let (quality, caption) = quality(codecs);
    Table {
        title: "LARGEST CONTEXT",
        rows_are: "devices",
        columns: codecs.iter().map(|codec| brief(codec).to_owned()).collect(),
        rows,
        quality,
        caption,
    }
}
