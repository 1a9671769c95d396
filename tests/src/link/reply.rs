//! A response that is already here, handed over in pieces as large as packets are.

use patrol_core::sync::transport::{Response, Unreachable, Waiting};

use super::Meanwhile;

/// Bytes of a body that one packet carries.
const PACKET: usize = 1_400;

/// A response.
pub struct Reply {
    status: u16,
    content_type: &'static str,
    pub(super) body: Vec<u8>,
    sent: usize,
    /// The connection dies at the end of the body.
    pub(super) is_cut: bool,
    /// What happens once half of it has been handed over.
    pub(super) halfway: Option<Meanwhile>,
}

impl Reply {
    /// A whole one.
    pub fn ok(content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status: 200,
            content_type,
            body,
            sent: 0,
            is_cut: false,
            halfway: None,
        }
    }

    /// One that says nothing but its status.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::ok("application/json", Vec::new())
        }
    }

    pub(super) fn portal() -> Self {
        Self::ok("text/html", b"<html>welcome to our network</html>".to_vec())
    }
}

impl Response for Reply {
    fn status(&self) -> u16 {
        self.status
    }

    fn content_type(&self) -> &str {
        self.content_type
    }

    fn retry_after_ms(&self) -> Option<u64> {
        None
    }

    fn piece(&mut self) -> Waiting<'_, Result<Option<Vec<u8>>, Unreachable>> {
        if self.sent * 2 >= self.body.len()
            && let Some(what) = self.halfway.take()
        {
            what();
        }
        let most = match self.halfway {
            Some(_) => self.body.len().div_ceil(2).min(PACKET),
            None => PACKET,
        };
        let rest = self.body.get(self.sent..).unwrap_or_default();
        let piece = rest
            .get(..rest.len().min(most))
            .unwrap_or_default()
            .to_vec();
        self.sent += piece.len();
        let result = match (piece.is_empty(), self.is_cut) {
            (false, _) => Ok(Some(piece)),
            (true, true) => Err(Unreachable),
            (true, false) => Ok(None),
        };
        Box::pin(std::future::ready(result))
    }
}
