//! What the checkout consists of, as Cargo sees it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process;

/// The checkout with its member packages.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Where Cargo puts what it builds.
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) targets: Vec<Target>,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// Cargo's words: `lib`, `bin`, `test`, `example`, …
    pub(crate) kind: String,
}

#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Whether only tests, examples and benchmarks use it.
    pub(crate) development: bool,
}

impl Workspace {
    /// Asks Cargo about the checkout this program was built from.
    pub(crate) fn load() -> Result<Self, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::of_manifest(&here.parent().unwrap_or(here).join("Cargo.toml"))
    }

    /// Asks Cargo about the workspace that a manifest belongs to.
    pub(crate) fn of_manifest(manifest: &Path) -> Result<Self, String> {
        let mut metadata = process::cargo(manifest.parent().unwrap_or(manifest));
        metadata.args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"]).arg(manifest);
        let text = process::capture(&mut metadata)?;
        let value = serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
        Self::from_metadata(&value)
            .ok_or_else(|| "cargo metadata: members are missing in the answer".to_owned())
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// Whether a member has a target of that kind and name.
    pub(crate) fn has_target(&self, package: &str, kind: &str, name: &str) -> bool {
        self.package(package).is_some_and(|package| package.names(kind).any(|target| target == name))
    }

    /// The program Cargo builds from a binary target in the `dev` profile.
    pub(crate) fn dev_binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    fn from_metadata(value: &Value) -> Option<Self> {
        Some(Self {
            root: value["workspace_root"].as_str()?.into(),
            target: value["target_directory"].as_str()?.into(),
            packages: value["packages"]
                .as_array()?
                .iter()
                .map(Package::from_metadata)
                .collect::<Option<_>>()?,
        })
    }
}

impl Package {
    /// The names of the targets of one kind.
    pub(crate) fn names<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.targets.iter().filter(move |target| target.kind == kind).map(|target| target.name.as_str())
    }

    fn from_metadata(value: &Value) -> Option<Self> {
        Some(Self {
            name: value["name"].as_str()?.to_owned(),
            targets: value["targets"].as_array()?.iter().map(Target::from_metadata).collect::<Option<_>>()?,
            dependencies: value["dependencies"]
                .as_array()?
                .iter()
                .map(Dependency::from_metadata)
                .collect::<Option<_>>()?,
        })
    }
}

impl Target {
    fn from_metadata(value: &Value) -> Option<Self> {
        Some(Self { name: value["name"].as_str()?.to_owned(), kind: value["kind"][0].as_str()?.to_owned() })
    }
}

impl Dependency {
    fn from_metadata(value: &Value) -> Option<Self> {
        Some(Self { name: value["name"].as_str()?.to_owned(), development: value["kind"] == "dev" })
    }
}
