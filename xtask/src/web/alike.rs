//! Puts functions that are alike beside each other. A compressor pays for every reference to what it has seen, and less for
//! one that is near: a module's brotli form becomes some two per cent smaller, and the module says what it said.

use anyhow::{Context as _, Result};
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, FunctionSection, Module};
use wasmparser::{CodeSectionReader, FunctionSectionReader, Parser, Payload, TypeRef};

/// The same module with its functions in order of size and content.
pub(super) fn beside_each_other(module: &[u8]) -> Result<Vec<u8>> {
    let mut order = Order::of(module).context("cannot read a module")?;
    let mut sorted = Module::new();
    order
        .parse_core_module(&mut sorted, Parser::new(0), module)
        .map_err(|error| anyhow::anyhow!("cannot write a module's functions in order: {error}"))?;
    Ok(sorted.finish())
}

/// Where each function goes.
struct Order {
    /// Functions that come from outside have the first indices, and keep them.
    imported: u32,
    /// The functions by what was their place among those with a body.
    sorted: Vec<usize>,
    /// The new index of each.
    index: Vec<u32>,
}

impl Order {
    fn of(module: &[u8]) -> Result<Self> {
        let mut imported: u32 = 0;
        let mut bodies: Vec<&[u8]> = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload?;
            if let Payload::ImportSection(section) = payload {
                for import in section.into_imports() {
                    if let TypeRef::Func(_) | TypeRef::FuncExact(_) = import?.ty {
                        imported += 1;
                    }
                }
            } else if let Payload::CodeSectionEntry(body) = payload {
                bodies.push(body.as_bytes());
            }
        }
        let mut sorted: Vec<usize> = (0..bodies.len()).collect();
        // Alike are those that begin alike, and are about as long.
        sorted.sort_by_key(|&place| (bodies[place].len().checked_ilog2(), bodies[place]));
        let mut index = vec![0; sorted.len()];
        for (new, &old) in (imported..).zip(&sorted) {
            index[old] = new;
        }
        Ok(Self { imported, sorted, index })
    }

    /// What stood in the old order, in the new one.
    fn put<T: Clone>(&self, old: &[T]) -> Vec<T> {
        self.sorted.iter().filter_map(|&place| old.get(place).cloned()).collect()
    }
}

impl Reencode for Order {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        let place = function.checked_sub(self.imported).and_then(|place| usize::try_from(place).ok());
        Ok(place.and_then(|place| self.index.get(place)).copied().unwrap_or(function))
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        let types: Vec<u32> = section.into_iter().collect::<Result<_, _>>()?;
        for ty in self.put(&types) {
            functions.function(self.type_index(ty)?);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error> {
        let bodies: Vec<_> = section.into_iter().collect::<Result<_, _>>()?;
        for body in self.put(&bodies) {
            self.parse_function_body(code, body)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{
        EntityType, ExportKind, ExportSection, Function, ImportSection, Instruction, TypeSection, ValType,
    };

    /// A module of one imported function and four of its own: `a` calls `b`, `c` calls what is imported, `d` is `b`'s
    /// twin. `a`, `b` and `c` are exported.
    fn module() -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], [ValType::I32]);
        types.ty().function([], []);
        let mut imports = ImportSection::new();
        imports.import("page", "now", EntityType::Function(0));
        let (mut functions, mut exports, mut code) =
            (FunctionSection::new(), ExportSection::new(), CodeSection::new());
        let bodies: [(u32, &[Instruction<'_>]); 4] = [
            (1, &[Instruction::Call(2), Instruction::Drop, Instruction::Nop, Instruction::Nop]),
            (0, &[Instruction::I32Const(7)]),
            (0, &[Instruction::Call(0)]),
            (0, &[Instruction::I32Const(8)]),
        ];
        for (ty, instructions) in bodies {
            functions.function(ty);
            let mut function = Function::new([]);
            for instruction in instructions {
                function.instruction(instruction);
            }
            function.instruction(&Instruction::End);
            code.function(&function);
        }
        for (name, index) in [("a", 1), ("b", 2), ("c", 3)] {
            exports.export(name, ExportKind::Func, index);
        }
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&exports).section(&code);
        module.finish()
    }

    /// A function's type and what it does.
    type Said = (u32, String);

    /// Every function by index, and the exports.
    fn read(module: &[u8]) -> (Vec<Said>, Vec<(String, u32)>) {
        let (mut types, mut bodies, mut exports) = (vec![0], vec![String::from("imported")], Vec::new());
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload.unwrap();
            if let Payload::FunctionSection(section) = payload {
                types.extend(section.into_iter().map(Result::unwrap));
            } else if let Payload::CodeSectionEntry(body) = payload {
                let operators = body.get_operators_reader().unwrap().into_iter();
                bodies.push(operators.map(|it| format!("{:?};", it.unwrap())).collect());
            } else if let Payload::ExportSection(section) = payload {
                let found = section.into_iter().map(Result::unwrap);
                exports.extend(found.map(|it| (it.name.to_owned(), it.index)));
            }
        }
        (types.into_iter().zip(bodies).collect(), exports)
    }

    #[test]
    fn every_name_still_means_what_it_meant() {
        let (functions, exports) = read(&beside_each_other(&module()).unwrap());
        let of = |name: &str| {
            let (_, index) = exports.iter().find(|(export, _)| export == name).unwrap();
            functions[usize::try_from(*index).unwrap()].clone()
        };
        let b = exports[1].1;
        assert_eq!(of("a"), (1, format!("Call {{ function_index: {b} }};Drop;Nop;Nop;End;")));
        assert_eq!(of("b"), (0, "I32Const { value: 7 };End;".to_owned()));
        assert_eq!(of("c"), (0, "Call { function_index: 0 };End;".to_owned()));
    }

    #[test]
    fn twins_stand_beside_each_other() {
        let (functions, _) = read(&beside_each_other(&module()).unwrap());
        let places: Vec<usize> =
            (0..functions.len()).filter(|&at| functions[at].1.contains("I32Const")).collect();
        assert_eq!(places[0] + 1, places[1]);
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(beside_each_other(b"kvplan").is_err());
    }
}
