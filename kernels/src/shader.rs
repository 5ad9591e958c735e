//! The shaders as the build script found them: text, workgroup size, bindings, parameters. Generated from `wgsl/`;
//! nothing here is typed by hand.

/// One compute shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shader {
    /// The file without extension (`quantize/q8_0`), and the part it was made for if it is a template
    /// (`attention/decode/q8_0`).
    pub name: &'static str,
    /// The WGSL text, imports expanded.
    pub source: &'static str,
    /// Invocations per workgroup along x, y, z.
    pub workgroup_size: [u32; 3],
    /// Buffers of group 0, in order of index.
    pub bindings: &'static [Binding],
    /// Names of the constants that are set per pipeline.
    pub overrides: &'static [&'static str],
    /// Named `u32` constants of the shader.
    pub constants: &'static [(&'static str, u32)],
}

impl Shader {
    /// Invocations per workgroup.
    #[must_use]
    pub fn invocations(&self) -> u32 {
        self.workgroup_size.iter().product()
    }

    /// The value of the shader's constant of this name.
    #[must_use]
    pub fn constant(&self, name: &str) -> Option<u32> {
        self.constants.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The storage buffers, which a caller supplies (the parameters are not among them).
    pub fn buffers(&self) -> impl Iterator<Item = &'static Binding> {
        self.bindings.iter().filter(|binding| binding.access != Access::Uniform)
    }
}

/// One buffer of a shader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The index in group 0.
    pub index: u32,
    /// The variable's name.
    pub name: &'static str,
    /// What the shader does with it.
    pub access: Access,
    /// How large it is.
    pub size: Size,
}

/// What a shader does with a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Parameters.
    Uniform,
    /// Read only.
    Read,
    /// Read and written.
    ReadWrite,
}

/// How large a binding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Always this many bytes.
    Fixed {
        /// Bytes.
        bytes: u64,
    },
    /// An array as long as the buffer.
    Runtime {
        /// Bytes per element.
        stride: u64,
    },
}

include!(concat!(env!("OUT_DIR"), "/shaders.rs"));
