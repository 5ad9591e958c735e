//! MLX-LM: `mlx_lm.generate`, whose flags are the cache's own parameters.

use super::export::{Launch, Source, Target};
use crate::error::PlanError;
use serde_json::{Map, Value};

/// `mlx_lm.generate …`. Its flags at 0.32.2: `--max-tokens`, `--max-kv-size`, `--kv-bits`, `--kv-group-size`,
/// `--quantized-kv-start`; a first part of the prompt that is never overwritten is always 4 tokens.
pub(super) fn write(options: &Map<String, Value>, source: &Source<'_>) -> Result<Launch, PlanError> {
    for (option, why) in [
        ("keep", "mlx_lm.generate always keeps the first 4 tokens of a rotating cache"),
        ("prefill_step_size", "mlx_lm.generate has no flag for it"),
    ] {
        if let Some(value) = options.get(option).filter(|value| option != "keep" || value.as_u64() != Some(4))
        {
            return Err(PlanError::unsupported(format!("engine.{option}"), why).with_value(value.clone()));
        }
    }
    if let Some(several) = source.request.sequences.filter(|n| *n > 1) {
        let message = "mlx_lm.generate runs one sequence";
        return Err(PlanError::unsupported("sequences", message).with_value(several));
    }
    let mut launch = Launch::of(Target::Mlx);
    launch.command = ["mlx_lm.generate".to_owned(), "--model".to_owned(), source.repository()].to_vec();
    let kind = options.get("cache").and_then(Value::as_str).unwrap_or("kv");
    let flags: &[(&str, &str)] = match kind {
        "quantized" => &[("bits", "--kv-bits"), ("group_size", "--kv-group-size")],
        "rotating" => &[("max_size", "--max-kv-size")],
        _ => &[],
    };
    for (option, flag) in flags {
        // The class's own 8 bits are no default of the command line's.
        let written = options.get(*option).map(ToString::to_string);
        if let Some(value) = written.or_else(|| (*option == "bits").then(|| "8".to_owned())) {
            launch.command.extend([(*flag).to_owned(), value]);
        }
    }
    if kind == "quantized" {
        launch.command.extend(["--quantized-kv-start", "0"].map(str::to_owned));
        launch.notes.push(
            "--quantized-kv-start 0 is written out: without it the first 5000 tokens stay unquantized".into(),
        );
    }
    if let Some(generated) = options.get("generated_tokens") {
        launch.command.extend(["--max-tokens".to_owned(), generated.to_string()]);
    }
    launch.command.extend(["--prompt".to_owned(), "-".to_owned()]);
    launch
        .notes
        .push("--prompt - reads the prompt from stdin; the cache grows with it, 256 tokens at a time".into());
    Ok(launch)
}
