//! Runs parts one after the other and says how each ended.

use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::{machine::Need, part::Part, workspace::Workspace};

/// How a part ended, with the reason unless it passed.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

struct Record {
    part: &'static str,
    outcome: Outcome,
    time: Duration,
}

/// Prints the parts with what they prove and need.
pub(crate) fn list(parts: &[Part]) {
    for part in parts {
        let needs: Vec<String> = part.needs.iter().map(Need::to_string).collect();
        let needs = if needs.is_empty() { String::new() } else { format!(" (needs {})", needs.join(", ")) };
        println!("{:<13} {}{needs}", part.name, part.proves);
    }
}

/// Runs the parts, prints the summary, and returns whether none failed.
pub(crate) fn run(parts: &[Part], workspace: &Workspace) -> bool {
    let records: Vec<Record> = parts.iter().map(|part| run_part(part, workspace)).collect();
    print!("\n{}", summary(&records));
    count(&records, Outcome::is_failed) == 0
}

fn run_part(part: &Part, workspace: &Workspace) -> Record {
    println!("\n== {}: {}", part.name, part.proves);
    let start = Instant::now();
    let outcome = outcome(part, workspace);
    let record = Record { part: part.name, outcome, time: start.elapsed() };
    println!("== {record}");
    record
}

fn outcome(part: &Part, workspace: &Workspace) -> Outcome {
    if let Err(reason) = part.needs.iter().try_for_each(|need| need.meet()) {
        return Outcome::Skipped(reason);
    }
    match (part.run)(workspace) {
        Ok(()) => Outcome::Passed,
        Err(reason) => Outcome::Failed(reason),
    }
}

/// One line for each part, then the line that machines read.
fn summary(records: &[Record]) -> String {
    let lines: String = records.iter().map(|record| format!("  {record}\n")).collect();
    let passed = count(records, |outcome| *outcome == Outcome::Passed);
    let failed = count(records, Outcome::is_failed);
    let skipped = records.len() - passed - failed;
    format!("Summary\n{lines}{passed} passed, {failed} failed, {skipped} skipped\n")
}

fn count(records: &[Record], matches: impl Fn(&Outcome) -> bool) -> usize {
    records.iter().filter(|record| matches(&record.outcome)).count()
}

impl Outcome {
    fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, reason) = match &self.outcome {
            Outcome::Passed => ("passed", ""),
            Outcome::Failed(reason) => ("failed", reason.as_str()),
            Outcome::Skipped(reason) => ("skipped", reason.as_str()),
        };
        write!(f, "{word:<8} {:<13} {:>6.1} s", self.part, self.time.as_secs_f64())?;
        if reason.is_empty() { Ok(()) } else { write!(f, "  {reason}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Workspace = Workspace {
        root: std::path::PathBuf::new(),
        target: std::path::PathBuf::new(),
        packages: Vec::new(),
    };

    fn part(name: &'static str, needs: &'static [Need], run: fn(&Workspace) -> Result<(), String>) -> Part {
        Part { name, proves: "something", needs, exists: |_| true, run }
    }

    #[test]
    fn every_part_appears_in_the_summary_with_its_reason() {
        let record = |part, outcome| Record { part, outcome, time: Duration::from_millis(1500) };
        let records = [
            record("one", Outcome::Passed),
            record("two", Outcome::Failed("broke".to_owned())),
            record("three", Outcome::Skipped("no root".to_owned())),
        ];
        assert_eq!(
            summary(&records),
            "Summary\n  \
             passed   one              1.5 s\n  \
             failed   two              1.5 s  broke\n  \
             skipped  three            1.5 s  no root\n\
             1 passed, 1 failed, 1 skipped\n"
        );
    }

    #[test]
    fn a_failure_makes_the_run_fail_and_a_skip_does_not() {
        let impossible = &[Need::Target("no-such-target")];
        let passes = part("passes", &[], |_| Ok(()));
        let fails = part("fails", &[], |_| Err("broke".to_owned()));
        let cannot_run = part("cannot-run", impossible, |_| Err("ran all the same".to_owned()));
        assert!(run(&[cannot_run, passes], &NOTHING));
        assert!(!run(&[fails], &NOTHING));
    }
}
