//! The fuzz targets in `fuzz/`, each for a few seconds. Long runs belong to `cargo fuzz`, which needs a nightly
//! compiler; the coverage that guides libFuzzer needs only the flags below, which every compiler takes. Memory errors
//! cannot come from the targets' own code, as it forbids `unsafe`, so the address sanitizer is no loss here.

use std::{fs, path::Path, process::Command};

use crate::{
    process::{self, cargo, run},
    workspace::Workspace,
};

/// Long enough to find what breaks at once, short enough to run every time.
const SECONDS_EACH: u32 = 5;

/// A target that holds more than this has an unbounded buffer somewhere.
const MEMORY_LIMIT_MIB: u32 = 1024;

/// An input that takes longer than this hangs the machine that reads it.
const SECONDS_PER_INPUT: u32 = 10;

/// Above the largest thing that any target reads, a document of 64 KiB, so that its limit is met too.
const MAX_INPUT_BYTES: u32 = 70_000;

/// Coverage in libFuzzer's form, as `cargo fuzz` asks for it.
const FLAGS: &str = "--cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

pub(crate) fn exists(workspace: &Workspace) -> bool {
    workspace.root.join("fuzz/Cargo.toml").is_file()
}

pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let folder = workspace.root.join("fuzz");
    let targets = Workspace::of_manifest(&folder.join("Cargo.toml"))?;
    let targets: Vec<&str> = targets.packages.iter().flat_map(|package| package.names("bin")).collect();
    if targets.is_empty() {
        return Err("fuzz/Cargo.toml names no target".to_owned());
    }

    // Naming the host as target keeps the flags away from build scripts and procedural macros.
    let host = process::capture(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let output = workspace.target.join("fuzz");
    run(cargo(&folder)
        .env("RUSTFLAGS", FLAGS)
        .args(["build", "--release", "--bins", "--target", host.trim(), "--target-dir"])
        .arg(&output))?;
    let programs = output.join(host.trim()).join("release");

    let failures: Vec<String> =
        targets.iter().filter_map(|target| run_target(target, &programs, &folder, &output).err()).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

/// Runs one target from the inputs kept in `fuzz/corpus` and those that earlier runs on this machine found.
fn run_target(target: &str, programs: &Path, folder: &Path, output: &Path) -> Result<(), String> {
    let found = output.join("corpus").join(target);
    fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
    let kept = Some(folder.join("corpus").join(target)).filter(|kept| kept.is_dir());
    run(Command::new(programs.join(target))
        .current_dir(output)
        .arg(format!("-max_total_time={SECONDS_EACH}"))
        .arg(format!("-rss_limit_mb={MEMORY_LIMIT_MIB}"))
        .arg(format!("-timeout={SECONDS_PER_INPUT}"))
        .arg(format!("-max_len={MAX_INPUT_BYTES}"))
        .arg(format!("-artifact_prefix={target}-"))
        .args(["-print_final_stats=1", "-verbosity=0"])
        .arg(&found)
        .args(kept))
    .map_err(|_| format!("{target} failed; the input that did it is {target}-… in {}", output.display()))
}
