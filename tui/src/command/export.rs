//! `kvplan export`: the launch command that realises a plan.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::ExportArgs;
use crate::load;
use crate::show;
use kvplan_core::launch::{Launch, export};
use kvplan_core::plan::EngineRequest;

/// Runs the command.
pub(crate) fn run(args: &ExportArgs) -> anyhow::Result<Outcome> {
    let launch = args.asked.load().and_then(|model| {
        let mut request = args.asked.request();
        request.engine = Some(EngineRequest {
            name: args.target.engine(),
            version: None,
            options: args.options.iter().cloned().collect(),
        });
        let file =
            args.file.as_deref().or_else(|| load::weights_file(&args.asked.model, args.target.engine()));
        export(args.target, &model, &request, file)
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
