//! What happens without being asked for.

use super::host::Host;
use crate::failure::Failure;
use openpeer::Event;
use serde_json::json;
use std::sync::Arc;

/// Tells the caller of an event.
pub(super) fn handle(host: &Arc<Host>, event: Event) -> Result<(), Failure> {
    match event {
        Event::Ready => host.tell("ready", json!({})),
        Event::Online(domain) => host.tell("online", json!({ "domain": domain })),
        Event::Offline(domain) => host.tell("offline", json!({ "domain": domain })),
        Event::Knock(knock) => host.tell(
            "knock",
            json!({
                "knock": knock.id().to_string(),
                "peer": knock.peer(),
                "claimed_name": knock.name(),
                "text": knock.text(),
            }),
        ),
        Event::LinkOpened(link) => {
            let account = host.keep(link);
            host.tell("link-opened", account)
        }
        Event::LinkEnded { link, peer, reason } => {
            host.tell("link-ended", json!({ "link": link.0, "peer": peer, "code": reason.as_str() }))
        }
        Event::ContactChanged { peer, state } => {
            host.tell("contact-changed", json!({ "peer": peer, "state": state }))
        }
        Event::DocumentsUpdated { peer } => host.tell("documents-updated", json!({ "peer": peer })),
        Event::Alarm { error, peer } => host.tell(
            "alarm",
            json!({ "code": error.code().as_str(), "message": error.to_string(), "peer": peer }),
        ),
        _ => Ok(()),
    }
}
