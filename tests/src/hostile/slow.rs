//! Clients that keep a server waiting: a head or a body that trickles, a body that stops, answers that nobody takes.
//!
//! Each goes on until the server has had enough. Between two bytes it listens for an answer, so it waits no longer than it must.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Answer, post, round};
use crate::bench::client::PATIENCE;

/// What a slow client owes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Slow {
    /// The head of its request, byte by byte.
    Head,
    /// A body of JSON, byte by byte.
    Json,
    /// All of a round but its first bytes.
    Round,
    /// To take its answers.
    Taking,
}

/// Between two bytes.
const STEP: Duration = Duration::from_millis(20);

impl Slow {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Head, Self::Json, Self::Round, Self::Taking];

    /// Holds a connection until the server ends it. What it answered, where it owes an answer.
    ///
    /// # Errors
    /// What the server did instead.
    pub(crate) fn strike(self, server: SocketAddr, token: &str) -> Result<Option<Answer>, String> {
        let said = |error: std::io::Error| format!("{self:?}: {error}");
        let mut socket = TcpStream::connect(server).map_err(said)?;
        socket.set_write_timeout(Some(PATIENCE)).map_err(said)?;
        let answer = match self {
            Self::Head => trickle(&mut socket, b"GET /healthz HTTP/1.1\r\n", usize::MAX),
            Self::Json => {
                let request = post("/v1/session", "application/json", None, &[b' '; 9_999]);
                let head = request.len() - 9_999;
                trickle(&mut socket, &request[..head], 9_998)
            }
            Self::Round => {
                let request = round(Some(token), b"XCN1 and more");
                let cut = request.len() - b" and more".len();
                trickle(&mut socket, &request[..cut], 0)
            }
            Self::Taking => return never_take(&mut socket).map(|()| None),
        };
        let answer = answer.map_err(said)?;
        let is = |status, code| answer.starts_with(status) && answer.contains(code);
        let told = |status, code: &str| Ok(Some(Answer::Error(status, code.to_owned())));
        match self {
            Self::Head if answer.is_empty() => Ok(None),
            Self::Json | Self::Round if is("HTTP/1.1 408 ", "\"stalled\"") => told(408, "stalled"),
            // One device has only so many rounds at once, slow ones too.
            Self::Round if is("HTTP/1.1 503 ", "\"busy\"") => told(503, "busy"),
            _ => Err(format!("{self:?}: {answer}")),
        }
    }
}

/// Sends what is ready, then so many bytes one by one. Returns what the server said until it ended the connection.
fn trickle(socket: &mut TcpStream, ready: &[u8], more: usize) -> std::io::Result<String> {
    socket.write_all(ready)?;
    socket.set_read_timeout(Some(STEP))?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    for sent in 0.. {
        if sent < more && answer.is_empty() {
            // The server may have ended it; then the next read says so.
            drop(socket.write_all(b"a"));
        } else {
            socket.set_read_timeout(Some(PATIENCE))?;
        }
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => answer.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock && sent < more => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// What the server says, until it ends the connection.
pub(super) fn heard(socket: &mut TcpStream) -> std::io::Result<String> {
    let mut answer = Vec::new();
    match socket.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

/// Asks for much, again and again, and takes nothing.
fn never_take(socket: &mut TcpStream) -> Result<(), String> {
    let ask = "GET /v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let asks = ask.repeat(100);
    // Whatever the buffers on the way hold, they are full in the end.
    let ended = (0..10_000).find_map(|_| socket.write_all(asks.as_bytes()).err());
    match ended.map(|error| error.kind()) {
        Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => Ok(()),
        other => Err(format!("Taking: {other:?}")),
    }
}
