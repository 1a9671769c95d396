//! Whether a component stands implausibly far from its village: from the point that the directory has of it, or else from the middle of what
//! stands there, or of the first that a file says of it. And whether its village ends.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use patrol_core::domain::component::Position;
use patrol_core::domain::component::near::metres;
use patrol_core::domain::limits;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::{DAY_MS, Timestamp};

use crate::app::{App, Known};
use crate::calendar::day;
use crate::components;
use crate::directory::Told;
use crate::store::Result;
use crate::store::reference::ComponentRow;

/// Where villages lie, as far as was asked.
pub(super) struct Places<'a> {
    app: &'a App,
    known: Arc<Known>,
    middles: BTreeMap<VillageCode, Position>,
    /// The villages whose end is still to come, but for those that it was asked of.
    ending: BTreeMap<VillageCode, Timestamp>,
}

impl<'a> Places<'a> {
    pub(super) fn new(app: &'a App) -> Self {
        let known = app.known();
        let villages = known.directory.villages.iter();
        // The datums differ by some hundred metres, which is nothing here.
        let points = villages.filter_map(|village| {
            let point = village.point?;
            let (lon_e7, lat_e7) = (point.lon_e7, point.lat_e7);
            Some((village.code, Position { lon_e7, lat_e7 }))
        });
        let now = app.environment.now();
        let ends = known.directory.villages.iter().filter_map(|village| {
            let until = village.until.filter(|until| now < *until)?;
            Some((village.code, until))
        });
        Self {
            app,
            ending: ends.collect(),
            middles: points.collect(),
            known: Arc::clone(&known),
        }
    }

    /// The village of a component, and its last day, where it has one; of a village that is told once.
    pub(super) fn ending(&mut self, row: &ComponentRow) -> Option<String> {
        let until = self.ending.remove(&row.village)?;
        let village = Told(&self.known.directory).village(row.village);
        Some(format!("{village}, {}", day(until.plus_ms(-DAY_MS))))
    }

    /// The village of a component that stands too far from it, and how far.
    pub(super) fn far(&mut self, row: &ComponentRow) -> Result<Option<String>> {
        let middle = match self.middles.entry(row.village) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let there = components::of_village(self.app, row.village)?;
                let there = there.iter().map(|component| component.position);
                *entry.insert(middle(there.collect()).unwrap_or(row.position))
            }
        };
        let away = metres(middle, row.position);
        let village = || Told(&self.known.directory).village(row.village);
        let is_far = away > limits::COMPONENT_FAR_M;
        Ok(is_far.then(|| format!("{}, {:.0} km", village(), away / 1_000.0)))
    }
}

/// Between as many in the west as in the east, and in the south as in the north: one that is lost does not move it.
fn middle(positions: Vec<Position>) -> Option<Position> {
    let half = |of: fn(&Position) -> i64| {
        let mut sorted: Vec<i64> = positions.iter().map(of).collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    };
    Some(Position {
        lon_e7: half(|position| position.lon_e7)?,
        lat_e7: half(|position| position.lat_e7)?,
    })
}
