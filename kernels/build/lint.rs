//! What every base shader keeps to, so that the same text runs in every WebGPU browser: the limits a device has without
//! asking, and no optional feature.

use naga::valid::Capabilities;
use naga::{AddressSpace, Module, Scalar, ScalarKind, ShaderStage, TypeInner};

/// `maxComputeInvocationsPerWorkgroup` of a device that was asked for nothing.
const MAX_INVOCATIONS: u32 = 256;
/// `maxStorageBuffersPerShaderStage` of a device that was asked for nothing.
const MAX_STORAGE_BUFFERS: usize = 8;

/// Capabilities a shader may use: `unpack2x16float`, which every WebGPU device has. f16 arithmetic and subgroups are
/// capabilities too, so validation refuses them.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities::SHADER_FLOAT16_IN_FLOAT32
}

pub(crate) fn check(module: &Module) -> Result<(), String> {
    let [entry] = module.entry_points.as_slice() else {
        return Err(format!("{} entry points instead of one", module.entry_points.len()));
    };
    if entry.stage != ShaderStage::Compute || entry.name != "main" {
        return Err(format!("`{}` is not a compute shader named `main`", entry.name));
    }
    if entry.workgroup_size_overrides.is_some_and(|sizes| sizes.iter().any(Option::is_some)) {
        return Err("the workgroup size is an override: it must be a number, Rust reads it".into());
    }
    let invocations: u32 = entry.workgroup_size.iter().product();
    if invocations > MAX_INVOCATIONS {
        return Err(format!("{invocations} invocations; a browser promises {MAX_INVOCATIONS}"));
    }
    let mut storage = 0;
    for (_, variable) in module.global_variables.iter() {
        storage += usize::from(matches!(variable.space, AddressSpace::Storage { .. }));
        if let Some(binding) = &variable.binding
            && binding.group != 0
        {
            return Err(format!("binding in group {}; the runner fills group 0 only", binding.group));
        }
    }
    if storage > MAX_STORAGE_BUFFERS {
        return Err(format!("{storage} storage buffers; a browser promises {MAX_STORAGE_BUFFERS}"));
    }
    let half = Scalar { kind: ScalarKind::Float, width: 2 };
    if module.types.iter().any(|(_, ty)| ty.inner == TypeInner::Scalar(half)) {
        return Err("f16 arithmetic is optional in WebGPU: a base shader goes without".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lint(source: &str) -> Result<(), String> {
        let module = naga::front::wgsl::parse_str(source).map_err(|error| error.message().to_owned())?;
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities())
            .validate(&module)
            .map_err(|error| error.emit_to_string(source))?;
        check(&module)
    }

    #[test]
    fn a_plain_kernel_passes() {
        lint(
            "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
              @compute @workgroup_size(256) fn main() { a[0] = 1u; }",
        )
        .unwrap();
    }

    #[test]
    fn too_many_invocations_are_refused() {
        let error = lint("@compute @workgroup_size(16, 32) fn main() {}").unwrap_err();
        assert!(error.contains("512 invocations"), "{error}");
    }

    #[test]
    fn a_second_group_is_refused() {
        let error = lint(
            "@group(1) @binding(0) var<storage, read_write> a: array<u32>;
                          @compute @workgroup_size(1) fn main() { a[0] = 1u; }",
        );
        assert!(error.unwrap_err().contains("group 1"));
    }

    #[test]
    fn nine_storage_buffers_are_refused() {
        let buffers: String = (0..9)
            .map(|i| format!("@group(0) @binding({i}) var<storage, read_write> a{i}: array<u32>;\n"))
            .collect();
        let error = lint(&format!("{buffers} @compute @workgroup_size(1) fn main() {{ a0[0] = 1u; }}"));
        assert!(error.unwrap_err().contains("9 storage buffers"));
    }

    #[test]
    fn half_precision_and_subgroups_are_refused() {
        assert!(lint("enable f16; @compute @workgroup_size(1) fn main() { var x = 1h; x += 1h; }").is_err());
        assert!(lint("@compute @workgroup_size(1) fn main() { let x = subgroupAdd(1u); }").is_err());
    }

    #[test]
    fn a_second_entry_point_is_refused() {
        let one = "@compute @workgroup_size(1) fn";
        assert!(lint(&format!("{one} main() {{}} {one} other() {{}}")).is_err());
    }
}
