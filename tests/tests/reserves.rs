//! The pools that vLLM made of published machines, against those the plan says it will make.
#![expect(clippy::unwrap_used, reason = "a row that cannot be read has failed")]

use kvplan_core::plan::answer_line;
use serde_json::{Value, json};
use std::path::Path;

const GIB: f64 = 1_073_741_824.0;

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes of GPUs in GiB")]
fn bytes(gib: &str) -> u64 {
    (gib.parse::<f64>().unwrap() * GIB) as u64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a GPU's bytes, to print a percentage"
)]
fn share(part: &str, of: u64) -> u64 {
    (part.parse::<f64>().unwrap() * of as f64) as u64
}

/// Ours and theirs in bytes, our doubt, and what there was to divide.
fn row(line: &str) -> (String, u64, u64, u64, u64) {
    let cell: Vec<&str> = line.split(',').collect();
    let number = |at: usize| cell[at].parse::<u64>().unwrap();
    let plan: Value = serde_json::from_str(&answer_line(
        &json!({
            "model": cell[0], "context": 1024,
            "engine": { "name": "vllm", "gpu_memory_utilization": cell[4].parse::<f64>().unwrap(),
                        "max_num_batched_tokens": number(5), "max_num_seqs": number(6),
                        "tensor_parallel_size": number(7) },
            "weights": { "bytes": bytes(cell[8]) * number(7) },
            "hardware": [{ "device": cell[2], "memory_bytes": bytes(cell[3]), "count": number(7) }],
        })
        .to_string(),
    ))
    .unwrap();
    let pool = &plan["pool"];
    let of = |field: &str| pool[field].as_u64().unwrap();
    let usable = share(cell[4], bytes(cell[3]));
    (cell[0].to_owned(), of("bytes"), bytes(cell[9]), of("doubt_bytes"), usable)
}

#[test]
fn pools_of_published_machines_are_within_what_is_stated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/reserves.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<_> = text.lines().filter(|l| !l.starts_with('#')).skip(1).map(row).collect();
    let mut off: Vec<u64> = Vec::new();
    let mut within = 0;
    for (model, ours, theirs, doubt, usable) in &rows {
        let error = ours.abs_diff(*theirs);
        within += usize::from(error <= *doubt);
        // Of all that vLLM may use: what is left for the pool may be little.
        off.push(error * 1000 / usable);
        println!(
            "{model:20} {ours:>13} {theirs:>13} off {:>5} MiB, stated {:>5} MiB, {} ‰ of its memory",
            error >> 20,
            doubt >> 20,
            error * 1000 / usable
        );
    }
    off.sort_unstable();
    println!("{within} of {} within what is stated; median {} ‰", rows.len(), off[off.len() / 2]);
    assert!(rows.len() >= 10 && within * 10 >= rows.len() * 8, "{within} of {}", rows.len());
    assert!(off[off.len() / 2] <= 20, "{off:?}");
}
