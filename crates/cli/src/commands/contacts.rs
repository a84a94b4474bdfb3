//! `openpeer contacts` and `openpeer compare`.

use super::open::open_offline;
use crate::args::{ContactChange, Contacts, To};
use crate::failure::Failure;
use crate::output::Output;
use crate::screen::plain;
use openpeer::Peer;
use openpeer_core::document::PeerId;
use openpeer_core::peer::{Contact, ContactState, LinkSetting};
use serde::Serialize;
use serde_json::json;

pub(super) async fn run(arguments: Contacts, output: Output) -> Result<(), Failure> {
    let options = match &arguments.change {
        None => &arguments.peer,
        Some(ContactChange::Rename { peer, .. }) => peer,
        Some(ContactChange::Block(who) | ContactChange::Unblock(who) | ContactChange::Remove(who)) => {
            &who.peer
        }
    };
    let peer = open_offline(options).await?;
    let result = match arguments.change {
        None => list(&peer, output).await,
        Some(change) => apply(&peer, change, output).await,
    };
    peer.close().await;
    result
}

/// `openpeer compare`.
pub(super) async fn compare(arguments: To, output: Output) -> Result<(), Failure> {
    let peer = open_offline(&arguments.peer).await?;
    let other = look_up(&peer, &arguments.to).await;
    let number = other.map(|other| (other, peer.safety_number(other)));
    peer.close().await;
    let (other, number) = number?;
    output.result(&json!({ "peer": other, "safety_number": number }), || {
        format!(
            "{number}\n\nCompare these digits with {} in person or by phone. If they are the same on both sides, nobody \
             stands between you.",
            plain(&arguments.to)
        )
    })
}

/// The peer that a user means: by id, or by what the list of contacts shows.
pub(super) async fn look_up(peer: &Peer, who: &str) -> Result<PeerId, Failure> {
    if let Ok(id) = PeerId::from_text(who) {
        return Ok(id);
    }
    let contacts = peer.contacts().await?;
    let mut found = contacts.iter().filter(|contact| is_called(contact, who)).map(|contact| contact.peer);
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(Failure::new(
            "invalid-argument",
            format!("`{}` is more than one contact: give the peer id", plain(who)),
        )),
        (None, _) => {
            let message =
                format!("`{}` is no contact: see `openpeer contacts`, or give the peer id", plain(who));
            Err(Failure::new("not-contact", message))
        }
    }
}

fn is_called(contact: &Contact, who: &str) -> bool {
    let introduced = contact.introduced.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(who));
    introduced || contact.name.as_deref() == Some(who)
}

async fn list(peer: &Peer, output: Output) -> Result<(), Failure> {
    let contacts = peer.contacts().await?;
    if contacts.is_empty() {
        output.note("Nobody yet. Find somebody with `openpeer find NAME@DOMAIN`.");
    }
    contacts.iter().try_for_each(|contact| show(contact, output))
}

async fn apply(peer: &Peer, change: ContactChange, output: Output) -> Result<(), Failure> {
    let (ContactChange::Rename { who, .. }
    | ContactChange::Block(crate::args::Who { who, .. })
    | ContactChange::Unblock(crate::args::Who { who, .. })
    | ContactChange::Remove(crate::args::Who { who, .. })) = &change;
    let id = look_up(peer, who).await?;
    match change {
        ContactChange::Rename { name, .. } => peer.rename(id, name),
        ContactChange::Block(_) => peer.block(id),
        ContactChange::Unblock(_) => peer.unblock(id),
        ContactChange::Remove(_) => peer.remove(id),
    }
    let contacts = peer.contacts().await?;
    match contacts.iter().find(|contact| contact.peer == id) {
        Some(contact) => show(contact, output),
        None => output
            .result(&json!({ "peer": id, "state": ContactState::None }), || format!("{id} is no contact")),
    }
}

fn show(contact: &Contact, output: Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shown<'a> {
        peer: PeerId,
        state: ContactState,
        name: Option<&'a str>,
        introduced: Option<&'a str>,
        setting: LinkSetting,
    }
    let Contact { peer, state, name, introduced, setting, .. } = contact;
    let shown = Shown {
        peer: *peer,
        state: *state,
        name: name.as_deref(),
        introduced: introduced.as_deref(),
        setting: *setting,
    };
    output.result(&shown, || {
        let state = match state {
            ContactState::None => "nobody",
            ContactState::Requested => "asked",
            ContactState::Contact => "contact",
            ContactState::Blocked => "blocked",
        };
        let introduced = introduced
            .as_deref()
            .map_or_else(String::new, |name| format!(" (introduced as {}, not verified)", plain(name)));
        let name = name.as_deref().map_or_else(String::new, |name| format!(" {}", plain(name)));
        format!("{state:8} {peer}{name}{introduced}")
    })
}
