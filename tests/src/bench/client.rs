//! The client of the throughput benchmark and of the hostile device.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use patrol_core::domain::limits;
use patrol_core::sync::frame::FrameReader;
use patrol_core::sync::wire::{Fate, Fates, kind};

/// How long a server may keep silent: nobody is served longer than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The least HTTP client that keeps its connection, so that the clients cost little of the cores they share.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::try_open(address).expect("the server listens")
    }

    /// Connects, if somebody listens.
    pub(crate) fn try_open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        // Nobody waits for ever for a server that says nothing.
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a whole request and returns the body of the response, which must be a 200.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        let (status, body) = self.ask(request);
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        body
    }

    /// Sends a whole request and returns the status and the body of the response.
    pub(crate) fn ask(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.try_ask(request).expect("the server answers")
    }

    /// The same, where the server may die meanwhile.
    pub(crate) fn try_ask(&mut self, request: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        // A server that has heard enough answers before the end; whatever else is wrong shows where there is no answer.
        drop(self.0.get_mut().write_all(request));
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("a status line: {line}")))?;
        Ok((status, self.body()?))
    }

    fn body(&mut self) -> io::Result<Vec<u8>> {
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let line = line.to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            is_chunked |= line.starts_with("transfer-encoding: chunked");
        }
        if !is_chunked {
            return self.bytes(length);
        }
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(self.line()?.trim(), 16).map_err(io::Error::other)?;
            body.extend(self.bytes(size)?);
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// How many changes the response says were admitted.
pub(crate) fn admitted(body: &[u8]) -> usize {
    fated(body, &Fate::Ok)
}

/// How many changes have this fate in a response.
pub(crate) fn fated(body: &[u8], wanted: &Fate) -> usize {
    let mut reader = FrameReader::new(limits::RESPONSE_BYTES_MAX);
    reader.push(body).expect("a response");
    let mut count = 0;
    while let Some(frame) = reader.next_frame().expect("a response") {
        if frame.kind == kind::FATES {
            let fates = Fates::decode(&frame.payload, 4_096).expect("fates");
            count += fates
                .outcome
                .iter()
                .flatten()
                .filter(|fate| *fate == wanted)
                .count();
        }
    }
    count
}
