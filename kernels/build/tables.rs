//! `#import table/turbo_levels_3 as level`: a table of `kvplan_core::codec::tables` as the functions `level(i)`, which gives
//! the bits of entry i as a `u32`, and `level_four(i)`, which does so for four at once. Past the end they give anything.
//!
//! Tables: `lloyd_max_1` to `lloyd_max_8`, and the constants of that module by their names in lower case. A diagonal of
//! signs is four words, element 0 in the lowest bit of the first; iq4_nl's levels are four to a word, the first lowest.

use kvplan_core::codec::tables as t;
use std::fmt::Write as _;

/// The functions' WGSL text.
///
/// A tree of selections over the bits of the index and no `switch`: some drivers work out every branch, and SwiftShader,
/// the adapter of browsers without a GPU, took minutes to compile kernels with a `switch` inlined dozens of times, and
/// then gave the device up.
pub(crate) fn function(name: &str, alias: &str) -> Result<String, String> {
    let entries = entries(name).ok_or_else(|| format!("`{name}` is no table"))?;
    let mut out = String::new();
    for (suffix, ty) in [("", "u32"), ("_four", "vec4<u32>")] {
        let tree = tree(&entries, ty);
        write!(out, "fn {alias}{suffix}(i: {ty}) -> {ty} {{\nreturn {tree};\n}}\n")
            .map_err(|error| error.to_string())?;
    }
    Ok(out)
}

/// The entry that the low bits of `i` say, filled up with zeros to a power of two.
fn tree(entries: &[u32], ty: &str) -> String {
    let half = entries.len().next_power_of_two() / 2;
    match entries {
        [] => format!("{ty}(0u)"),
        [only] => format!("{ty}({only:#x}u)"),
        _ => {
            let (low, high) = entries.split_at(half);
            let (low, high) = (tree(low, ty), tree(&padded(high, half), ty));
            format!("select({low}, {high}, (i & {ty}({half}u)) != {ty}(0u))")
        }
    }
}

fn padded(entries: &[u32], len: usize) -> Vec<u32> {
    entries.iter().copied().chain(std::iter::repeat(0)).take(len).collect()
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
        "iq4_nl_levels" => four_bytes(t::IQ4_NL_LEVELS.map(i8::cast_unsigned)),
        "turbo_signs_before" => signs(t::TURBO_SIGNS_BEFORE),
        "turbo_signs_after" => signs(t::TURBO_SIGNS_AFTER),
        _ => return None,
    })
}

fn floats(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn four_bytes(bytes: [u8; 16]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

fn signs(bits: u128) -> Vec<u32> {
    four_bytes(bits.to_le_bytes())
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
            "fn cut(i: u32) -> u32 {\nreturn u32(0x3db19e73u);\n}\n\
             fn cut_four(i: vec4<u32>) -> vec4<u32> {\nreturn vec4<u32>(0x3db19e73u);\n}\n"
        );
        assert!(function("turbo_signs_before", "x").unwrap().contains("select(u32(0xe46a0359u), "));
        assert_eq!(entries("lloyd_max_8").unwrap().len(), 128);
        assert!(function("lloyd_max_9", "x").is_err() && function("nothing", "x").is_err());
    }

    #[test]
    fn an_entry_is_selected_by_the_bits_of_its_place() {
        let text = tree(&[7, 8, 9], "u32");
        let pairs = [
            "select(u32(0x7u), u32(0x8u), (i & u32(1u)) != u32(0u))",
            "select(u32(0x9u), u32(0x0u), (i & u32(1u)) != u32(0u))",
        ];
        assert_eq!(text, format!("select({}, {}, (i & u32(2u)) != u32(0u))", pairs[0], pairs[1]));
    }
}
