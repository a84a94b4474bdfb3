//! `openpeer agent`: a peer driven by another process, JSON lines in and out. The demonstration and the tests of real
//! processes use it; it is hidden from the help because its commands may change without notice.
//!
//! Each line in is a command with an `id` of the caller's choice, `{"id": 1, "do": "connect", "to": "bob@b.test"}`, and
//! is answered by `{"id": 1, "ok": …}` or `{"id": 1, "error": {"code": …, "message": …}}`, whenever it is done: commands
//! run side by side. What happens without being asked for is a line with `event`. The agent ends with its input.

mod command;
mod event;
mod host;

use crate::args::Agent;
use crate::commands::{Typed, open};
use crate::failure::Failure;
use command::Request;
use host::Host;
use openpeer::{Event, Peer};
use std::sync::Arc;

pub(crate) async fn run(arguments: Agent) -> Result<(), Failure> {
    let peer = open(&arguments.peer).await?;
    let host = Arc::new(Host::new(peer.clone(), arguments.files));
    let result = serve(&peer, &host).await;
    peer.close().await;
    result
}

async fn serve(peer: &Peer, host: &Arc<Host>) -> Result<(), Failure> {
    let mut typed = Typed::new();
    loop {
        tokio::select! {
            line = typed.next() => match line {
                Some(line) => start(host, &line)?,
                None => return Ok(()),
            },
            event = peer.next_event() => match event {
                Some(Event::Failed(error)) => return Err(error.into()),
                Some(event) => event::handle(host, event)?,
                None => return Err(openpeer::Error::Closed.into()),
            },
        }
    }
}

fn start(host: &Arc<Host>, line: &str) -> Result<(), Failure> {
    let Request { id, command } = serde_json::from_str(line)
        .map_err(|error| Failure::usage(format!("a line that is no command: {error}")))?;
    let host = host.clone();
    tokio::spawn(async move {
        let result = command::execute(&host, command).await;
        // A caller that reads no more has closed the input too, which ends the agent.
        let _ = host.answer(id, result);
    });
    Ok(())
}
