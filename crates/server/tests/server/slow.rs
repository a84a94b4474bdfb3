//! Clients that take their time. Virtual time cannot drive real sockets, so these wait for the real limits, together.

use crate::support::{Io, dial, domain_document, open, plain, spawn, tls};
use openpeer_core::frame::SUBPROTOCOL;
use openpeer_server::Config;
use openpeer_server::config::{NamePolicy, Names};
use openpeer_server::defaults::{HTTP_HEAD_TIMEOUT, TLS_HANDSHAKE_TIMEOUT};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, timeout};

/// Sends one byte of `text` a second, again and again, until the server hangs up; returns how long that took.
async fn drip(mut stream: Box<dyn Io>, text: &'static [u8]) -> Duration {
    let start = Instant::now();
    let mut ticks = interval(Duration::from_secs(1));
    let (mut bytes, mut answer) = (text.iter().cycle(), [0; 1024]);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if stream.write_all(&[*bytes.next().unwrap()]).await.is_err() {
                    return start.elapsed();
                }
            }
            read = stream.read(&mut answer) => if matches!(read, Ok(0) | Err(_)) {
                return start.elapsed();
            },
        }
    }
}

#[tokio::test]
async fn one_byte_a_second_is_not_enough() {
    let data = tempfile::tempdir().unwrap();
    let names = Some(Names::new(NamePolicy::Open));
    let plain = spawn(Config { names, ..plain(data.path()) }).await;
    let tls = spawn(tls(data.path())).await;
    let http = drip(dial(&plain).await, b"GET / HTTP/1.1\r\nx: ");
    let body = async {
        let mut stream = dial(&plain).await;
        let head = b"POST /openpeer/names HTTP/1.1\r\nhost: a.test\r\ncontent-length: 60000\r\n\r\n";
        stream.write_all(head).await.unwrap();
        drip(stream, b" ").await
    };
    let handshake = async {
        let stream: Box<dyn Io> = Box::new(TcpStream::connect(tls.local_addr()).await.unwrap());
        drip(stream, b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03").await
    };
    let frame = async {
        domain_document(&plain).await;
        let socket = open(dial(&plain).await, Some(SUBPROTOCOL)).await.unwrap();
        // A masked binary message of 4096 bytes that never ends.
        let mut stream = socket.into_inner();
        stream.write_all(&[0x82, 0xFE, 0x10, 0x00, 0, 0, 0, 0]).await.unwrap();
        drip(stream, b"\0").await
    };
    let limit = HTTP_HEAD_TIMEOUT.max(TLS_HANDSHAKE_TIMEOUT) + Duration::from_secs(8);
    let all = async { tokio::join!(http, body, handshake, frame) };
    timeout(limit, all).await.expect("a slow client is still connected");
}
