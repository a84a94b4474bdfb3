//! What a part needs from the machine, and how it gets there.

use std::{fmt, path::Path, process::Command};

use crate::process;

/// Something that not every machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A component of the Rust toolchain; `rustfmt` is the command `cargo fmt`.
    Component { name: &'static str, command: &'static str },
    /// The standard library for another target.
    Target(&'static str),
    /// A program, with the Debian package that brings it.
    Program { name: &'static str, package: &'static str },
    /// Root, who may make network namespaces.
    NetworkNamespaces,
}

impl Need {
    /// Makes sure the need is met, installing what can be installed. The error is why it cannot be met here.
    pub(crate) fn meet(self) -> Result<(), String> {
        if self.is_met() {
            return Ok(());
        }
        match self {
            Self::Component { name, .. } => rustup(&["component", "add", name]),
            Self::Target(name) => rustup(&["target", "add", name]),
            Self::Program { package, .. } => install(package),
            Self::NetworkNamespaces => Err("run it as root on a machine that allows them".to_owned()),
        }
        .and_then(|()| if self.is_met() { Ok(()) } else { Err("still missing once installed".to_owned()) })
        .map_err(|reason| format!("needs {self}: {reason}"))
    }

    fn is_met(self) -> bool {
        match self {
            Self::Component { command, .. } => process::succeeds("cargo", &[command, "--version"]),
            Self::Target(name) => has_target(name),
            Self::Program { name, .. } => has_program(name),
            Self::NetworkNamespaces => process::succeeds("unshare", &["--net", "true"]),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component { name, .. } => write!(f, "{name}"),
            Self::Target(name) => write!(f, "the Rust target {name}"),
            Self::Program { name, package } if name == package => write!(f, "{name}"),
            Self::Program { name, package } => write!(f, "{name} (Debian package {package})"),
            Self::NetworkNamespaces => write!(f, "root and network namespaces"),
        }
    }
}

fn has_target(name: &str) -> bool {
    let folder = process::capture(Command::new("rustc").args(["--print", "target-libdir", "--target", name]));
    folder.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Users other than root often have no `sbin` on their path.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().any(|folder| folder.join(name).is_file())
}

fn rustup(arguments: &[&str]) -> Result<(), String> {
    println!("Installing into the Rust toolchain:");
    process::run(Command::new("rustup").args(arguments))
}

fn install(package: &str) -> Result<(), String> {
    if !has_program("apt-get") {
        return Err("this machine has no apt-get; install it by hand".to_owned());
    }
    if !is_root() {
        return Err("only root can install it".to_owned());
    }
    println!("Installing the Debian package {package}:");
    process::run(apt_get().arg("update"))?;
    process::run(apt_get().args(["install", "--yes", "--no-install-recommends", package]))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["--quiet", "--option", "Dpkg::Use-Pty=0"]);
    command
}

fn is_root() -> bool {
    process::capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_path_or_not_at_all() {
        assert!(has_program("sh"));
        assert!(!has_program("openpeer-no-such-program"));
    }

    #[test]
    fn an_impossible_need_says_why() {
        let need = Need::Target("no-such-target");
        assert!(need.meet().unwrap_err().starts_with("needs the Rust target no-such-target: "));
        let package = Need::Program { name: "turnserver", package: "coturn" };
        assert_eq!(package.to_string(), "turnserver (Debian package coturn)");
    }
}
