//! Which of the project's packages may know which.

use crate::workspace::Package;

/// What each package may depend on among the project's own. Dependencies point down; the peer and the server never
/// know each other, not even in their tests.
const ALLOWED: &[(&str, &[&str])] = &[
    ("openpeer-core", &[]),
    ("openpeer-link", &["openpeer-core"]),
    ("openpeer-store", &["openpeer-core"]),
    ("openpeer", &["openpeer-core", "openpeer-link"]),
    ("openpeer-server", &["openpeer-core", "openpeer-store"]),
    ("openpeer-sim", &["openpeer-core"]),
    ("openpeer-cli", &["openpeer-core", "openpeer-link", "openpeer", "openpeer-server", "openpeer-store"]),
    (
        "openpeer-tests",
        &["openpeer-core", "openpeer-link", "openpeer", "openpeer-server", "openpeer-sim", "openpeer-store"],
    ),
    ("xtask", &[]),
];

pub(super) fn violations(packages: &[Package]) -> Vec<String> {
    packages.iter().flat_map(|package| of_package(package, packages)).collect()
}

fn of_package(package: &Package, packages: &[Package]) -> Vec<String> {
    let Some((name, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
        return vec![format!(
            "{}: this package has no place yet; give it one in ARCHITECTURE.md and in \
             xtask/src/architecture/dependencies.rs",
            package.name
        )];
    };
    let ours =
        |name: &str| ALLOWED.iter().any(|(ours, _)| *ours == name) || packages.iter().any(|p| p.name == name);
    let forbidden = package.dependencies.iter().filter(|dependency| {
        // A crate may name itself in its tests, to switch its own features on.
        ours(&dependency.name) && dependency.name != *name && !allowed.contains(&dependency.name.as_str())
    });
    forbidden
        .map(|dependency| {
            let kind = if dependency.development { "its tests depend" } else { "it depends" };
            format!("{name}: {kind} on {}, but may know only [{}]", dependency.name, allowed.join(", "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        Package {
            name: name.to_owned(),
            targets: Vec::new(),
            dependencies: dependencies
                .iter()
                .map(|(name, development)| Dependency { name: (*name).to_owned(), development: *development })
                .collect(),
        }
    }

    #[test]
    fn dependencies_that_point_down_are_fine() {
        let packages = [
            package("openpeer-core", &[("serde", false), ("openpeer-core", true)]),
            package("openpeer", &[("openpeer-core", false), ("openpeer-link", false), ("tokio", false)]),
            package("openpeer-server", &[("openpeer-store", false)]),
        ];
        assert_eq!(violations(&packages), [""; 0]);
    }

    #[test]
    fn upward_and_sideward_dependencies_are_reported() {
        let broken = [
            package("openpeer-core", &[("openpeer-link", false)]),
            package("openpeer-server", &[("openpeer", true)]),
            package("openpeer", &[("openpeer-server", true)]),
            package("openpeer-link", &[("openpeer-store", false)]),
        ];
        let violations = violations(&broken);
        assert_eq!(violations.len(), broken.len(), "{violations:?}");
        assert_eq!(
            violations[1],
            "openpeer-server: its tests depend on openpeer, but may know only [openpeer-core, openpeer-store]"
        );
    }

    #[test]
    fn a_new_package_needs_a_place() {
        assert!(violations(&[package("openpeer-new", &[])])[0].contains("no place yet"));
    }
}
