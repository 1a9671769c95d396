//! One round without a socket: which request to send, and what the pieces of the response say.
//!
//! It checks the order of frames and that each push frame gets its fates; what they mean for the store is `replica`'s.

use super::frame::{Frame, FrameReader, FrameWriter, StreamFault, Volume};
use super::wire::{Done, Fates, Hello, Scopes, Welcome, kind};
use crate::cbor::Fault;
use crate::domain::limits;

/// A request: the hello, and push frames that are already encoded.
pub fn request(hello: &Hello, pushes: &[Vec<u8>]) -> Vec<u8> {
    request_of(hello, kind::PUSH, pushes)
}

/// A request with frames of one kind: push, relic or bundle.
pub fn request_of(hello: &Hello, kind_of_frames: u8, pushes: &[Vec<u8>]) -> Vec<u8> {
    let volume = if pushes.iter().map(Vec::len).sum::<usize>() > 4_096 {
        Volume::Much
    } else {
        Volume::Little
    };
    let mut writer = FrameWriter::new(volume);
    writer.write(kind::HELLO, &hello.encode());
    for push in pushes {
        writer.write(kind_of_frames, push);
    }
    let mut bytes = writer.take();
    bytes.extend(writer.finish());
    bytes
}

/// One frame of a response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Incoming {
    /// Begins it.
    Welcome(Welcome),
    /// What became of a push frame.
    Fates(Fates),
    /// The device's scopes.
    Scopes(Scopes),
    /// A page, not yet rebuilt.
    Page(Vec<u8>),
    /// Ends it.
    Done(Done),
}

/// Why a response cannot be read further. What was applied before stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionFault {
    /// Not of this protocol: a captive portal.
    Foreign,
    /// Damaged on the way.
    Damaged,
    /// Frames in an order, or of a form, that this protocol does not know.
    Confused,
    /// A frame that only a newer program understands.
    Newer,
}

impl From<StreamFault> for SessionFault {
    fn from(fault: StreamFault) -> Self {
        match fault {
            StreamFault::Foreign => Self::Foreign,
            StreamFault::Damaged | StreamFault::TooLarge => Self::Damaged,
        }
    }
}

impl From<Fault> for SessionFault {
    fn from(_: Fault) -> Self {
        Self::Confused
    }
}

/// Reads one response.
#[derive(Debug)]
pub struct Session {
    reader: FrameReader,
    /// Changes of each push frame that has no fates yet.
    awaited: std::collections::VecDeque<usize>,
    answered: u64,
    is_welcomed: bool,
    is_done: bool,
}

impl Session {
    /// Awaits the response to a request whose push frames held so many changes each.
    pub fn new(pushed: Vec<usize>) -> Self {
        Self {
            reader: FrameReader::new(limits::RESPONSE_BYTES_MAX),
            awaited: pushed.into(),
            answered: 0,
            is_welcomed: false,
            is_done: false,
        }
    }

    /// Takes in a piece of the response and returns the frames that it completes.
    pub fn receive(&mut self, piece: &[u8]) -> Result<Vec<Incoming>, SessionFault> {
        self.reader.push(piece)?;
        let mut incoming = Vec::new();
        while let Some(frame) = self.reader.next_frame()? {
            incoming.extend(self.interpret(frame)?);
        }
        Ok(incoming)
    }

    /// Whether the response came to its end.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    fn interpret(&mut self, frame: Frame) -> Result<Option<Incoming>, SessionFault> {
        let payload = &frame.payload;
        if self.is_done || (frame.kind == kind::WELCOME) == self.is_welcomed {
            return Err(SessionFault::Confused);
        }
        Ok(Some(match frame.kind {
            kind::WELCOME => {
                self.is_welcomed = true;
                Incoming::Welcome(Welcome::decode(payload)?)
            }
            kind::FATES => {
                let changes = self.awaited.pop_front().ok_or(SessionFault::Confused)?;
                let fates = Fates::decode(payload, changes)?;
                let is_whole = fates
                    .outcome
                    .as_ref()
                    .map_or(true, |fates| fates.len() == changes);
                if fates.frame != self.answered || !is_whole {
                    return Err(SessionFault::Confused);
                }
                self.answered += 1;
                Incoming::Fates(fates)
            }
            kind::SCOPES => Incoming::Scopes(Scopes::decode(payload)?),
            kind::PAGE => Incoming::Page(frame.payload),
            kind::DONE => {
                if !self.awaited.is_empty() {
                    return Err(SessionFault::Confused);
                }
                self.is_done = true;
                Incoming::Done(Done::decode(payload)?)
            }
            kind::SKIPPABLE.. => return Ok(None),
            _ => return Err(SessionFault::Newer),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::Fate;
    use super::*;
    use crate::domain::id::Epoch;
    use crate::domain::time::Timestamp;

    fn welcome() -> (u8, Vec<u8>) {
        let welcome = Welcome {
            server_time: Timestamp(5),
            lowest: 1,
            protocol: 1,
            epoch: Epoch([1; 4]),
            notices: Vec::new(),
        };
        (kind::WELCOME, welcome.encode())
    }

    fn fates(frame: u64, count: usize) -> (u8, Vec<u8>) {
        (
            kind::FATES,
            Fates {
                frame,
                outcome: Ok(vec![Fate::Ok; count]),
            }
            .encode(),
        )
    }

    fn done() -> (u8, Vec<u8>) {
        (kind::DONE, Done::default().encode())
    }

    fn response(frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut writer = FrameWriter::new(Volume::Little);
        frames
            .iter()
            .for_each(|(kind, payload)| writer.write(*kind, payload));
        let mut bytes = writer.take();
        bytes.extend(writer.finish());
        bytes
    }

    #[test]
    fn each_push_frame_gets_its_fates_before_the_end() {
        let mut session = Session::new(vec![2, 1]);
        let incoming = session
            .receive(&response(&[welcome(), fates(0, 2), fates(1, 1), done()]))
            .expect("in order");
        assert_eq!((incoming.len(), session.is_done()), (4, true));
    }

    #[test]
    fn frames_out_of_order_are_confusion() {
        for frames in [
            vec![fates(0, 1), welcome()],
            vec![welcome(), done()],
            vec![welcome(), fates(1, 1)],
            vec![welcome(), fates(0, 0)],
            vec![welcome(), fates(0, 2)],
            vec![welcome(), welcome()],
            vec![welcome(), fates(0, 1), done(), done()],
        ] {
            assert_eq!(
                Session::new(vec![1]).receive(&response(&frames)),
                Err(SessionFault::Confused),
                "{frames:?}"
            );
        }
    }

    #[test]
    fn an_unknown_frame_is_skipped_or_ends_the_round_by_its_number() {
        assert_eq!(
            Session::new(vec![])
                .receive(&response(&[welcome(), (200, vec![]), done()]))
                .map(|frames| frames.len()),
            Ok(2)
        );
        assert_eq!(
            Session::new(vec![]).receive(&response(&[welcome(), (99, vec![])])),
            Err(SessionFault::Newer)
        );
    }

    #[test]
    fn a_request_is_its_hello_and_its_frames() {
        let hello = Hello::first(Epoch([2; 4]));
        let frames = [vec![1], vec![2; 9_000]];
        for (bytes, of) in [
            (request(&hello, &frames), kind::PUSH),
            (request_of(&hello, kind::RELIC, &frames), kind::RELIC),
        ] {
            let mut reader = FrameReader::new(1 << 20);
            reader.push(&bytes).expect("a stream");
            let read = std::iter::from_fn(|| reader.next_frame().expect("frames"));
            let read: Vec<_> = read.map(|frame| (frame.kind, frame.payload)).collect();
            let [first, second] = frames.clone();
            let sent = [(kind::HELLO, hello.encode()), (of, first), (of, second)];
            assert_eq!(read, sent);
            assert!(reader.is_finished());
        }
    }

    #[test]
    fn a_response_is_done_at_its_end_only() {
        let scopes = Scopes {
            tag: [3; 4],
            scopes: Vec::new(),
        };
        let page = vec![4];
        let frames = [
            welcome(),
            (kind::SCOPES, scopes.encode()),
            (kind::PAGE, page.clone()),
        ];
        let mut session = Session::new(vec![]);
        let incoming = session.receive(&response(&frames)).expect("in order");
        assert_eq!(
            incoming[1..],
            [Incoming::Scopes(scopes), Incoming::Page(page)]
        );
        assert!(!session.is_done());
    }
}
