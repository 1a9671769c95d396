//! Whether a new component stands where one of its class does already, or is proposed too: then it is perhaps the same one.
//!
//! It is told, and left to whoever adopts.

use patrol_core::domain::component::near::{Spot, metres, nearest_of};
use patrol_core::domain::component::{Component, ComponentCode, Position};
use patrol_core::domain::limits;

use super::{Draft, fault};
use crate::app::App;
use crate::components::by_code;
use crate::sheet::{Faults, Reason};
use crate::store::Result;
use crate::store::reference::ComponentRow;

/// Warns of new components that are perhaps others.
pub(super) fn warn<'d>(
    app: &App,
    rows: impl Iterator<Item = (&'d Draft, &'d ComponentRow)>,
    warnings: &mut Faults,
) -> Result<()> {
    let mut before: Vec<&ComponentRow> = Vec::new();
    for (draft, row) in rows.filter(|(draft, _)| draft.was.is_none()) {
        let there = standing(app, row)?;
        let others = before.iter().filter(|other| is_alike(other.code, row.code));
        let others = others.map(|other| (other.code, metres(other.position, row.position)));
        let near = there.into_iter().chain(others);
        let near = near.min_by(|one, other| one.1.total_cmp(&other.1));
        if let Some((code, away)) = near.filter(|(_, away)| *away <= limits::COMPONENTS_ONE_M) {
            let warning = fault(Some(draft.line), "code", Reason::NearAnother);
            warnings.push(warning.with(format!("{code}, {away:.1} m")));
        }
        before.push(row);
    }
    Ok(())
}

/// The nearest of its class that stands there.
fn standing(app: &App, row: &ComponentRow) -> Result<Option<(u64, f64)>> {
    let place: Position = row.position;
    let scan = |stretches: &[(i64, i64)]| {
        let mut spots = app.store.component_spots(stretches)?;
        spots.retain(|spot| is_alike(spot.code, row.code));
        Ok::<_, crate::store::StoreError>(spots)
    };
    let stands = |spot: Spot| {
        let there = by_code(app, spot.code)?.filter(Component::stands);
        Ok(there.map(|_| spot.code))
    };
    Ok(nearest_of(place, 1, scan, stands)?.pop())
}

fn is_alike(one: u64, other: u64) -> bool {
    let class = |code| ComponentCode::new(code).map(ComponentCode::class_text);
    class(one) == class(other)
}
