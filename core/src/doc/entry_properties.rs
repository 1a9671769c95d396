//! Any entry comes back from its bytes, and any bytes that are read come back from the entry.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::super::*;

prop_compose! {
    fn some_at()(
        wall in 0..=limits::TIME_MS_MAX,
        anchored in of(0..=limits::TIME_MS_MAX),
        error_ms in of(0..limits::TIME_ERROR_MS_MAX),
        boot in of(0..limits::BOOT_MAX),
    ) -> At {
        At { wall: Timestamp(wall), anchored: anchored.map(Timestamp), error_ms, boot }
    }
}

fn some_id() -> impl Strategy<Value = EntryId> {
    any::<[u8; 16]>().prop_map(EntryId)
}

fn some_code() -> std::ops::Range<u64> {
    0..limits::CODE_MAX
}

prop_compose! {
    fn some_photo()(
        sha256 in any::<[u8; 32]>(),
        bytes in some_code(),
        media in 1..5u64,
        kind in 1..6u64,
    ) -> PhotoRef {
        PhotoRef { sha256, bytes, media, kind }
    }
}

/// The unit of each is unique; who leads and who assists is told by its parity.
fn some_assign() -> impl Strategy<Value = Vec<(UnitId, Part)>> {
    let part = |unit: u64| {
        if unit.is_multiple_of(2) {
            Part::Main
        } else {
            Part::Assisting
        }
    };
    proptest::collection::btree_set(any::<u64>(), 0..=limits::ASSIGN_MAX).prop_map(move |units| {
        let units = units.into_iter();
        units.map(|unit| (UnitId(unit), part(unit))).collect()
    })
}

prop_compose! {
    fn some_body()(
        words in of(".{1,200}"),
        photos in vec(some_photo(), 0..=limits::ENTRY_PHOTOS_MAX),
        verdict in of((1..4u64).prop_map(|code| Verdict::from_code(code).expect("known"))),
        assign in some_assign(),
        assignment in of((some_id(), any::<u64>())),
        ids in (of(some_id()), of(some_id()), of(some_id()), of(any::<[u8; 16]>())),
        codes in (of(some_code()), of(some_code()), of(some_code())),
        field in of((1..4u64).prop_map(|code| Field::from_code(code).expect("known"))),
        count in of((some_code(), -limits::COUNT_MAX..=limits::COUNT_MAX)),
        check_by in of((1..4u64).prop_map(|code| CheckBy::from_code(code).expect("known"))),
        proposal in of((1..5u64, 10_u64.pow(15)..10_u64.pow(17))),
    ) -> Body {
        let (judged, chosen, withdraws, target) = ids;
        let (mode, reason, source) = codes;
        Body {
            words,
            photos,
            verdict,
            assign,
            assignment: assignment
                .map(|(dispatch, unit)| AssignmentId { dispatch, unit: UnitId(unit) }),
            judged,
            mode,
            reason,
            chosen,
            field,
            source,
            target: target.map(DocumentId),
            count,
            withdraws,
            check_by,
            proposal: proposal.map(|(code, component)| {
                let proposed = Proposed::from_code(code).expect("known");
                let is_named = proposed != Proposed::New || component % 2 == 0;
                Proposal { proposed, component: is_named.then_some(component) }
            }),
        }
    }
}

prop_compose! {
    fn some_entry()(
        kind in some_code(),
        person in any::<[u8; 8]>(),
        device in any::<[u8; 8]>(),
        right in (some_code(), any::<u64>()),
        n in 1..limits::CODE_MAX,
        on in proptest::collection::btree_set(any::<[u8; 16]>(), 0..60),
        at in some_at(),
        key in of(vec(any::<u8>(), 1..=limits::KEY_BYTES_MAX)),
        body in some_body(),
    ) -> Entry {
        Entry {
            kind,
            person: PersonId(person),
            device: DeviceId(device),
            capability: right.0,
            unit: UnitId(right.1),
            n,
            on: on.into_iter().map(EntryId).collect(),
            at,
            key,
            body,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_entry_comes_back_from_its_bytes(entry in some_entry()) {
        let bytes = encode(&entry);
        prop_assert_eq!(cbor::check(&bytes, limits::CBOR_DEPTH_MAX), Ok(()));
        prop_assert_eq!(decode(&bytes), Ok(entry));
    }

    #[test]
    fn whatever_is_read_is_written_alike_or_holds_room_for_later(
        entry in some_entry(),
        flips in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&entry);
        for (place, flip) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
        }
        if let Ok(read) = decode(&bytes) {
            let again = encode(&read);
            prop_assert!(again == bytes || again.len() < bytes.len());
        }
    }
}
