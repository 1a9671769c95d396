//! A bad network to put before any server: a TCP proxy that refuses, cuts, delays, stalls and throttles by a seed, and now and then
//! answers with a login page, as a hotel's network does.
//!
//! It knows of HTTP only that one side speaks and then the other: each time the client begins to speak again a new exchange begins,
//! with a mishap of its own. So a fault can hit any request of a connection that is kept alive. It reads no content, and every wait has
//! a bound, so a run through it ends.

mod luck;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use luck::{Exchange, Luck};
pub use luck::{FAIR, Line, RURAL, TWO_G, Way, Weather};

/// What a captive portal answers, whatever was asked.
const LOGIN_PAGE: &str = "<html><head><title>Wi-Fi</title></head><body>请登录后上网 Please sign in to use this network</body></html>";

/// Bytes read at a time: small, so that a cut or a stall falls within a message.
const PIECE_BYTES: usize = 16 * 1024;
/// Bytes that a poor line carries at a time.
const PACKET_BYTES: usize = 1_400;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What happened so far.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Counts { $($(#[$doc])* pub $name: u64),* }

        #[derive(Debug, Default)]
        struct Counters { $($name: AtomicU64),* }

        impl Counters {
            fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed)),* }
            }
        }

        impl Counts {
            /// Each count with its name.
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

counts! {
    /// Connections that clients opened.
    connections,
    /// Requests that began.
    exchanges,
    /// Connections refused.
    refused,
    /// Requests cut after some bytes, or none.
    cut_requests,
    /// Responses cut after some bytes, or none.
    cut_responses,
    /// Connections whose line died.
    died,
    /// Requests that waited before they went on.
    delayed,
    /// Messages that stood still for a while.
    stalled,
    /// Exchanges over a thin line.
    throttled,
    /// Login pages in place of an answer.
    portals,
    /// Bytes from clients.
    bytes_up,
    /// Bytes to clients.
    bytes_down,
}

impl Counts {
    /// Connections and messages that did not come through.
    pub fn cuts(&self) -> u64 {
        self.refused + self.cut_requests + self.cut_responses + self.died
    }
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    seed: u64,
    weather: Mutex<Weather>,
    counters: Counters,
}

impl Shared {
    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A proxy at work. Its connections end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens at one address and leads to another. Must be called within a runtime.
    pub async fn start(
        listen: SocketAddr,
        to: SocketAddr,
        seed: u64,
        weather: Weather,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            to,
            seed,
            weather: Mutex::new(weather),
            counters: Counters::default(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    /// Its address for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes how bad the network is, from the next exchange on.
    pub fn set_weather(&self, weather: Weather) {
        *self
            .shared
            .weather
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.shared.counters.read()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Takes connections. Those at work end with this task.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        while connections.try_join_next().is_some() {}
        // Without a free socket there is nothing to do but to try again when a connection has ended.
        let Ok((client, _)) = listener.accept().await else {
            connections.join_next().await;
            continue;
        };
        number += 1;
        let luck = Luck::new(shared.seed, number);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // Whatever ends a connection is what a bad network does.
            drop(live(&shared, luck, client).await);
        });
    }
}

/// Carries one connection as long as its line lives.
async fn live(shared: &Shared, mut luck: Luck, client: TcpStream) -> std::io::Result<()> {
    let Some(ms) = luck.life_ms(&shared.weather()) else {
        return carry(shared, luck, client).await;
    };
    let carried = tokio::time::timeout(Duration::from_millis(ms), carry(shared, luck, client));
    carried.await.unwrap_or_else(|_| {
        count(&shared.counters.died);
        Ok(())
    })
}

/// Carries one connection until either side, or a mishap, ends it.
async fn carry(shared: &Shared, mut luck: Luck, client: TcpStream) -> std::io::Result<()> {
    let counters = &shared.counters;
    count(&counters.connections);
    if luck.refuses(&shared.weather()) {
        count(&counters.refused);
        return Ok(());
    }
    let server = TcpStream::connect(shared.to).await?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut up, mut down) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut exchange = Exchange::default();
    let mut last = Way::Down;
    loop {
        let (way, len) = tokio::select! {
            read = from_client.read(&mut up) => (Way::Up, read?),
            read = from_server.read(&mut down) => (Way::Down, read?),
        };
        if len == 0 {
            return Ok(());
        }
        if way == Way::Up && last == Way::Down {
            count(&counters.exchanges);
            exchange = luck.exchange(&shared.weather());
            if exchange.is_portal {
                count(&counters.portals);
                return answer_instead(&mut from_client, &mut to_client).await;
            }
        }
        let is_first = last != way;
        last = way;
        if let Some(line) = shared.weather().line {
            let (piece, to): (_, &mut (dyn tokio::io::AsyncWrite + Unpin + Send)) = match way {
                Way::Up => (&up, &mut to_server),
                Way::Down => (&down, &mut to_client),
            };
            if is_first {
                pass_time(line.delay_ms).await;
            }
            crawl(counters, (line, &mut luck), way, &piece[..len], to).await?;
            continue;
        }
        let goes_on = match way {
            Way::Up => pass(counters, &mut exchange, way, &up, len, &mut to_server).await?,
            Way::Down => pass(counters, &mut exchange, way, &down, len, &mut to_client).await?,
        };
        if !goes_on {
            return Ok(());
        }
    }
}

/// Passes on a piece of a message. False: the connection is cut here.
async fn pass(
    counters: &Counters,
    exchange: &mut Exchange,
    way: Way,
    piece: &[u8],
    len: usize,
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
) -> std::io::Result<bool> {
    let (bytes, cuts) = match way {
        Way::Up => (&counters.bytes_up, &counters.cut_requests),
        Way::Down => (&counters.bytes_down, &counters.cut_responses),
    };
    if let Some(ms) = exchange.take_delay() {
        count(&counters.delayed);
        pass_time(ms).await;
    }
    if let Some(ms) = exchange.take_stall(way, len) {
        count(&counters.stalled);
        pass_time(ms).await;
    }
    let (kept, is_cut) = exchange.kept(way, len);
    to.write_all(piece.get(..kept).unwrap_or_default()).await?;
    bytes.fetch_add(kept as u64, Ordering::Relaxed);
    if is_cut {
        count(cuts);
        to.flush().await?;
        return Ok(false);
    }
    if let Some(ms) = exchange.throttle(len) {
        if exchange.is_first_throttled() {
            count(&counters.throttled);
        }
        pass_time(ms).await;
    }
    Ok(true)
}

/// Passes on a piece of a message packet by packet, as a poor line does.
async fn crawl(
    counters: &Counters,
    (line, luck): (Line, &mut Luck),
    way: Way,
    piece: &[u8],
    to: &mut (dyn tokio::io::AsyncWrite + Unpin + Send),
) -> std::io::Result<()> {
    let bytes = match way {
        Way::Up => &counters.bytes_up,
        Way::Down => &counters.bytes_down,
    };
    for packet in piece.chunks(PACKET_BYTES) {
        pass_time(line.packet_ms(packet.len(), luck)).await;
        to.write_all(packet).await?;
        bytes.fetch_add(packet.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// Answers as a captive portal does, and takes in what the client still had to say, so that the answer arrives.
async fn answer_instead(
    from_client: &mut (impl tokio::io::AsyncRead + Unpin),
    to_client: &mut (impl tokio::io::AsyncWrite + Unpin),
) -> std::io::Result<()> {
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{LOGIN_PAGE}",
        LOGIN_PAGE.len()
    );
    to_client.write_all(answer.as_bytes()).await?;
    to_client.shutdown().await?;
    let mut rest = vec![0; PIECE_BYTES];
    let drain = async { while from_client.read(&mut rest).await.is_ok_and(|len| len > 0) {} };
    drop(tokio::time::timeout(Duration::from_secs(1), drain).await);
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bad network is one in which time passes"
)]
async fn pass_time(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
