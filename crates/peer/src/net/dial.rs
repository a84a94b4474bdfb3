use crate::defaults::CONNECTION_ATTEMPT_DELAY;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// Connects to the first address that answers: one attempt after the other, each given a head start
/// (RFC 8305 section 5). The slower attempts are dropped.
pub(super) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    attempts.extend(waiting.next().map(attempt));
    while !attempts.is_empty() {
        tokio::select! {
            Some(result) = attempts.next() => match result {
                Ok(socket) => return Ok(socket),
                Err(error) => {
                    failure = error;
                    attempts.extend(waiting.next().map(attempt));
                }
            },
            () = tokio::time::sleep(CONNECTION_ATTEMPT_DELAY), if waiting.len() > 0 => {
                attempts.extend(waiting.next().map(attempt));
            }
        }
    }
    Err(failure)
}

async fn attempt(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    // Frames are small and answers are waited for.
    socket.set_nodelay(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn goes_on_to_an_address_that_answers() {
        let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = connect(vec![dead, alive.local_addr().unwrap()]).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), alive.local_addr().unwrap());
        assert_eq!(connect(vec![dead]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(connect(Vec::new()).await.is_err());
    }
}
