//! What stands in this phone's villages (部件): by its code, the nearest to here, and what a person proposes for its register.
//!
//! `sync` brings what has changed; nothing here waits for a network but `refresh_components`, which is `network`'s.

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::{Action, DocumentKind};
use patrol_core::domain::case::Category;
use patrol_core::domain::component::{Component, ComponentCode, Position};
use patrol_core::domain::entry::Proposal;
use patrol_core::domain::limits;
use patrol_core::domain::place::Place;
use patrol_core::replica::{Deed, Refreshed};

use crate::Patrol;
use crate::deed::Body;
use crate::error::PatrolError;
use crate::views::{CaseRow, Recorded};

/// A component, and how far it is from where one stands.
#[derive(Clone, PartialEq, Debug, uniffi::Record)]
pub struct NearComponent {
    /// The component.
    pub component: Component,
    /// How far, in metres.
    pub metres: f64,
}

/// What `refresh_components` did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, uniffi::Record)]
pub struct ComponentsRefreshed {
    /// Villages whose components have come.
    pub fetched: u64,
    /// Villages whose components are here no more.
    pub dropped: u64,
}

impl From<Refreshed> for ComponentsRefreshed {
    fn from(refreshed: Refreshed) -> Self {
        Self {
            fetched: refreshed.fetched as u64,
            dropped: refreshed.dropped as u64,
        }
    }
}

#[uniffi::export]
impl Patrol {
    /// The component of a code, if it stands in one of the villages whose components are here.
    pub fn component(&self, code: ComponentCode) -> Result<Option<Component>, PatrolError> {
        Ok(self.live()?.replica.component(code)?)
    }

    /// The components nearest to a position in WGS-84, the nearest first: at most `count` (and never more than 200), none beyond 5 km.
    pub fn nearest_components(
        &self,
        position: Position,
        count: u32,
    ) -> Result<Vec<NearComponent>, PatrolError> {
        let count = (count as usize).min(limits::LIST_ROWS_MAX);
        let found = self.live()?.replica.nearest_components(position, count)?;
        let near = |(component, metres)| NearComponent { component, metres };
        Ok(found.into_iter().map(near).collect())
    }

    /// Proposes a change to the register of components: opens a survey. Saved when it returns.
    pub fn propose(
        &self,
        place: Place,
        category: Category,
        proposal: Proposal,
    ) -> Result<Recorded, PatrolError> {
        let body = Body {
            proposal: Some(proposal),
            ..Body::default()
        };
        self.begin(&Deed {
            fields: vec![FieldValue::Place(place), FieldValue::Category(category)],
            ..Deed::new(Action::Propose, body.into())
        })
    }

    /// A page of surveys, the last changed first: `reported` while nobody has answered, then `closed` (adopted) or `declined`.
    pub fn surveys(&self, skip: u32, limit: u32) -> Result<Vec<CaseRow>, PatrolError> {
        self.rows(DocumentKind::Survey, skip, limit)
    }
}
