//! That the bytes are these, that they come back, and that what is damaged is refused.

use super::*;

fn lamp(code: u64) -> Component {
    Component {
        code: ComponentCode::new(code).expect("a code"),
        name: "路灯".to_owned(),
        authority: NamedBody {
            code: "91350100M000100Y43".to_owned(),
            name: "城管局".to_owned(),
        },
        owner: NamedBody::default(),
        keeper: NamedBody {
            code: String::new(),
            name: "电".to_owned(),
        },
        unit_grid: "440403100201001".to_owned(),
        state: "完好".to_owned(),
        first_on: 20_260_101,
        changed_on: None,
        source: "实测".to_owned(),
        remarks: String::new(),
        town_code: "440403100".to_owned(),
        town_name: String::new(),
        village: here(),
        village_name: "鱼月村".to_owned(),
        position: Position {
            lon_e7: 1_132_500_000,
            lat_e7: 221_250_000,
        },
    }
}

fn here() -> VillageCode {
    VillageCode::new(440_403_100_201).expect("twelve digits")
}

fn village_of(lamps: &[Component]) -> Vec<u8> {
    let rows: Vec<Vec<u8>> = lamps.iter().map(encode).collect();
    join(here(), rows.iter().map(Vec::as_slice))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_bytes_of_version_1_stay_as_they_are() {
    let bytes = village_of(&[lamp(44_040_301_037_000_001)]);
    let expected = concat!(
        "83011b000000668a12022981941b009c766ba31c9541",
        "66e8b7afe781af",
        "72393133353031303",
        "04d3030303130305934336",
        "9e59f8ee7aea1e5b180",
        "6060",
        "6063e794b5",
        "6f343430343033313030323031303031",
        "66e5ae8ce5a5bd",
        "1a01352505f6",
        "66e5ae9ee6b58b60",
        "6934343034303331303060",
        "1b000000668a12022969e9b1bce69c88e69d91",
        "1a438094201a0d3001d0"
    );
    assert_eq!(hex(&bytes), expected);
    let tags = encode_tags(&[(here(), tag(&bytes))]);
    assert_eq!(
        hex(&tags),
        format!("820181821b000000668a12022948{}", hex(&tag(&bytes)))
    );
}

#[test]
fn components_and_tags_come_back_from_their_bytes() {
    let mut second = lamp(44_040_301_037_000_002);
    second.changed_on = Some(20_260_202);
    second.position.lon_e7 = -5;
    let lamps = [lamp(44_040_301_037_000_001), second];
    let bytes = unpack(&pack(&village_of(&lamps))).expect("it was packed here");
    let rows = split(&bytes, here()).expect("they were written here");
    let found: Vec<Component> = rows.iter().map(|(row, _)| row.clone()).collect();
    assert_eq!(found, lamps);
    assert!(rows.iter().all(|(row, bytes)| encode(row) == *bytes));
    let other = VillageCode::new(440_403_100_202).expect("twelve digits");
    let tags = [(here(), [1; 8]), (other, [2; 8])];
    assert_eq!(decode_tags(&encode_tags(&tags)), Ok(tags.to_vec()));
    let turned = [tags[1], tags[0]];
    assert_eq!(decode_tags(&encode_tags(&turned)), Err(Fault::KeyOrder));
}

#[test]
fn what_is_damaged_disordered_another_villages_or_too_large_is_refused() {
    let lamps = [44_040_301_037_000_002, 44_040_301_037_000_001].map(lamp);
    let disordered = village_of(&lamps);
    assert_eq!(split(&disordered, here()), Err(Fault::KeyOrder));
    let bytes = village_of(&lamps[..1]);
    let other = VillageCode::new(440_403_100_202).expect("twelve digits");
    assert_eq!(split(&bytes, other), Err(Fault::Unexpected));
    for len in 0..bytes.len() {
        assert!(split(&bytes[..len], here()).is_err(), "{len} bytes");
    }
    let packed = pack(&bytes);
    assert_eq!(unpack(&packed[..packed.len() - 1]), None);
    assert_eq!(unpack(b"not packed"), None);
    let large = vec![0; limits::COMPONENTS_BYTES_MAX + 1];
    assert_eq!(unpack(&pack(&large)), None);
    assert!(unpack(&pack(&large[1..])).is_some());
}

#[test]
fn a_directory_has_its_own_tag_until_there_are_components() {
    let village = |number| VillageCode::new(number).expect("twelve digits");
    let tags = [
        (village(440_403_100_200), [1; 8]),
        (village(440_403_100_201), [2; 8]),
    ];
    assert_eq!(tag_with([9; 8], &[]), [9; 8]);
    let all = [
        tag_with([9; 8], &tags),
        tag_with([8; 8], &tags),
        tag_with([9; 8], &tags[..1]),
        [9; 8],
    ];
    let different: std::collections::BTreeSet<Tag> = all.into_iter().collect();
    assert_eq!(different.len(), 4);
}
