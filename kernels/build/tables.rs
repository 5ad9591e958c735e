//! `#import table/turbo_levels_3 as level`: a table of `kvplan_core::codec::tables` as the function `level(i)`, which gives
//! the bits of entry i as a `u32`; past the end, 0.
//!
//! Tables: `lloyd_max_1` to `lloyd_max_8`, and the constants of that module by their names in lower case. A diagonal of
//! signs is four words, element 0 in the lowest bit of the first.

use kvplan_core::codec::tables as t;
use std::fmt::Write as _;

/// The function's WGSL text.
pub(crate) fn function(name: &str, alias: &str) -> Result<String, String> {
    let entries = entries(name).ok_or_else(|| format!("`{name}` is no table"))?;
    let mut out = format!("fn {}(i: u32) -> u32 {{\nswitch i {{\n", alias);
    for (i, bits) in entries.iter().enumerate() {
        writeln!(out, "case {i}u: {{ return {bits:#x}u; }}").map_err(|error| error.to_string())?;
    }
    out.push_str("default: { return 0u; }\n}\n}\n");
    Ok(out)
}

fn entries(name: &str) -> Option<Vec<u32>> {
    if let Some(bits) = name.strip_prefix("lloyd_max_") {
        return Some(floats(t::lloyd_max(bits.parse().ok()?)?));
    }
    Some(match name {
        "turbo_levels_2" => floats(&t::TURBO_LEVELS_2),
        "turbo_levels_3" => floats(&t::TURBO_LEVELS_3),
        "turbo_levels_4" => floats(&t::TURBO_LEVELS_4),
        "turbo_cuts_2" => floats(&t::TURBO_CUTS_2),
        "turbo_cuts_3" => floats(&t::TURBO_CUTS_3),
        "turbo_cuts_4" => floats(&t::TURBO_CUTS_4),
        "vllm_levels_3_at_64" => floats(&t::VLLM_LEVELS_3_AT_64),
        "vllm_levels_3_at_128" => floats(&t::VLLM_LEVELS_3_AT_128),
        "vllm_levels_4_at_64" => floats(&t::VLLM_LEVELS_4_AT_64),
        "vllm_levels_4_at_128" => floats(&t::VLLM_LEVELS_4_AT_128),
        "turbo_signs_before" => signs(t::TURBO_SIGNS_BEFORE),
        "turbo_signs_after" => signs(t::TURBO_SIGNS_AFTER),
        _ => return None,
    })
}

fn floats(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn signs(bits: u128) -> Vec<u32> {
    bits.to_le_bytes().as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first entries of the published tables, as bits worked out from their decimals.
    #[test]
    fn a_table_becomes_a_function_of_its_bits() {
        let text = function("turbo_cuts_2", "cut").unwrap();
        assert_eq!(
            text,
            "fn cut(i: u32) -> u32 {\nswitch i {\ncase 0u: { return 0x3db19e73u; }\ndefault: { return 0u; }\n}\n}\n"
        );
        assert!(function("turbo_signs_before", "x").unwrap().contains("case 0u: { return 0xe46a0359u; }"));
        assert_eq!(entries("lloyd_max_8").unwrap().len(), 128);
        assert!(function("lloyd_max_9", "x").is_err() && function("nothing", "x").is_err());
    }
}
