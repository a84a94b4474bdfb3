//! Floods: many cheap requests, and whether anything of them stays.

use crate::support::http::{get, metric, post};
use crate::support::{Client, dial, domain_document, eventually, plain, spawn_with};
use openpeer_core::document::DomainDocument;
use openpeer_core::frame::{Header, MailboxId};
use openpeer_server::config::{NamePolicy, Names};
use openpeer_server::{Config, Server};
use openpeer_store::{MemoryStore, Store};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Resident memory of this process, which is server, clients and the other tests, KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn garbage_instead_of_http(server: &Server) {
    let mut stream = dial(server).await;
    let _ = stream.write_all(&[0xFF; 4096]).await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

async fn bad_claims_and_lookups(server: &Server, n: u32) {
    post(dial(server).await, "/openpeer/names", vec![b'['; 60_000]).await;
    get(dial(server).await, &format!("/.well-known/openpeer?name=name{n}")).await;
    get(dial(server).await, "/openpeer/nonce").await;
}

/// Knocks at mailboxes that nobody has, as large and as many as one connection may.
async fn knocks_at_nobody(server: &Server, domain: &DomainDocument, n: u32) {
    let mut client = Client::over(dial(server).await, domain).await;
    for x in 0..3 {
        let mut to = [7; 16];
        to[..4].copy_from_slice(&n.to_be_bytes());
        to[4] = x as u8;
        client.send(Header::Find { x, to: MailboxId(to), ticket: None, kept: None }, &[0; 10_000]).await;
        client.receive().await;
    }
}

async fn nonsense_until_closed(server: &Server, domain: &DomainDocument) {
    let mut client = Client::over(dial(server).await, domain).await;
    for _ in 0..4 {
        client.send_bytes(vec![0xEE; 100]).await;
    }
    client.read_to_end().await;
}

#[tokio::test]
async fn nothing_of_a_flood_stays() {
    const ROUNDS: u32 = 5;
    const FLOOD: u32 = 60;
    let data = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let config = Config { names: Some(Names::new(NamePolicy::Open)), ..plain(data.path()) };
    let server = spawn_with(config, store.clone()).await;
    let domain = domain_document(&server).await;
    let mut after_first = 0;
    for round in 0..ROUNDS {
        for n in 0..FLOOD {
            tokio::join!(
                garbage_instead_of_http(&server),
                bad_claims_and_lookups(&server, n),
                knocks_at_nobody(&server, &domain, round * FLOOD + n),
                nonsense_until_closed(&server, &domain),
            );
        }
        eventually("sessions end", async || metric(&server, "openpeer_sessions").await == 0).await;
        if round == 0 {
            after_first = resident();
        }
    }
    // What one flood of 60 leaves behind in caches and tables four more of them must not add to; the bodies alone were
    // 20 MB. The margin is for the other tests in this process.
    let grown = resident().saturating_sub(after_first);
    assert!(grown < 16 * 1024, "{grown} KiB");
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.names, counts.knocks), (0, 0));
    for refusal in ["http_refusals_total{code=\"rate-limited\"}", "refusals_total{code=\"too-large\"}"] {
        assert!(metric(&server, &format!("openpeer_{refusal}")).await > 0, "{refusal}");
    }
    assert!(metric(&server, "openpeer_finds_total{outcome=\"rate-limited\"}").await > 0);
}
