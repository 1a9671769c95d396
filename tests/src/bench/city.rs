//! A server's store filled with cases that were really composed, admitted and numbered, by devices that are keys and
//! counters only, so that many thousands are made in seconds.
//!
//! Rights are waived while filling (24 devices write everywhere); they are judged when something is measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use patrol_core::doc::admit::{RightCheck, Signer};
use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::Parsed;
use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::{Action, DocumentKind, Where};
use patrol_core::domain::capability::Right;
use patrol_core::domain::case::Case;
use patrol_core::domain::entry::{Body, Entry, Part, Verdict};
use patrol_core::domain::id::{Actor, DeviceId, DocumentId, PersonId, UnitId};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::rules;
use patrol_core::domain::time::{At, Timestamp};
use patrol_core::sync::seal::{self, Batch};
use patrol_server::app::App;
use patrol_server::grow::Growing;
use patrol_server::store::{BatchRow, Commit, DocumentCommit, FateRow};
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::content;
use crate::clock::START;
use crate::world::enrol_key;

/// Devices that write the cases of a filled store.
pub const HANDS: usize = 24;
/// Cases that are open at the same time while filling.
const COMMIT_DOCUMENTS: usize = 250;
/// The end of the span in which cases were made: the day before the tests' time.
const SPAN_MS: i64 = 20 * 24 * 60 * 60 * 1000;

/// A device without a store: keys and counters.
#[derive(Clone, Debug)]
pub struct Hand {
    /// Its person.
    pub person: PersonId,
    /// Its id.
    pub device: DeviceId,
    /// Its bearer token.
    pub token: String,
    /// The seed of its key.
    pub seed: [u8; 32],
    /// Its actor.
    pub actor: Actor,
    /// Its counter.
    pub n: u64,
    boot: u64,
    offset_ms: i64,
}

/// An app with a store to be filled, and the hands that fill it.
#[derive(Debug)]
pub struct City {
    /// The server.
    pub app: Arc<App>,
    /// The 24 authors.
    pub hands: Vec<Hand>,
    rng: ChaCha8Rng,
    office_n: u64,
}

/// A case that is still to be made: a report, and on average seven further deeds.
struct Life {
    id: DocumentId,
    village: VillageCode,
    /// Deeds to come.
    deeds: usize,
    /// When the next one is done.
    now: Timestamp,
    /// When the last one was received.
    received: Timestamp,
}

/// What happens next to a case.
struct Next {
    /// Whose hand does it; none: the office's.
    hand: Option<usize>,
    right: Right,
    case: Case,
    action: Action,
    body: Body,
    fields: Vec<FieldValue>,
}

impl Life {
    fn begin(rng: &mut ChaCha8Rng, village: VillageCode, begun_at: Timestamp) -> Self {
        let mut random = [0; 10];
        rng.fill_bytes(&mut random);
        Self {
            id: DocumentId::new(begun_at, random),
            village,
            deeds: 1 + rng.random_range(3..=11),
            now: begun_at,
            received: begun_at,
        }
    }
}

impl City {
    /// A city on a server that has its directory, made from a seed.
    pub fn new(app: Arc<App>, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let people: Vec<PersonId> = inspectors(&app);
        let hands = people
            .iter()
            .rev()
            .take(HANDS)
            .map(|person| enrol(&app, *person, &mut rng))
            .collect();
        Self {
            app,
            hands,
            rng,
            office_n: 1 << 20,
        }
    }

    /// Enrols another hand.
    pub fn enrol(&mut self, person: PersonId) -> Hand {
        enrol(&self.app, person, &mut self.rng)
    }

    /// Fills the store with so many cases, in these villages by turns. Returns their ids.
    ///
    /// The store gets them as a server does: deed by deed, those of cases that are open at the same time between one another.
    pub fn fill(&mut self, villages: &[VillageCode], cases: usize) -> Vec<DocumentId> {
        let mut lives: Vec<Life> = Vec::with_capacity(cases);
        for (number, village) in villages.iter().cycle().take(cases).enumerate() {
            let begun_at = START.plus_ms(-SPAN_MS + SPAN_MS * number as i64 / cases as i64);
            lives.push(Life::begin(&mut self.rng, *village, begun_at));
        }
        for open in lives.chunks_mut(COMMIT_DOCUMENTS) {
            while open.iter().any(|life| life.deeds > 0) {
                for (documents, fates) in self.deeds(open) {
                    let commit = Commit {
                        batch: self.frame(&documents, &fates),
                        documents,
                        fates,
                        ..Commit::default()
                    };
                    self.app.store.commit(&commit).expect("the store takes it");
                }
            }
        }
        lives.iter().map(|life| life.id).collect()
    }

    /// The proof of the push frame in which a hand's deeds came. The office sends none.
    fn frame(&self, documents: &[DocumentCommit], fates: &[FateRow]) -> Option<BatchRow> {
        let device = fates.first()?.device;
        let hand = self.hands.iter().find(|hand| hand.device == device)?;
        let deed = |document: &DocumentCommit| document.changes.first().expect("a deed").hash;
        let leaves = documents.iter();
        let numbers = || fates.iter().map(|row| row.n);
        let batch = Batch {
            server: self.app.identity.server,
            device,
            n: (numbers().min()?, numbers().max()?),
            leaves: leaves
                .map(|document| seal::leaf(document.id, deed(document)))
                .collect(),
        };
        Some(BatchRow {
            device,
            n: batch.n,
            signature: batch.sign(&hand.seed),
            leaves: batch.leaves.concat(),
            received_at: documents.first()?.changes.first()?.received_at,
        })
    }

    /// The next deed of each case that has one left, and the log's row of each: those of one hand come together.
    fn deeds(&mut self, open: &mut [Life]) -> Vec<(Vec<DocumentCommit>, Vec<FateRow>)> {
        let mut growing = Vec::new();
        let app = Arc::clone(&self.app);
        app.store
            .read(&mut |snapshot| {
                for life in open.iter().filter(|life| life.deeds > 0) {
                    growing.push(Growing::load(snapshot, life.id)?);
                }
                Ok(())
            })
            .expect("the store answers");
        let mut of: BTreeMap<Option<usize>, Vec<(&mut Life, Growing, Next)>> = BTreeMap::new();
        let living = open.iter_mut().filter(|life| life.deeds > 0);
        for (life, growing) in living.zip(growing) {
            let next = self.next(life, &growing);
            of.entry(next.hand).or_default().push((life, growing, next));
        }
        let mut done = Vec::with_capacity(of.len());
        for deeds in of.into_values() {
            let delay = self.rng.random_range(1_000..4 * 3_600_000);
            let ready = |life: &Life| life.received.max(life.now.plus_ms(delay));
            let received = deeds.iter().map(|(life, ..)| ready(life)).max();
            let received = received.expect("a deed");
            let deeds = deeds.into_iter();
            let together = deeds.map(|(life, growing, next)| {
                life.received = received;
                self.deed(life, growing, next)
            });
            done.push(together.unzip());
        }
        done
    }

    /// What happens next to a case, and by whose hand.
    fn next(&mut self, life: &Life, growing: &Growing) -> Next {
        let case = growing.read().case;
        let (action, body, fields) = if growing.exists() {
            self.further(&case, life.village)
        } else {
            report(&mut self.rng, life.village)
        };
        let number = self.rng.random_range(0..self.hands.len());
        let row = action.row(DocumentKind::Case).expect("an action of cases");
        Next {
            hand: (row.place != Where::Office).then_some(number),
            right: Right {
                capability: row.by.first().expect("a way to do it").0,
                unit: UnitId::CITY,
            },
            case,
            action,
            body,
            fields,
        }
    }

    fn deed(
        &mut self,
        life: &mut Life,
        mut growing: Growing,
        next: Next,
    ) -> (DocumentCommit, FateRow) {
        let (change, signer) = self.change(&growing.ledger, next, life.now);
        growing
            .add(&change, &signer, life.received)
            .expect("what is composed is admitted");
        let links = growing.ledger.links().iter();
        let (id, entry) = links
            .last()
            .and_then(|link| link.entry.as_ref())
            .expect("a deed");
        let row = FateRow {
            device: entry.device,
            n: entry.n,
            entry: *id,
            fate: "ok".to_owned(),
        };
        let reading = growing.add_own(&self.app, life.received);
        life.now = life
            .now
            .plus_ms(self.rng.random_range(60_000..2 * 3_600_000));
        life.deeds -= 1;
        (growing.into_commit(&reading), row)
    }

    /// What happens next to a case: the next step of its way, or a note or a correction beside it.
    fn further(&mut self, case: &Case, village: VillageCode) -> (Action, Body, Vec<FieldValue>) {
        let length = self.rng.random_range(0..=14);
        let words = (length > 0).then(|| content::words(&mut self.rng, length));
        let plain = Body {
            words,
            ..Body::default()
        };
        if self.rng.random_bool(0.3) {
            return match self.rng.random_range(0..10) {
                0..7 => (Action::Note, plain, Vec::new()),
                7..9 => {
                    let place = content::place(&mut self.rng, village);
                    (Action::Amend, plain, vec![FieldValue::Place(place)])
                }
                _ => {
                    let category = content::category(&mut self.rng);
                    (Action::Amend, plain, vec![FieldValue::Category(category)])
                }
            };
        }
        let stage = case.workflow.standing.map(|standing| standing.stage.word());
        let assignment = case.workflow.assignments.first();
        match (stage, assignment) {
            (Some("reported"), _) => (Action::Accept, plain, Vec::new()),
            (Some("accepted"), _) => (Action::Register, plain, Vec::new()),
            (Some("registered"), _) => {
                let assign = vec![(village.unit(), Part::Main)];
                (Action::Dispatch, Body { assign, ..plain }, Vec::new())
            }
            (Some("dispatched"), Some(at)) => {
                let body = Body {
                    assignment: Some(at.id),
                    mode: Some(self.rng.random_range(1..=3)),
                    ..plain
                };
                (Action::Resolve, body, Vec::new())
            }
            (Some("resolved"), Some(at)) => {
                let body = Body {
                    assignment: Some(at.id),
                    judged: at.results.first().copied(),
                    verdict: Some(Verdict::Passed),
                    ..plain
                };
                (Action::PostCheck, body, Vec::new())
            }
            (Some("awaiting_close"), _) => (Action::Close, plain, Vec::new()),
            _ => (Action::Note, plain, Vec::new()),
        }
    }

    fn change(&mut self, ledger: &Ledger, next: Next, now: Timestamp) -> (Parsed, Signer<'static>) {
        let how = (next.action, next.right);
        let Some(number) = next.hand else {
            return self.office(ledger, &next.case, how, next.body, now);
        };
        let hand = &mut self.hands[number];
        let entry = hand.entry(&next.case, how, next.body, now);
        let change = hand.change(ledger, &entry, next.fields);
        (change, signer(hand.device, hand.person, Where::Anywhere))
    }

    fn office(
        &mut self,
        ledger: &Ledger,
        case: &Case,
        (action, right): (Action, Right),
        body: Body,
        now: Timestamp,
    ) -> (Parsed, Signer<'static>) {
        self.office_n += 1;
        let identity = &self.app.identity;
        let desk = self.hands[self.office_n as usize % 4].person;
        let entry = Entry {
            device: identity.device,
            person: desk,
            n: self.office_n,
            at: At::wall(now),
            ..entry(case, (action, right), body)
        };
        let change = compose(
            ledger,
            identity.actor,
            &ledger.head_hashes(),
            &Content::person(&entry, Vec::new()),
        );
        (
            change.expect("at the heads"),
            signer(identity.device, desk, Where::Office),
        )
    }
}

/// The persons who walk a beat, in the directory's order of beats.
pub fn inspectors(app: &App) -> Vec<PersonId> {
    let known = app.known();
    let mut people: Vec<_> = known
        .directory
        .people
        .iter()
        .filter(|person| person.name.starts_with("巡查员"))
        .collect();
    people.sort_by(|a, b| a.name.cmp(&b.name));
    people.into_iter().map(|person| person.id).collect()
}

fn signer(device: DeviceId, person: PersonId, place: Where) -> Signer<'static> {
    Signer {
        device,
        person: Some(person),
        place,
        right: RightCheck::Waive,
        holdings: &[],
        now: START,
    }
}

/// A report of a new case in a village, with its registers.
pub(crate) fn report(
    rng: &mut ChaCha8Rng,
    village: VillageCode,
) -> (Action, Body, Vec<FieldValue>) {
    let body = Body {
        photos: content::photos(rng),
        ..Body::default()
    };
    let length = rng.random_range(50..=70);
    let fields = vec![
        FieldValue::Place(content::place(rng, village)),
        FieldValue::Category(content::category(rng)),
        FieldValue::Words(content::words(rng, length)),
    ];
    (Action::Report, body, fields)
}

fn entry(case: &Case, (action, right): (Action, Right), body: Body) -> Entry {
    Entry {
        kind: action.code(),
        person: PersonId([0; 8]),
        device: DeviceId([0; 8]),
        capability: right.capability.code(),
        unit: right.unit,
        n: 1,
        on: case.workflow.heads.clone(),
        at: At::default(),
        key: None,
        body,
    }
}

fn enrol(app: &App, person: PersonId, rng: &mut ChaCha8Rng) -> Hand {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    let (device, token) = enrol_key(app, person, seal::public_key(&seed));
    Hand {
        person,
        device,
        token,
        seed,
        actor: Actor::new(device, rng.random::<[u8; 8]>()),
        n: 0,
        boot: rng.random_range(1..1 << 32),
        offset_ms: rng.random_range(-4_000..4_000),
    }
}

impl Hand {
    /// An entry of this device, with its next `n`.
    pub fn entry(
        &mut self,
        case: &Case,
        what: (Action, Right),
        body: Body,
        now: Timestamp,
    ) -> Entry {
        self.n += 1;
        Entry {
            person: self.person,
            device: self.device,
            n: self.n,
            at: At {
                wall: now,
                anchored: Some(now.plus_ms(self.offset_ms)),
                error_ms: Some(80 + self.n * 7 % 900),
                boot: Some(self.boot),
            },
            ..entry(case, what, body)
        }
    }

    /// The change of an entry at the heads of a document.
    pub fn change(&self, ledger: &Ledger, entry: &Entry, fields: Vec<FieldValue>) -> Parsed {
        compose(
            ledger,
            self.actor,
            &ledger.head_hashes(),
            &Content::person(entry, fields),
        )
        .expect("at the heads")
    }

    /// A right by which this device's person may do it to a case today.
    pub fn right(&self, app: &App, case: &Case, action: Action) -> Right {
        let known = app.known();
        let now = app.environment.now();
        rules::rights_for(
            &known.holdings,
            now,
            self.person,
            action,
            DocumentKind::Case,
            &case.scopes,
        )
        .first()
        .copied()
        .expect("a case of his own beat")
    }
}
