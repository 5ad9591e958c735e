//! The generated table, and a second opinion on every shader.

use kvplan_kernels::shader::{Access, SHADERS, Size, attention, movement};

/// Chrome's WGSL compiler must take what naga takes.
#[test]
#[cfg_attr(not(tint), ignore = "tint is not on PATH")]
fn every_shader_passes_tint() {
    let folder = tempfile::tempdir().unwrap();
    let paths = SHADERS.iter().map(|shader| {
        let path = folder.path().join(format!("{}.wgsl", shader.name.replace('/', "-")));
        std::fs::write(&path, shader.source).unwrap();
        path
    });
    for path in paths {
        let run = std::process::Command::new("tint").args(["--format", "wgsl"]).arg(&path).output().unwrap();
        let words = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{}: {words}", path.display());
    }
}

#[test]
fn workgroup_sizes_bindings_and_constants_are_read_from_the_shaders() {
    let copy = &movement::COPY;
    assert_eq!(copy.workgroup_size, [64, 1, 1]);
    let names: Vec<_> = copy.bindings.iter().map(|b| (b.index, b.name, b.access)).collect();
    assert_eq!(
        names,
        [(0, "params", Access::Uniform), (1, "src", Access::Read), (2, "dst", Access::ReadWrite)]
    );
    assert_eq!(copy.bindings[0].size, Size::Fixed { bytes: 16 });
    assert_eq!(copy.bindings[1].size, Size::Runtime { stride: 16 });
    assert_eq!(attention::decode::Q8_0.constant("SPLIT"), Some(256));
    assert_eq!(
        attention::decode::Q8_0.overrides,
        ["RING", "PAGED", "k_PAGES", "v_PAGES", "GROUP", "NEIGHBOURS", "HEADS", "WHOLE", "TOKENS", "KEYS"]
    );
}
