//! What a village must have (三有): a terminal, a cadre in post, an inspector on its beat; and the browsers that serve as terminals.
//!
//! What a village lacks is no fault of the database: somebody has to be appointed, or a phone handed out.

use std::collections::BTreeSet;

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Directory, PostAt, Village};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;
use serde::Serialize;

use crate::app::App;
use crate::store::Result;
use crate::store::reference::Terminal;

/// One of the three things.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Must {
    /// A phone in use by one of its cadres, or a browser that was registered for its hall.
    Terminal,
    /// Somebody who holds the post of a cadre there today.
    Cadre,
    /// Somebody who holds the post of an inspector today, on the beat to which it belongs today.
    Inspector,
}

/// A village that lacks something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct Lacking {
    /// Its code.
    pub village: u64,
    /// Its name.
    pub name: String,
    /// What it lacks.
    pub lacks: Vec<Must>,
}

/// Every village that lacks something today, by code.
pub fn lacking(app: &App) -> Result<Vec<Lacking>> {
    let (known, now) = (app.known(), app.environment.now());
    let mut with_phone = BTreeSet::new();
    app.store.read(&mut |snapshot| {
        let in_use = snapshot.devices()?.into_iter();
        let in_use = in_use.filter(|device| device.revoked_at.is_none());
        with_phone = in_use.map(|device| device.person).collect();
        Ok(())
    })?;
    let terminals = app.store.terminals()?.into_iter();
    let browsers: BTreeSet<VillageCode> = terminals.map(|terminal| terminal.village).collect();
    let of = |village: &Village| {
        let cadres = holders(&known.directory, Role::Cadre, at(village.code), now);
        let beat = known.directory.beat_of(village.code, now);
        let walkers = beat.map(|beat| {
            let beat = PostAt::Beat(beat.id);
            holders(&known.directory, Role::Inspector, beat, now)
        });
        let has_terminal = browsers.contains(&village.code)
            || cadres.iter().any(|cadre| with_phone.contains(cadre));
        let has = [
            (Must::Terminal, has_terminal),
            (Must::Cadre, !cadres.is_empty()),
            (
                Must::Inspector,
                walkers.is_some_and(|walkers| !walkers.is_empty()),
            ),
        ];
        let lacks: Vec<Must> = has
            .into_iter()
            .filter(|(_, has)| !has)
            .map(|(must, _)| must)
            .collect();
        (!lacks.is_empty()).then(|| Lacking {
            village: village.code.number(),
            name: village.name.clone(),
            lacks,
        })
    };
    let villages = known.directory.villages.iter();
    let villages = villages.filter(|village| village.is_in_force_at(now));
    Ok(villages.filter_map(of).collect())
}

fn at(village: VillageCode) -> PostAt {
    PostAt::Unit(village.unit())
}

/// Who holds a post.
fn holders(directory: &Directory, role: Role, at: PostAt, now: Timestamp) -> Vec<PersonId> {
    let people = directory.people.iter().filter(|person| {
        let mut posts = person.posts.iter();
        posts.any(|post| (post.role, post.at) == (role, at) && post.is_in_force_at(now))
    });
    people.map(|person| person.id).collect()
}

/// Whether a person is a cadre of a village today.
pub(crate) fn is_cadre_of(app: &App, person: PersonId, village: VillageCode) -> bool {
    let now = app.environment.now();
    holders(&app.known().directory, Role::Cadre, at(village), now).contains(&person)
}

/// Registers a browser as the terminal of a village's hall. False: there is no such village.
pub fn register(app: &App, village: VillageCode, person: PersonId) -> Result<bool> {
    let (known, now) = (app.known(), app.environment.now());
    let row = known.directory.village(village);
    if row.is_none_or(|row| !row.is_in_force_at(now)) {
        return Ok(false);
    }
    app.store.put_terminal(&Terminal {
        village,
        registered_at: now,
        registered_by: person,
    })?;
    Ok(true)
}
