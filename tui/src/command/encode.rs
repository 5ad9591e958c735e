//! `kvplan encode` and `kvplan decode`: rows of little-endian f32 to a codec's bytes and back.

use crate::Outcome;
use crate::args::{CodecArgs, RouteArg};
use crate::show;
use anyhow::Context as _;
use kvplan_core::codec::{ArithmeticError, Codec, Route};
use std::fs;
use std::path::Path;

/// f32 rows to bytes.
pub(crate) fn encode(args: &CodecArgs) -> anyhow::Result<Outcome> {
    let route = match args.route {
        RouteArg::Reference => Route::Reference,
        RouteArg::Kv => Route::Kv,
    };
    transform(args, |codec, dim, input| {
        let (floats, rest) = input.as_chunks::<4>();
        if !rest.is_empty() {
            return Ok(Err(format!("{} bytes are not whole f32 values", input.len())));
        }
        let values: Vec<f32> = floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        codec.encode(route, dim, &values).map(Ok)
    })
}

/// Bytes to f32 rows.
pub(crate) fn decode(args: &CodecArgs) -> anyhow::Result<Outcome> {
    transform(args, |codec, dim, input| {
        let values = codec.decode(dim, input)?;
        Ok(Ok(values.into_iter().flat_map(f32::to_le_bytes).collect()))
    })
}

/// What became of the input: bytes, or words about why it cannot be read at all.
type Transformed = Result<Result<Vec<u8>, String>, ArithmeticError>;

fn transform(args: &CodecArgs, work: impl Fn(Codec, usize, &[u8]) -> Transformed) -> anyhow::Result<Outcome> {
    let input = fs::read(&args.input).with_context(|| format!("cannot read {}", args.input.display()))?;
    let problem = match work(args.codec, args.dim, &input) {
        Ok(Ok(output)) => {
            write(&args.output, &output)?;
            return Ok(Outcome::Done);
        }
        Ok(Err(message)) => message,
        Err(error) => error.to_string(),
    };
    show::complain(&problem);
    Ok(Outcome::Refused)
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
