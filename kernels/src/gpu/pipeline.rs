//! A kernel's launch, and the pipelines it needs: made once per shader and set of constants.

use std::sync::PoisonError;

use super::{Buffer, Gpu, GpuError};
use crate::shader::{Access, Shader};

/// One launch of one shader.
#[derive(Debug, Clone)]
pub struct Dispatch<'a> {
    shader: &'static Shader,
    constants: Vec<(&'static str, u32)>,
    params: Vec<u8>,
    buffers: Vec<&'a Buffer>,
    workgroups: [u64; 3],
    rounds: u64,
}

/// Workgroups along one axis that every device takes.
const MAX_AXIS: u64 = 65_535;

impl<'a> Dispatch<'a> {
    /// A launch of `shader` over one workgroup, without parameters or buffers yet.
    #[must_use]
    pub fn new(shader: &'static Shader) -> Self {
        let (constants, params, buffers) = (Vec::new(), Vec::new(), Vec::new());
        Self { shader, constants, params, buffers, workgroups: [1; 3], rounds: 0 }
    }

    /// Sets one of the shader's overrides.
    #[must_use]
    pub fn constant(mut self, name: &'static str, value: u32) -> Self {
        self.constants.push((name, value));
        self
    }

    /// The uniform's bytes (the generated structs' `bytes()`).
    #[must_use]
    pub fn params(mut self, bytes: Vec<u8>) -> Self {
        self.params = bytes;
        self
    }

    /// The storage buffers, in binding order.
    #[must_use]
    pub fn buffers(mut self, buffers: impl IntoIterator<Item = &'a Buffer>) -> Self {
        self.buffers = buffers.into_iter().collect();
        self
    }

    /// Workgroups along x, y, z.
    #[must_use]
    pub fn workgroups(mut self, workgroups: [u64; 3]) -> Self {
        self.workgroups = workgroups;
        self
    }

    /// Enough workgroups for `count` invocations in a row; past one axis' limit they go on along y
    /// (`shared/grid.wgsl` numbers them).
    #[must_use]
    pub fn invocations(self, count: u64) -> Self {
        let groups = count.div_ceil(u64::from(self.shader.invocations()));
        let rows = groups.div_ceil(MAX_AXIS).max(1);
        self.workgroups([groups.div_ceil(rows), rows, 1])
    }

    /// Rounds that all loops of an invocation make together, at most: where a driver leaves loops after fewer
    /// ([`Gpu::loop_rounds`]), the launch is refused. 0 where no driver has such a limit.
    #[must_use]
    pub fn rounds(mut self, rounds: u64) -> Self {
        self.rounds = rounds;
        self
    }

    /// The shader.
    #[must_use]
    pub fn shader(&self) -> &'static Shader {
        self.shader
    }

    /// Whether every argument has its place: a launch that does not fit is refused before the API sees it.
    fn check(&self, limit: u64) -> Result<[u32; 3], GpuError> {
        let refuse = |message: String| Err(GpuError::arguments(self.shader.name, message));
        let wanted = self.shader.buffers().count();
        if self.buffers.len() != wanted {
            return refuse(format!("{} buffers given, {wanted} bound", self.buffers.len()));
        }
        if let Some((name, _)) = self.constants.iter().find(|(name, _)| !self.shader.overrides.contains(name))
        {
            return refuse(format!("no override `{name}`"));
        }
        if let Some(buffer) = self.buffers.iter().find(|buffer| buffer.allocated() > limit) {
            let (label, bytes) = (buffer.label().to_owned(), buffer.bytes());
            return Err(GpuError::BindingTooLarge { label, bytes, limit });
        }
        if self.workgroups.iter().any(|count| *count > MAX_AXIS) {
            return refuse(format!("{:?} workgroups; at most {MAX_AXIS} along one axis", self.workgroups));
        }
        Ok(self.workgroups.map(|count| u32::try_from(count).unwrap_or(u32::MAX)))
    }
}

/// What tells pipelines apart.
pub(super) type Key = (&'static str, Vec<(&'static str, u32)>);

/// A pipeline and the layout of its group.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// A dispatch with everything it needs on the device.
pub(super) struct Bound {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

impl Bound {
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y, z] = self.workgroups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

impl Gpu {
    pub(super) async fn bind(&self, dispatch: &Dispatch<'_>) -> Result<Bound, GpuError> {
        let workgroups = dispatch.check(self.largest_binding())?;
        if let Some(refusal) = self.leaves(dispatch.rounds) {
            return Err(GpuError::arguments(dispatch.shader.name, refusal));
        }
        let prepared = self.prepare(dispatch).await?;
        let group = self.scoped(dispatch.shader.name, || self.group(dispatch, &prepared.layout)).await?;
        Ok(Bound { pipeline: prepared.pipeline, group, workgroups })
    }

    async fn prepare(&self, dispatch: &Dispatch<'_>) -> Result<Prepared, GpuError> {
        let key = (dispatch.shader.name, dispatch.constants.clone());
        let cached = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(prepared) = cached {
            return Ok(prepared);
        }
        let prepared = self.scoped(dispatch.shader.name, || self.compile(dispatch)).await?;
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner).insert(key, prepared.clone());
        Ok(prepared)
    }

    fn compile(&self, dispatch: &Dispatch<'_>) -> Prepared {
        let shader = dispatch.shader;
        let label = Some(shader.name);
        let entries: Vec<_> = shader
            .bindings
            .iter()
            .map(|binding| wgpu::BindGroupLayoutEntry {
                binding: binding.index,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match binding.access {
                        Access::Uniform => wgpu::BufferBindingType::Uniform,
                        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
                        Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = self
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(shader.source.into()),
        });
        let constants: Vec<_> =
            dispatch.constants.iter().map(|(name, value)| (*name, f64::from(*value))).collect();
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                // Every kernel writes its workgroup memory before it reads it; browsers clear it all the same.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        Prepared { pipeline, layout }
    }

    fn group(&self, dispatch: &Dispatch<'_>, layout: &wgpu::BindGroupLayout) -> wgpu::BindGroup {
        let uniform = dispatch.shader.bindings.iter().any(|binding| binding.access == Access::Uniform);
        let params = uniform.then(|| {
            let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("params"),
                size: (dispatch.params.len() as u64).max(16),
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            self.queue.write_buffer(&buffer, 0, &dispatch.params);
            buffer
        });
        let all = params.iter().chain(dispatch.buffers.iter().map(|buffer| &buffer.inner));
        let entries: Vec<_> = all
            .zip(dispatch.shader.bindings)
            .map(|(buffer, binding)| wgpu::BindGroupEntry {
                binding: binding.index,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let label = Some(dispatch.shader.name);
        self.device.create_bind_group(&wgpu::BindGroupDescriptor { label, layout, entries: &entries })
    }
}
