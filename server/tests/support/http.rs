//! A client of HTTP that sends exactly what it is told, for tests: one request a connection, on the standard library.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

impl Reply {
    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The cookie that a sign-in sets, as a browser sends it back.
    pub(crate) fn cookie(&self) -> String {
        let set = self.header("set-cookie").expect("a cookie is set");
        let (pair, _) = set.split_once(';').expect("a cookie has attributes");
        pair.to_owned()
    }
}

/// A request of which a part has been sent.
pub(crate) struct Open(TcpStream);

/// Sends the head of a request, which announces a body of so many bytes.
pub(crate) fn open(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body_bytes: usize,
) -> Open {
    let mut socket = TcpStream::connect(server).expect("the server listens");
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a timeout can be set");
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\ncontent-length: {body_bytes}\r\n"
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    socket
        .write_all(head.as_bytes())
        .expect("the server takes a head");
    Open(socket)
}

impl Open {
    /// Waits until the server asks for the body: the head must have said `expect: 100-continue`.
    pub(crate) fn wait_until_asked(&mut self) {
        const ASKED: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut interim = [0; ASKED.len()];
        self.0.read_exact(&mut interim).expect("the server asks");
        assert_eq!(interim, ASKED);
    }

    /// Sends a part of the body.
    pub(crate) fn send(&mut self, part: &[u8]) {
        self.0.write_all(part).expect("the server takes a part");
    }

    /// Sends the rest of the body and reads the whole answer.
    pub(crate) fn finish(mut self, rest: &[u8]) -> Reply {
        // A server may answer, and close, before it has read everything.
        let sent = self.0.write_all(rest);
        let mut bytes = Vec::new();
        let read = self.0.read_to_end(&mut bytes);
        assert!(!bytes.is_empty(), "no answer: {sent:?}, {read:?}");
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("a head ends");
        let status = head.split(' ').nth(1).expect("a status line");
        Reply {
            status: status.parse().expect("a status is a number"),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// Reads to the end of the connection: how many bytes came.
    pub(crate) fn cut(mut self) -> usize {
        let mut bytes = Vec::new();
        drop(self.0.read_to_end(&mut bytes));
        bytes.len()
    }
}

/// Sends a request and reads the whole answer.
pub(crate) fn ask(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    open(server, method, path, headers, body.len()).finish(body)
}

/// Sends JSON.
pub(crate) fn post(
    server: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Reply {
    let json = [headers, &[("content-type", "application/json")]].concat();
    ask(server, "POST", path, &json, body.to_string().as_bytes())
}
