//! The rules of `ARCHITECTURE.md` that a program can check.

mod dependencies;
mod files;
mod purity;
mod text;

use crate::workspace::Workspace;

/// Checks every rule; what breaks one is printed, with the rule.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let files = files::all(&workspace.root)?;
    let violations = [
        dependencies::violations(&workspace.packages),
        purity::violations(&files),
        text::violations(&workspace.root, &files),
    ]
    .concat();
    if violations.is_empty() {
        println!("{} packages and {} files keep the rules", workspace.packages.len(), files.len());
        return Ok(());
    }
    violations.iter().for_each(|violation| println!("{violation}"));
    Err(format!("{} violations, the first one: {}", violations.len(), violations[0]))
}
