//! `openpeer id`: the peer itself.

use super::open::{Secret, ask, ask_twice, first_line, new_builder, open, open_offline};
use crate::args::{Id, PeerOptions, Transport};
use crate::failure::Failure;
use crate::output::Output;
use openpeer::Peer;
use openpeer_core::key::{KeyId, RecoveryCode};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

pub(super) async fn run(command: Id, output: Output) -> Result<(), Failure> {
    match command {
        Id::New { guest, peer } => new(guest, &peer, output).await,
        Id::Show(arguments) => show(&arguments.peer, output).await,
        Id::Export(arguments) => export(&arguments, output).await,
        Id::Import(arguments) => import(&arguments, output).await,
        Id::Rotate { recovery_code_file, peer } => rotate(recovery_code_file.as_deref(), &peer, output).await,
        Id::Locations { ids, none: _, peer } => locations(&ids, &peer, output).await,
    }
}

async fn new(guest: bool, options: &PeerOptions, output: Output) -> Result<(), Failure> {
    let builder = new_builder(options)?.offline();
    let (peer, code) = if guest {
        (builder.create_guest().await?, None)
    } else {
        let (peer, code) = builder.create().await?;
        (peer, Some(code.to_text()))
    };
    let mut object = describe(&peer);
    object["recovery_code"] = json!(code);
    let shown = output.result(&object, || match &code {
        Some(code) => format!(
            "{}\n\nRecovery code: {code}\n\nWrite it down and keep it apart from this device: only with it can you \
             replace your keys if they are stolen.\nIt is stored nowhere and will not be shown again.",
            words(&peer)
        ),
        None => words(&peer),
    });
    peer.close().await;
    shown
}

async fn show(options: &PeerOptions, output: Output) -> Result<(), Failure> {
    let peer = open_offline(options).await?;
    let shown = output.result(&describe(&peer), || words(&peer));
    peer.close().await;
    shown
}

async fn export(arguments: &Transport, output: Output) -> Result<(), Failure> {
    let peer = open_offline(&arguments.peer).await?;
    let passphrase = export_passphrase(arguments, ask_twice)?;
    let text = peer.export(passphrase.as_str()).await?;
    write_new(&arguments.file, text.as_bytes()).map_err(|error| Failure::file(&arguments.file, &error))?;
    peer.close().await;
    let file = arguments.file.display().to_string();
    output.result(&json!({ "exported": file }), || {
        format!(
            "{file} holds your root key and contacts. Read it on the other device with `openpeer id import`, then \
             delete it."
        )
    })
}

async fn import(arguments: &Transport, output: Output) -> Result<(), Failure> {
    let text =
        std::fs::read_to_string(&arguments.file).map_err(|error| Failure::file(&arguments.file, &error))?;
    let passphrase = export_passphrase(arguments, ask)?;
    let builder = new_builder(&arguments.peer)?.offline();
    let peer = builder.import(&text, passphrase.as_str()).await?;
    let shown = output.result(&describe(&peer), || {
        format!(
            "{}\n\nOn your other device run `openpeer id locations {}`, so that contacts accept both.",
            words(&peer),
            peer.location()
        )
    });
    peer.close().await;
    shown
}

async fn rotate(code_file: Option<&Path>, options: &PeerOptions, output: Output) -> Result<(), Failure> {
    let code = match code_file {
        Some(file) => first_line(file)?,
        None => ask("Recovery code: ")?,
    };
    let code = RecoveryCode::from_text(&code)?;
    let peer = open(options).await?;
    peer.rotate(&code).await?;
    let shown = output.result(&describe(&peer), || {
        format!(
            "{}\n\nYour root key is replaced; your id and recovery code stay. Claim your name again, so that \
             strangers see the new key, and import this peer anew on other devices.",
            words(&peer)
        )
    });
    peer.close().await;
    shown
}

async fn locations(ids: &[String], options: &PeerOptions, output: Output) -> Result<(), Failure> {
    let ids = ids.iter().map(|id| KeyId::from_text(id)).collect::<Result<Vec<_>, _>>()?;
    let peer = open(options).await?;
    let mut object = describe(&peer);
    object["other_locations"] = json!(ids);
    peer.set_other_locations(ids.clone());
    // Closing waits for what was asked before.
    peer.close().await;
    output.result(&object, || match ids.as_slice() {
        [] => "This is the only location of your peer; contacts will refuse all others.".to_owned(),
        ids => format!("Your peer has {} other location(s); contacts will refuse all others.", ids.len()),
    })
}

fn describe(peer: &Peer) -> Value {
    json!({ "peer": peer.id(), "location": peer.location(), "domains": peer.domains() })
}

fn words(peer: &Peer) -> String {
    let domains: Vec<_> = peer.domains().iter().map(ToString::to_string).collect();
    let domains =
        if domains.is_empty() { "none; add one with --domain".to_owned() } else { domains.join(", ") };
    format!("Peer id:  {}\nLocation: {}\nDomains:  {domains}", peer.id(), peer.location())
}

fn export_passphrase(
    arguments: &Transport,
    ask: impl FnOnce(&str) -> Result<Secret, Failure>,
) -> Result<Secret, Failure> {
    match &arguments.export_passphrase_file {
        Some(file) => first_line(file),
        None => ask("Passphrase for the exported file: "),
    }
}

/// Never over an existing file, and readable by its owner only.
fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
