//! `openpeer serve`: the server of a domain.

use crate::args::{NamesPolicy, Serve};
use crate::failure::Failure;
use crate::log;
use crate::output::Output;
use crate::signals::Signals;
use openpeer_core::uri::Domain;
use openpeer_server::config::{NamePolicy, Names, Stun, Tls};
use openpeer_server::{Config, Server};
use openpeer_store::SqliteStore;
use serde::Serialize;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::AsyncReadExt;

pub(super) async fn run(arguments: Serve, output: Output) -> Result<(), Failure> {
    let mut stop = Stop::new(arguments.until_stdin_ends)?;
    let config = config(arguments)?;
    log::start(config.log.as_deref().unwrap_or("info"), output.is_json())?;
    let store = SqliteStore::open(&config.data)?;
    let account = Account::new(&config);
    let server = Server::spawn(config, Arc::new(store)).await?;
    let account = account.with(&server);
    output.result(&account, || account.words())?;
    stop.wait().await;
    output.note(
        "stopping: sessions may move to another finder for ten seconds; interrupt again to stop at once",
    );
    tokio::select! {
        () = server.shutdown() => Ok(()),
        () = stop.wait() => Ok(()),
    }
}

/// The file, if there is one, and what the command line says on top of it.
fn config(arguments: Serve) -> Result<Config, Failure> {
    let mut config = match &arguments.config {
        Some(file) => with_options(Config::from_file(file)?, &arguments)?,
        None => from_options(&arguments)?,
    };
    if arguments.dev {
        (config.dev, config.tls) = (true, None);
    }
    if let (Some(certificate), Some(key)) = (arguments.certificate, arguments.key) {
        (config.dev, config.tls) = (false, Some(Tls { certificate, key }));
    }
    if arguments.plain {
        (config.dev, config.tls) = (false, None);
    }
    if !arguments.stun.is_empty() {
        config.stun = Some(Stun { listen: arguments.stun, urls: None });
    }
    if let Some(policy) = arguments.names {
        config.names = names(policy, config.names);
    }
    config.metrics.listen = arguments.metrics.or(config.metrics.listen);
    config.contact = arguments.contact.or(config.contact);
    config.log = arguments.log.or(config.log);
    Ok(config)
}

fn from_options(arguments: &Serve) -> Result<Config, Failure> {
    let (Some(domain), Some(data)) = (&arguments.domain, &arguments.data) else {
        return Err(Failure::usage("give --domain and --data, or --config"));
    };
    if !arguments.dev && !arguments.plain && arguments.certificate.is_none() {
        return Err(Failure::usage(
            "say how to encrypt: --certificate and --key, or --dev for a certificate of one's own, or --plain for none",
        ));
    }
    let mut config = Config::new(Domain::from_text(domain)?, arguments.listen.clone(), data);
    config.names = Some(Names::new(if arguments.dev { NamePolicy::Open } else { NamePolicy::Invite }));
    Ok(config)
}

fn with_options(mut config: Config, arguments: &Serve) -> Result<Config, Failure> {
    if let Some(domain) = &arguments.domain {
        config.domain = Domain::from_text(domain)?;
    }
    if !arguments.listen.is_empty() {
        config.listen.clone_from(&arguments.listen);
    }
    if let Some(data) = &arguments.data {
        config.data.clone_from(data);
    }
    Ok(config)
}

/// The policy of the command line with the details of the file.
fn names(policy: NamesPolicy, configured: Option<Names>) -> Option<Names> {
    let policy = match policy {
        NamesPolicy::Open => NamePolicy::Open,
        NamesPolicy::Invite => NamePolicy::Invite,
        NamesPolicy::None => return None,
    };
    Some(Names { policy, ..configured.unwrap_or_else(|| Names::new(policy)) })
}

/// What is served, for the one line that says so.
#[derive(Serialize)]
struct Account {
    event: &'static str,
    domain: String,
    listen: Vec<SocketAddr>,
    tls: bool,
    /// What clients pass as `--cacert`, with `--dev`.
    cacert: Option<String>,
    stun: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    names: Option<&'static str>,
}

impl Account {
    fn new(config: &Config) -> Self {
        Self {
            event: "serving",
            domain: config.domain.to_string(),
            listen: Vec::new(),
            tls: config.is_tls(),
            cacert: None,
            stun: None,
            metrics: None,
            names: config.names.as_ref().map(|names| match names.policy {
                NamePolicy::Open => "open",
                NamePolicy::Invite => "invite",
            }),
        }
    }

    fn with(self, server: &Server) -> Self {
        Self {
            listen: server.local_addrs().to_vec(),
            cacert: server.development_authority().map(|path| path.display().to_string()),
            stun: server.stun_addr(),
            metrics: server.metrics_addr(),
            ..self
        }
    }

    fn words(&self) -> String {
        let listen: Vec<_> = self.listen.iter().map(ToString::to_string).collect();
        let mut words = format!("serving {} on {}", self.domain, listen.join(", "));
        words += if self.tls { " (TLS)" } else { " (without TLS)" };
        if let Some(policy) = self.names {
            words += &format!(", names: {policy}");
        }
        if let Some(stun) = self.stun {
            words += &format!(", STUN on {stun}");
        }
        if let Some(metrics) = self.metrics {
            words += &format!(", metrics on {metrics}");
        }
        if let Some(cacert) = &self.cacert {
            words += &format!(", clients trust it with --cacert {cacert}");
        }
        words
    }
}

/// What asks the server to stop.
struct Stop {
    signals: Signals,
    follows_stdin: bool,
}

impl Stop {
    fn new(follows_stdin: bool) -> io::Result<Self> {
        Ok(Self { signals: Signals::new()?, follows_stdin })
    }

    /// Waits for the next such thing.
    async fn wait(&mut self) {
        tokio::select! {
            () = self.signals.next() => {}
            () = stdin_end(self.follows_stdin) => self.follows_stdin = false,
        }
    }
}

/// Waits until whoever holds the other end of standard input is gone.
async fn stdin_end(follows: bool) {
    if !follows {
        return std::future::pending().await;
    }
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 256];
    while stdin.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Command};
    use clap::Parser;

    fn parse(line: &str) -> Result<Config, Failure> {
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let Command::Serve(arguments) = arguments.command else { panic!("not serve") };
        config(*arguments)
    }

    const BARE: &str = "openpeer serve --domain a.test --listen 127.0.0.1:0 --data d";

    #[test]
    fn names_are_open_in_development_only() {
        let policy = |line: &str| parse(line).unwrap().names.map(|names| names.policy);
        assert_eq!(policy(&format!("{BARE} --dev")), Some(NamePolicy::Open));
        assert_eq!(policy(&format!("{BARE} --plain")), Some(NamePolicy::Invite));
        assert_eq!(policy(&format!("{BARE} --dev --names none")), None);
        assert_eq!(policy(&format!("{BARE} --dev --names invite")), Some(NamePolicy::Invite));
    }

    #[test]
    fn encryption_is_an_explicit_choice() {
        assert!(parse(BARE).unwrap_err().to_string().contains("--dev"));
        assert!(!parse(&format!("{BARE} --plain")).unwrap().is_tls());
        assert!(parse(&format!("{BARE} --certificate c --key k")).unwrap().tls.is_some());
    }

    #[test]
    fn options_take_precedence_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.toml");
        let text = "domain = \"a.test\"\nlisten = [\"127.0.0.1:1\"]\ndata = \"d\"\n[names]\npolicy = \"open\"\n\
                    reserved = [\"boss\"]\n";
        std::fs::write(&file, text).unwrap();
        let line = format!("openpeer serve --config {}", file.display());
        let config = parse(&line).unwrap();
        assert_eq!((config.domain.as_str(), config.is_tls()), ("a.test", false));
        let config =
            parse(&format!("{line} --domain b.test --dev --names invite --listen 127.0.0.1:2")).unwrap();
        assert_eq!((config.domain.as_str(), config.dev, config.listen[0].port()), ("b.test", true, 2));
        let names = config.names.unwrap();
        assert_eq!((names.policy, names.reserved.len()), (NamePolicy::Invite, 1));
    }
}
