//! Other programs: shown before they run, their output left as it is.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

/// Cargo of the toolchain that runs this program, in the given folder.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    // `cargo run` describes this package to this program. Passed on, it would only make build scripts run again.
    for (name, _) in std::env::vars_os() {
        let describes_us = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "LD_LIBRARY_PATH"];
        if describes_us.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// Shows the command, runs it with the output of this program, and says how it failed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    announce(command);
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", line(command))) }
}

/// Shows the command, runs it, and returns what it wrote to its standard output.
pub(crate) fn run_for_output(command: &mut Command) -> Result<String, String> {
    announce(command);
    capture(command)
}

/// Runs a command without a word and returns what it wrote to its standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| not_started(command, &error))?;
    if !output.status.success() {
        return Err(format!("`{}` ended with {}", line(command), output.status));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| format!("`{}` wrote something else than UTF-8", line(command)))
}

/// Whether the command can be started and succeeds; its output is dropped.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn announce(command: &Command) {
    println!("$ {}", line(command));
}

fn not_started(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` could not be started: {error}", line(command))
}

/// The command as one would type it: set variables, program name, arguments.
fn line(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let variables = variables.map(|(name, value)| format!("{}={}", name.to_string_lossy(), quoted(value)));
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args()).map(quoted);
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if word.contains(' ') || word.is_empty() { format!("'{word}'") } else { word.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_as_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["doc", "--config", "a b"]).env("FLAGS", "-D warnings").env_remove("HOME");
        assert_eq!(line(&command), "FLAGS='-D warnings' cargo doc --config 'a b'");
    }

    #[test]
    fn a_failure_names_the_command() {
        assert_eq!(run(&mut Command::new("false")).unwrap_err(), "`false` ended with exit status: 1");
        assert!(run(&mut Command::new("/nowhere/x")).unwrap_err().starts_with("`x` could not be started"));
    }
}
