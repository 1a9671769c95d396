//! Components as they are asked for: one by its code, the nearest to a place, and what a phone's own villages have.
//!
//! How they come here is `import`'s.

use patrol_core::domain::component::{Component, Position, near};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::place::{Scope, VillageCode};
use patrol_core::sync::components::{self, Tag};

use crate::app::App;
use crate::store::{Result, StoreError};

/// The component of a code.
pub fn by_code(app: &App, code: u64) -> Result<Option<Component>> {
    app.store
        .component(code)?
        .map(|bytes| read(&bytes))
        .transpose()
}

/// The components nearest to a place that stand, at most so many, each with its distance in metres.
pub fn nearest(app: &App, place: Position, count: usize) -> Result<Vec<(Component, f64)>> {
    let scan = |stretches: &[(i64, i64)]| app.store.component_spots(stretches);
    near::nearest_of(place, count, scan, |spot| {
        // One that an import has just taken away is not near any more.
        Ok(by_code(app, spot.code)?.filter(Component::stands))
    })
}

/// Everything that stands in a village.
pub(crate) fn of_village(app: &App, village: VillageCode) -> Result<Vec<Component>> {
    let joined = app.store.components_of(village)?;
    let rows = components::split(&joined, village);
    let rows = rows.map_err(|fault| broken(&fault))?.into_iter();
    Ok(rows.map(|(row, _)| row).collect())
}

pub(crate) fn read(bytes: &[u8]) -> Result<Component> {
    components::decode(bytes).map_err(|fault| broken(&fault))
}

fn broken(fault: &dyn std::fmt::Debug) -> StoreError {
    StoreError::Broken(format!("a component cannot be read: {fault:?}"))
}

/// The villages in which a person works today and that have components, with their tags.
pub fn tags_for(app: &App, person: PersonId) -> Result<Vec<(VillageCode, Tag)>> {
    let (known, now) = (app.known(), app.environment.now());
    let scopes = known.directory.scopes_of(person, now).into_iter();
    let villages = scopes.filter_map(|scope| match scope {
        Scope::Village(village) => Some(village),
        Scope::Unit(_) | Scope::Person(_) => None,
    });
    app.store.component_tags(&villages.collect())
}

/// The components of a village, packed for the way; none where the person does not work there today.
pub fn packed_for(app: &App, person: PersonId, village: VillageCode) -> Result<Option<Vec<u8>>> {
    let scopes = app
        .known()
        .directory
        .scopes_of(person, app.environment.now());
    if !scopes.contains(&Scope::Village(village)) {
        return Ok(None);
    }
    let joined = app.store.components_of(village)?;
    Ok(Some(components::pack(&joined)))
}
