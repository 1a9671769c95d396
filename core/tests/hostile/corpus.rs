//! Hostile and unlucky changes made from a valid one, each with the refusal that it must get.
//!
//! Plain functions over bytes: a server's tests include this file with `#[path]` and push the same bytes over HTTP.
//! H1–H11 are cases each of which was seen to harm Automerge itself.

pub(crate) mod chunk;
mod entries;
pub(crate) mod surgery;

use automerge::legacy::{ElementId, Key as LegacyKey, ObjectId, OpId, OpType};
use automerge::{ActorId, Change, ObjType, ScalarValue};
use patrol_core::doc::key::{Key, ServerName};
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::Parsed;
use patrol_core::domain::id::EntryId;
use patrol_core::domain::refusal::Refusal;

use surgery::{altered, by_hand, counter, ops_of};

/// A change that must be refused: what it tries, its bytes, the refusal.
pub(crate) type Hostile = (&'static str, Vec<u8>, Refusal);

/// All of them. `valid` is what a device could admit next on the heads: an `amend` that writes all three registers, by
/// an actor that has one change already, in a document that another actor opened and the office has accepted.
pub(crate) fn corpus(ledger: &Ledger, valid: &Parsed) -> Vec<Hostile> {
    let mut all = that_harm_automerge(ledger, valid);
    all.extend(of_bad_bytes(valid));
    all.extend(outside_the_grammar(valid));
    all.extend(entries::out_of_sequence(ledger, valid));
    all.extend(entries::of_bad_entries(ledger, valid));
    all
}

/// H1–H11.
pub(crate) fn that_harm_automerge(ledger: &Ledger, valid: &Parsed) -> Vec<Hostile> {
    let first = &ledger.links()[0].change;
    let foreign = ActorId::from([9u8; 16]);
    let fresh = ActorId::from(with_suffix(valid, 0xee));
    let object = ObjectId::Id(OpId(99, ActorId::from(valid.actor.0)));
    let mut list = of_bombs_and_foreign_encoders(valid);
    list.extend([
        (
            "H1 seq 5 of an unknown actor",
            altered(valid, |change| {
                change.seq = 5;
                change.actor_id = foreign.clone();
            }),
            Refusal::ForeignActor,
        ),
        (
            "H1 seq 5 of an actor of one's own that is new here",
            altered(valid, |change| {
                change.seq = 5;
                change.actor_id = fresh;
            }),
            Refusal::Gap,
        ),
        (
            "H2 an author footer on seq 2",
            altered(valid, |change| change.extra_bytes = vec![1, 2, 7, 7]),
            Refusal::Grammar,
        ),
        (
            "H3 an operation on an unknown object",
            altered(valid, |change| change.operations[1].obj = object),
            Refusal::Malformed,
        ),
        (
            "H4 a predecessor of an unseen actor",
            altered(valid, |change| {
                change.operations[1].pred = vec![OpId(1, foreign)].into();
            }),
            Refusal::BadOps,
        ),
        (
            "H5 a predecessor that wrote another key",
            altered(valid, |change| {
                let other = change.operations[2].pred.clone();
                change.operations[1].pred = other;
            }),
            Refusal::BadOps,
        ),
        (
            "H6 operations that begin below the dependencies'",
            altered(valid, |change| change.start_op = counter(2)),
            Refusal::BadOps,
        ),
        (
            "H7 operations that begin at the highest counter",
            altered(valid, |change| {
                change.start_op = counter(u64::from(u32::MAX));
            }),
            Refusal::BadOps,
        ),
        (
            "H11 a change that does not descend from the actor's last",
            altered(valid, |change| {
                change.deps = vec![automerge::ChangeHash(first.hash.0)];
                change.start_op = counter(first.max_op() + 1);
            }),
            Refusal::Gap,
        ),
    ]);
    list
}

/// H8, H9, H10, and an actor number that nobody has.
fn of_bombs_and_foreign_encoders(valid: &Parsed) -> Vec<Hostile> {
    let ops = valid.puts.len() as u64;
    let one = |value: u64| chunk::int(value);
    let literal_run = {
        let mut column = vec![0x80 - u8::try_from(ops).expect("few operations")];
        column.extend((0..ops).map(|_| 1));
        column
    };
    let split_run = [one(ops - 2), vec![1], one(2), vec![1]].concat();
    vec![
        (
            "H8 a run of 2²⁶ operations",
            run_bomb(valid, 1 << 26),
            Refusal::Malformed,
        ),
        (
            "H8 a run of 65 operations",
            run_bomb(valid, 65),
            Refusal::Malformed,
        ),
        (
            "H8 a run longer than any number",
            by_hand(valid, |parts| {
                *parts.column(chunk::ACTION) = [vec![0xff; 9], vec![0, 1]].concat();
            }),
            Refusal::Malformed,
        ),
        (
            "H9 a compressed bomb",
            chunk::sealed(2, &chunk::deflate_bomb(16_000)),
            Refusal::Malformed,
        ),
        (
            "H9 an honest compressed change",
            compressed(valid),
            Refusal::Malformed,
        ),
        (
            "H10 a literal run where a repeat fits",
            by_hand(valid, |parts| *parts.column(chunk::ACTION) = literal_run),
            Refusal::NotCanonical,
        ),
        (
            "H10 a run in two",
            by_hand(valid, |parts| *parts.column(chunk::ACTION) = split_run),
            Refusal::NotCanonical,
        ),
        (
            "H10 a number with a padded digit",
            by_hand(valid, |parts| {
                let column = parts.column(chunk::INSERT);
                let last = column.len() - 1;
                column[last] |= 0x80;
                column.push(0);
            }),
            Refusal::NotCanonical,
        ),
        (
            "the same dependency twice",
            by_hand(valid, |parts| parts.deps.push(parts.deps[0])),
            Refusal::NotCanonical,
        ),
        (
            "the same dependency twice, in order",
            by_hand(valid, |parts| parts.deps.insert(0, parts.deps[0])),
            Refusal::NotCanonical,
        ),
        (
            "dependencies in another order",
            by_hand(valid, |parts| parts.deps.reverse()),
            Refusal::NotCanonical,
        ),
        (
            "a predecessor of an actor number that nobody has",
            by_hand(valid, |parts| {
                let column = parts.column(chunk::PRED_ACTOR);
                *column = [one(ops - 1), chunk::uint(77)].concat();
            }),
            Refusal::Malformed,
        ),
    ]
}

/// Bytes that are no change chunk.
fn of_bad_bytes(valid: &Parsed) -> Vec<Hostile> {
    let whole = &valid.bytes;
    let with = |place: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[place] ^= byte;
        bytes
    };
    let too_many = ops_of(valid, |ops| {
        let extra = ops[1].clone();
        ops.extend((0..64).map(|_| extra.clone()));
    });
    let many_deps = by_hand(valid, |parts| {
        parts.deps = (0..65).map(|number| [number; 32]).collect();
    });
    let list = [
        ("nothing", Vec::new()),
        ("the magic alone", whole[..4].to_vec()),
        ("a change cut short", whole[..whole.len() - 1].to_vec()),
        (
            "a change and a byte more",
            [whole.as_slice(), &[0]].concat(),
        ),
        ("two changes in one", [whole.as_slice(), whole].concat()),
        ("another magic", with(0, 1)),
        ("another checksum", with(5, 1)),
        (
            "a byte changed under the checksum",
            with(whole.len() - 1, 1),
        ),
        ("a document chunk", chunk::sealed(0, &whole[12..])),
        ("a chunk of an unknown type", chunk::sealed(3, &whole[12..])),
        ("too large", [whole.clone(), vec![0; 16 * 1024]].concat()),
        ("more operations than allowed", too_many),
        ("more dependencies than allowed", many_deps),
        (
            "operations that begin at zero",
            by_hand(valid, |parts| parts.start_op = 0),
        ),
        (
            "operations that begin beyond every counter",
            by_hand(valid, |parts| parts.start_op = u64::MAX),
        ),
        (
            "a column that no root put needs",
            by_hand(valid, |parts| parts.columns.push((0x94, vec![4]))),
        ),
    ];
    list.into_iter()
        .map(|(name, bytes)| (name, bytes, Refusal::Malformed))
        .collect()
}

/// Changes that a document has no room for.
fn outside_the_grammar(valid: &Parsed) -> Vec<Hostile> {
    let put = |value: ScalarValue| {
        altered(valid, |change| {
            change.operations[3].action = OpType::Put(value);
        })
    };
    let act = |action: OpType| altered(valid, |change| change.operations[3].action = action);
    let key = |text: &str| {
        altered(valid, |change| {
            change.operations[3].key = LegacyKey::Map(text.into());
            change.operations[3].pred = Vec::new().into();
        })
    };
    let mut list = vec![
        (
            "extra bytes",
            altered(valid, |change| change.extra_bytes = vec![0xab; 9]),
        ),
        (
            "a message",
            altered(valid, |change| change.message = Some("hello".into())),
        ),
        ("a time", altered(valid, |change| change.time = 1)),
        ("a delete", act(OpType::Delete)),
        ("a new map", act(OpType::Make(ObjType::Map))),
        ("a new text", act(OpType::Make(ObjType::Text))),
        ("an increment", act(OpType::Increment(1))),
        ("a text value", put(ScalarValue::Str("words".into()))),
        ("a null", put(ScalarValue::Null)),
        ("a number", put(ScalarValue::Int(-1))),
        ("a counter", put(ScalarValue::Counter(5.into()))),
        ("a truth", put(ScalarValue::Boolean(true))),
        ("a float", put(ScalarValue::F64(f64::NAN))),
        (
            "an insert under a map key",
            altered(valid, |change| change.operations[3].insert = true),
        ),
        ("a key outside the grammar", key("x/y")),
        ("an empty key", key("")),
        ("an entry whose key is no id", key("e/short")),
        (
            "a register of the server's",
            key(&Key::Server(ServerName::Fold).text()),
        ),
        (
            "a register that the server has written",
            key(&Key::Server(ServerName::Scopes).text()),
        ),
        ("no operation", ops_of(valid, Vec::clear)),
        (
            "registers without an entry",
            ops_of(valid, |ops| drop(ops.remove(0))),
        ),
        (
            "an entry behind its registers",
            ops_of(valid, |ops| ops.rotate_left(1)),
        ),
        (
            "registers out of order",
            ops_of(valid, |ops| ops.swap(1, 2)),
        ),
        (
            "a register twice",
            ops_of(valid, |ops| {
                let again = ops[3].clone();
                ops.push(again);
            }),
        ),
        (
            "two entries",
            ops_of(valid, |ops| {
                let mut second = ops[0].clone();
                second.key = LegacyKey::Map(Key::Entry(EntryId([7; 16])).text().into());
                ops.push(second);
            }),
        ),
    ];
    list.sort_by_key(|(name, _)| *name);
    let mut list: Vec<Hostile> = list
        .into_iter()
        .map(|(name, bytes)| (name, bytes, Refusal::Grammar))
        .collect();
    list.push((
        "an operation on a list",
        altered(valid, |change| {
            change.operations[3].key = LegacyKey::Seq(ElementId::Head);
            change.operations[3].insert = true;
        }),
        Refusal::Malformed,
    ));
    list
}

/// A chunk of few bytes that stands for `ops` operations.
fn run_bomb(valid: &Parsed, ops: u64) -> Vec<u8> {
    let run = |value: &[u8]| [chunk::int(ops), value.to_vec()].concat();
    by_hand(valid, |parts| {
        parts.others = Vec::new();
        parts.columns = vec![
            (chunk::KEY, run(&[1, b'k'])),
            (chunk::INSERT, chunk::uint(ops)),
            (chunk::ACTION, run(&[1])),
            (chunk::VALUE_META, run(&[0])),
            (chunk::PRED_COUNT, run(&[0])),
        ];
    })
}

fn compressed(valid: &Parsed) -> Vec<u8> {
    let mut change = Change::from_bytes(valid.bytes.clone()).expect("a valid change");
    let bytes = change.bytes().to_vec();
    assert_eq!(bytes[8], 2, "large enough to be compressed");
    bytes
}

fn with_suffix(valid: &Parsed, byte: u8) -> [u8; 16] {
    let mut actor = valid.actor.0;
    actor[15] ^= byte;
    actor
}
