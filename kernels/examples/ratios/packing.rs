//! Quantizing and dequantizing against a copy, and against one invocation per row.

use super::caches::{SIDE, noise};
use super::race::{Moved, baseline};
use kvplan_kernels::gpu::{Dispatch, Gpu, GpuError};
use kvplan_kernels::op::{Beside, SideKernels, Span, hadamard};

pub(super) async fn side(gpu: &Gpu, side: &SideKernels) -> Result<(), GpuError> {
    let src = gpu.upload_values("values", noise(SIDE.elements())).await?;
    let packed = gpu.buffer("packed", side.bytes(SIDE)?).await?;
    let back = gpu.buffer("back", src.bytes()).await?;
    let moved = Moved::new(gpu, src.bytes() + packed.bytes()).await?;
    let rows = side.rows(SIDE, Span::default())?;
    let encode = side.quantize(SIDE, &src, Beside::NOTHING, &packed)?;
    let launch = |shader| Dispatch::new(shader).params(rows.bytes()).buffers([&src, &src, &packed]);
    // The ways a row can be one invocation's, and how many of them there are then.
    let alone = [
        ("quantize", u64::from(rows.rows)),
        // A pair of channels.
        ("channels", u64::from(rows.width / 2)),
        // A pair of vectors, as they end on a word.
        ("turned", SIDE.elements().div_ceil(256)),
    ];
    let by_row = alone.into_iter().find_map(|(kind, invocations)| {
        let first = launch(baseline(kind, side.quantize)?).invocations(invocations);
        // What follows (vectors in doubt done again) follows there too.
        Some([first].into_iter().chain(encode.iter().skip(1).cloned()).collect::<Vec<_>>())
    });
    moved.report(gpu, &of(side, "quantize"), &encode, by_row.as_deref()).await?;

    let decode = [side.dequantize(SIDE, &packed, Beside::NOTHING, &back)?];
    let params = side.packed(SIDE, Span::default())?;
    let by_row = baseline("dequantize", side.dequantize).map(|shader| {
        let launch = Dispatch::new(shader).params(params.bytes()).buffers([&packed, &packed, &back]);
        [launch.invocations(u64::from(SIDE.tokens) * u64::from(SIDE.heads))]
    });
    moved.report(gpu, &of(side, "dequantize"), &decode, by_row.as_ref().map(|row| row.as_slice())).await
}

fn of(side: &SideKernels, what: &str) -> String {
    format!("{what} {} | {:?}", side.codec, side.side)
}

pub(super) async fn rotation(gpu: &Gpu) -> Result<(), GpuError> {
    let values = gpu.upload_values("values", noise(SIDE.elements())).await?;
    let moved = Moved::new(gpu, 2 * values.bytes()).await?;
    moved.report(gpu, "rotate by 128 | ", &[hadamard(128, &values)?], None).await
}
