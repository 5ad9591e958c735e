//! `kvplan hardware`: the catalogued devices, hosts, disks and links.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::HardwareArgs;
use crate::detect::{Depth, detect};
use crate::show::{self, Align, Table};
use kvplan_core::hardware::{Class, Device, HardwareFile, Usable, catalog};
use serde::Serialize;
use std::fmt::Write as _;

/// One device, as listed: its record, and how much of its memory programs get.
#[derive(Debug, Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    record: &'a HardwareFile,
    usable: Option<Usable>,
}

/// Runs the command.
pub(crate) fn run(args: &HardwareArgs) -> anyhow::Result<Outcome> {
    if args.detected {
        let found = detect(Depth::Drivers);
        if args.json {
            print_json(&found)?;
        } else {
            print_text(&show::detected(&found))?;
        }
        return Ok(Outcome::Done);
    }
    let words: Vec<String> = args.query.iter().map(|w| w.to_lowercase()).collect();
    let mut devices = Vec::new();
    for device in catalog::all() {
        match device {
            Ok(device) if words.iter().all(|word| matches(device, word)) => devices.push(device),
            Ok(_) => {}
            Err(error) => {
                show::refuse(&error);
                return Ok(Outcome::Refused);
            }
        }
    }
    if args.json {
        let rows: Vec<Row<'_>> =
            devices.iter().map(|d| Row { record: d.record(), usable: d.usable() }).collect();
        print_json(&rows)?;
        return Ok(Outcome::Done);
    }
    if devices.is_empty() {
        let near = catalog::nearest(&words.join("-"));
        let hint = if near.is_empty() { String::new() } else { format!("; nearest: {}", near.join(", ")) };
        show::complain(&format!("no device matches `{}`{hint}", args.query.join(" ")));
        return Ok(Outcome::Refused);
    }
    print_text(&render(&devices))?;
    Ok(Outcome::Done)
}

fn matches(device: &Device, word: &str) -> bool {
    let record = device.record();
    let class: &str = record.class.into();
    device.id().contains(word)
        || record.name.to_lowercase().contains(word)
        || record.vendor.to_lowercase() == word
        || class.contains(word)
        || record.aliases.iter().any(|alias| alias.contains(word))
}

fn render(devices: &[&Device]) -> String {
    let mut table = Table::new(&[
        ("id", Align::Left),
        ("kind", Align::Left),
        ("usable GiB", Align::Right),
        ("GB/s", Align::Right),
        ("FP16 TFLOPS", Align::Right),
    ]);
    for device in devices {
        let record = device.record();
        table.row([
            device.id().to_owned(),
            kind(record.class).to_owned(),
            device.usable().map_or_else(String::new, usable),
            record.bandwidth_bytes_per_s.map_or_else(String::new, |rate| hundredths(rate / 10_000_000)),
            record.flops.fp16.map_or_else(String::new, |rate| hundredths(rate / 10_000_000_000)),
        ]);
    }
    let mut out = table.render();
    let count = u64::try_from(devices.len()).unwrap_or(0);
    let _ = writeln!(
        out,
        "\n  {}; ~: usable memory assumed, not read from a driver",
        show::count(count, "device")
    );
    out.push_str("  GB/s: peak memory bandwidth, or a link's one direction\n");
    out.push_str("  FP16 TFLOPS: dense, FP32 accumulate; other types, sources: --json\n");
    out
}

const fn kind(class: Class) -> &'static str {
    match class {
        Class::ConsumerGpu => "GPU",
        Class::WorkstationGpu => "workstation GPU",
        Class::DatacenterGpu => "data-centre GPU",
        Class::UnifiedSoc => "unified memory",
        Class::Accelerator => "accelerator",
        Class::MobileNpu => "phone NPU",
        Class::HostMemory => "host memory",
        Class::Disk => "disk",
        Class::Link => "link",
    }
}

/// GiB with two decimals, rounded down, marked where assumed.
fn usable(usable: Usable) -> String {
    let reported = usable.basis == kvplan_core::explain::Basis::Exact;
    let hundredths_of_gib = (u128::from(usable.bytes.get()) * 100) >> 30;
    let text = hundredths(u64::try_from(hundredths_of_gib).unwrap_or(u64::MAX));
    if reported { text } else { format!("~{text}") }
}

/// `177` as `1.77`, `32000` as `320`.
fn hundredths(n: u64) -> String {
    let text = format!("{}.{:02}", n / 100, n % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
