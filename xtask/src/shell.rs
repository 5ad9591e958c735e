//! Running other programs: output goes straight to the terminal, input is closed so that nothing can wait for a person,
//! and a failure names the command that failed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The cargo that started us, so that every step uses one toolchain.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// Runs `command` and fails, naming it, unless it exits with zero.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    println!("$ {line}");
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs `command` and returns what it wrote to standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({})", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` did not write UTF-8"))
}

/// Whether `command` can be started and exits with zero; prints nothing.
pub(crate) fn works(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Makes the workspace root the current folder, from wherever inside it we were called.
pub(crate) fn enter_workspace_root() -> Result<()> {
    let manifest = capture(cargo().args(["locate-project", "--workspace", "--message-format", "plain"]))?;
    let mut root = PathBuf::from(manifest.trim_end());
    root.pop();
    std::env::set_current_dir(&root).with_context(|| format!("cannot enter {}", root.display()))
}

/// The command as a person would type it, with the variables we set for it.
fn shown(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.display(), value?.display())));
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().map_or_else(String::new, |name| name.display().to_string());
    let arguments = command.get_args().map(|argument| argument.display().to_string());
    variables.chain([program]).chain(arguments).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let error = run(Command::new("false").arg("--really")).unwrap_err();
        assert!(error.to_string().starts_with("`false --really` failed"), "{error}");
    }

    #[test]
    fn a_missing_program_is_an_error_and_does_not_work() {
        let missing = "kvplan-no-such-program";
        assert!(run(&mut Command::new(missing)).unwrap_err().to_string().contains(missing));
        assert!(!works(&mut Command::new(missing)));
    }

    #[test]
    fn a_command_is_shown_with_its_variables() {
        let mut command = Command::new("/usr/bin/cargo");
        command.env("RUSTC", "/usr/bin/rustc").arg("check");
        assert_eq!(shown(&command), "RUSTC=/usr/bin/rustc cargo check");
    }
}
