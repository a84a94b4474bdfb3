//! `openpeer name`: names at domains.

use super::open;
use crate::args::NameCommand;
use crate::failure::Failure;
use crate::output::Output;
use openpeer::{Code, Event, Peer};
use serde_json::json;

pub(super) async fn run(command: NameCommand, output: Output) -> Result<(), Failure> {
    match command {
        NameCommand::Claim { name, at, invite, peer } => {
            let peer = open(&peer).await?;
            let mut claim = peer.claim(&name);
            if let Some(domain) = at {
                claim = claim.at(&domain);
            }
            if let Some(invite) = invite {
                claim = claim.invite(invite);
            }
            let result = unless_refused(&peer, claim.into_future()).await;
            peer.close().await;
            let address = result?.to_string();
            output.result(&json!({ "claimed": address }), || format!("You are {address}."))
        }
        NameCommand::Release { address, peer } => {
            let peer = open(&peer).await?;
            let result = unless_refused(&peer, peer.release(&address)).await;
            peer.close().await;
            result?;
            output.result(&json!({ "released": address }), || {
                format!("{address} is released. Nobody can claim it for 90 days, and then only with the operator's help.")
            })
        }
    }
}

/// Waits for a wish, but not beyond the moment at which the domain's certificate is refused: the peer would go on
/// trying, and a person has to act first.
async fn unless_refused<T>(
    peer: &Peer,
    wish: impl Future<Output = Result<T, openpeer::Error>>,
) -> Result<T, Failure> {
    let refusal = async {
        loop {
            match peer.next_event().await {
                Some(Event::Alarm { error, .. }) if error.code() == Code::BadCertificate => {
                    return error.into();
                }
                Some(Event::Failed(error)) => return error.into(),
                Some(_) => {}
                None => return openpeer::Error::Closed.into(),
            }
        }
    };
    tokio::select! {
        result = wish => Ok(result?),
        failure = refusal => Err(failure),
    }
}
