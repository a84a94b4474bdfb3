//! What is told of the demonstration.

use serde::Serialize;
use serde_json::Value;

/// The whole account; with `--json` this object.
#[derive(Serialize)]
pub(super) struct Account {
    pub(super) steps: Vec<Step>,
    pub(super) link: LinkAccount,
    pub(super) server_bytes: ServerBytes,
    /// How many servers were killed with SIGKILL.
    pub(super) servers_killed: u32,
    pub(super) before_kill: Conversation,
    pub(super) after_kill: Conversation,
}

/// Something that happened and how long it took.
#[derive(Clone, Serialize)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) ms: f64,
}

/// The link that lives through it all, as the seeker sees it.
#[derive(Serialize)]
pub(super) struct LinkAccount {
    pub(super) path: Value,
    pub(super) transport: Value,
    pub(super) dtls: Value,
}

/// Bytes through both servers, in and out, TLS aside, by their own metrics.
#[derive(Serialize)]
pub(super) struct ServerBytes {
    /// Exchange and session frames from the knock to the open link.
    pub(super) first_contact: u64,
    /// HTTP beside them: lookup of the name, upgrade to WebSocket.
    pub(super) first_contact_http: u64,
    /// Exchange and session frames to find a contact again.
    pub(super) contact: u64,
    /// HTTP beside them.
    pub(super) contact_http: u64,
    /// Exchange frames while the two talked with the servers alive.
    pub(super) after_link: u64,
    /// Pings and pongs in that time, per minute and session.
    pub(super) keepalive_per_minute: f64,
}

/// What went over the link.
#[derive(Clone, Default, Serialize)]
pub(super) struct Conversation {
    /// Messages that arrived, both directions together.
    pub(super) messages: u64,
    /// Bytes of the file that arrived.
    pub(super) file_bytes: u64,
    /// Whether it is the file that was sent.
    pub(super) file_ok: bool,
    /// Whether ICE was restarted and the link went on.
    pub(super) ice_restart: bool,
    /// Whether a new channel was opened and carried a message there and back.
    pub(super) new_channel: bool,
    /// Whether one side wrote its documents anew and the other saw it; only asked for without servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) documents_update: Option<bool>,
}

impl Account {
    /// The summary for people.
    pub(super) fn words(&self) -> String {
        let ServerBytes { first_contact, contact, after_link, keepalive_per_minute, .. } = &self.server_bytes;
        let seconds: f64 = self.steps.iter().map(|step| step.ms).sum::<f64>() / 1000.0;
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        format!(
            "\nThe link: {} over {}, DTLS {}.\n\
             Through both servers, in and out:\n  \
             first contact            {first_contact:>8} bytes\n  \
             finding a contact again  {contact:>8} bytes\n  \
             while the two talked     {after_link:>8} bytes\n  \
             keep-alives              {keepalive_per_minute:>8.1} bytes a minute and session\n\
             Without any server: {} messages, a file of {} MiB, a new path, a new channel, new documents.\n\
             {seconds:.1} s in all.",
            text(&self.link.path),
            text(&self.link.transport),
            text(&self.link.dtls),
            self.after_kill.messages,
            self.after_kill.file_bytes >> 20,
        )
    }
}
