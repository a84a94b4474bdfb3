//! Opening the user's peer: where it is and what unlocks it.

use crate::args::PeerOptions;
use crate::failure::Failure;
use crate::log;
use etcetera::{BaseStrategy, choose_base_strategy};
use openpeer::{Builder, Peer};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A passphrase or a recovery code.
pub(super) type Secret = Zeroizing<String>;

/// Opens the user's peer and goes online with it.
pub(crate) async fn open(options: &PeerOptions) -> Result<Peer, Failure> {
    open_with(options, |builder| builder).await
}

/// Opens the user's peer without going online.
pub(super) async fn open_offline(options: &PeerOptions) -> Result<Peer, Failure> {
    open_with(options, Builder::offline).await
}

async fn open_with(options: &PeerOptions, mode: impl Fn(Builder) -> Builder) -> Result<Peer, Failure> {
    let builder = mode(builder(options)?);
    if let Some(passphrase) = given_passphrase(options)? {
        return Ok(builder.passphrase(passphrase.as_str()).open().await?);
    }
    // Whether there is a passphrase stands in the keystore.
    match builder.clone().unprotected().open().await {
        Err(error) if error.code() == "passphrase-required" && !options.no_passphrase => {
            let passphrase = ask("Passphrase: ")?;
            Ok(builder.passphrase(passphrase.as_str()).open().await?)
        }
        Err(error) if error.code() == "keystore-missing" => {
            Err(Failure::new(error.code(), "there is no peer here yet: make one with `openpeer id new`"))
        }
        result => Ok(result?),
    }
}

/// How a new peer is made: with a passphrase, typed twice, or by explicit choice without.
pub(super) fn new_builder(options: &PeerOptions) -> Result<Builder, Failure> {
    let builder = builder(options)?;
    if options.no_passphrase {
        return Ok(builder.unprotected());
    }
    let passphrase = match given_passphrase(options)? {
        Some(passphrase) => passphrase,
        None => ask_twice("Passphrase for your keys: ")?,
    };
    Ok(builder.passphrase(passphrase.as_str()))
}

fn builder(options: &PeerOptions) -> Result<Builder, Failure> {
    if let Some(filter) = &options.log {
        log::start(filter, false)?;
    }
    let directory = match &options.data {
        Some(directory) => directory.clone(),
        None => usual_directory()?,
    };
    let mut builder = Peer::builder(directory).development(options.dev);
    for domain in &options.domain {
        builder = builder.domain(domain);
    }
    for file in &options.cacert {
        builder = builder.ca_certificates(std::fs::read(file).map_err(|error| Failure::file(file, &error))?);
    }
    for rule in &options.resolve {
        builder = builder.resolve(rule.clone());
    }
    Ok(builder)
}

fn usual_directory() -> Result<PathBuf, Failure> {
    let strategy = choose_base_strategy()
        .map_err(|_| Failure::usage("this user has no home directory: give --data DIR"))?;
    Ok(strategy.data_dir().join("openpeer"))
}

fn given_passphrase(options: &PeerOptions) -> Result<Option<Secret>, Failure> {
    if options.no_passphrase {
        return Ok(None);
    }
    if let Some(file) = &options.passphrase_file {
        return first_line(file).map(Some);
    }
    Ok(std::env::var("OPENPEER_PASSPHRASE").ok().map(Zeroizing::new))
}

/// The first line of a file that holds a secret.
pub(super) fn first_line(file: &Path) -> Result<Secret, Failure> {
    let text =
        std::fs::read_to_string(file).map(Zeroizing::new).map_err(|error| Failure::file(file, &error))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(Zeroizing::new(line.to_owned())),
        None => Err(Failure::new(
            "file",
            format!("{} is empty: write the secret in its first line", file.display()),
        )),
    }
}

/// Asks on the terminal, without showing what is typed.
pub(super) fn ask(question: &str) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        let message = "a passphrase or recovery code is needed and there is no terminal to ask on: give it in a file \
                       (see --help), or a passphrase in OPENPEER_PASSPHRASE";
        return Err(Failure::new("passphrase-required", message));
    }
    rpassword::prompt_password(question)
        .map(Zeroizing::new)
        .map_err(|error| Failure::new("io", format!("the terminal cannot be read: {error}")))
}

/// Asks for a new secret; twice, because nobody sees what is typed.
pub(super) fn ask_twice(question: &str) -> Result<Secret, Failure> {
    let first = ask(question)?;
    if first.is_empty() {
        return Err(Failure::usage(
            "an empty passphrase protects nothing: type one, or choose --no-passphrase",
        ));
    }
    if first == ask("Once more: ")? {
        Ok(first)
    } else {
        Err(Failure::usage("the two passphrases differ: try again"))
    }
}
