//! What was found on this machine.

use super::{Align, Table, size};
use crate::detect::{Card, Found};
use kvplan_core::unit::Bytes;

/// The machine in a line: `rtx-5090 (NVIDIA GeForce RTX 5090, nvml, 0.90 GiB in use), 62.5 GiB of host memory`.
pub(crate) fn machine(found: &Found) -> String {
    let one = |card: &Card| {
        let by: &str = card.by.into();
        let used =
            card.in_use_bytes.map_or_else(String::new, |used| format!(", {} in use", size(Bytes::new(used))));
        let known = card.id.as_deref().unwrap_or("not catalogued");
        format!("{known} ({}, {by}{used})", card.name)
    };
    let mut parts: Vec<String> = found.cards.iter().map(one).collect();
    if parts.is_empty() {
        parts.push("no GPU".to_owned());
    }
    if let Some(memory) = found.host.memory_bytes {
        parts.push(format!("{} of host memory", size(Bytes::new(memory))));
    }
    parts.join(", ")
}

/// The same as a table.
pub(crate) fn detected(found: &Found) -> String {
    let mut table = Table::new(&[
        ("detected", Align::Left),
        ("id", Align::Left),
        ("memory", Align::Right),
        ("in use", Align::Right),
        ("by", Align::Left),
    ]);
    let bytes = |bytes: Option<u64>| bytes.map_or_else(String::new, |bytes| size(Bytes::new(bytes)));
    for card in &found.cards {
        let by: &str = card.by.into();
        table.row([
            card.name.clone(),
            card.id.clone().unwrap_or_default(),
            bytes(card.memory_bytes),
            bytes(card.in_use_bytes),
            by.to_owned(),
        ]);
    }
    let host = &found.host;
    let threads = host.threads.map_or_else(String::new, |n| format!(", {n} threads"));
    let name = if host.processor.is_empty() { "host" } else { host.processor.as_str() };
    let used = host.memory_bytes.zip(host.available_bytes).map(|(all, free)| all.saturating_sub(free));
    table.row([
        format!("{name}{threads}"),
        "cpu".to_owned(),
        bytes(host.memory_bytes),
        bytes(used),
        "system".to_owned(),
    ]);
    let mut out = table.render();
    if found.cards.is_empty() {
        out.push_str("\n  no GPU was found: name one with -d (`kvplan hardware` lists them)\n");
    }
    out
}
