//! I8: each change that was read has one fate, and hears the same again, also from a server that has been restarted.

use std::sync::Arc;

use patrol_core::domain::action::Action;
use patrol_core::domain::capability::{Capability, Role};
use patrol_core::domain::directory::{Post, PostAt};
use patrol_core::domain::id::{ChangeHash, DocumentId, UnitId};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::{Fate, Fates, Later, Unread, kind};
use patrol_server::review::Decision;
use patrol_tests::pushing::{
    answers, change_of, enrolment_of, entry_of, hello_of, ledger_of, push,
};
use patrol_tests::settling::settle_all;
use patrol_tests::world::{Phone, World};

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";
const OF_NEXT_YEAR: u64 = 4_000;

/// An inspector with a case of his that the server has.
struct Ground {
    world: World,
    case: DocumentId,
}

fn ground(seed: u64) -> Ground {
    let mut world = World::new(seed);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "桥头垃圾");
    world.phone(INSPECTOR).sync().unwrap();
    Ground { world, case }
}

impl Ground {
    fn phone(&self) -> &Phone {
        &self.world.phones[INSPECTOR]
    }

    /// A change of the phone's that the server has not seen; the phone forgets it at once.
    fn made(&self, kind: u64, n: u64, words: &str) -> Vec<u8> {
        self.made_on(&ledger_of(self.phone(), self.case), kind, n, words)
    }

    fn made_on(
        &self,
        ledger: &patrol_core::doc::ledger::Ledger,
        kind: u64,
        n: u64,
        words: &str,
    ) -> Vec<u8> {
        let unit = self.world.villages(INSPECTOR)[0].unit();
        let mut entry = entry_of(self.phone(), ledger, kind, unit, n);
        entry.body.words = Some(words.to_owned());
        change_of(self.phone(), ledger, &entry, &[]).bytes
    }

    fn fate(&self, bytes: &[u8]) -> Fate {
        let fates = push(
            &self.world.app,
            self.phone(),
            &[(self.case, bytes.to_vec())],
        );
        fates.expect("the frame is read").swap_remove(0)
    }

    /// Pushes three times, the last time after a restart of the server: the first fate, and then twice the other.
    fn hears(&mut self, bytes: &[u8], first: &Fate, again: &Fate) {
        assert_eq!(&self.fate(bytes), first);
        assert_eq!(&self.fate(bytes), again);
        self.world.restart();
        assert_eq!(&self.fate(bytes), again, "after a restart");
    }
}

#[test]
fn an_admitted_change_that_is_pushed_again_is_told_so() {
    let mut ground = ground(1);
    let change = ground.made(Action::Note.code(), 2, "看过");
    ground.hears(&change, &Fate::Ok, &Fate::Dup);
}

#[test]
fn a_refused_change_is_refused_again_for_the_same_reason() {
    let mut ground = ground(2);
    let office_only = ground.made(Action::Close.code(), 2, "结案");
    let refused = Fate::Refused(Refusal::OfficeOnly);
    ground.hears(&office_only, &refused, &refused);
    // The reason goes, for he becomes a leader, who may urge; the deed was judged when it came.
    let ledger = ledger_of(ground.phone(), ground.case);
    let mut entry = entry_of(
        ground.phone(),
        &ledger,
        Action::Urge.code(),
        UnitId::CITY,
        3,
    );
    entry.capability = Capability::Urge.code();
    let urged = change_of(ground.phone(), &ledger, &entry, &[]).bytes;
    let refused = Fate::Refused(Refusal::NotPermitted);
    assert_eq!(ground.fate(&urged), refused);
    change_posts(&ground.world, |posts, now| {
        posts.push(Post {
            role: Role::Leader,
            at: PostAt::City,
            from: now,
            until: None,
        });
    });
    ground.hears(&urged, &refused, &refused);
    entry.n = 4;
    let urged_now = change_of(ground.phone(), &ledger, &entry, &[]).bytes;
    assert_eq!(ground.fate(&urged_now), Fate::Ok);
}

#[test]
fn a_change_without_its_dependency_is_missing_until_that_has_come() {
    let mut ground = ground(3);
    let mut ledger = ledger_of(ground.phone(), ground.case);
    let first = ground.made(Action::Note.code(), 2, "先");
    ledger
        .push(patrol_core::doc::parse::parse(&first).unwrap())
        .unwrap();
    let second = ground.made_on(&ledger, Action::Note.code(), 3, "后");
    let hash: ChangeHash = patrol_core::doc::parse::chunk_hash(&first);
    let missing = Fate::Missing(vec![hash]);
    ground.hears(&second, &missing, &missing);
    assert_eq!(ground.fate(&first), Fate::Ok);
    assert_eq!(ground.fate(&second), Fate::Ok);
}

#[test]
fn an_orphan_keeps_no_place_for_itself() {
    let ground = ground(4);
    let mut ledger = ledger_of(ground.phone(), ground.case);
    let first = ground.made(Action::Note.code(), 2, "先");
    let mut other = ledger.clone();
    other
        .push(patrol_core::doc::parse::parse(&first).unwrap())
        .unwrap();
    let orphan = ground.made_on(&other, Action::Note.code(), 3, "孤");
    assert!(matches!(ground.fate(&orphan), Fate::Missing(_)));
    // Another first change of the same actor takes the place; nothing of the orphan stands in its way.
    let honest = ground.made(Action::Note.code(), 2, "正");
    assert_eq!(ground.fate(&honest), Fate::Ok);
    ledger
        .push(patrol_core::doc::parse::parse(&honest).unwrap())
        .unwrap();
    let next = ground.made_on(&ledger, Action::Note.code(), 3, "再");
    assert_eq!(ground.fate(&next), Fate::Ok);
}

#[test]
fn what_only_a_newer_server_knows_waits_each_time_and_is_not_kept() {
    let mut ground = ground(5);
    let change = ground.made(OF_NEXT_YEAR, 2, "新");
    let later = Fate::Later(Later::Newer);
    ground.hears(&change, &later, &later);
    let device = ground.phone().device();
    let hash = patrol_core::doc::parse::chunk_hash(&change);
    let mut kept = true;
    let look = ground.world.app.store.read(&mut |snapshot| {
        kept = snapshot.boxed(device, hash)?.is_some();
        Ok(())
    });
    assert!(look.is_ok() && !kept);
}

#[test]
fn what_follows_what_only_a_newer_server_knows_waits_with_it() {
    let ground = ground(5);
    let mut ledger = ledger_of(ground.phone(), ground.case);
    let newer = ground.made(OF_NEXT_YEAR, 2, "新");
    ledger
        .push(patrol_core::doc::parse::parse(&newer).unwrap())
        .unwrap();
    let note = ground.made_on(&ledger, Action::Note.code(), 3, "后");
    let items = [newer, note].map(|bytes| (ground.case, bytes));
    let fates = push(&ground.world.app, ground.phone(), &items);
    assert_eq!(fates, Ok(vec![Fate::Later(Later::Newer); 2]));
}

#[test]
fn the_second_change_at_one_place_of_an_actors_chain_is_forked() {
    let mut ground = ground(6);
    let one = ground.made(Action::Note.code(), 2, "原机");
    let other = ground.made(Action::Note.code(), 2, "副本");
    assert_eq!(ground.fate(&one), Fate::Ok);
    let forked = Fate::Refused(Refusal::Forked);
    ground.hears(&other, &forked, &forked);
    assert_eq!(ground.fate(&one), Fate::Dup);
}

/// Changes what posts the inspector has.
fn change_posts(world: &World, change: impl Fn(&mut Vec<Post>, Timestamp)) {
    let mut directory = world.app.known().directory.clone();
    let now = world.clock.now();
    let mut people = directory.people.iter_mut();
    let person = people.find(|person| person.name == INSPECTOR).unwrap();
    change(&mut person.posts, now);
    world.app.put_directory(&directory).unwrap();
}

fn end_posts(world: &World) {
    change_posts(world, |posts, now| {
        posts.iter_mut().for_each(|post| post.until = Some(now));
    });
}

#[test]
fn a_held_change_is_held_until_it_is_settled_and_then_told_how() {
    for (verdict, after) in [
        (Decision::Release, Fate::Dup),
        (Decision::Refuse, Fate::Refused(Refusal::ReviewedAway)),
    ] {
        let mut ground = ground(7);
        let change = ground.made(Action::Note.code(), 2, "离任前看过");
        ground.world.clock.advance_ms(1_000);
        end_posts(&ground.world);
        ground.hears(&change, &Fate::Review, &Fate::Review);
        let person = ground.world.person(DISPATCHER);
        let hash = patrol_core::doc::parse::chunk_hash(&change);
        settle_all(
            &ground.world.app,
            person,
            ground.case,
            hash,
            verdict,
            "看过",
        )
        .unwrap();
        ground.hears(&change, &after, &after);
    }
}

#[test]
fn who_has_left_is_still_told_what_became_of_his_work() {
    // A copy of his phone has handed in another change at the same place; he has left since. Were he answered as one who may
    // not know of the case, the work on this phone would wait for ever.
    let mut ground = ground(11);
    let one = ground.made(Action::Note.code(), 2, "副本");
    let other = ground.made(Action::Note.code(), 2, "原机");
    assert_eq!(ground.fate(&one), Fate::Ok);
    ground.world.clock.advance_ms(1_000);
    end_posts(&ground.world);
    let forked = Fate::Refused(Refusal::Forked);
    ground.hears(&other, &forked, &forked);
}

#[test]
fn who_may_know_nothing_of_a_case_any_more_is_still_told_what_he_has_put_there() {
    let mut world = World::new(12);
    let village = world.villages(INSPECTOR)[0];
    // Another's case, to which nothing binds him but his posts.
    let cadre = world.cadre_of(village);
    let (case, _) = world.phone(&cadre).report(village, "井盖破损");
    world.phone(&cadre).sync().unwrap();
    world.phone(INSPECTOR).sync().unwrap();
    let mut ground = Ground { world, case };
    let [note, other] = ["看过", "副本"].map(|words| ground.made(Action::Note.code(), 1, words));
    assert_eq!(ground.fate(&note), Fate::Ok);
    change_posts(&ground.world, |posts, _| posts.clear());
    let unknown = ground.fate(&other);
    assert!(matches!(unknown, Fate::Missing(_)), "{unknown:?}");
    ground.hears(&note, &Fate::Dup, &Fate::Dup);
}

#[test]
fn one_refused_change_does_not_hold_up_the_others_of_its_frame() {
    let ground = ground(8);
    let village = ground.world.villages(INSPECTOR)[0];
    let empty = patrol_core::doc::ledger::Ledger::new(DocumentId([9; 16]));
    let mut report = entry_of(
        ground.phone(),
        &empty,
        Action::Report.code(),
        UnitId::CITY,
        9,
    );
    report.capability = Capability::Report.code();
    let opening = change_of(
        ground.phone(),
        &empty,
        &report,
        &patrol_tests::world::matter(village, "另一件"),
    );
    let items = [
        (ground.case, ground.made(Action::Close.code(), 2, "结案")),
        (ground.case, b"no change at all".to_vec()),
        (ground.case, ground.made(Action::Note.code(), 3, "看过")),
        (DocumentId([9; 16]), opening.bytes),
    ];
    let fates = push(&ground.world.app, ground.phone(), &items).unwrap();
    assert_eq!(
        fates,
        [
            Fate::Refused(Refusal::OfficeOnly),
            Fate::Refused(Refusal::Malformed),
            Fate::Ok,
            Fate::Ok
        ]
    );
}

#[test]
fn a_frame_that_is_not_read_changes_nothing_and_is_not_read_again() {
    let ground = ground(9);
    let change = ground.made(Action::Note.code(), 2, "看过");
    // Signed by another phone's key: the signer is not who carries it.
    let stranger = ground.world.enrol("巡查员02");
    let mut enrolment = enrolment_of(&stranger);
    enrolment.seed = [1; 32];
    for _ in 0..2 {
        let fates = forged(&ground, &change, enrolment.seed);
        assert_eq!(fates, Err(Unread::Signature));
    }
    assert_eq!(ground.fate(&change), Fate::Ok);
}

/// The change in a frame that somebody else's key has signed.
fn forged(ground: &Ground, change: &[u8], seed: [u8; 32]) -> Result<Vec<Fate>, Unread> {
    use patrol_core::cbor::Writer;
    use patrol_core::doc::parse::chunk_hash;
    use patrol_core::sync::seal::{Batch, leaf};
    use patrol_core::sync::wire::{self, Fates, Form, PushHead, kind};
    use patrol_tests::pushing::{answers, enrolment_of, hello_of};
    let enrolment = enrolment_of(ground.phone());
    let batch = Batch {
        server: enrolment.server,
        device: enrolment.device,
        n: (1, 1),
        leaves: vec![leaf(ground.case, chunk_hash(change))],
    };
    let head = PushHead {
        signer: enrolment.device,
        n: (1, 1),
        signature: batch.sign(&seed),
        form: Form::Raw,
    };
    let mut items = Writer::default();
    wire::write_raw(&mut items, ground.case, change);
    let request = [
        (kind::HELLO, hello_of(ground.phone(), &enrolment).encode()),
        (kind::PUSH, head.encode(1, &items.finish())),
    ];
    let app = Arc::clone(&ground.world.app);
    let found = answers(&app, ground.phone(), &request);
    let fates = found
        .iter()
        .find(|(frame, _)| *frame == kind::FATES)
        .unwrap();
    Fates::decode(&fates.1, 1).unwrap().outcome
}

#[test]
fn a_frame_that_the_server_does_not_know_is_answered_in_its_turn_and_stops_nothing() {
    let ground = ground(9);
    let phone = ground.phone();
    let hello = hello_of(phone, &enrolment_of(phone)).encode();
    let of_nothing = vec![0x80];
    let frames: Vec<(u8, Vec<u8>)> = [
        (kind::HELLO, hello),
        (6, b"of a later version".to_vec()),
        (200, b"to be passed over".to_vec()),
        (kind::BUNDLE, of_nothing.clone()),
        (kind::RELIC, of_nothing.clone()),
        (kind::PUSH, of_nothing),
        (kind::SKIPPABLE - 1, Vec::new()),
    ]
    .into();
    let frames = answers(&ground.world.app, phone, &frames);
    let fates = frames.iter().filter(|(kind, _)| *kind == kind::FATES);
    let heard: Vec<_> = fates
        .map(|(_, payload)| Fates::decode(payload, 0).unwrap())
        .map(|fates| (fates.frame, fates.outcome))
        .collect();
    let unread = [
        Unread::Newer,
        Unread::Signature,
        Unread::Malformed,
        Unread::Malformed,
        Unread::Newer,
    ];
    let expected: Vec<_> = (0..).zip(unread.map(Err)).collect();
    assert_eq!(heard, expected);
    assert_eq!(frames.last().map(|(kind, _)| *kind), Some(kind::DONE));
}
