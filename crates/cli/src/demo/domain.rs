//! A domain's server as a process, and what it counts.

use super::process::{Family, Process};
use crate::failure::Failure;
use serde_json::Value;
use std::net::SocketAddr;
use std::ops::Sub;
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) struct DomainServer {
    process: Process,
    pub(super) name: &'static str,
    listen: SocketAddr,
    stun: SocketAddr,
    /// The certificate authority to trust.
    pub(super) cacert: PathBuf,
    metrics: SocketAddr,
    /// Bytes of HTTP that reading the metrics has cost so far.
    own_http: u64,
}

/// Bytes through a server, in and out, TLS aside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    /// Sealed frames between seekers and locations.
    pub(super) exchange: u64,
    /// Other frames: greeting, attach.
    pub(super) session: u64,
    /// Pings and pongs.
    pub(super) keepalive: u64,
    /// Lookups, claims and upgrades to WebSocket.
    pub(super) http: u64,
    /// Sessions now.
    pub(super) sessions: u64,
}

impl DomainServer {
    /// Starts a server with keys, data and certificate of its own on free ports; returns once it serves.
    pub(super) async fn start(family: &Family, name: &'static str) -> Result<Self, Failure> {
        let data = family.folder().join(name).display().to_string();
        let arguments = [
            ["serve", "--dev", "--until-stdin-ends"].as_slice(),
            &["--domain", name, "--data", &data],
            &["--listen", "127.0.0.1:0", "--stun", "127.0.0.1:0", "--metrics", "127.0.0.1:0"],
        ];
        let arguments: Vec<_> = arguments.concat().into_iter().map(str::to_owned).collect();
        let mut process = Process::start(family, name, &arguments)?;
        let account = process.line().await?;
        let address = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        let addresses = [&account["listen"][0], &account["stun"], &account["metrics"]].map(address);
        match (addresses, account["cacert"].as_str()) {
            ([Some(listen), Some(stun), Some(metrics)], Some(cacert)) => {
                Ok(Self { process, name, listen, stun, cacert: cacert.into(), metrics, own_http: 0 })
            }
            _ => Err(Failure::new("demo", format!("{name} does not serve: {account}"))),
        }
    }

    /// How peers find the server, as the domain is in no DNS.
    pub(super) fn resolve_rules(&self) -> [String; 2] {
        [(443, self.listen), (self.stun.port(), self.stun)]
            .map(|(port, to)| format!("{}:{port}:{to}", self.name))
    }

    /// What the server has counted until now, without what it costs to ask.
    pub(super) async fn traffic(&mut self) -> Result<Traffic, Failure> {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.metrics);
        let mut stream = TcpStream::connect(self.metrics).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        let mut traffic = parse(&response)
            .ok_or_else(|| Failure::new("demo", format!("the metrics of {} cannot be read", self.name)))?;
        // The server has counted this request, but not its own answer to it.
        traffic.http = traffic.http.saturating_sub(self.own_http + request.len() as u64);
        self.own_http += (request.len() + response.len()) as u64;
        Ok(traffic)
    }

    /// Kills the server with SIGKILL; afterwards nothing listens any more.
    pub(super) async fn kill(&self) -> Result<(), Failure> {
        self.process.kill().await?;
        match TcpStream::connect(self.listen).await {
            Err(_) => Ok(()),
            Ok(_) => Err(Failure::new("demo", format!("{} was killed and still answers", self.name))),
        }
    }
}

impl Sub for Traffic {
    type Output = Self;

    /// What has been counted since `earlier`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            exchange: self.exchange - earlier.exchange,
            session: self.session - earlier.session,
            keepalive: self.keepalive - earlier.keepalive,
            http: self.http - earlier.http,
            sessions: self.sessions,
        }
    }
}

/// Reads the OpenMetrics text of an HTTP response.
fn parse(response: &str) -> Option<Traffic> {
    let (head, body) = response.split_once("\r\n\r\n")?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return None;
    }
    let value = |name: &str| {
        let line =
            body.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
        line.rsplit(' ').next()?.parse::<u64>().ok()
    };
    let bytes = |kind: &str| {
        let one =
            |direction| value(&format!("openpeer_bytes_total{{kind=\"{kind}\",direction=\"{direction}\"}}"));
        Some(one("in")? + one("out")?)
    };
    Some(Traffic {
        exchange: bytes("exchange")?,
        session: bytes("session")?,
        keepalive: bytes("keepalive")?,
        http: bytes("http")?,
        sessions: value("openpeer_sessions")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_server_writes() {
        let line = |kind: &str, direction: &str, value: u64| {
            format!("openpeer_bytes_total{{kind=\"{kind}\",direction=\"{direction}\"}} {value}\n")
        };
        let mut body = "# TYPE openpeer_bytes counter\nopenpeer_sessions 3\n".to_owned();
        for (at, kind) in ["exchange", "session", "keepalive", "http"].into_iter().enumerate() {
            body += &line(kind, "in", at as u64);
            body += &line(kind, "out", 10);
        }
        let traffic = parse(&format!("HTTP/1.1 200 OK\r\nx: y\r\n\r\n{body}")).unwrap();
        let Traffic { exchange, session, keepalive, http, sessions } = traffic;
        assert_eq!((exchange, session, keepalive, http, sessions), (10, 11, 12, 13, 3));
        assert!(parse("HTTP/1.1 404 Not Found\r\n\r\n").is_none());
        assert!(parse("HTTP/1.1 200 OK\r\n\r\n").is_none());
    }
}
