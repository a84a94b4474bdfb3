//! Reaching somebody: `openpeer find`, `chat` and `send`.

use super::contacts::look_up;
use super::lines::Typed;
use super::open;
use crate::args::{Connect, Send};
use crate::chat;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::FileProgress;
use crate::screen::plain;
use crate::signals::Signals;
use crate::transfer;
use openpeer::{Event, Link, Peer};
use openpeer_core::Code;
use openpeer_core::peer::Progress;
use openpeer_core::uri::Address;
use openpeer_link::{ConnectReport, PathInfo, PathKind};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// `openpeer find`: connects, says how, and closes.
pub(super) async fn find(arguments: Connect, output: Output) -> Result<(), Failure> {
    with_link(&arguments, output, async |link| {
        let report = link.report();
        let path = link.path();
        let object = json!({
            "event": "found",
            "peer": link.peer(),
            "location": link.location(),
            "path": path.map(|path| path.kind),
            "transport": TRANSPORT,
            "dtls": report.dtls,
            "report": report,
        });
        output.result(&object, || describe(&arguments.to, path, &report))
    })
    .await
}

/// `openpeer chat`: lines from standard input go to the other side, theirs to standard output.
pub(super) async fn chat(arguments: Connect, output: Output) -> Result<(), Failure> {
    with_link(&arguments, output, async |link| {
        let channel = link.open(chat::CHANNEL).await?;
        output.note("connected; type lines, end with Ctrl-D");
        let mut typed = Typed::new();
        loop {
            tokio::select! {
                line = typed.next() => match line {
                    Some(line) if line.is_empty() => {}
                    Some(line) => chat::send(&channel, &line).await?,
                    None => return Ok(()),
                },
                text = chat::receive(&channel) => {
                    let text = text.ok_or_else(|| Failure::new("link-ended", "the other side left the chat"))?;
                    let object = json!({ "event": "message", "peer": link.peer(), "text": text });
                    output.result(&object, || format!("{}: {}", plain(&arguments.to), plain(&text)))?;
                }
            }
        }
    })
    .await
}

/// `openpeer send`: offers a file and sends it once it is accepted.
pub(super) async fn send(arguments: Send, output: Output) -> Result<(), Failure> {
    let Send { file, connect } = arguments;
    // Known before anybody is disturbed.
    std::fs::metadata(&file).map_err(|error| Failure::file(&file, &error))?;
    with_link(&connect, output, async |link| {
        let channel = link.open(transfer::CHANNEL).await?;
        output.note("offered; waiting for a yes");
        let bar = FileProgress::new(output);
        let sent = transfer::send(&channel, &file, |sent, total| bar.show(sent, total)).await;
        bar.end();
        let bytes = sent?;
        let object = json!({ "event": "sent", "peer": link.peer(), "file": file.display().to_string(), "bytes": bytes });
        output.result(&object, || format!("{} arrived complete ({bytes} bytes, SHA-256 compared)", file.display()))
    })
    .await
}

/// What links run over in this version.
pub(crate) const TRANSPORT: &str = "webrtc";

/// Opens the peer, connects, does something with the link, and closes everything in good order.
async fn with_link(
    arguments: &Connect,
    output: Output,
    action: impl AsyncFnOnce(&Link) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let peer = open(&arguments.peer).await?;
    let result = tokio::select! {
        result = async { action(&connect(&peer, arguments, output).await?).await } => result,
        failure = watch(&peer, output) => Err(failure),
        () = signals.next() => Err(Failure::new("cancelled", "interrupted")),
    };
    peer.close().await;
    result
}

async fn connect(peer: &Peer, arguments: &Connect, output: Output) -> Result<Link, Failure> {
    let to = match Address::from_text(&arguments.to) {
        Ok(address) => address.to_string(),
        // The user's own names for contacts look like nothing in particular.
        Err(error) => look_up(peer, &arguments.to).await.map_err(|_| error)?.to_string(),
    };
    let connect = peer.connect(to).text(&arguments.text).progress(move |step| output.note(words(step)));
    match timeout(Duration::from_secs(arguments.patience), connect.into_future()).await {
        Ok(link) => Ok(link?),
        Err(_) => Err(Failure::from(openpeer_core::Error::from(Code::Timeout))),
    }
}

/// Tells the user what he must see while the command runs; ends only if the peer does.
async fn watch(peer: &Peer, output: Output) -> Failure {
    while let Some(event) = peer.next_event().await {
        match event {
            Event::Alarm { error, .. } if is_for_the_user(error.code()) => {
                output.note(&format!("warning[{}]: {error}", error.code()));
            }
            Event::Failed(error) => return error.into(),
            _ => {}
        }
    }
    openpeer::Error::Closed.into()
}

/// Whether somebody may be pretending, or the user has to act.
pub(super) const fn is_for_the_user(code: Code) -> bool {
    matches!(
        code,
        Code::BadCertificate
            | Code::DomainKeyChanged
            | Code::Fork
            | Code::PrerotationMismatch
            | Code::Replaced
            | Code::Reset
            | Code::WrongDomain
    )
}

const fn words(step: Progress) -> &'static str {
    match step {
        Progress::Resolving => "asking the domain who that is",
        Progress::Knocking => "knocked; now a person decides",
        Progress::Finding(_) => "asking where they are",
        Progress::Linking(_) => "they answered; linking",
    }
}

fn describe(to: &str, path: Option<PathInfo>, report: &ConnectReport) -> String {
    let kind = match path.map(|path| path.kind) {
        Some(PathKind::Direct) => "directly",
        Some(PathKind::Relayed) => "through a relay",
        None => "over a path that just failed",
    };
    let rtt =
        path.and_then(|path| path.rtt_ms).map_or_else(String::new, |rtt| format!(", round trip {rtt:.1} ms"));
    let dtls = report.dtls.as_deref().unwrap_or("?");
    format!("{} is there, reached {kind}{rtt}, encrypted with DTLS {dtls}", plain(to))
}
