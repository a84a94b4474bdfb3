//! The commands.

use super::host::Host;
use crate::failure::Failure;
use crate::{chat, transfer};
use openpeer::{KnockId, Link};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// A line in.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    pub(super) id: u64,
    #[serde(flatten)]
    pub(super) command: Command,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Command {
    /// Claims a name at the first domain.
    Claim { name: String },
    /// Opens a link: `{"link", "peer"}`.
    Connect {
        to: String,
        #[serde(default)]
        text: String,
    },
    /// Says yes to a knock: `{"link", "peer"}`.
    Accept { knock: String },
    /// Says no to a knock.
    Decline { knock: String },
    /// Sends a text on the link's chat, which is opened with the first.
    Chat { link: u64, text: String },
    /// Opens a channel that the other agent echoes, and sends a text there and back: `{"echo"}`.
    Echo { link: u64, text: String },
    /// Sends a file: `{"bytes"}` once the other end confirmed the hash.
    Send { link: u64, file: PathBuf },
    /// Decides about an offered file.
    Take { offer: u64, yes: bool },
    /// Restarts ICE; done when the link uses the new credentials.
    RestartIce { link: u64 },
    /// Path, DTLS version and report of a link.
    Report { link: u64 },
    /// Closes a link.
    Close { link: u64 },
    /// Writes all own documents anew.
    RenewDocuments,
    /// Who the peer knows: a list.
    Contacts,
}

/// Carries out a command.
pub(super) async fn execute(host: &Arc<Host>, command: Command) -> Result<Value, Failure> {
    match command {
        Command::Claim { name } => Ok(json!({ "address": host.peer.claim(&name).await?.to_string() })),
        Command::Connect { to, text } => Ok(host.keep(host.peer.connect(to).text(text).await?)),
        Command::Accept { knock } => {
            Ok(host.keep(host.peer.accept_knock(KnockId::from_text(&knock)?).await?))
        }
        Command::Decline { knock } => {
            host.peer.decline_knock(KnockId::from_text(&knock)?);
            Ok(json!({}))
        }
        Command::Chat { link, text } => {
            chat::send(&*host.chat(link).await?, &text).await?;
            Ok(json!({}))
        }
        Command::Echo { link, text } => echo(&host.link(link)?, &text).await,
        Command::Send { link, file } => {
            let channel = host.link(link)?.open(transfer::CHANNEL).await?;
            Ok(json!({ "bytes": transfer::send(&channel, &file, |_, _| ()).await? }))
        }
        Command::Take { offer, yes } => host.decide(offer, yes).map(|()| json!({})),
        Command::RestartIce { link } => {
            host.link(link)?.restart_ice().await?;
            Ok(json!({}))
        }
        Command::Report { link } => Ok(report(&host.link(link)?)),
        Command::Close { link } => {
            host.forget(link)?.close();
            Ok(json!({}))
        }
        Command::RenewDocuments => {
            host.peer.renew_documents();
            Ok(json!({}))
        }
        Command::Contacts => {
            let contacts = host.peer.contacts().await?;
            let contacts = contacts.iter().map(|contact| {
                json!({ "peer": contact.peer, "state": contact.state, "introduced": contact.introduced })
            });
            Ok(contacts.collect())
        }
    }
}

/// Name of channels whose messages come back.
pub(super) const ECHO: &str = "echo";

async fn echo(link: &Link, text: &str) -> Result<Value, Failure> {
    let channel = link.open(ECHO).await?;
    channel.send(text).await?;
    let back = channel
        .recv()
        .await?
        .ok_or_else(|| Failure::new("link-ended", "the other end closed the channel"))?;
    Ok(json!({ "echo": String::from_utf8_lossy(&back) }))
}

fn report(link: &Link) -> Value {
    let report = link.report();
    let path = link.path().map(|path| path.kind);
    json!({ "path": path, "transport": crate::commands::TRANSPORT, "dtls": report.dtls, "report": report })
}
