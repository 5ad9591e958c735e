//! What Rust needs to know of a shader, read from its IR.

#![expect(clippy::wildcard_enum_match_arm, reason = "naga's enums grow; what is not named here is refused")]

use naga::valid::{ValidationFlags, Validator};
use naga::{AddressSpace, ArraySize, Expression, Literal, Module, ScalarKind, StorageAccess, TypeInner};

use crate::lint;

pub(crate) struct Reflected {
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) workgroup_size: [u32; 3],
    pub(crate) bindings: Vec<Binding>,
    pub(crate) overrides: Vec<String>,
    pub(crate) constants: Vec<(String, u32)>,
    /// The parameters' struct, after the structs it is made of.
    pub(crate) params: Vec<Params>,
}

pub(crate) struct Binding {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// The variant of `Access`.
    pub(crate) access: &'static str,
    /// `Size` as Rust code.
    pub(crate) size: String,
}

/// The uniform struct, or one inside it: 4-byte scalars and structs one after the other, without gaps.
#[derive(Clone, PartialEq)]
pub(crate) struct Params {
    pub(crate) name: String,
    /// Name and Rust type of each field.
    pub(crate) fields: Vec<(String, String)>,
}

pub(crate) fn shader(name: &str, source: String) -> Result<Reflected, String> {
    let module = naga::front::wgsl::parse_str(&source).map_err(|error| error.emit_to_string(&source))?;
    Validator::new(ValidationFlags::all(), lint::capabilities())
        .validate(&module)
        .map_err(|error| error.emit_to_string(&source))?;
    lint::check(&module)?;
    let mut bindings = Vec::new();
    let mut params = Vec::new();
    for (_, variable) in module.global_variables.iter() {
        let Some(resource) = &variable.binding else { continue };
        let name = variable.name.clone().unwrap_or_default();
        let access = match variable.space {
            AddressSpace::Uniform => {
                structure(&module, variable.ty, &mut params)?;
                "Uniform"
            }
            AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => "ReadWrite",
            AddressSpace::Storage { .. } => "Read",
            _ => return Err(format!("`{name}` is neither a uniform nor a storage buffer")),
        };
        bindings.push(Binding { index: resource.binding, name, access, size: size(&module, variable)? });
    }
    bindings.sort_by_key(|binding| binding.index);
    let numbered = bindings.iter().zip(0..).all(|(binding, index)| binding.index == index);
    let leading = bindings.iter().skip(1).all(|binding| binding.access != "Uniform");
    if !numbered || !leading {
        return Err("bindings must be 0, 1, 2… with the parameters, if any, at 0".into());
    }
    let named = module.constants.iter().filter_map(|(_, constant)| {
        let value = match module.global_expressions.try_get(constant.init).ok()? {
            Expression::Literal(Literal::U32(value)) => *value,
            _ => return None,
        };
        Some((constant.name.clone()?, value))
    });
    Ok(Reflected {
        name: name.to_owned(),
        workgroup_size: module.entry_points.first().map_or([0; 3], |entry| entry.workgroup_size),
        bindings,
        overrides: module.overrides.iter().filter_map(|(_, o)| o.name.clone()).collect(),
        constants: named.collect(),
        params,
        source,
    })
}

/// Adds the struct `ty`, after the structs inside it, and says its name and bytes.
fn structure(
    module: &Module,
    ty: naga::Handle<naga::Type>,
    found: &mut Vec<Params>,
) -> Result<(String, u32), String> {
    let ty = module.types.get_handle(ty).map_err(|error| error.to_string())?;
    let TypeInner::Struct { members, span } = &ty.inner else {
        return Err("the parameters must be a struct".into());
    };
    let (mut fields, mut place) = (Vec::new(), 0);
    for member in members {
        let name = member.name.clone().unwrap_or_default();
        let inner = &module.types.get_handle(member.ty).map_err(|error| error.to_string())?.inner;
        let (rust, bytes) = match inner {
            TypeInner::Scalar(scalar) if scalar.width == 4 && scalar.kind == ScalarKind::Uint => {
                ("u32".into(), 4)
            }
            TypeInner::Scalar(scalar) if scalar.width == 4 && scalar.kind == ScalarKind::Float => {
                ("f32".into(), 4)
            }
            TypeInner::Struct { .. } => structure(module, member.ty, found)?,
            _ => return Err(format!("parameter `{name}` is neither u32 nor f32 nor a struct of them")),
        };
        if member.offset != place {
            return Err(format!("parameter `{name}` is not packed"));
        }
        place += bytes;
        fields.push((name, rust));
    }
    let name = ty.name.clone().unwrap_or_default();
    if !found.iter().any(|known| known.name == name) {
        found.push(Params { name: name.clone(), fields });
    }
    Ok((name, *span))
}

fn size(module: &Module, variable: &naga::GlobalVariable) -> Result<String, String> {
    let ty = module.types.get_handle(variable.ty).map_err(|error| error.to_string())?;
    Ok(match ty.inner {
        TypeInner::Array { size: ArraySize::Dynamic, stride, .. } => {
            format!("Runtime {{ stride: {stride} }}")
        }
        TypeInner::Array { size: ArraySize::Constant(count), stride, .. } => {
            format!("Fixed {{ bytes: {} }}", u64::from(count.get()) * u64::from(stride))
        }
        TypeInner::Struct { span, .. } => {
            format!("Fixed {{ bytes: {} }}", u64::from(span).next_multiple_of(16))
        }
        _ => return Err("a binding must be an array or the parameters' struct".into()),
    })
}
