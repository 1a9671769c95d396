//! A wire with a counter: passes TCP connections on to a server and counts what went each way, headers and all.
//!
//! It changes nothing; bad networks are `proxy`'s.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Bytes so far, each way.
#[derive(Debug, Default)]
struct Counts {
    up: AtomicU64,
    down: AtomicU64,
}

/// A counted way to a server.
#[derive(Clone, Debug)]
pub struct Tap {
    /// Its address for clients.
    pub url: String,
    counts: Arc<Counts>,
}

impl Tap {
    /// Listens on a free port of this machine and passes on to a server. Must be called within a runtime; ends with it.
    pub async fn before(server: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let counts = Arc::new(Counts::default());
        let tap = Self {
            url,
            counts: Arc::clone(&counts),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, Arc::clone(&counts)));
            }
        });
        Ok(tap)
    }

    /// Bytes so far: up, down.
    pub fn bytes(&self) -> (u64, u64) {
        (
            self.counts.up.load(Ordering::SeqCst),
            self.counts.down.load(Ordering::SeqCst),
        )
    }
}

async fn pass(client: TcpStream, server: SocketAddr, counts: Arc<Counts>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = copy(from_client, to_server, &counts.up);
    let down = copy(from_server, to_client, &counts.down);
    tokio::join!(up, down);
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &AtomicU64,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        count.fetch_add(len as u64, Ordering::SeqCst);
        if to.write_all(&buffer[..len]).await.is_err() {
            break;
        }
    }
    drop(to.shutdown().await);
}
