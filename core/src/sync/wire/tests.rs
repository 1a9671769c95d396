//! Every message comes back from its bytes, and has these bytes for ever: phones and servers of different ages meet.

use super::*;
use crate::domain::id::{ChangeHash, DeviceId, DocumentId, Epoch, PersonId};
use crate::domain::limits;
use crate::domain::place::{Scope, VillageCode};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::sync::seal::Digest;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hello(status: Status) -> Hello {
    Hello {
        protocol: 1,
        epoch: Epoch([1, 2, 3, 4]),
        scopes_tag: [5, 6, 7, 8],
        cursors: vec![
            (1, Cursor::Tail(300)),
            (
                2,
                Cursor::Boot {
                    as_of: 7,
                    before: 70_000,
                },
            ),
        ],
        directory_tag: [9; 8],
        with_components: false,
        raw_pages: true,
        outbox_empty: true,
        notice: 4,
        status,
        last_n: 9,
    }
}

#[test]
fn a_hello_has_these_bytes() {
    let plain = hello(Status::default());
    assert_eq!(
        hex(&plain.encode()),
        "890144010203044405060708840119012c0282071a0001117048090909090909090903".to_owned()
            + "04a009"
    );
    // A flag more is no byte more.
    let with_components = Hello {
        with_components: true,
        ..plain.clone()
    };
    let bytes = with_components.encode();
    assert_eq!(
        hex(&bytes),
        hex(&plain.encode()).replace("0304a009", "0704a009")
    );
    assert_eq!(Hello::decode(&bytes), Ok(with_components));
    let told = hello(Status {
        free_bytes: Some(1_000),
        version: Some("1.0".to_owned()),
        clock_offset_ms: Some(-5),
        outbox: Some(2),
        outbox_age_ms: Some(60_000),
        kept_back: Some(vec![3, 9]),
        photo_bytes_due: Some(0),
        last_error: Some("offline".to_owned()),
    });
    assert_eq!(
        hex(&told.encode()),
        hex(&plain.encode())
            .strip_suffix("a009")
            .unwrap_or_default()
            .to_owned()
            + "a8001903e80163312e30022403020419ea600582030906000767"
            + &hex(b"offline")
            + "09"
    );
    for hello in [plain, told] {
        assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
    }
}

#[test]
fn the_head_of_a_push_and_raw_items_have_these_bytes() {
    let head = PushHead {
        signer: DeviceId([1; 8]),
        n: (7, 8),
        signature: [2; 64],
        form: Form::Raw,
    };
    let mut items = Writer::default();
    write_raw(&mut items, DocumentId([3; 16]), b"chunk");
    let payload = head.encode(1, &items.finish());
    let expected = format!(
        "8648{}07085840{}01818250{}45{}",
        "01".repeat(8),
        "02".repeat(64),
        "03".repeat(16),
        hex(b"chunk")
    );
    assert_eq!(hex(&payload), expected);
    let (read, count, mut rest) = PushHead::decode(&payload).expect("a push");
    assert_eq!((read, count), (head, 1));
    assert_eq!(
        read_raw(&mut rest),
        Ok((DocumentId([3; 16]), &b"chunk"[..]))
    );
    let mut item = Writer::default();
    write_raw_of_page(&mut item, DocumentId([3; 16]), 5, Timestamp(-1), b"chunk");
    let item = item.finish();
    assert_eq!(
        hex(&item),
        format!("8450{}052045{}", "03".repeat(16), hex(b"chunk"))
    );
    assert_eq!(
        read_raw_of_page(&mut Reader::new(&item)),
        Ok((DocumentId([3; 16]), 5, Timestamp(-1), &b"chunk"[..]))
    );
}

#[test]
fn fates_are_runs_with_these_bytes() {
    let fates = Fates {
        frame: 2,
        outcome: Ok(vec![
            Fate::Ok,
            Fate::Ok,
            Fate::Dup,
            Fate::Missing(vec![ChangeHash([4; 32])]),
            Fate::Later(Later::Slow),
            Fate::Review,
            Fate::Refused(Refusal::Forked),
            Fate::Ok,
        ]),
    };
    let refusal = Refusal::Forked.number();
    let expected = format!(
        "830200870282010183020158{}{}83050102820301830401{}01",
        "20",
        "04".repeat(32),
        if refusal < 24 {
            format!("{refusal:02x}")
        } else {
            format!("18{refusal:02x}")
        }
    );
    assert_eq!(hex(&fates.encode()), expected);
    assert_eq!(Fates::decode(&fates.encode(), 8), Ok(fates.clone()));
    assert!(
        Fates::decode(&fates.encode(), 7).is_err(),
        "more fates than changes"
    );
    let unread = Fates {
        frame: 0,
        outcome: Err(Unread::Rebuild),
    };
    assert_eq!(hex(&unread.encode()), "83000280");
    assert_eq!(Fates::decode(&unread.encode(), 8), Ok(unread));
}

#[test]
fn a_welcome_with_every_notice_has_these_bytes() {
    let welcome = Welcome {
        server_time: Timestamp(1_795_392_000_000),
        lowest: 1,
        protocol: 1,
        epoch: Epoch([1, 2, 3, 4]),
        notices: vec![
            (1, Notice::Resend(vec![(3, 5), (9, 9)])),
            (2, Notice::ReEnrol),
            (3, Notice::SendLogs),
            (
                4,
                Notice::Outcome {
                    document: DocumentId([3; 16]),
                    change: ChangeHash([4; 32]),
                    refusal: None,
                },
            ),
            (5, Notice::Message("你好".to_owned())),
        ],
    };
    let expected = format!(
        "851b000001a205b3d0000101440102030{}01850103050909028102038103048404{}{}00058205{}",
        "48a",
        format_args!("50{}", "03".repeat(16)),
        format_args!("5820{}", "04".repeat(32)),
        format_args!("66{}", hex("你好".as_bytes()))
    );
    assert_eq!(hex(&welcome.encode()), expected);
    assert_eq!(Welcome::decode(&welcome.encode()), Ok(welcome));
}

#[test]
fn scopes_a_page_and_the_end_have_these_bytes() {
    let village = VillageCode::new(440_403_100_201).expect("twelve digits");
    let scopes = Scopes {
        tag: [5, 6, 7, 8],
        scopes: vec![
            (1, Scope::Village(village)),
            (2, Scope::Person(PersonId([7; 8]))),
        ],
    };
    let (kind, id) = Scope::Person(PersonId([7; 8])).parts();
    assert_eq!(
        hex(&scopes.encode()),
        format!(
            "824405060708860101{}02{kind:02x}1b{id:016x}",
            "1b000000668a120229"
        )
    );
    assert_eq!(Scopes::decode(&scopes.encode()), Ok(scopes));
    let done = Done {
        digests: vec![(1, Digest(5)), (300, Digest(u128::MAX))],
        directory_tag: Some([9; 8]),
        retry_after_ms: Some(60_000),
        has_more: true,
        is_revoked: false,
    };
    assert_eq!(
        hex(&done.encode()),
        format!(
            "84840150{:032x}19012c50{}48{}19ea6001",
            5,
            "ff".repeat(16),
            "09".repeat(8)
        )
    );
    assert_eq!(Done::decode(&done.encode()), Ok(done));
    assert_eq!(hex(&Done::default().encode()), "8480f60000");
    let last = Done {
        is_revoked: true,
        ..Done::default()
    };
    assert_eq!(hex(&last.encode()), "8480f60002");
    assert_eq!(Done::decode(&last.encode()), Ok(last));
    let tail = PageTail {
        joined: vec![(1, vec![DocumentId([3; 16])])],
        left: vec![(2, vec![DocumentId([4; 16])])],
        cursors: vec![(1, Cursor::Tail(9))],
        check: [1; 8],
        tag: [2; 16],
    };
    let name = |w: &mut Writer, document: DocumentId| {
        w.bytes(&document.0);
    };
    let payload = tail.encode(Form::Stripped, 0, &[], name);
    assert_eq!(
        hex(&payload),
        format!(
            "87008082018150{}82028150{}82010948{}50{}",
            "03".repeat(16),
            "04".repeat(16),
            "01".repeat(8),
            "02".repeat(16)
        )
    );
    let read = PageTail::decode(
        &payload,
        &mut (),
        |_, _, _, _| Ok(()),
        |_, r| Ok(DocumentId(r.array_of()?)),
    );
    assert_eq!(read, Ok(tail));
}

#[test]
fn later_positions_are_passed_over_and_missing_ones_are_not() {
    let mut longer = Done::default().encode();
    longer[0] = 0x85;
    longer.extend([0x82, 0x01, 0x02]);
    assert_eq!(Done::decode(&longer), Ok(Done::default()));
    for len in 0..Done::default().encode().len() {
        assert!(Done::decode(&Done::default().encode()[..len]).is_err());
    }
}

#[test]
fn a_device_tells_of_a_bounded_number_of_entries_that_it_keeps_back() {
    let many: Vec<u64> = (1..=2_000).collect();
    let told = hello(Status {
        kept_back: Some(many),
        ..Status::default()
    });
    let read = Hello::decode(&told.encode())
        .expect("a hello")
        .status
        .kept_back;
    assert_eq!(
        read.map(|kept_back| kept_back.len()),
        Some(limits::KEPT_BACK_MAX)
    );
}
