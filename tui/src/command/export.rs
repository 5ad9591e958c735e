//! `kvplan export`: the launch command that realises a plan.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::ExportArgs;
use crate::load;
use crate::show;
use kvplan_core::engine::EngineName;
use kvplan_core::launch::{Launch, export};
use kvplan_core::plan::{EngineRequest, ModelRef};
use std::path::Path;

/// Runs the command.
pub(crate) fn run(args: &ExportArgs) -> anyhow::Result<Outcome> {
    let launch = load::model(&args.model).and_then(|model| {
        let mut request = args.machine.add_to(args.scenario.request(ModelRef::Id(args.model.clone())));
        request.engine = Some(EngineRequest {
            name: args.target.engine(),
            version: None,
            options: args.options.iter().cloned().collect(),
        });
        export(args.target, &model, &request, weights(args))
    });
    match launch {
        Ok(launch) if args.json => print_json(&launch).map(|()| Outcome::Done),
        Ok(launch) => print_text(&Launch::text(&launch)).map(|()| Outcome::Done),
        Err(error) => {
            show::refuse(&error);
            Ok(Outcome::Refused)
        }
    }
}

/// Where the weights are, if known: as said, or the very file the model was read from.
fn weights(args: &ExportArgs) -> Option<&str> {
    let model = args.model.as_str();
    let path = Path::new(model);
    let is_weights = match args.target.engine() {
        EngineName::LlamaCpp => path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")),
        EngineName::Payload
        | EngineName::Vllm
        | EngineName::Sglang
        | EngineName::TensorRtLlm
        | EngineName::Transformers
        | EngineName::Mlx
        | EngineName::ExllamaV3 => path.is_dir(),
    };
    args.file.as_deref().or_else(|| (is_weights && path.exists()).then_some(model))
}
