//! What of a directory the rest of the database still needs: units with open cases, villages in which something stands or goes on, an
//! administrator who can sign in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use patrol_core::domain::action::DocumentKind;
use patrol_core::domain::component::Component;
use patrol_core::domain::directory::{Directory, Unit, UnitKind};
use patrol_core::domain::limits;
use patrol_core::domain::place::{Scope, VillageCode};
use patrol_core::domain::stage::Stage;

use super::Preview;
use crate::app::App;
use crate::components;
use crate::directory::{self, Ending, Laid, Table, Told};
use crate::people;
use crate::sheet::{ImportFault, Reason};
use crate::store::{CaseQuery, Result};

/// Examines what has been laid over the directory in force; the other faults and warnings are in the preview.
pub(super) fn examine(
    app: &App,
    (force, laid): (&Directory, &Laid),
    endings: Vec<(Ending, ImportFault)>,
    units: &Arc<str>,
    preview: &mut Preview,
) -> Result<()> {
    let directory = &laid.directory;
    let both = (&force.people[..], &directory.people[..]);
    if let Some(file) = &laid.people
        && let Some(end) = people::administrators_end(app, both, app.environment.now())?
    {
        let from = end.from;
        let fault = ImportFault::of_file(file, Reason::NoAdministrator { from });
        preview.faults.push(fault);
    }
    for (ending, fault) in endings {
        let needs = match ending.is_new {
            true => needs(app, ending.village)?,
            false => (0, 0),
        };
        if let Some(fault) = directory::in_use((&ending, fault), directory, needs) {
            preview.faults.push(fault);
        }
    }
    if laid.unread.contains(&Table::Units) {
        return Ok(());
    }
    let known: BTreeSet<_> = directory.units.iter().map(|unit| unit.id).collect();
    let is_gone = |unit: &&Unit| {
        let is_listed = matches!(unit.kind, UnitKind::Department | UnitKind::Enterprise);
        is_listed && !known.contains(&unit.id)
    };
    for unit in force.units.iter().filter(is_gone) {
        let cases = open_cases(app, Scope::Unit(unit.id))?;
        if cases > 0 {
            let warning = ImportFault::of_file(units, Reason::OpenCases);
            let unit = Told(force).unit(unit.id);
            preview
                .warnings
                .push(warning.with(format!("{unit}, cases {cases}")));
        }
    }
    Ok(())
}

/// Villages that end with another directory, or are not in it any more, while components stand or cases are open there: each a fault of where
/// that comes from.
pub(crate) fn villages_in_use(
    app: &App,
    (before, after): (&Directory, &Directory),
    place: &Arc<str>,
) -> Result<Vec<ImportFault>> {
    let ends: BTreeMap<_, _> = after
        .villages
        .iter()
        .map(|village| (village.code, village.until))
        .collect();
    let now = app.environment.now();
    let mut faults = Vec::new();
    for village in &before.villages {
        let end = match ends.get(&village.code) {
            Some(end) if *end == village.until => None,
            Some(end) => *end,
            None => Some(now),
        };
        let Some(end) = end else { continue };
        let ending = Ending {
            village: village.code,
            end,
            beats: 0,
            posts: 0,
            is_new: true,
        };
        let fault = ImportFault::of_file(place, Reason::VillageInUse);
        let needs = needs(app, village.code)?;
        faults.extend(directory::in_use((&ending, fault), before, needs));
    }
    Ok(faults)
}

/// How many components stand in a village, but for those that are given up, and how many cases are open there.
fn needs(app: &App, village: VillageCode) -> Result<(usize, usize)> {
    let components = components::of_village(app, village)?.into_iter();
    let standing = components.filter(Component::stands);
    Ok((standing.count(), open_cases(app, Scope::Village(village))?))
}

fn open_cases(app: &App, scope: Scope) -> Result<usize> {
    let mut count = 0;
    let stages = Stage::ALL.iter().filter(|stage| stage.is_open());
    let mut query = CaseQuery {
        kind: DocumentKind::Case.word().to_owned(),
        stages: stages.map(|stage| stage.word().to_owned()).collect(),
        scopes: Some(vec![scope]),
        limit: limits::LIST_ROWS_MAX,
        ..CaseQuery::default()
    };
    app.store.read(&mut |snapshot| {
        loop {
            let rows = snapshot.cases(&query)?;
            let Some((last, summary)) = rows.last() else {
                return Ok(());
            };
            query.after = Some((summary.changed_at, *last));
            count += rows.len();
        }
    })?;
    Ok(count)
}
