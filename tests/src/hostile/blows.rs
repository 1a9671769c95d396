//! Rounds that should not be: replays, forged authors, foreign scopes, guessed ids, a stolen token.
//!
//! All are composed from what the server's own file holds, as somebody could who had watched a phone of the beat.

use patrol_core::cbor::Writer;
use patrol_core::doc::document;
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::{Parsed, chunk_hash};
use patrol_core::domain::action::Action;
use patrol_core::domain::capability::{Capability, Right};
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::{DocumentId, UnitId};
use patrol_core::domain::refusal::Refusal;
use patrol_core::sync::seal::{Batch, leaf};
use patrol_core::sync::session;
use patrol_core::sync::wire::{Fate, Form, Hello, PushHead, Unread, write_raw};
use patrol_server::app::App;

use super::{Answer, Blow, round};
use crate::bench::city::Hand;
use crate::clock::START;
use crate::world::matter;

/// Somebody with an enrolment, and whom he has watched.
pub(crate) struct Foe<'a> {
    pub(crate) app: &'a App,
    /// His own enrolment.
    pub(crate) own: Hand,
    /// Another's: his token is known, his key is not, unless it signs what is then altered.
    pub(crate) victim: Hand,
    /// A case of his beat as it stands.
    pub(crate) near: Ledger,
    /// A case of another beat.
    pub(crate) far: Ledger,
}

/// How a frame is signed, and what its head says.
pub(super) struct Seal<'a> {
    key: &'a Hand,
    signer: &'a Hand,
    /// The range that is signed.
    n: (u64, u64),
    /// The range that is said.
    said: (u64, u64),
    form: Form,
}

impl<'a> Seal<'a> {
    /// As it should be.
    fn of(hand: &'a Hand, n: u64) -> Self {
        Self::over(hand, (n, n))
    }

    /// The same over a range.
    pub(super) fn over(hand: &'a Hand, n: (u64, u64)) -> Self {
        Seal {
            key: hand,
            signer: hand,
            n,
            said: n,
            form: Form::Raw,
        }
    }
}

impl Foe<'_> {
    /// A note by a hand on a case, as far as a stranger can make it.
    pub(super) fn entry(&self, hand: &mut Hand, ledger: &Ledger, action: Action) -> Entry {
        let case = document::read(ledger, |_| Some(START)).case;
        let (capability, unit) = match action {
            Action::Urge => (Capability::Urge, UnitId::CITY),
            Action::Accept => (Capability::Accept, UnitId::CITY),
            _ => {
                let village = case.places.first().expect("a place").value.village;
                (Capability::Inspect, village.unit())
            }
        };
        let body = Body {
            words: Some("不速之客".to_owned()),
            ..Body::default()
        };
        let right = Right { capability, unit };
        hand.entry(&case, (action, right), body, START)
    }

    fn note(&self, hand: &mut Hand, ledger: &Ledger) -> Parsed {
        let entry = self.entry(hand, ledger, Action::Note);
        hand.change(ledger, &entry, Vec::new())
    }

    /// A round that pushes one change with this token.
    fn push(&self, token: &str, seal: &Seal<'_>, (id, change): (DocumentId, &[u8])) -> Vec<u8> {
        let frame = self.frame(seal, &[(id, change.to_vec())]);
        let hello = Hello::first(self.app.identity.epoch);
        round(Some(token), &session::request(&hello, &[frame]))
    }

    pub(super) fn frame(&self, seal: &Seal<'_>, items: &[(DocumentId, Vec<u8>)]) -> Vec<u8> {
        let leaves = items.iter().map(|(id, bytes)| leaf(*id, chunk_hash(bytes)));
        let batch = Batch {
            server: self.app.identity.server,
            device: seal.signer.device,
            n: seal.n,
            leaves: leaves.collect(),
        };
        let head = PushHead {
            signer: seal.signer.device,
            n: seal.said,
            signature: batch.sign(&seal.key.seed),
            form: seal.form,
        };
        let mut writer = Writer::default();
        for (id, bytes) in items {
            write_raw(&mut writer, *id, bytes);
        }
        head.encode(items.len(), &writer.finish())
    }

    /// A round of the foe's own, rightly signed, with one change that must get this fate.
    fn own(
        &self,
        name: &'static str,
        n: u64,
        (id, change): (DocumentId, &Parsed),
        fate: Fate,
    ) -> Blow {
        let seal = Seal::of(&self.own, n);
        Blow {
            name,
            request: self.push(&self.own.token, &seal, (id, &change.bytes)),
            pushed: Some(1),
            answer: Answer::Fates(vec![fate]),
        }
    }

    /// Everything that needs a change.
    pub(crate) fn forgeries(&mut self) -> Vec<Blow> {
        let near = self.near.document();
        let mut hand = self.own.clone();
        let mut blows = Vec::new();

        let mut masked = hand.clone();
        masked.actor = self.victim.actor;
        let change = self.note(&mut masked, &self.near);
        let fate = Fate::Refused(Refusal::ForeignActor);
        blows.push(self.own("another's actor", masked.n, (near, &change), fate));

        let mut entry = self.entry(&mut hand, &self.near, Action::Note);
        entry.person = self.victim.person;
        let change = hand.change(&self.near, &entry, Vec::new());
        let fate = Fate::Refused(Refusal::ForeignPerson);
        blows.push(self.own("another's name", hand.n, (near, &change), fate));

        for (name, action, refusal) in [
            (
                "a right that is not his",
                Action::Urge,
                Refusal::NotPermitted,
            ),
            ("the office's deed", Action::Accept, Refusal::OfficeOnly),
        ] {
            let entry = self.entry(&mut hand, &self.near, action);
            let change = hand.change(&self.near, &entry, Vec::new());
            let fate = Fate::Refused(refusal);
            blows.push(self.own(name, hand.n, (near, &change), fate));
        }

        let change = self.note(&mut hand, &self.far);
        let far = self.far.document();
        let fate = || Fate::Missing(change.deps.clone());
        blows.push(self.own("a case of another beat", hand.n, (far, &change), fate()));
        let guessed = DocumentId([0x5a; 16]);
        blows.push(self.own("a guessed id", hand.n, (guessed, &change), fate()));
        blows.push(self.own(
            "an id that is taken",
            hand.n + 1,
            (far, &self.report(&mut hand)),
            Fate::Refused(Refusal::NotFirst),
        ));
        blows.extend(self.false_seals(&mut hand));
        blows
    }

    /// A report as he may make it, but under the id of the far case.
    fn report(&self, hand: &mut Hand) -> Parsed {
        let case = document::read(&self.near, |_| Some(START)).case;
        let village = case.places.first().expect("a place").value.village;
        let right = hand.right(self.app, &case, Action::Report);
        let mut entry = hand.entry(&case, (Action::Report, right), Body::default(), START);
        entry.on.clear();
        let empty = Ledger::new(self.far.document());
        hand.change(&empty, &entry, matter(village, "占位"))
    }

    /// Frames that nobody signed so.
    fn false_seals(&self, hand: &mut Hand) -> Vec<Blow> {
        let near = self.near.document();
        let mut victim = self.victim.clone();
        let (note, theirs) = (
            self.note(hand, &self.near),
            self.note(&mut victim, &self.near),
        );
        let (own, other) = (Seal::of(hand, hand.n), Seal::of(&victim, victim.n));
        let (n, before) = (victim.n, victim.n - 1);
        let blow = |name, token: &str, seal: &Seal<'_>, change: &Parsed, unread| Blow {
            name,
            request: self.push(token, seal, (near, &change.bytes)),
            pushed: Some(1),
            answer: Answer::Unread(unread),
        };
        let stolen = Seal { key: hand, ..other };
        let altered = Seal {
            said: (before, n),
            ..other
        };
        let beside = Seal {
            n: (1 << 20, 1 << 20),
            said: (1 << 20, 1 << 20),
            ..own
        };
        let stripped = Seal {
            form: Form::Stripped,
            ..stolen
        };
        vec![
            blow(
                "a stolen token without its key",
                &victim.token,
                &stolen,
                &theirs,
                Unread::Signature,
            ),
            blow(
                "an old range on a frame that was seen",
                &victim.token,
                &altered,
                &theirs,
                Unread::Signature,
            ),
            blow(
                "bytes that are no stripped change",
                &victim.token,
                &stripped,
                &theirs,
                Unread::Rebuild,
            ),
            blow(
                "another's frame under one's own token",
                &hand.token,
                &other,
                &theirs,
                Unread::Carried,
            ),
            blow(
                "a range beside its entries",
                &hand.token,
                &beside,
                &note,
                Unread::Malformed,
            ),
        ]
    }

    /// What needs no change: no token, a guessed one, and everything asked for again and again.
    pub(crate) fn callers(&self) -> Vec<Blow> {
        let hello = session::request(&Hello::first(self.app.identity.epoch), &[]);
        let signed_out = || Answer::Error(401, "signed_out".to_owned());
        let blow = |name, token, answer| Blow {
            name,
            request: round(token, &hello),
            pushed: None,
            answer,
        };
        vec![
            blow("no token", None, signed_out()),
            blow("a guessed token", Some("guessed"), signed_out()),
            blow(
                "a listing of everything",
                Some(self.own.token.as_str()),
                Answer::Round,
            ),
        ]
    }

    /// A round that was seen on its way, once more. It had pushed one change.
    pub(crate) fn replay(request: &[u8]) -> Blow {
        Blow {
            name: "a round that was seen",
            request: request.to_vec(),
            pushed: Some(1),
            answer: Answer::Fates(vec![Fate::Dup]),
        }
    }
}
