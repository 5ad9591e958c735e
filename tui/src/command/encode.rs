//! `kvplan encode` and `kvplan decode`: rows of little-endian f32 to a codec's bytes and back, on the CPU or by kernels.

use crate::Outcome;
use crate::args::{CodecArgs, Processor, RouteArg};
use crate::quiet;
use crate::show;
use anyhow::Context as _;
use kvplan_core::codec::{ArithmeticError, Codec, Route, Side, StaticScale};
use kvplan_kernels::convert::{ConvertError, Converter};
use kvplan_kernels::gpu::{Choice, Gpu, block_on};
use std::fs;
use std::path::Path;

/// f32 rows to bytes.
pub(crate) fn encode(args: &CodecArgs) -> anyhow::Result<Outcome> {
    transform(args, |input| {
        let (floats, rest) = input.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(format!("{} bytes are not whole f32 values", input.len()));
        }
        let values: Vec<f32> = floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        match (args.on, args.route) {
            (Processor::Gpu, RouteArg::Kv) => {
                Err("kernels write what the published reference writes; --route kv is for --on cpu"
                    .to_owned())
            }
            (Processor::Gpu, RouteArg::Reference) => {
                on_gpu(args, |gpu, converter| block_on(converter.encode(gpu, &values)))
            }
            (Processor::Cpu, route) => encode_on_cpu(args, route, &values).map_err(|error| error.to_string()),
        }
    })
}

fn encode_on_cpu(args: &CodecArgs, route: RouteArg, values: &[f32]) -> Result<Vec<u8>, ArithmeticError> {
    let route = match route {
        RouteArg::Reference => Route::Reference,
        RouteArg::Kv => Route::Kv,
    };
    match args.scale {
        Some(scale) => args.codec.encode_scaled(&[scale], args.dim, values),
        None => args.codec.rows(args.side.into(), route, args.dim)?.encode(values),
    }
}

/// Bytes to f32 rows.
pub(crate) fn decode(args: &CodecArgs) -> anyhow::Result<Outcome> {
    transform(args, |input| {
        let values = match args.on {
            Processor::Gpu => on_gpu(args, |gpu, converter| block_on(converter.decode(gpu, input)))?,
            Processor::Cpu => decode_on_cpu(args.codec, args.side.into(), args.scale, args.dim, input)
                .map_err(|error| error.to_string())?,
        };
        Ok(values.into_iter().flat_map(f32::to_le_bytes).collect())
    })
}

fn decode_on_cpu(
    codec: Codec,
    side: Side,
    scale: Option<StaticScale>,
    dim: usize,
    input: &[u8],
) -> Result<Vec<f32>, ArithmeticError> {
    match scale {
        Some(scale) => codec.decode_scaled(&[scale], dim, input),
        None => codec.rows(side, Route::Reference, dim)?.decode(input),
    }
}

/// Does `work` on the adapter asked for.
fn on_gpu<T>(
    args: &CodecArgs,
    work: impl Fn(&Gpu, &Converter) -> Result<T, ConvertError>,
) -> Result<T, String> {
    let converter = Converter::new(args.codec, args.side.into(), args.dim, args.scale);
    let converter = converter.map_err(|error| error.to_string())?;
    let choice = args.adapter.clone().map_or(Choice::Fastest, Choice::Named);
    let gpu = quiet::ask(|| block_on(Gpu::open(&choice))).map_err(|error| error.to_string())?;
    work(&gpu, &converter).map_err(|error| error.to_string())
}

/// Reads, transforms, writes; what cannot be transformed is refused in its own words, and nothing is written.
fn transform(args: &CodecArgs, work: impl Fn(&[u8]) -> Result<Vec<u8>, String>) -> anyhow::Result<Outcome> {
    if args.adapter.is_some() && args.on == Processor::Cpu {
        show::complain("--adapter is for --on gpu");
        return Ok(Outcome::Refused);
    }
    let input = fs::read(&args.input).with_context(|| format!("cannot read {}", args.input.display()))?;
    match work(&input) {
        Ok(output) => {
            write(&args.output, &output)?;
            Ok(Outcome::Done)
        }
        Err(problem) => {
            show::complain(&problem);
            Ok(Outcome::Refused)
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
