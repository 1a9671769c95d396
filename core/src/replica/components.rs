//! What stands in this phone's villages: fetched where it has changed, found by its code or by where one stands.
//!
//! Components belong to no document, and nothing here is pushed.

use std::borrow::Cow;

use super::Replica;
use super::sync::{offline, whole};
use crate::domain::component::{Component, ComponentCode, Position, near};
use crate::domain::limits;
use crate::domain::place::VillageCode;
use crate::error::{Error, Result};
use crate::store::{components as table, enrolment};
use crate::sync::components as codec;
use crate::sync::transport::{Method, Request, Transport, Unreachable};

/// What a call of [`Replica::refresh_components`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refreshed {
    /// Villages whose components have come.
    pub fetched: usize,
    /// Villages whose components are here no more.
    pub dropped: usize,
}

/// What was answered.
enum Answer {
    Bytes(Vec<u8>),
    /// It is nothing for this phone.
    Nothing,
    /// This could not be had; perhaps something else can.
    Failed(Error),
}

impl Replica {
    /// Fetches the components of one's villages where they have changed, and forgets those of villages in which one does not work any more.
    /// A call of [`Replica::sync`] ends with the same, where the server says that something has changed. Safe to stop anywhere: each village stands by itself.
    ///
    /// # Errors
    /// [`Error::Offline`] and [`Error::SignedOut`] as in a round; [`Error::UpdateNeeded`] where components have a newer form: those that are
    /// here stay. A village that cannot be had keeps no other away: its error comes when the others have been fetched.
    pub async fn refresh_components(&self, transport: &dyn Transport) -> Result<Refreshed> {
        let _turn = self.turn().await?;
        let (refreshed, missed) = self.fetch_components(transport).await?;
        missed.map_or(Ok(refreshed), Err)
    }

    /// The same within a turn. What kept a village away stands beside what was done.
    pub(super) async fn fetch_components(
        &self,
        transport: &dyn Transport,
    ) -> Result<(Refreshed, Option<Error>)> {
        let list = self
            .fetch(transport, "/v1/components".into(), limits::JSON_BYTES_MAX)
            .await?;
        let list = match list {
            Answer::Bytes(list) => list,
            // A server that is older than components has no list: what is here stays, and nothing is missed.
            Answer::Nothing => return Ok((Refreshed::default(), None)),
            Answer::Failed(error) => return Err(error),
        };
        let tags = codec::decode_tags(&list).map_err(|_| Error::UpdateNeeded)?;
        let here = self.store.read(table::tags)?;
        let mut refreshed = Refreshed::default();
        for (village, _) in &here {
            if !tags.iter().any(|(own, _)| own == village) {
                self.drop_components(*village, &mut refreshed)?;
            }
        }
        let mut missed = None;
        for own in tags.iter().filter(|own| !here.contains(own)) {
            let fetched = self.fetch_village(transport, own.0, &mut refreshed).await?;
            // That a newer program is needed says less than any other reason.
            if let Err(error) = fetched
                && matches!(missed, None | Some(Error::UpdateNeeded))
            {
                missed = Some(error);
            }
        }
        Ok((refreshed, missed))
    }

    /// Fetches a village. The error within is the village's own; with the outer one there is no going on.
    async fn fetch_village(
        &self,
        transport: &dyn Transport,
        village: VillageCode,
        refreshed: &mut Refreshed,
    ) -> Result<Result<()>> {
        let path = format!("/v1/components/{village}").into();
        let fetched = self.fetch(transport, path, limits::COMPONENTS_BYTES_MAX);
        let packed = match fetched.await {
            Ok(Answer::Bytes(packed)) => packed,
            // It has ceased to be one's own since the list was made.
            Ok(Answer::Nothing) => return self.drop_components(village, refreshed).map(Ok),
            Ok(Answer::Failed(error)) | Err(error @ Error::Disagreement(_)) => {
                return Ok(Err(error));
            }
            Err(error) => return Err(error),
        };
        let Some(bytes) = codec::unpack(&packed) else {
            return Ok(Err(Error::Disagreement("components")));
        };
        let Ok(rows) = codec::split(&bytes, village) else {
            return Ok(Err(Error::UpdateNeeded));
        };
        // The tag of what has come, which may be newer than the list.
        let tag = codec::tag(&bytes);
        self.store
            .write(|transaction| table::put_village(transaction, village, tag, &rows))?;
        refreshed.fetched += 1;
        Ok(Ok(()))
    }

    fn drop_components(&self, village: VillageCode, refreshed: &mut Refreshed) -> Result<()> {
        self.store
            .write(|transaction| table::drop_village(transaction, village))?;
        refreshed.dropped += 1;
        Ok(())
    }

    /// What stands under a path.
    async fn fetch(
        &self,
        transport: &dyn Transport,
        path: Cow<'static, str>,
        bytes_max: usize,
    ) -> Result<Answer> {
        let enrolment = self.store.read(enrolment::enrolled)?;
        let request = Request {
            method: Method::Get,
            server_url: enrolment.server_url,
            path,
            token: Some(enrolment.token),
            content_type: "",
            body: Vec::new(),
        };
        let mut response = transport.send(request).await.map_err(offline)?;
        match response.status() {
            200 if response.content_type() == codec::CONTENT_TYPE => {
                Ok(Answer::Bytes(whole(response.as_mut(), bytes_max).await?))
            }
            401 => Err(Error::SignedOut),
            404 if response.content_type() == "application/json" => Ok(Answer::Nothing),
            _ => match response.retry_after_ms() {
                // A server with much to do is asked for nothing more.
                retry_after_ms @ Some(_) => Err(Error::Offline { retry_after_ms }),
                None => Ok(Answer::Failed(offline(Unreachable))),
            },
        }
    }

    /// The component of a code, if it stands in one of the villages whose components are here.
    pub fn component(&self, code: ComponentCode) -> Result<Option<Component>> {
        self.store
            .read(|connection| table::component(connection, code.number()))
    }

    /// The components nearest to a position that stand, at most so many, each with its distance in metres; none beyond
    /// [`limits::COMPONENTS_NEAR_M`].
    pub fn nearest_components(
        &self,
        position: Position,
        count: usize,
    ) -> Result<Vec<(Component, f64)>> {
        self.store.read(|connection| {
            let scan = |stretches: &[(i64, i64)]| table::spots(connection, stretches);
            near::nearest_of(position, count, scan, |spot| {
                let found = table::component(connection, spot.code)?;
                let found = found.ok_or_else(|| {
                    Error::Storage("a component is in an index, and is not there".into())
                })?;
                Ok(Some(found).filter(Component::stands))
            })
        })
    }
}
