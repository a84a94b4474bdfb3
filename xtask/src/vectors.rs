//! `vectors/`: what other implementations test themselves against, written by the core's example `vectors`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{
    process::{cargo, run},
    workspace::Workspace,
};

/// Whether there is a generator, or files that should have one.
pub(crate) fn exist(workspace: &Workspace) -> bool {
    workspace.has_target("openpeer-core", "example", "vectors")
        || files(&workspace.root.join("vectors")).is_ok_and(|files| !files.is_empty())
}

/// Writes the vectors anew and compares them byte for byte with the stored ones.
pub(crate) fn check(workspace: &Workspace) -> Result<(), String> {
    let fresh = workspace.target.join("vectors");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(|error| format!("{}: {error}", fresh.display()))?;
    }
    fs::create_dir_all(&fresh).map_err(|error| format!("{}: {error}", fresh.display()))?;
    run(cargo(&workspace.root)
        .args(["run", "--quiet", "--package", "openpeer-core", "--example", "vectors", "--"])
        .arg(&fresh))?;

    let (stored, fresh) = (files(&workspace.root.join("vectors"))?, files(&fresh)?);
    if fresh.is_empty() {
        return Err("the generator wrote nothing".to_owned());
    }
    let differences = differences(&stored, &fresh);
    if differences.is_empty() {
        println!("{} files, all as the code writes them", fresh.len());
        return Ok(());
    }
    differences.iter().for_each(|difference| println!("{difference}"));
    Err(format!(
        "{} differences; `cargo run -p openpeer-core --example vectors -- vectors` writes the files anew, and a \
         change of the format belongs into docs/protocol.md",
        differences.len()
    ))
}

fn differences(stored: &BTreeMap<PathBuf, Vec<u8>>, fresh: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<String> {
    let names: BTreeSet<&PathBuf> = stored.keys().chain(fresh.keys()).collect();
    let difference = |name: &PathBuf| match (stored.get(name), fresh.get(name)) {
        (Some(_), None) => Some(format!("vectors/{}: nothing writes this file", name.display())),
        (None, Some(_)) => Some(format!("vectors/{}: missing", name.display())),
        (Some(old), Some(new)) if old != new => Some(format!("vectors/{}: differs", name.display())),
        _ => None,
    };
    names.into_iter().filter_map(difference).collect()
}

/// The content of every JSON file below a folder; none if the folder is not there.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop().filter(|current| current.is_dir()) {
        for entry in fs::read_dir(&current).map_err(|error| format!("{}: {error}", current.display()))? {
            let path = entry.map_err(|error| format!("{}: {error}", current.display()))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let content = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                found.insert(path.strip_prefix(folder).unwrap_or(&path).to_owned(), content);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> BTreeMap<PathBuf, Vec<u8>> {
        files.iter().map(|(name, content)| (PathBuf::from(name), content.as_bytes().to_vec())).collect()
    }

    #[test]
    fn missing_changed_and_orphaned_files_are_told_apart() {
        let stored = tree(&[("a.json", "1"), ("b.json", "1"), ("old.json", "1")]);
        let fresh = tree(&[("a.json", "1"), ("b.json", "2"), ("new.json", "1")]);
        assert_eq!(
            differences(&stored, &fresh),
            [
                "vectors/b.json: differs",
                "vectors/new.json: missing",
                "vectors/old.json: nothing writes this file"
            ]
        );
        assert!(differences(&stored, &stored).is_empty());
    }
}
