//! `cargo xtask test`: which steps run, in which order, and the table at the end.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::step::Step;

/// Which steps to run and how to go on after a failure.
#[derive(Args)]
pub(crate) struct Selection {
    /// Run only these steps, in the usual order
    #[arg(long, value_delimiter = ',', value_name = "STEPS")]
    only: Vec<Step>,
    /// Run the remaining steps after one has failed
    #[arg(long)]
    keep_going: bool,
    /// Name the steps and stop
    #[arg(long)]
    list: bool,
}

impl Selection {
    fn steps(&self) -> Vec<Step> {
        let all = Step::value_variants().iter().copied();
        all.filter(|step| self.only.is_empty() || self.only.contains(step)).collect()
    }
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

/// Runs the selected steps and says how it went, in words and in the exit code.
pub(crate) fn run(selection: &Selection) -> ExitCode {
    let steps = selection.steps();
    if selection.list {
        for step in steps {
            println!("{:<12} {}", step.name(), step.purpose());
        }
        return ExitCode::SUCCESS;
    }
    let results = run_each(&steps, selection.keep_going, |step| {
        println!("\n━━━ {} · {}", step.name(), step.purpose());
        let result = step.run();
        if let Err(error) = &result {
            eprintln!("error: {error:#}");
        }
        result.is_ok()
    });
    println!("\n{}", table(&results));
    let passed = results.iter().all(|(_, outcome)| matches!(outcome, Outcome::Passed(_)));
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs `steps` in order, timing each; after a failure the rest are `NotRun` unless `keep_going`.
fn run_each(steps: &[Step], keep_going: bool, run: impl Fn(Step) -> bool) -> Vec<(Step, Outcome)> {
    let mut stopped = false;
    let mut results = Vec::with_capacity(steps.len());
    for &step in steps {
        let outcome = if stopped {
            Outcome::NotRun
        } else {
            let start = Instant::now();
            if run(step) {
                Outcome::Passed(start.elapsed())
            } else {
                stopped = !keep_going;
                Outcome::Failed(start.elapsed())
            }
        };
        results.push((step, outcome));
    }
    results
}

fn table(results: &[(Step, Outcome)]) -> String {
    let mut lines = vec!["━━━ summary".to_owned()];
    let mut total = Duration::ZERO;
    for (step, outcome) in results {
        let (word, took) = match outcome {
            Outcome::Passed(took) => ("ok", *took),
            Outcome::Failed(took) => ("FAILED", *took),
            Outcome::NotRun => ("not run", Duration::ZERO),
        };
        total = total.saturating_add(took);
        lines.push(format!("{:<12} {word:<8} {:>7.1} s", step.name(), took.as_secs_f64()));
    }
    lines.push(format!("{:<21} {:>7.1} s", "total", total.as_secs_f64()));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(steps: &[Step]) -> Vec<Step> {
        Selection { only: steps.to_vec(), keep_going: false, list: false }.steps()
    }

    fn words(keep_going: bool) -> Vec<&'static str> {
        let steps = [Step::Fmt, Step::Clippy, Step::Test];
        let results = run_each(&steps, keep_going, |step| step != Step::Clippy);
        let word = |outcome: &Outcome| match outcome {
            Outcome::Passed(_) => "ok",
            Outcome::Failed(_) => "failed",
            Outcome::NotRun => "not run",
        };
        results.iter().map(|(_, outcome)| word(outcome)).collect()
    }

    #[test]
    fn without_a_choice_every_step_runs_and_setup_is_first() {
        assert_eq!(only(&[]), Step::value_variants());
        assert_eq!(only(&[])[0], Step::Setup);
    }

    #[test]
    fn chosen_steps_run_once_each_in_the_usual_order() {
        assert_eq!(only(&[Step::Test, Step::Fmt, Step::Test]), [Step::Fmt, Step::Test]);
    }

    #[test]
    fn a_failure_stops_the_rest() {
        assert_eq!(words(false), ["ok", "failed", "not run"]);
    }

    #[test]
    fn keep_going_runs_the_rest_after_a_failure() {
        assert_eq!(words(true), ["ok", "failed", "ok"]);
    }

    #[test]
    fn the_table_names_every_step_and_adds_the_times() {
        let seconds = Duration::from_millis;
        let results = [
            (Step::Fmt, Outcome::Passed(seconds(1500))),
            (Step::Clippy, Outcome::Failed(seconds(2000))),
            (Step::Test, Outcome::NotRun),
        ];
        let expected = "\
━━━ summary
fmt          ok           1.5 s
clippy       FAILED       2.0 s
test         not run      0.0 s
total                     3.5 s";
        assert_eq!(table(&results), expected);
    }
}
