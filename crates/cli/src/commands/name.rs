//! `openpeer name`: names at domains.

use super::open;
use crate::args::NameCommand;
use crate::failure::Failure;
use crate::output::Output;
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
            let result = claim.await;
            peer.close().await;
            let address = result?.to_string();
            output.result(&json!({ "claimed": address }), || format!("You are {address}."))
        }
        NameCommand::Release { address, peer } => {
            let peer = open(&peer).await?;
            let result = peer.release(&address).await;
            peer.close().await;
            result?;
            output.result(&json!({ "released": address }), || {
                format!("{address} is released. Nobody can claim it for 90 days, and then only with the operator's help.")
            })
        }
    }
}
