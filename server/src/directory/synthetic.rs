//! Makes up people for demonstrations and tests, so that every beat, village and unit has somebody.
//!
//! No label is a person's name, and nothing here is random: the same directory always gets the same people.

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Directory, Person, Post, PostAt, UnitKind};
use patrol_core::domain::id::{PersonId, UnitId};
use patrol_core::domain::time::Timestamp;
use sha2::{Digest as _, Sha256};

/// 2020-01-01 in +08:00: since when made-up people are in office where nothing else is said, so that the same directory
/// has the same bytes at every start.
pub const SYNTHETIC_SINCE: Timestamp = Timestamp(1_577_808_000_000);

/// An inspector per beat, a cadre per village, an operator per department and enterprise, three dispatchers, a leader,
/// a leader on duty who also cancels and grants, an evaluator and an administrator, all in office since `from` and without end; ascending by id, which is made of the
/// label.
pub fn synthetic_people(directory: &Directory, from: Timestamp) -> Vec<Person> {
    let mut people = Vec::new();
    let post = |role, at| Post {
        role,
        at,
        from,
        until: None,
    };
    let mut join = |label: String, role, at| people.push(person(label, vec![post(role, at)]));
    for (beat, number) in directory.beats.iter().zip(1..) {
        join(
            format!("巡查员{number:02}"),
            Role::Inspector,
            PostAt::Beat(beat.id),
        );
    }
    for (village, number) in directory.villages.iter().zip(1..) {
        join(
            format!("村干部{number:03}"),
            Role::Cadre,
            PostAt::Unit(village.code.unit()),
        );
    }
    for unit in &directory.units {
        if matches!(unit.kind, UnitKind::Department | UnitKind::Enterprise) {
            let UnitId(number) = unit.id;
            join(
                format!("单位操作员{number}"),
                Role::UnitOperator,
                PostAt::Unit(unit.id),
            );
        }
    }
    for number in 1..=3 {
        join(
            format!("受理派遣员{number:02}"),
            Role::Dispatcher,
            PostAt::City,
        );
    }
    join("督办领导01".to_owned(), Role::Leader, PostAt::City);
    join("评价员01".to_owned(), Role::Evaluator, PostAt::City);
    join("管理员01".to_owned(), Role::Administrator, PostAt::City);
    let on_duty = [Role::Leader, Role::Canceller, Role::Granter];
    people.push(person(
        "值班长01".to_owned(),
        on_duty.map(|role| post(role, PostAt::City)).to_vec(),
    ));
    people.sort_by_key(|person| person.id);
    people
}

/// The id is the beginning of the label's SHA-256.
fn person(label: String, posts: Vec<Post>) -> Person {
    let mut id = [0; PersonId::LEN];
    for (to, from) in id.iter_mut().zip(Sha256::digest(label.as_bytes())) {
        *to = from;
    }
    Person {
        id: PersonId(id),
        name: label,
        posts,
    }
}
