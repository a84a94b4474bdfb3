//! `openpeer`: domain server, demonstration, and a peer for people and scripts.
//!
//! `args` says what can be typed, `commands` what it does; `transfer` and `chat` are the protocols that run on the
//! channels of a link, `agent` lets another process drive a peer, and `demo` does just that.
#![forbid(unsafe_code)]

mod agent;
mod args;
mod chat;
mod commands;
mod defaults;
mod demo;
mod failure;
mod log;
mod output;
mod progress;
mod screen;
mod signals;
mod transfer;

use args::Arguments;
use clap::Parser;
use failure::Failure;
use output::Output;
use std::process::ExitCode;

/// A server's sessions are many small allocations that live long; this allocator keeps them dense.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    let output = Output::new(arguments.json);
    match run(arguments, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}

fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(commands::run(arguments.command, output));
    // A thread that waits for a line from the terminal must not keep the program from ending.
    runtime.shutdown_background();
    result
}
