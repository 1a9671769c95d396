//! The people of the tests and a village of theirs; included by several test programs with `#[path]`.

use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::key::ServerName;
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::Parsed;
use patrol_core::doc::register::{FieldValue, encode_scopes};
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::{Capability, Holding, Right, Role};
use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::{
    Actor, ChangeHash, DeviceId, DocumentId, EntryId, Epoch, PersonId, UnitId,
};
use patrol_core::domain::place::{Datum, Place, Point, Scope, VillageCode};
use patrol_core::domain::time::{At, Timestamp};

/// The inspector who reports.
pub(crate) const LI: PersonId = PersonId(*b"li------");
/// An inspector of the same village.
pub(crate) const WANG: PersonId = PersonId(*b"wang----");
/// The dispatcher.
pub(crate) const ZHAO: PersonId = PersonId(*b"zhao----");
/// A worker of the water unit.
pub(crate) const GUO: PersonId = PersonId(*b"guo-----");
/// The cadre of the village.
pub(crate) const CHEN: PersonId = PersonId(*b"chen----");
/// Everybody.
pub(crate) const EVERYBODY: [PersonId; 5] = [LI, WANG, ZHAO, GUO, CHEN];

/// The water unit.
pub(crate) const WATER: UnitId = UnitId(101);
/// The document of the tests.
pub(crate) const DOCUMENT: DocumentId = DocumentId([0xd0; 16]);
/// When everything happens.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// The village.
pub(crate) fn village() -> VillageCode {
    VillageCode::new(440_403_100_200).expect("twelve digits")
}

/// The device of a person; the dispatcher's is the server's own.
pub(crate) fn device_of(person: PersonId) -> DeviceId {
    let place = EVERYBODY.iter().position(|other| *other == person);
    let number = u32::try_from(place.expect("one of them")).expect("few");
    DeviceId::new(Epoch([1, 2, 3, 4]), number)
}

/// An actor of a person's device.
pub(crate) fn actor_of(person: PersonId, install: u8) -> Actor {
    Actor::new(device_of(person), [install; 8])
}

/// What everybody may do.
pub(crate) fn holdings() -> Vec<Holding> {
    let unit = village().unit();
    [
        (LI, Role::Inspector, unit),
        (WANG, Role::Inspector, unit),
        (ZHAO, Role::Dispatcher, UnitId::CITY),
        (GUO, Role::UnitOperator, WATER),
        (CHEN, Role::Cadre, unit),
    ]
    .into_iter()
    .flat_map(|(person, role, unit)| {
        role.rights(unit).into_iter().map(move |right| Holding {
            person,
            right,
            from: Timestamp(0),
            until: None,
        })
    })
    .collect()
}

/// An entry by a person on his own device, with no more than words.
pub(crate) fn entry(person: PersonId, action: Action, right: Right, n: u64) -> Entry {
    Entry {
        kind: action.code(),
        person,
        device: device_of(person),
        capability: right.capability.code(),
        unit: right.unit,
        n,
        on: Vec::new(),
        at: At::wall(NOW),
        key: None,
        body: Body {
            words: Some(action.word().to_owned()),
            ..Body::default()
        },
    }
}

/// A right.
pub(crate) fn right(capability: Capability, unit: UnitId) -> Right {
    Right { capability, unit }
}

/// A report by a person, anywhere in the city.
pub(crate) fn report(person: PersonId, n: u64) -> Entry {
    let right = right(Capability::Report, UnitId::CITY);
    entry(person, Action::Report, right, n)
}

/// A correction by an inspector of the village.
pub(crate) fn amend(person: PersonId, n: u64) -> Entry {
    let right = right(Capability::Inspect, village().unit());
    entry(person, Action::Amend, right, n)
}

/// A place in the village; different for different `metres`.
pub(crate) fn place(metres: u64) -> FieldValue {
    FieldValue::Place(Place {
        village: village(),
        point: Some(Point {
            lon_e7: 1_132_900_000,
            lat_e7: 222_000_000,
            datum: Datum::Wgs84,
            accuracy_m: Some(metres),
        }),
        words: Some("桥头东侧".into()),
    })
}

/// A category; different for different codes.
pub(crate) fn category(code: u64) -> FieldValue {
    FieldValue::Category(Category {
        scheme: 476_785,
        kind: CategoryKind::Matter,
        code,
        condition: None,
    })
}

/// The matter in words.
pub(crate) fn words(words: &str) -> FieldValue {
    FieldValue::Words(words.to_owned())
}

/// All three registers.
pub(crate) fn fields(number: u64) -> Vec<FieldValue> {
    vec![
        place(number),
        category(number),
        words(&format!("暴露垃圾 {number}")),
    ]
}

/// Composes a person's commit on these dependencies and puts it into the ledger.
pub(crate) fn record(
    ledger: &mut Ledger,
    actor: Actor,
    deps: &[ChangeHash],
    entry: &Entry,
    fields: Vec<FieldValue>,
) -> (Parsed, EntryId) {
    let content = Content::person(entry, fields);
    let id = content.entry_id(ledger.document()).expect("an entry");
    let change = compose(ledger, actor, deps, &content).expect("known dependencies");
    ledger.push(change.clone()).expect("known dependencies");
    (change, id)
}

/// The server writes the scopes on the heads.
pub(crate) fn record_scopes(ledger: &mut Ledger, scopes: &[Scope]) -> Parsed {
    let content = Content::server(vec![(ServerName::Scopes, encode_scopes(scopes))]);
    let deps = ledger.head_hashes();
    let change = compose(ledger, actor_of(ZHAO, 0), &deps, &content).expect("known dependencies");
    ledger.push(change.clone()).expect("known dependencies");
    change
}

/// A small generator of numbers, so that a story told from a seed is the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// The next number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound.max(1) as u64).expect("below a usize")
    }

    /// One of them.
    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let place = self.below(of.len());
        of.get(place).cloned()
    }

    /// True in `percent` of a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// In any order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
