//! The hostile device: somebody with a valid enrolment, somebody else's token, and no good will, against a server over sockets.
//!
//! Each blow names the answer that it must get, and each answer the line of the metrics in which it must be counted. When and how often it
//! strikes is decided elsewhere; it judges nothing but the answer.

mod blows;
mod carried;
mod junk;
mod slow;
mod stolen;
mod streams;
mod tally;
mod unfinished;

use std::net::SocketAddr;

use patrol_core::sync::session::{Incoming, Session};
use patrol_core::sync::wire::{CONTENT_TYPE, Fate, Unread};

use crate::bench::client::Connection;

pub(crate) use blows::Foe;
pub(crate) use junk::{Junk, Kind};
pub(crate) use slow::Slow;
pub(crate) use streams::streams;
pub(crate) use tally::{Scrape, Tally};
pub(crate) use unfinished::Unfinished;

/// What a server says to a blow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// A status and a code.
    Error(u16, String),
    /// What became of each change of its one push frame.
    Fates(Vec<Fate>),
    /// Why that frame was not read.
    Unread(Unread),
    /// A round without a push, to its end.
    Round,
}

/// One request that should not be, whole, and what it must be told.
#[derive(Clone, Debug)]
pub(crate) struct Blow {
    pub(crate) name: &'static str,
    request: Vec<u8>,
    /// Changes in its push frame; none without one.
    pushed: Option<usize>,
    answer: Answer,
}

impl Blow {
    /// Strikes, on a connection of its own.
    ///
    /// # Errors
    /// Another answer than it must be.
    pub(crate) fn strike(&self, server: SocketAddr) -> Result<Answer, String> {
        let answer = self.told(server)?;
        if answer == self.answer {
            Ok(answer)
        } else {
            let (name, expected) = (self.name, &self.answer);
            Err(format!("{name}: {answer:?} in place of {expected:?}"))
        }
    }

    fn told(&self, server: SocketAddr) -> Result<Answer, String> {
        let asked = Connection::try_open(server).and_then(|mut line| line.try_ask(&self.request));
        let (status, body) = asked.map_err(|error| format!("{}: {error}", self.name))?;
        if status != 200 {
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let code = json["error"]["code"].as_str().unwrap_or("none");
            return Ok(Answer::Error(status, code.to_owned()));
        }
        let mut session = Session::new(self.pushed.into_iter().collect());
        let incoming = session.receive(&body);
        let incoming = incoming.map_err(|fault| format!("{}: {fault:?}", self.name))?;
        if !session.is_done() {
            return Err(format!("{}: the answer has no end", self.name));
        }
        let fates = incoming.into_iter().find_map(|frame| match frame {
            Incoming::Fates(fates) => Some(fates.outcome),
            _ => None,
        });
        Ok(match fates {
            None => Answer::Round,
            Some(Ok(fates)) => Answer::Fates(fates),
            Some(Err(unread)) => Answer::Unread(unread),
        })
    }
}

/// A whole `POST` with a body; without a token, if none is named.
fn post(path: &str, kind: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\n{}content-length: {}\r\n\r\n",
        token.unwrap_or_default(),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A round's request.
fn round(token: Option<&str>, body: &[u8]) -> Vec<u8> {
    post("/v1/sync", CONTENT_TYPE, token, body)
}
