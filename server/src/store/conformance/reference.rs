//! The examination of what is imported as a whole.

#![expect(clippy::indexing_slicing, reason = "an examination panics to fail")]

use std::collections::BTreeSet;

use patrol_core::domain::component::Position;
use patrol_core::domain::component::near::{self, Spot};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::limits;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::components;

use super::{document, part};
use crate::store::reference::{
    ComponentRow, Differs, KeptBasis, KeptDirectory, MadeBy, Replacing, Rest, Terminal, Version,
    Weighed,
};
use crate::store::{Commit, Result, Store, StoreError};

/// A directory with what its people follow from, which the store does not look at.
pub(super) fn kept(bytes: &[u8]) -> KeptDirectory {
    KeptDirectory {
        bytes: bytes.to_vec(),
        basis: Some(KeptBasis {
            said: [b"of ", bytes].concat(),
            leaves: "[]".to_owned(),
        }),
    }
}

fn village(number: u64) -> VillageCode {
    VillageCode::new(440_403_100_200 + number).expect("twelve digits")
}

fn row(code: u64, village_number: u64, byte: u8) -> ComponentRow {
    ComponentRow {
        code,
        village: village(village_number),
        position: Position {
            lon_e7: 1_132_500_000 + i64::from(byte) * 10_000,
            lat_e7: 221_250_000,
        },
        // An item of CBOR, since rows are joined to one.
        bytes: vec![byte],
    }
}

fn rows(rows: &[ComponentRow]) -> impl Iterator<Item = Result<ComponentRow>> + use<> {
    let rows: Vec<ComponentRow> = rows.to_vec();
    rows.into_iter().map(Ok)
}

/// Puts rows in force after an import, with something else.
fn put(
    store: &dyn Store,
    base: u64,
    rest: Rest,
    rows: &mut dyn Iterator<Item = Result<ComponentRow>>,
    with: &Commit,
) -> Result<Weighed> {
    let now = Timestamp(9);
    let directory = store.directory()?.map_or(0, |(no, _)| no);
    let replacing = Replacing {
        base,
        directory,
        rest,
        now,
        with,
    };
    store.replace_components(rows, &replacing)
}

/// Puts rows in force after an import, in place of all that stands in their villages.
fn replace(store: &dyn Store, base: u64, given: &[ComponentRow]) -> Result<Weighed> {
    put(
        store,
        base,
        Rest::Removed,
        &mut rows(given),
        &Commit::default(),
    )
}

pub(super) fn directories_are_replaced_one_after_the_other(store: &dyn Store) {
    let put = |base, bytes: &[u8], of| store.replace_directory((base, None), &kept(bytes), of);
    let [first, second] = [(Timestamp(1), MadeBy::Other), (Timestamp(3), MadeBy::Leave)];
    assert_eq!(put(0, b"one", first).expect("the first"), 1);
    for base in [0, 2] {
        assert!(matches!(put(base, b"two", first), Err(StoreError::Stale)));
    }
    assert_eq!(put(1, b"two", second).expect("the second"), 2);
    let all = store.directories().expect("the store answers");
    let version = |no, (kept_at, made_by)| Version {
        no,
        kept_at,
        made_by: Some(made_by),
    };
    assert_eq!(all, [version(1, first), version(2, second)]);
    let of = |no| store.directory_of(no).expect("the store answers");
    let all = [1, 2, 3].map(of);
    let [one, two] = [b"one", b"two"].map(|bytes| kept(bytes));
    assert_eq!(all, [Some(one), Some(two.clone()), None]);
    let in_force = store.directory().expect("the store answers");
    assert_eq!(in_force, Some((2, two)));
    // One that an older program would have kept.
    let older = KeptDirectory {
        basis: None,
        ..kept(b"three")
    };
    let put = store.replace_directory((2, None), &older, first);
    assert_eq!(put.expect("the third"), 3);
    assert_eq!(of(3), Some(older));
}

pub(super) fn components_of_the_villages_named_are_replaced(store: &dyn Store) {
    let all = BTreeSet::from([1, 2, 3, 4].map(village));
    let first = [row(1, 1, 1), row(2, 1, 2), row(3, 2, 3), row(4, 3, 4)];
    let added = Weighed {
        added: 4,
        ..Weighed::default()
    };
    let weighed = store.weigh_components(&mut rows(&first), Rest::Removed, &mut |_, _| {});
    assert_eq!(weighed.expect("the store answers"), added);
    assert!(
        store
            .component_tags(&all)
            .expect("the store answers")
            .is_empty()
    );
    assert_eq!(replace(store, 0, &first).expect("the first"), added);
    let tags = store.component_tags(&all).expect("the store answers");
    let expected = components::join(village(1), [&[1][..], &[2]].into_iter());
    assert_eq!(tags[0], (village(1), components::tag(&expected)));
    let some = BTreeSet::from([village(2), village(4)]);
    let of_some = store.component_tags(&some).expect("the store answers");
    assert_eq!(of_some, tags[1..2]);
    let of = store.components_of(village(1)).expect("the store answers");
    assert_eq!(of, expected);

    // 1 stays, 2 is removed, 3 moves from village 2 to 1, and 4 is of a village that nobody names.
    let second = [row(1, 1, 1), row(3, 1, 5), row(6, 1, 6)];
    let expected = Weighed {
        added: 1,
        changed: 1,
        removed: 1,
        unchanged: 1,
    };
    let mut told = Vec::new();
    let weighed =
        store.weigh_components(&mut rows(&second), Rest::Removed, &mut |differs, code| {
            told.push((differs, code));
        });
    assert_eq!(weighed.expect("the store answers"), expected);
    told.sort_unstable();
    let differing = [
        (Differs::Removed, 2),
        (Differs::Changed, 3),
        (Differs::Added, 6),
    ];
    assert_eq!(told, differing);
    assert!(matches!(replace(store, 0, &second), Err(StoreError::Stale)));
    assert_eq!(replace(store, 1, &second).expect("the second"), expected);
    let then = store.component_tags(&all).expect("the store answers");
    let villages: Vec<VillageCode> = then.iter().map(|(village, _)| *village).collect();
    assert_eq!(villages, [village(1), village(3)]);
    assert_ne!(then[0].1, tags[0].1);
    assert_eq!(then[1].1, tags[2].1);
    assert_eq!(
        [2, 3].map(|code| store.component(code).expect("the store answers")),
        [None, Some(vec![5])]
    );

    let replaced = |after, limit| {
        store
            .replaced_components(2, after, limit)
            .expect("the store answers")
    };
    let bytes =
        |rows: Vec<(u64, Vec<u8>)>| rows.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>();
    assert_eq!(bytes(replaced(0, 9)), [[2], [3]]);
    let after = replaced(0, 1)[0].0;
    assert_eq!(bytes(replaced(after, 9)), [[3]]);
    // One that does nothing is none.
    replace(store, 2, &second).expect("the same again");
    let imports = store.component_imports().expect("the store answers");
    let numbers: Vec<u64> = imports.iter().map(|import| import.no).collect();
    assert_eq!((numbers, imports[1].weighed), (vec![1, 2], expected));
}

pub(super) fn components_and_a_commit_go_into_force_together(store: &dyn Store) {
    replace(store, 0, &[row(1, 1, 1), row(2, 1, 2), row(7, 2, 7)]).expect("the first");
    let with = |expected_len| Commit {
        documents: vec![part(1, expected_len, &[1], &[], 1)],
        ..Commit::default()
    };
    let given = [row(2, 1, 9), row(3, 1, 3)];
    let kept = |base, with: &Commit| put(store, base, Rest::Kept, &mut rows(&given), with);
    assert!(matches!(kept(1, &with(5)), Err(StoreError::Stale)));
    let code = |code| store.component(code).expect("the store answers");
    assert_eq!([2, 3].map(code), [Some(vec![2]), None]);

    let expected = Weighed {
        added: 1,
        changed: 1,
        ..Weighed::default()
    };
    let weighed = store.weigh_components(&mut rows(&given), Rest::Kept, &mut |_, _| {});
    assert_eq!(weighed.expect("the store answers"), expected);
    assert_eq!(kept(1, &with(0)).expect("the second"), expected);
    // What no row names stays.
    assert_eq!([1, 2, 3].map(code), [1, 9, 3].map(|byte| Some(vec![byte])));
    let len = || {
        let mut len = 0;
        let read = store.read(&mut |snapshot| {
            len = snapshot
                .document(document(1))?
                .map_or(0, |found| found.changes.len());
            Ok(())
        });
        read.map(|()| len).expect("the store answers")
    };
    assert_eq!(len(), 1);
    // Where nothing is replaced, the rest of it is done all the same.
    let again = Commit {
        documents: vec![part(1, 1, &[2], &[], 2)],
        ..Commit::default()
    };
    assert_eq!(kept(2, &again).expect("the same").unchanged, 2);
    assert_eq!(len(), 2);
    assert_eq!(
        store.component_imports().expect("the store answers").len(),
        2
    );
    // A code that is gone is not forgotten.
    replace(store, 2, &[row(1, 1, 1)]).expect("the third");
    let last = |from, to| store.last_component(from, to).expect("the store answers");
    assert_eq!(
        [last(1, 6), last(1, 9), last(8, 9)],
        [Some(3), Some(7), None]
    );
}

pub(super) fn other_writes_go_on_while_components_come(store: &dyn Store) {
    replace(store, 0, &[row(1, 1, 1)]).expect("the first");
    let tags = || {
        store
            .component_tags(&BTreeSet::from([village(1)]))
            .expect("the store answers")
    };
    let before = tags();
    let commit = Commit {
        documents: vec![part(1, 0, &[1], &[], 1)],
        ..Commit::default()
    };
    let many = 2 * limits::COMPONENTS_A_WRITE as u64 + 1;
    let mut coming = (1..=many).map(|code| {
        if code == many {
            // Most of them are prepared, and what was in force is.
            store.commit(&commit)?;
            assert_eq!(store.component(1)?, Some(vec![1]));
            assert_eq!(store.component(2)?, None);
            assert_eq!(
                (store.components_of(village(1))?.len(), tags()),
                (13, before.clone())
            );
            let everywhere = store.component_spots(&[(i64::MIN, i64::MAX)])?;
            assert_eq!((everywhere.len(), store.component_imports()?.len()), (1, 1));
            assert_eq!(store.replaced_components(2, 0, 9)?, []);
        }
        Ok(row(code, 1, 2))
    });
    let weighed = put(store, 1, Rest::Removed, &mut coming, &Commit::default());
    let weighed = weighed.expect("the second");
    assert_eq!((weighed.added, weighed.changed), (many - 1, 1));
    assert_eq!(
        store.component(many).expect("the store answers"),
        Some(vec![2])
    );
    assert_ne!(tags(), before);
    let replaced = store
        .replaced_components(2, 0, 9)
        .expect("the store answers");
    assert_eq!(replaced, [(1, vec![1])]);
}

pub(super) fn an_error_among_components_changes_nothing(store: &dyn Store) {
    let first = [row(1, 1, 1)];
    replace(store, 0, &first).expect("the first");
    let broken = Err(StoreError::Broken("the file ended".to_owned()));
    let many = 1..=limits::COMPONENTS_A_WRITE as u64;
    let mut second = many.map(|code| Ok(row(code, 1, 2))).chain([broken]);
    let failed = put(store, 1, Rest::Removed, &mut second, &Commit::default());
    assert!(matches!(failed, Err(StoreError::Broken(_))));
    let kept = [1, 2].map(|code| store.component(code).expect("the store answers"));
    assert_eq!(kept, [Some(vec![1]), None]);
    assert_eq!(
        store.component_imports().expect("the store answers").len(),
        1
    );
    // Nor does it come with the next one.
    replace(store, 1, &[row(1, 1, 1), row(3, 1, 3)]).expect("the second");
    let kept = [1, 2, 3].map(|code| store.component(code).expect("the store answers"));
    assert_eq!(kept, [Some(vec![1]), None, Some(vec![3])]);
}

pub(super) fn components_and_a_directory_do_not_cross(store: &dyn Store) {
    let keep = |base, bytes: &[u8]| {
        let of = (Timestamp(1), MadeBy::Other);
        store.replace_directory(base, &kept(bytes), of)
    };
    assert_eq!(keep((0, None), b"one").expect("the first"), 1);
    // While they come, under the first, the second comes into force: it knows nothing of them.
    let mut coming = [1, 2].into_iter().map(|code| {
        if code == 2 {
            assert_eq!(keep((1, Some(0)), b"two")?, 2);
        }
        Ok(row(code, 1, 1))
    });
    let crossed = put(store, 0, Rest::Removed, &mut coming, &Commit::default());
    assert!(matches!(crossed, Err(StoreError::Stale)));
    assert_eq!(store.component(1).expect("the store answers"), None);
    replace(store, 0, &[row(1, 1, 1)]).expect("under the second");
    // Nor does a directory that was made before them, where it is asked for.
    assert!(matches!(
        keep((2, Some(0)), b"three"),
        Err(StoreError::Stale)
    ));
    assert_eq!(keep((2, Some(1)), b"three").expect("the third"), 3);
    assert_eq!(keep((3, None), b"four").expect("the fourth"), 4);
}

pub(super) fn components_are_found_by_their_cells(store: &dyn Store) {
    let given = [row(1, 1, 1), row(2, 1, 2), row(3, 1, 9)];
    replace(store, 0, &given).expect("the first");
    let cell = |row: &ComponentRow| near::cell(row.position);
    let stretch = (cell(&given[0]), cell(&given[1]));
    let found = |stretches: &[(i64, i64)]| {
        let mut spots = store.component_spots(stretches).expect("the store answers");
        spots.sort();
        spots
    };
    let spot = |row: &ComponentRow| Spot {
        code: row.code,
        position: row.position,
    };
    assert_eq!(found(&[stretch]), [spot(&given[0]), spot(&given[1])]);
    let third = (cell(&given[2]), cell(&given[2]));
    assert_eq!(found(&[third, stretch]).len(), 3);
    assert_eq!(found(&[]), []);
}

pub(super) fn a_village_has_one_terminal(store: &dyn Store) {
    let terminal = |number, now, by| Terminal {
        village: village(number),
        registered_at: Timestamp(now),
        registered_by: PersonId([by; 8]),
    };
    for put in [terminal(2, 1, 1), terminal(1, 2, 2), terminal(2, 3, 3)] {
        store.put_terminal(&put).expect("a terminal is kept");
    }
    let all = || store.terminals().expect("the store answers");
    assert_eq!(all(), [terminal(1, 2, 2), terminal(2, 3, 3)]);
    assert!(store.end_terminal(village(2)).expect("the store answers"));
    assert!(!store.end_terminal(village(2)).expect("the store answers"));
    assert_eq!(all(), [terminal(1, 2, 2)]);
}
