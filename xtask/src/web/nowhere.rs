//! Takes out of a module where in the source each panic stands. A browser's module that panics stops and writes nothing, so
//! that file, line and column of some thousand places are downloaded for nobody; with them go the paths of whoever built it.

use std::convert::Infallible;
use std::ops::Range;

use anyhow::{Context as _, Result};
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{DataSection, Module};
use wasmparser::{Data, DataKind, Operator, Parser, Payload};

/// Bytes of a `core::panic::Location`: where its file's name is, how long that is, line and column.
const SIZE: usize = 16;
/// No name: an address that is not null, and no bytes.
const NOWHERE: [u8; SIZE] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The same module without places.
pub(super) fn placed(module: &[u8]) -> Result<Vec<u8>> {
    let mut memory = Memory::of(module).context("cannot read a module")?;
    memory.forget();
    let mut out = Module::new();
    memory
        .parse_core_module(&mut out, Parser::new(0), module)
        .map_err(|error| anyhow::anyhow!("cannot write a module's data: {error}"))?;
    Ok(out.finish())
}

/// Memory as it is when the module begins: where each stretch lies, and what it holds.
#[derive(Default)]
struct Memory {
    stretches: Vec<(usize, Vec<u8>)>,
    /// Stretches written so far.
    written: usize,
}

impl Memory {
    fn of(module: &[u8]) -> Result<Self> {
        let mut memory = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            let Payload::DataSection(section) = payload? else { continue };
            for data in section {
                let data = data?;
                let start = if let DataKind::Active { offset_expr, .. } = data.kind
                    && let Operator::I32Const { value } = offset_expr.get_operators_reader().read()?
                {
                    usize::try_from(value).ok()
                } else {
                    None
                };
                // What lies nowhere yet is pointed to by nobody: beyond every address.
                memory.stretches.push((start.unwrap_or(usize::MAX), data.data.to_vec()));
            }
        }
        Ok(memory)
    }

    /// The stretch and the place in it of the bytes at an address.
    fn at(&self, start: usize, len: usize) -> Option<(usize, Range<usize>)> {
        self.stretches.iter().enumerate().find_map(|(stretch, (begins, bytes))| {
            let from = start.checked_sub(*begins)?;
            let range = from..from.checked_add(len)?;
            (range.end <= bytes.len()).then_some((stretch, range))
        })
    }

    fn forget(&mut self) {
        let mut names = Vec::new();
        for stretch in 0..self.stretches.len() {
            let (begins, bytes) = &self.stretches[stretch];
            let first = begins.wrapping_neg() % 4;
            let places: Vec<usize> = (first..bytes.len().saturating_sub(SIZE - 1)).step_by(4).collect();
            let mut after = 0;
            for at in places {
                let record = &self.stretches[stretch].1[at..at + SIZE];
                let Some(name) = file_of(record).and_then(|(start, len)| self.at(start, len)) else {
                    continue;
                };
                if at < after || !self.stretches[name.0].1[name.1.clone()].ends_with(b".rs") {
                    continue;
                }
                names.push(name);
                self.stretches[stretch].1[at..at + SIZE].copy_from_slice(&NOWHERE);
                after = at + SIZE;
            }
        }
        for (stretch, range) in names {
            self.stretches[stretch].1[range].fill(0);
        }
    }
}

/// Where a place's file name is and how long, where four numbers can be a place.
fn file_of(record: &[u8]) -> Option<(usize, usize)> {
    let mut numbers = record.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four));
    let (start, len, line, column) = (numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?);
    let is_place = (4..400).contains(&len) && (1..100_000).contains(&line) && (1..1_000).contains(&column);
    is_place.then_some((usize::try_from(start).ok()?, usize::try_from(len).ok()?))
}

impl Reencode for Memory {
    type Error = Infallible;

    fn parse_data(&mut self, section: &mut DataSection, data: Data<'_>) -> Result<(), Error<Infallible>> {
        let bytes = self.stretches.get(self.written).map(|(_, bytes)| bytes.clone());
        self.written += 1;
        let bytes = bytes.as_deref().unwrap_or(data.data);
        utils::parse_data(self, section, Data { data: bytes, ..data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::ConstExpr;

    const BEGINS: i32 = 64;

    /// Two names, a place in the first, and a text with two numbers behind it that is no place.
    fn bytes() -> Vec<u8> {
        let mut bytes = b"core/src/a.rs\0\0\0what it says\0\0\0\0".to_vec();
        for number in [64, 13, 207, 9, 80, 12, 207, 9] {
            bytes.extend(u32::to_le_bytes(number));
        }
        bytes
    }

    fn module() -> Vec<u8> {
        let mut data = DataSection::new();
        data.active(0, &ConstExpr::i32_const(BEGINS), bytes());
        let mut memories = wasm_encoder::MemorySection::new();
        memories.memory(wasm_encoder::MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut module = Module::new();
        module.section(&memories).section(&data);
        module.finish()
    }

    #[test]
    fn a_panics_place_goes_and_everything_else_stays() {
        let memory = Memory::of(&placed(&module()).unwrap()).unwrap();
        let (begins, left) = &memory.stretches[0];
        let was = bytes();
        assert_eq!(*begins, 64);
        assert_eq!(left[..13], [0; 13]);
        assert_eq!(left[13..32], was[13..32]);
        assert_eq!(left[32..48], NOWHERE);
        assert_eq!(left[48..], was[48..]);
    }

    #[test]
    fn a_module_without_places_is_what_it_was() {
        let without = placed(&module()).unwrap();
        assert_eq!(placed(&without).unwrap(), without);
    }
}
