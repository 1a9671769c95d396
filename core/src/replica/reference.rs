//! Reference data: the directory, and the components of one's villages, as far as they are other than here.
//!
//! It belongs to no document, and never keeps work away that is to be handed in.

use super::Replica;
use super::sync::{RoundEnd, offline, whole};
use crate::domain::limits;
use crate::error::{Error, Result};
use crate::store::{enrolment, feed};
use crate::sync::directory;
use crate::sync::transport::{Method, Request, Transport};

impl Replica {
    /// Fetches the directory where it is another, and what has changed of components once nothing else is left to do. What keeps a
    /// village's away is told when everything else has been done, and they are not asked for again in the same call.
    pub(super) async fn catch_up_on_reference(
        &self,
        transport: &dyn Transport,
        tag: [u8; 8],
        end: &RoundEnd,
        missed: &mut Option<Error>,
    ) -> Result<()> {
        if missed.is_none() && self.store.read(feed::directory_tag)? != Some(tag) {
            match self.fetch_directory(transport).await {
                // It must not keep what is to be handed in here: the next call asks again.
                Err(
                    error @ (Error::Disagreement(_) | Error::UpdateNeeded | Error::Offline { .. }),
                ) => {
                    *missed = Some(error);
                }
                fetched => fetched.map(drop)?,
            }
        }
        if end.again || missed.is_some() {
            return Ok(());
        }
        let fetched = self.fetch_components(transport).await;
        let error = fetched.map_or_else(Some, |(_, missed)| missed);
        match error {
            // Those that are here stay; everything else has been caught up on.
            None | Some(Error::UpdateNeeded) => {}
            Some(
                error @ (Error::Disagreement(_)
                | Error::Offline {
                    retry_after_ms: None,
                }),
            ) => *missed = Some(error),
            Some(error) => return Err(error),
        }
        Ok(())
    }

    /// Fetches the directory.
    pub(super) async fn fetch_directory(&self, transport: &dyn Transport) -> Result<()> {
        let enrolment = self.store.read(enrolment::enrolled)?;
        let request = Request {
            method: Method::Get,
            server_url: enrolment.server_url,
            path: "/v1/directory".into(),
            token: Some(enrolment.token),
            content_type: "",
            body: Vec::new(),
        };
        let mut response = transport.send(request).await.map_err(offline)?;
        match response.status() {
            200 if response.content_type() == "application/cbor" => {}
            401 => return Err(Error::SignedOut),
            _ => {
                return Err(Error::Offline {
                    retry_after_ms: response.retry_after_ms(),
                });
            }
        }
        let bytes = whole(response.as_mut(), limits::DIRECTORY_BYTES_MAX).await?;
        // A directory of a newer form is kept away; the one that is here stays in force.
        directory::decode(&bytes).map_err(|_| Error::UpdateNeeded)?;
        self.store
            .write(|transaction| feed::put_directory(transaction, directory::tag(&bytes), &bytes))
    }
}
