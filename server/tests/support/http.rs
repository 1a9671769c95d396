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

/// Sends a request and reads the whole answer.
pub(crate) fn ask(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut socket = TcpStream::connect(server).expect("the server listens");
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a timeout can be set");
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    // A server may answer, and close, before it has read everything.
    let sent = socket
        .write_all(head.as_bytes())
        .and_then(|()| socket.write_all(body));
    let mut bytes = Vec::new();
    let read = socket.read_to_end(&mut bytes);
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
