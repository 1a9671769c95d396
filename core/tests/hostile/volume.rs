//! How much one device may put into one document: installations, changes, bytes, transitions that nobody has seen.

use super::*;

#[test]
fn a_device_fills_no_document() {
    let Ground { mut ledger, .. } = ground();
    let mut n = 2;
    for install in 2..=8 {
        let change = composed(&ledger, WANG, install, &note(WANG, n));
        assert!(answer(&ledger, WANG, &change.bytes).is_ok(), "{install}");
        ledger.push(change).expect("known dependencies");
        n += 1;
    }
    let ninth = composed(&ledger, WANG, 9, &note(WANG, n));
    assert_eq!(
        answer(&ledger, WANG, &ninth.bytes),
        Err(Refusal::TooMany.into())
    );
    let known = composed(&ledger, WANG, 8, &note(WANG, n));
    assert!(answer(&ledger, WANG, &known.bytes).is_ok());

    let mut large = note(WANG, n);
    large.body.words = Some("字".repeat(limits::ENTRY_WORDS_MAX));
    let mut bytes = 0;
    let refused = loop {
        large.n += 1;
        let change = composed(&ledger, WANG, 8, &large);
        if let Err(objection) = answer(&ledger, WANG, &change.bytes) {
            break objection;
        }
        bytes += change.bytes.len();
        ledger.push(change).expect("known dependencies");
    };
    assert_eq!(refused, Refusal::TooMany.into());
    assert!(bytes < limits::DEVICE_BYTES_MAX);
    let others = composed(&ledger, LI, 1, &note(LI, 2));
    assert!(answer(&ledger, LI, &others.bytes).is_ok());
}

#[test]
fn a_device_makes_so_many_changes_of_a_document_and_not_one_more() {
    let Ground { mut ledger, .. } = ground();
    let device = |ledger: &Ledger| {
        let links = ledger.links().iter();
        let wang = links.filter(|link| link.change.actor.device() == device_of(WANG));
        wang.count()
    };
    let refused = loop {
        let n = device(&ledger) as u64 + 2;
        let change = composed(&ledger, WANG, 1, &note(WANG, n));
        if let Err(objection) = answer(&ledger, WANG, &change.bytes) {
            break objection;
        }
        ledger.push(change).expect("known dependencies");
    };
    assert_eq!(refused, Refusal::TooMany.into());
    assert_eq!(device(&ledger), limits::DEVICE_CHANGES_MAX);
}

#[test]
fn a_device_piles_up_no_transitions_that_nobody_has_seen() {
    let Ground {
        mut ledger,
        reported,
        ..
    } = ground();
    let withdraw = |n: u64, on: Vec<EntryId>| {
        let mut entry = entry(
            LI,
            Action::Withdraw,
            right(Capability::Report, UnitId::CITY),
            n,
        );
        entry.on = on;
        entry
    };
    // What is no transition does not count.
    for n in 20..30 {
        let change = composed(&ledger, LI, 1, &note(LI, n));
        ledger.push(change).expect("known dependencies");
    }
    let mut heads = Vec::new();
    for n in 2..10 {
        let change = composed(&ledger, LI, 1, &withdraw(n, vec![reported]));
        let admitted = answer(&ledger, LI, &change.bytes).expect("still few");
        heads.extend(admitted.map(|admitted| admitted.id));
        ledger.push(change).expect("known dependencies");
    }
    let another = composed(&ledger, LI, 1, &withdraw(10, vec![reported]));
    assert_eq!(
        answer(&ledger, LI, &another.bytes),
        Err(Refusal::TooMany.into())
    );
    let noted = composed(&ledger, LI, 1, &note(LI, 10));
    assert!(answer(&ledger, LI, &noted.bytes).is_ok());
    heads.sort_unstable();
    let naming = composed(&ledger, LI, 1, &withdraw(10, heads));
    assert!(answer(&ledger, LI, &naming.bytes).is_ok());
    ledger.push(naming).expect("known dependencies");
    let after = composed(&ledger, LI, 1, &withdraw(11, vec![reported]));
    assert!(answer(&ledger, LI, &after.bytes).is_ok());
}

#[test]
fn a_document_takes_so_many_bytes_from_phones_and_the_office_goes_on() {
    let Ground { mut ledger, .. } = ground();
    let small = |ledger: &Ledger| composed(ledger, WANG, 1, &note(WANG, 2));
    let room = limits::DOCUMENT_BYTES_MAX - small(&ledger).bytes.len();
    let lens = ledger.links().iter().map(|link| link.change.bytes.len());
    let mut bytes: usize = lens.sum();
    let office = right(Capability::Accept, UnitId::CITY);
    let mut large = entry(ZHAO, Action::Note, office, 2);
    large.body.words = Some("字".repeat(limits::ENTRY_WORDS_MAX));
    while bytes <= room {
        large.n += 1;
        let change = composed(&ledger, ZHAO, 0, &large);
        bytes += change.bytes.len();
        ledger.push(change).expect("known dependencies");
    }
    let full = small(&ledger);
    assert_eq!(
        answer(&ledger, WANG, &full.bytes),
        Err(Refusal::TooMany.into())
    );
    large.n += 1;
    let more = composed(&ledger, ZHAO, 0, &large);
    assert!(answer(&ledger, ZHAO, &more.bytes).is_ok());
    ledger.truncate(ledger.len() - 1);
    let fits = small(&ledger);
    assert!(answer(&ledger, WANG, &fits.bytes).is_ok());
}
