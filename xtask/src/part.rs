//! The parts of a test run. A part that concerns a crate, a test target or an example is in the list as soon as that
//! exists, so the list keeps itself true.

use std::{io::IsTerminal as _, process::Command};

use crate::{
    architecture, demo, fuzz,
    machine::Need,
    process::{cargo, run},
    vectors, wasm,
    workspace::Workspace,
};

/// One thing that is tested.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// What holds when it passes.
    pub(crate) proves: &'static str,
    /// What it needs besides a Rust toolchain and a C compiler. Unmet needs are the only reason to skip.
    pub(crate) needs: &'static [Need],
    /// Whether its subject is there yet.
    pub(crate) exists: fn(&Workspace) -> bool,
    /// Runs it; the error is the reason shown in the summary.
    pub(crate) run: fn(&Workspace) -> Result<(), String>,
}

/// All parts whose subject exists, quick ones first.
pub(crate) fn all(workspace: &Workspace) -> Vec<Part> {
    let parts = [
        Part {
            name: "format",
            proves: "the code is formatted as rustfmt.toml says",
            needs: &[Need::Component { name: "rustfmt", command: "fmt" }],
            exists: |_| true,
            run: format,
        },
        Part {
            name: "architecture",
            proves: "dependencies point down, the core stays pure, files stay short and free of machine paths",
            needs: &[],
            exists: |_| true,
            run: architecture::check,
        },
        Part {
            name: "clippy",
            proves: "no lint of the workspace complains",
            needs: &[Need::Component { name: "clippy", command: "clippy" }],
            exists: |_| true,
            run: |workspace| {
                run(cargo(&workspace.root).args([
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--",
                    "-D",
                    "warnings",
                ]))
            },
        },
        Part {
            name: "docs",
            proves: "the reference documentation builds without a warning",
            needs: &[],
            exists: |_| true,
            run: |workspace| {
                run(cargo(&workspace.root)
                    .args(["doc", "--workspace", "--no-deps", "--lib"])
                    .env("RUSTDOCFLAGS", "-D warnings"))
            },
        },
        Part {
            name: "wasm",
            proves: "the core builds for WebAssembly and imports nothing from its host",
            needs: &[Need::Target(wasm::TARGET)],
            exists: |workspace| workspace.package("openpeer-core").is_some(),
            run: wasm::check,
        },
        Part {
            name: "unit",
            proves: "the tests of every crate, examples in the documentation included, pass",
            needs: &[],
            exists: |_| true,
            run: unit,
        },
        Part {
            name: "vectors",
            proves: "the files in vectors/ are what the code writes today",
            needs: &[],
            exists: vectors::exist,
            run: vectors::check,
        },
        Part {
            name: "coturn",
            proves: "links work through a TURN server that others wrote",
            needs: &[Need::Program { name: "turnserver", package: "coturn" }],
            exists: |workspace| workspace.has_target("openpeer-link", "test", COTURN),
            run: |workspace| run_tests(workspace, &[COTURN]),
        },
        Part {
            name: "system",
            proves: "real processes meet, link and survive the loss of their servers",
            needs: &[],
            exists: |workspace| !system_tests(workspace).is_empty(),
            run: |workspace| run_tests(workspace, &system_tests(workspace)),
        },
        Part {
            name: "capture",
            proves: "captured packets in network namespaces show no address before a knock is accepted",
            needs: &[
                Need::NetworkNamespaces,
                Need::Program { name: "ip", package: "iproute2" },
                Need::Program { name: "tcpdump", package: "tcpdump" },
            ],
            exists: |workspace| workspace.has_target(SYSTEM_TESTS, "test", CAPTURE),
            run: |workspace| run_tests(workspace, &[CAPTURE]),
        },
        Part {
            name: "fuzz",
            proves: "every fuzz target builds and survives a few seconds",
            needs: &[Need::Program { name: "c++", package: "g++" }],
            exists: fuzz::exists,
            run: fuzz::check,
        },
        Part {
            name: "simulation",
            proves: "whole networks of machines keep their promises in virtual time, over 300 seeds",
            needs: &[],
            exists: |workspace| workspace.package("openpeer-sim").is_some(),
            run: |workspace| {
                run(cargo(&workspace.root).args([
                    "run",
                    "--release",
                    "--package",
                    "openpeer-sim",
                    "--",
                    "--seeds",
                    "300",
                ]))
            },
        },
        Part {
            name: "demo",
            proves: "`cargo run --release -- demo` keeps every promise it prints",
            needs: &[],
            exists: |workspace| workspace.package(COMMAND_LINE).is_some(),
            run: demo::check,
        },
    ];
    parts.into_iter().filter(|part| (part.exists)(workspace)).collect()
}

/// The package with tests of real processes.
const SYSTEM_TESTS: &str = "openpeer-tests";

/// The package of the binary `openpeer`.
const COMMAND_LINE: &str = "openpeer-cli";

/// The test target that needs coturn.
const COTURN: &str = "coturn";

/// The test target that needs network namespaces.
const CAPTURE: &str = "capture";

fn format(workspace: &Workspace) -> Result<(), String> {
    // Left to itself, rustfmt colours its complaints even in a file.
    let color = if std::io::stdout().is_terminal() { "auto" } else { "never" };
    let check = ["--", "--check", "--color", color];
    run(cargo(&workspace.root).args(["fmt", "--all"]).args(check))?;
    if !fuzz::exists(workspace) {
        return Ok(());
    }
    // The fuzz crate is a workspace of its own, because it is built with other flags.
    run(cargo(&workspace.root.join("fuzz")).arg("fmt").args(check))
}

/// Everything `cargo test` would run, but for the targets that other parts run.
fn unit(workspace: &Workspace) -> Result<(), String> {
    let mut tests = test_command(workspace);
    let mut examples = test_command(workspace);
    if workspace.package(SYSTEM_TESTS).is_some() {
        tests.args(["--exclude", SYSTEM_TESTS]);
        examples.args(["--exclude", SYSTEM_TESTS]);
    }
    tests.args(["--lib", "--bins", "--examples"]);
    for package in workspace.packages.iter().filter(|package| package.name != SYSTEM_TESTS) {
        for name in package.names("test").filter(|name| *name != COTURN) {
            tests.args(["--test", name]);
        }
    }
    run(&mut tests)?;
    run(examples.arg("--doc"))
}

/// Runs test targets by name. The command line program is built before, and `OPENPEER_BINARY` tells them where.
fn run_tests(workspace: &Workspace, names: &[&str]) -> Result<(), String> {
    let mut tests = test_command(workspace);
    for name in names {
        tests.args(["--test", name]);
    }
    if workspace.has_target(COMMAND_LINE, "bin", "openpeer") {
        run(cargo(&workspace.root).args(["build", "--workspace", "--bin", "openpeer"]))?;
        tests.env("OPENPEER_BINARY", workspace.dev_binary("openpeer"));
    }
    run(&mut tests)
}

/// `cargo test`, always for the whole workspace: another choice of packages would mean other features, and everything
/// built once more.
fn test_command(workspace: &Workspace) -> Command {
    let mut command = cargo(&workspace.root);
    command.args(["test", "--workspace", "--no-fail-fast"]);
    command
}

fn system_tests(workspace: &Workspace) -> Vec<&str> {
    let package = workspace.package(SYSTEM_TESTS);
    package.into_iter().flat_map(|package| package.names("test")).filter(|name| *name != CAPTURE).collect()
}
