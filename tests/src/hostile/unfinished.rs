//! Streams of one device, all at the same time, that unpack to nearly the largest frame and then say no more: some hundred bytes each that
//! want megabytes for as long as the server waits.
//!
//! What they are told is judged here; what they cost the server's memory is asked elsewhere.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use patrol_core::domain::id::Epoch;
use patrol_core::domain::limits;

use super::slow::heard;
use super::streams::largest_frame;
use super::{Answer, round};
use crate::bench::client::PATIENCE;

/// How many of them the server waits for.
const WAITED_FOR: usize = 1;
/// What it says to those when its patience is over.
const STALLED: (u16, &str) = (408, "stalled");
/// What it says to the others at once, as to whatever else one device asks beyond its share.
const EXCESS: (u16, &str) = (503, "busy");
/// Bytes that are cut off a whole stream: fewer than its last block and its end.
const LAST: usize = 20;

/// Such a stream.
#[derive(Clone, Debug)]
pub(crate) struct Unfinished(Vec<u8>);

impl Unfinished {
    /// Of the device with this token.
    pub(crate) fn new(token: &str, epoch: Epoch) -> Self {
        let mut request = round(Some(token), &largest_frame(epoch));
        // The last of its blocks, and with it the frame's end, never come.
        request.truncate(request.len() - LAST);
        Self(request)
    }

    /// As many at the same time as one device may have requests. What each was told.
    ///
    /// # Errors
    /// What the server did instead.
    pub(crate) fn strike(&self, server: SocketAddr) -> Result<Vec<Answer>, String> {
        let said = |error: std::io::Error| format!("unfinished streams: {error}");
        let mut sockets = Vec::new();
        for _ in 0..limits::DEVICE_REQUESTS_AT_ONCE {
            let mut socket = TcpStream::connect(server).map_err(said)?;
            socket.set_read_timeout(Some(PATIENCE)).map_err(said)?;
            socket.write_all(&self.0).map_err(said)?;
            sockets.push(socket);
        }
        let (mut answers, mut waited_for) = (Vec::new(), 0);
        for mut socket in sockets {
            let told = heard(&mut socket).map_err(said)?;
            let is = |(status, code): (u16, &str)| {
                told.starts_with(&format!("HTTP/1.1 {status} "))
                    && told.contains(&format!("\"{code}\""))
            };
            let (status, code) = [STALLED, EXCESS]
                .into_iter()
                .find(|answer| is(*answer))
                .ok_or_else(|| format!("an unfinished stream: {told}"))?;
            waited_for += usize::from((status, code) == STALLED);
            answers.push(Answer::Error(status, code.to_owned()));
        }
        if (1..=WAITED_FOR).contains(&waited_for) {
            Ok(answers)
        } else {
            Err(format!("{waited_for} unfinished streams were waited for"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use patrol_core::sync::frame::MAGIC;

    use super::*;

    #[test]
    fn some_hundred_bytes_become_nearly_the_largest_frame_and_no_frame() {
        let request = Unfinished::new("", Epoch([1; 4])).0;
        assert!(request.len() < 2_000, "{}", request.len());
        let begins = |place: &usize| request[*place..].starts_with(&MAGIC);
        let body = (0..request.len()).find(begins).expect("a body") + MAGIC.len();
        let mut decoder = zstd::stream::read::Decoder::new(&request[body..]).expect("a context");
        let mut plain = vec![0; 2 * limits::FRAME_BYTES_MAX];
        let mut read = 0;
        // It ends with a cut, as it should.
        while let Ok(more @ 1..) = decoder.read(&mut plain[read..]) {
            read += more;
        }
        let most = limits::FRAME_BYTES_MAX;
        assert!((most * 9 / 10..=most).contains(&read), "{read}");
    }
}
