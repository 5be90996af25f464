//! Relays that make loopback far away: what is sent arrives half a round trip later, each way.
//!
//! A relay cannot delay the kernel's own SYN-ACK, so connecting takes no time here. The round trip that it would have
//! taken is added to the first bytes the client sends: they leave the client's side one whole round trip after the
//! connection was made, which is when an honest SYN-ACK would have let them go. Every ladder of more than a bare
//! connection is therefore as long as it would be, only divided otherwise among its steps.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Longest datagram that passes.
const DATAGRAM: usize = 4096;

/// Relays datagrams between whoever sends to `front` and the server at `back`.
pub async fn datagrams(front: UdpSocket, back: SocketAddr, half: Duration) {
    let front = Arc::new(front);
    let mut peers: HashMap<SocketAddr, mpsc::UnboundedSender<(Instant, Vec<u8>)>> = HashMap::new();
    let mut bytes = [0; DATAGRAM];
    loop {
        let Ok((length, peer)) = front.recv_from(&mut bytes).await else {
            continue;
        };
        let due = Instant::now() + half;
        let sender = peers.entry(peer).or_insert_with(|| {
            let (sender, queue) = mpsc::unbounded_channel();
            let front = Arc::clone(&front);
            tokio::spawn(async move { drop(one_peer(front, peer, back, queue, half).await) });
            sender
        });
        drop(sender.send((due, bytes[..length].to_vec())));
    }
}

async fn one_peer(
    front: Arc<UdpSocket>,
    peer: SocketAddr,
    back: SocketAddr,
    mut queue: mpsc::UnboundedReceiver<(Instant, Vec<u8>)>,
    half: Duration,
) -> io::Result<()> {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
    socket.connect(back).await?;
    let answers = Arc::clone(&socket);
    tokio::spawn(async move {
        let mut bytes = [0; DATAGRAM];
        while let Ok(length) = answers.recv(&mut bytes).await {
            let due = Instant::now() + half;
            let (front, bytes) = (Arc::clone(&front), bytes[..length].to_vec());
            tokio::spawn(async move {
                sleep_until(due).await;
                drop(front.send_to(&bytes, peer).await);
            });
        }
    });
    while let Some((due, bytes)) = queue.recv().await {
        sleep_until(due).await;
        socket.send(&bytes).await?;
    }
    Ok(())
}

/// Relays every connection to `front` to the server at `back`.
pub async fn streams(front: TcpListener, back: SocketAddr, half: Duration) {
    loop {
        let Ok((near, _)) = front.accept().await else {
            continue;
        };
        tokio::spawn(async move { drop(one_stream(near, back, half).await) });
    }
}

async fn one_stream(near: TcpStream, back: SocketAddr, half: Duration) -> io::Result<()> {
    let begun = Instant::now();
    // The SYN arrives half a round trip after it was sent.
    sleep_until(begun + half).await;
    let far = TcpStream::connect(back).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let there = carry(near_read, far_write, begun + half * 2, half);
    let back_again = carry(far_read, near_write, begun + half, half);
    tokio::try_join!(there, back_again)?;
    Ok(())
}

/// Carries bytes: none counts as sent before `earliest`, and each arrives half a round trip after it was sent.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    earliest: Instant,
    half: Duration,
) -> io::Result<()> {
    let (sender, mut queue) = mpsc::unbounded_channel();
    let reading = async move {
        let mut bytes = vec![0; 16 << 10];
        loop {
            let length = from.read(&mut bytes).await?;
            let due = Instant::now().max(earliest) + half;
            // The receiver is gone when writing failed; an empty piece is the end.
            if sender.send((due, bytes[..length].to_vec())).is_err() || length == 0 {
                return Ok::<(), io::Error>(());
            }
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = queue.recv().await {
            sleep_until(due).await;
            if bytes.is_empty() {
                return to.shutdown().await;
            }
            to.write_all(&bytes).await?;
        }
        Ok(())
    };
    tokio::try_join!(reading, writing)?;
    Ok(())
}
