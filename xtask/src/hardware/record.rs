//! One row of the tables as the records it makes: one a memory size sold.

use anyhow::{Context, Result, bail};
use kvplan_core::hardware::{Class, Flops, HardwareFile, SpeedClass};

use super::source::Row;

/// When the collected tables were last looked over.
const DATE: &str = "2026-11-23";

/// What the notes of the collected table say of cards whose FP16-accumulate rate is twice the listed one.
const DOUBLED: &str = "FP16-accumulate rate is 2x";

/// GB10 has the consumer tensor core: its FP4 peak (500 TFLOPS dense) is 8 times the listed FP16 rate, as on `GeForce`
/// cards, and not 4 times it, as on workstation and data-centre ones.
const DOUBLED_BY_RATIO: &str = "dgx-spark";

pub(super) fn of(row: &Row) -> Result<Vec<HardwareFile>> {
    let name = row.cell("name")?;
    let sizes = &row.naming.memory_gb_sold;
    if sizes.is_empty() {
        return Ok(vec![record(row, row.cell("memory_gb")?, "").with_context(|| name.to_owned())?]);
    }
    sizes.split(';').map(|size| record(row, size, size).with_context(|| name.to_owned())).collect()
}

/// The record of `row` with that much memory; `size` goes into id and name where several are sold.
fn record(row: &Row, memory_gb: &str, size: &str) -> Result<HardwareFile> {
    let (mut id, mut name) = (row.naming.id.clone(), row.cell("name")?.to_owned());
    if !size.is_empty() {
        id = format!("{id}-{size}gb");
        name = format!("{name} {size}GB");
    }
    let class = class(row)?;
    let notes = row.cell("notes")?;
    let fp16 = scaled(row.cell("fp16_dense_tflops")?, 12)?;
    let full_width = if notes.contains(DOUBLED) || row.naming.id == DOUBLED_BY_RATIO { 2 } else { 1 };
    let speed_class = match row.naming.speed_class.as_str() {
        "" => None,
        text => Some(text.parse::<SpeedClass>().with_context(|| format!("no speed class `{text}`"))?),
    };
    let said: Vec<&str> = std::iter::once(notes)
        .chain(row.amended.iter().map(String::as_str))
        .filter(|s| !s.is_empty())
        .collect();
    Ok(HardwareFile {
        id,
        name,
        aliases: row.naming.aliases.split(';').filter(|a| !a.is_empty()).map(str::to_owned).collect(),
        vendor: row.cell("vendor")?.to_owned(),
        class,
        speed_class,
        memory_bytes: if memory_gb.is_empty() { None } else { Some(binary(memory_gb, 30)?) },
        usable_bytes: match row.cell("usable_mib")? {
            "" => None,
            text => Some(binary(text, 20)?),
        },
        unified: class == Class::UnifiedSoc,
        bandwidth_bytes_per_s: scaled(row.cell("mem_bw_gbs")?, 9)?,
        host_link_bytes_per_s: scaled(row.cell("host_link_gbs")?, 9)?,
        flops: Flops {
            fp16,
            fp16_accumulate_fp16: fp16.and_then(|rate| rate.checked_mul(full_width)),
            fp8: scaled(row.cell("fp8_dense_tflops")?, 12)?,
            fp4: scaled(row.cell("fp4_dense_tflops")?, 12)?,
        },
        source: row.cell("source")?.to_owned(),
        date: DATE.to_owned(),
        notes: (!said.is_empty()).then(|| said.join("; ")),
    })
}

fn class(row: &Row) -> Result<Class> {
    Ok(match row.cell("class")? {
        "consumer GPU" => Class::ConsumerGpu,
        "workstation GPU" => Class::WorkstationGpu,
        "data-center GPU" => Class::DatacenterGpu,
        "unified SoC" => Class::UnifiedSoc,
        "accelerator" => Class::Accelerator,
        "mobile NPU" => Class::MobileNpu,
        "CPU host memory" => Class::HostMemory,
        "storage/link"
            if row.naming.id.contains("nvme") || row.naming.id.contains("ssd") || row.naming.id == "hdd" =>
        {
            Class::Disk
        }
        "storage/link" => Class::Link,
        other => bail!("no class `{other}`"),
    })
}

fn binary(text: &str, shift: u32) -> Result<u64> {
    let n: u64 = text.parse().with_context(|| format!("`{text}` is no whole number"))?;
    n.checked_shl(shift).with_context(|| format!("`{text}` is too large"))
}

/// A decimal number times a power of ten, exactly; `None` for an empty cell.
fn scaled(text: &str, power: usize) -> Result<Option<u64>> {
    if text.is_empty() {
        return Ok(None);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > power {
        bail!("`{text}` has more digits than its unit");
    }
    let digits = format!("{whole}{fraction:0<power$}");
    digits.parse().map(Some).with_context(|| format!("`{text}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_become_integers_without_rounding() {
        assert_eq!(scaled("760.3", 9).unwrap(), Some(760_300_000_000));
        assert_eq!(scaled("0.55", 9).unwrap(), Some(550_000_000));
        assert_eq!(scaled("", 9).unwrap(), None);
        assert!(scaled("~7", 9).is_err());
    }
}
