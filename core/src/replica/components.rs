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
use crate::sync::transport::{Method, Request, Transport};

/// What a call of [`Replica::refresh_components`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refreshed {
    /// Villages whose components have come.
    pub fetched: usize,
    /// Villages whose components are here no more.
    pub dropped: usize,
}

impl Replica {
    /// Fetches the components of one's villages where they have changed, and forgets those of villages in which one does not work any more.
    /// A call of [`Replica::sync`] ends with the same, where the server says that something has changed. Safe to stop anywhere: each village stands by itself.
    ///
    /// # Errors
    /// [`Error::Offline`] and [`Error::SignedOut`] as in a round; [`Error::UpdateNeeded`] where components have a newer form: those that are
    /// here stay.
    pub async fn refresh_components(&self, transport: &dyn Transport) -> Result<Refreshed> {
        let _turn = self.turn().await?;
        self.fetch_components(transport).await
    }

    /// The same within a turn.
    pub(super) async fn fetch_components(&self, transport: &dyn Transport) -> Result<Refreshed> {
        let list = self
            .fetch(transport, "/v1/components".into(), limits::JSON_BYTES_MAX)
            .await?
            .ok_or(Error::Offline {
                retry_after_ms: None,
            })?;
        let tags = codec::decode_tags(&list).map_err(|_| Error::UpdateNeeded)?;
        let here = self.store.read(table::tags)?;
        let mut refreshed = Refreshed::default();
        for (village, _) in &here {
            if !tags.iter().any(|(own, _)| own == village) {
                self.drop_components(*village, &mut refreshed)?;
            }
        }
        for own in &tags {
            if !here.contains(own) {
                self.fetch_village(transport, own.0, &mut refreshed).await?;
            }
        }
        Ok(refreshed)
    }

    async fn fetch_village(
        &self,
        transport: &dyn Transport,
        village: VillageCode,
        refreshed: &mut Refreshed,
    ) -> Result<()> {
        let path = format!("/v1/components/{village}").into();
        let packed = self
            .fetch(transport, path, limits::COMPONENTS_BYTES_MAX)
            .await?;
        // It has ceased to be one's own since the list was made.
        let Some(packed) = packed else {
            return self.drop_components(village, refreshed);
        };
        let bytes = codec::unpack(&packed).ok_or(Error::Disagreement("components"))?;
        let rows = codec::split(&bytes, village).map_err(|_| Error::UpdateNeeded)?;
        // The tag of what has come, which may be newer than the list.
        let tag = codec::tag(&bytes);
        self.store
            .write(|transaction| table::put_village(transaction, village, tag, &rows))?;
        refreshed.fetched += 1;
        Ok(())
    }

    fn drop_components(&self, village: VillageCode, refreshed: &mut Refreshed) -> Result<()> {
        self.store
            .write(|transaction| table::drop_village(transaction, village))?;
        refreshed.dropped += 1;
        Ok(())
    }

    /// What stands under a path; none where that is nothing for this phone.
    async fn fetch(
        &self,
        transport: &dyn Transport,
        path: Cow<'static, str>,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>> {
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
                Ok(Some(whole(response.as_mut(), bytes_max).await?))
            }
            401 => Err(Error::SignedOut),
            404 if response.content_type() == "application/json" => Ok(None),
            _ => Err(Error::Offline {
                retry_after_ms: response.retry_after_ms(),
            }),
        }
    }

    /// The component of a code, if it stands in one of the villages whose components are here.
    pub fn component(&self, code: ComponentCode) -> Result<Option<Component>> {
        self.store
            .read(|connection| table::component(connection, code.number()))
    }

    /// The components nearest to a position, at most so many, each with its distance in metres; none beyond
    /// [`limits::COMPONENTS_NEAR_M`].
    pub fn nearest_components(
        &self,
        position: Position,
        count: usize,
    ) -> Result<Vec<(Component, f64)>> {
        self.store.read(|connection| {
            let near = near::nearest(position, count, |stretches| {
                table::spots(connection, stretches)
            })?;
            let component = |(spot, metres): (near::Spot, f64)| {
                let found = table::component(connection, spot.code)?;
                found.map(|component| (component, metres)).ok_or_else(|| {
                    Error::Storage("a component is in an index, and is not there".into())
                })
            };
            near.into_iter().map(component).collect()
        })
    }
}
