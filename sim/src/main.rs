//! `openpeer-sim`: plays random stories of peers and domains and says what went wrong.
#![forbid(unsafe_code)]

use clap::Parser;
use openpeer_sim::story::{Outcome, play};
use serde::Serialize;
use std::io::{self, Write as _};
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{available_parallelism, scope};

/// Plays random stories of real machines over a model network, each twice, and checks what must hold.
#[derive(Debug, Parser)]
#[command(name = "openpeer-sim", version)]
struct Arguments {
    /// How many stories to play.
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// The first seed; the others follow.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Play each story once only, without comparing two runs.
    #[arg(long)]
    once: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Print what happens in each story, and the hash of its trace.
    #[arg(long)]
    verbose: bool,
}

/// The result of all stories.
#[derive(Debug, Default, Serialize)]
struct Summary {
    seeds: u64,
    links: usize,
    failures: Vec<Failure>,
}

/// A story that went wrong.
#[derive(Debug, Serialize)]
struct Failure {
    seed: u64,
    violations: Vec<String>,
    log: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let summary = play_all(&arguments);
    let succeeded = summary.failures.is_empty() && summary.seeds > 0;
    match report(&summary, arguments.json) {
        Ok(()) if succeeded => ExitCode::SUCCESS,
        Ok(()) | Err(_) => ExitCode::FAILURE,
    }
}

/// Stories know nothing of each other, so they may be played beside each other.
fn play_all(arguments: &Arguments) -> Summary {
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from.saturating_add(arguments.seeds);
    let summary = Mutex::new(Summary { seeds: arguments.seeds, ..Summary::default() });
    scope(|threads| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            threads.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let result = play_checked(seed, arguments);
                    let mut summary = summary.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    match result {
                        Ok(links) => summary.links += links,
                        Err(failure) => summary.failures.push(failure),
                    }
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    summary.failures.sort_by_key(|failure| failure.seed);
    summary
}

fn play_checked(seed: u64, arguments: &Arguments) -> Result<usize, Failure> {
    let panicked = |_| Failure { seed, violations: vec!["a machine panicked".to_owned()], log: Vec::new() };
    let Outcome { trace, mut violations, log, links } = catch_unwind(|| play(seed)).map_err(panicked)?;
    if !arguments.once && catch_unwind(|| play(seed)).map_err(panicked)?.trace != trace {
        violations.push("two runs of this seed differ".to_owned());
    }
    if arguments.verbose {
        // Nobody listens to a closed pipe, and the summary says so too.
        let _ = writeln!(io::stdout().lock(), "seed {seed}: {trace}\n  {}", log.join("\n  "));
    }
    if violations.is_empty() { Ok(links) } else { Err(Failure { seed, violations, log }) }
}

fn report(summary: &Summary, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", serde_json::to_string(summary)?);
    }
    for failure in &summary.failures {
        writeln!(out, "seed {}:", failure.seed)?;
        for act in &failure.log {
            writeln!(out, "    {act}")?;
        }
        for violation in &failure.violations {
            writeln!(out, "  ! {violation}")?;
        }
    }
    let (seeds, links, failed) = (summary.seeds, summary.links, summary.failures.len());
    writeln!(out, "{seeds} stories, {links} links checked, {failed} stories went wrong")?;
    if failed > 0 {
        writeln!(
            out,
            "play one again with: cargo run --release -p openpeer-sim -- --seeds 1 --from SEED --verbose"
        )?;
    }
    Ok(())
}
