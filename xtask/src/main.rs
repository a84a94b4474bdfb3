//! The project's own commands, run as `cargo xtask COMMAND`.
//!
//! `cargo xtask test` runs every check of the project, one *part* after the other; [`part::all`] is the list. A
//! command of another kind gets a module and a line in [`run`].
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program talks to its user")]

mod architecture;
mod demo;
mod fuzz;
mod machine;
mod part;
mod process;
mod report;
mod vectors;
mod wasm;
mod workspace;

use std::process::ExitCode;

use crate::{part::Part, workspace::Workspace};

const USAGE: &str = "\
Usage: cargo xtask test [PART…]     run all parts, or the named ones, in the order of the list
       cargo xtask test --list      name the parts, what each proves and what it needs";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// Whether all went well; an error is a command that could not even start.
fn run(arguments: &[String]) -> Result<bool, String> {
    match arguments.split_first() {
        Some((command, rest)) if command == "test" => test(rest),
        _ => Err(USAGE.to_owned()),
    }
}

fn test(arguments: &[String]) -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let parts = part::all(&workspace);
    if arguments.iter().any(|argument| argument == "--list") {
        report::list(&parts);
        return Ok(true);
    }
    if let Some(option) = arguments.iter().find(|argument| argument.starts_with('-')) {
        return Err(format!("unknown option `{option}`\n{USAGE}"));
    }
    Ok(report::run(&select(parts, arguments)?, &workspace))
}

/// The named parts in the order of the list; all of them when none is named.
fn select(parts: Vec<Part>, names: &[String]) -> Result<Vec<Part>, String> {
    if let Some(unknown) = names.iter().find(|name| parts.iter().all(|part| part.name != **name)) {
        let known: Vec<&str> = parts.iter().map(|part| part.name).collect();
        return Err(format!("there is no part `{unknown}`; the parts are: {}", known.join(", ")));
    }
    let wanted = |part: &Part| names.is_empty() || names.iter().any(|name| name == part.name);
    Ok(parts.into_iter().filter(wanted).collect())
}
