//! Running kernels, and how long they took.

use web_time::Instant;

use super::signal::Signal;
use super::{Dispatch, Gpu, GpuError};

/// Which clock a duration was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The device's own, around the kernels alone.
    Timestamp,
    /// The host's, around submission and completion: launch overhead included.
    Wall,
}

/// How long a run took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Seconds by [`Timing::clock`].
    pub seconds: f64,
    /// The clock they were read from.
    pub clock: Clock,
    /// Seconds by the host's clock, whatever the device can do.
    pub wall: f64,
}

impl Gpu {
    /// Runs the launches one after the other, each seeing what those before it wrote, and waits for the last.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] for a launch that does not fit its shader; [`GpuError::OutOfMemory`],
    /// [`GpuError::Validation`] and [`GpuError::DeviceLost`] from the device.
    pub async fn run(&self, dispatches: &[Dispatch<'_>]) -> Result<Timing, GpuError> {
        let label = dispatches.first().map_or("an empty run", |dispatch| dispatch.shader().name);
        let mut bound = Vec::with_capacity(dispatches.len());
        for dispatch in dispatches {
            bound.push(self.bind(dispatch).await?);
        }
        let queries = if self.timestamps { Some(self.scoped(label, || self.queries()).await?) } else { None };
        let (done, send) = Signal::new();
        let start = Instant::now();
        self.scoped(label, || {
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(label),
                timestamp_writes: queries.as_ref().map(|queries| wgpu::ComputePassTimestampWrites {
                    query_set: &queries.set,
                    beginning_of_pass_write_index: Some(0),
                    end_of_pass_write_index: Some(1),
                }),
            });
            for launch in &bound {
                launch.encode(&mut pass);
            }
            drop(pass);
            if let Some(queries) = &queries {
                encoder.resolve_query_set(&queries.set, 0..2, &queries.resolved, 0);
                encoder.copy_buffer_to_buffer(&queries.resolved, 0, &queries.staging, 0, 16);
            }
            self.queue.submit([encoder.finish()]);
            self.queue.on_submitted_work_done(move || send(()));
        })
        .await?;
        self.wait()?;
        done.await;
        let wall = start.elapsed().as_secs_f64();
        if let Some(error) = self.lost() {
            return Err(error);
        }
        let device = match &queries {
            Some(queries) => self.elapsed(label, queries).await?,
            None => None,
        };
        let (seconds, clock) = device.map_or((wall, Clock::Wall), |seconds| (seconds, Clock::Timestamp));
        Ok(Timing { seconds, clock, wall })
    }

    fn queries(&self) -> Queries {
        let buffer = |usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size: 16,
                usage,
                mapped_at_creation: false,
            })
        };
        Queries {
            set: self.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            }),
            resolved: buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC),
            staging: buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST),
        }
    }

    /// Seconds between the two timestamps; nothing where the clock was reset in between or did not move.
    async fn elapsed(&self, label: &str, queries: &Queries) -> Result<Option<f64>, GpuError> {
        let bytes = self.map(label, &queries.staging).await?;
        let ticks: Vec<u64> = bytes.as_chunks().0.iter().map(|tick| u64::from_le_bytes(*tick)).collect();
        let [begin, end] = ticks.as_slice() else { return Ok(None) };
        #[expect(clippy::cast_precision_loss, reason = "a difference of ticks is far below 2^53")]
        let ticks = end.checked_sub(*begin).filter(|ticks| *ticks > 0).map(|ticks| ticks as f64);
        Ok(ticks.map(|ticks| ticks * f64::from(self.queue.get_timestamp_period()) * 1e-9))
    }
}

struct Queries {
    set: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
}
