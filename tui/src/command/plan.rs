//! `kvplan plan`: one engine in full, or the three that matter most in a line each.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::PlanArgs;
use crate::load;
use crate::show;
use kvplan_core::engine::EngineName;
use kvplan_core::error::PlanError;
use kvplan_core::launch::{Target, export};
use kvplan_core::placement::State;
use kvplan_core::plan::{EngineRequest, Plan, Request, error_line, plan_model};
use kvplan_core::spec::ModelSpec;
use serde_json::Map;

/// What a plan without `--engine` sums up.
const SUMMARY: [EngineName; 3] = [EngineName::Payload, EngineName::LlamaCpp, EngineName::Vllm];

/// Runs the command.
pub(crate) fn run(args: &PlanArgs) -> anyhow::Result<Outcome> {
    let model = match args.asked.load() {
        Ok(model) => model,
        Err(error) => return refused(args, &error),
    };
    let mut request = args.asked.request();
    request.explain = args.explain;
    request.engine = args.engine_request();
    if request.engine.is_none() && !args.json {
        return summary(args, &model, &request);
    }
    match plan_model(&model, &request) {
        Err(error) => refused(args, &error),
        Ok(plan) if args.json => print_json(&plan).map(|()| outcome(&plan)),
        Ok(plan) => {
            let run = launch_of(args, &model, &request);
            print_text(&format!("{}{run}", show::plan::one(&model, &plan))).map(|()| outcome(&plan))
        }
    }
}

/// Exit code 1 where a plan does not fit.
fn outcome(plan: &Plan) -> Outcome {
    match plan.fit.state {
        State::Over => Outcome::Failed,
        State::Fits | State::Barely | State::Unknown => Outcome::Done,
    }
}

/// The command that realises the plan, where its engine is one that is launched by a command.
fn launch_of(args: &PlanArgs, model: &ModelSpec, request: &Request) -> String {
    let target = args.engine.and_then(|engine| engine.as_str().parse().ok());
    let launch = target.and_then(|target: Target| {
        export(target, model, request, load::weights_file(&args.asked.model, target.engine())).ok()
    });
    launch.map_or_else(String::new, |launch| show::plan::run(&launch.lines(76)))
}

/// One line an engine. An engine that cannot answer says why on its line; only if none can is that a failure.
fn summary(args: &PlanArgs, model: &ModelSpec, request: &Request) -> anyhow::Result<Outcome> {
    let answers: Vec<(EngineName, Result<Plan, PlanError>)> = SUMMARY
        .into_iter()
        .map(|name| {
            let engine = EngineRequest { name, version: None, options: Map::new() };
            let answer = plan_model(model, &Request { engine: Some(engine), ..request.clone() });
            (name, answer)
        })
        .collect();
    // What the ideal engine cannot answer is wrong with the request itself.
    if let Some((_, Err(error))) = answers.iter().find(|(name, _)| *name == EngineName::Payload) {
        return refused(args, error);
    }
    print_text(&show::plan::summary(model, &answers))?;
    // It fits if any engine fits it.
    let mut plans = answers.iter().filter_map(|(_, answer)| answer.as_ref().ok());
    Ok(if plans.all(|plan| plan.fit.state == State::Over) { Outcome::Failed } else { Outcome::Done })
}

fn refused(args: &PlanArgs, error: &PlanError) -> anyhow::Result<Outcome> {
    if args.json {
        print_text(&format!("{}\n", error_line(None, error)))?;
    }
    show::refuse(error);
    Ok(Outcome::Refused)
}
