//! Register values as bytes: canonical CBOR, one item each.
//!
//! Whether an action may write a register is a row of the action table.

use super::entry::EntryFault;
use crate::cbor::{self, Fault, Reader, Result, Writer};
use crate::domain::case::{Category, CategoryKind};
use crate::domain::entry::Field;
use crate::domain::limits;
use crate::domain::place::{Datum, Place, Point, Scope, VillageCode};

/// A value for a register.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FieldValue {
    /// `f/place`.
    Place(Place),
    /// `f/category`.
    Category(Category),
    /// `f/words`.
    Words(String),
}

impl FieldValue {
    /// The register that the value is for.
    pub fn field(&self) -> Field {
        match self {
            Self::Place(_) => Field::Place,
            Self::Category(_) => Field::Category,
            Self::Words(_) => Field::Words,
        }
    }

    /// Writes the value.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        match self {
            Self::Place(place) => encode_place(&mut w, place),
            Self::Category(category) => {
                w.map(3 + usize::from(category.condition.is_some()));
                w.uint(0)
                    .uint(category.scheme)
                    .uint(1)
                    .uint(category.kind.code())
                    .uint(2)
                    .uint(category.code);
                if let Some(condition) = category.condition {
                    w.uint(3).uint(condition);
                }
            }
            Self::Words(words) => {
                w.text(words);
            }
        }
        w.finish()
    }

    /// Reads a value of a register. Unknown keys are passed over.
    pub fn decode(field: Field, bytes: &[u8]) -> std::result::Result<Self, EntryFault> {
        check(bytes)?;
        let mut r = Reader::new(bytes);
        match field {
            Field::Place => decode_place(&mut r).map(Self::Place),
            Field::Category => decode_category(&mut r).map(Self::Category),
            Field::Words => Ok(Self::Words(bounded_text(r.text()?)?)),
        }
    }
}

fn encode_place(w: &mut Writer, place: &Place) {
    let accuracy = place.point.and_then(|point| point.accuracy_m);
    let point_parts = if place.point.is_some() { 3 } else { 0 };
    w.map(1 + point_parts + usize::from(accuracy.is_some()) + usize::from(place.words.is_some()));
    w.uint(0).uint(place.village.number());
    if let Some(point) = place.point {
        w.uint(1)
            .int(point.lon_e7)
            .uint(2)
            .int(point.lat_e7)
            .uint(3)
            .uint(point.datum.code());
    }
    if let Some(accuracy) = accuracy {
        w.uint(4).uint(accuracy);
    }
    if let Some(words) = &place.words {
        w.uint(5).text(words);
    }
}

fn decode_place(r: &mut Reader<'_>) -> std::result::Result<Place, EntryFault> {
    let (mut village, mut lon, mut lat, mut datum, mut accuracy_m, mut words) =
        (None, None, None, None, None, None);
    for _ in 0..r.map()? {
        match r.uint()? {
            0 => village = VillageCode::new(r.uint()?),
            1 => lon = Some(within(r.int()?, 1_800_000_000)?),
            2 => lat = Some(within(r.int()?, 900_000_000)?),
            3 => datum = Some(Datum::from_code(r.uint()?).ok_or(EntryFault::Newer)?),
            4 => accuracy_m = Some(r.uint()?),
            5 => words = Some(bounded_text(r.text()?)?),
            _ => {
                r.item()?;
            }
        }
    }
    let village = village.ok_or(EntryFault::Form)?;
    let point = match (lon, lat, datum) {
        (Some(lon_e7), Some(lat_e7), Some(datum)) => Some(Point {
            lon_e7,
            lat_e7,
            datum,
            accuracy_m,
        }),
        (None, None, None) if accuracy_m.is_none() => None,
        _ => return Err(EntryFault::Form),
    };
    Ok(Place {
        village,
        point,
        words,
    })
}

fn decode_category(r: &mut Reader<'_>) -> std::result::Result<Category, EntryFault> {
    let (mut scheme, mut kind, mut code, mut condition) = (None, None, None, None);
    for _ in 0..r.map()? {
        match r.uint()? {
            0 => scheme = Some(small(r.uint()?)?),
            1 => kind = Some(CategoryKind::from_code(r.uint()?).ok_or(EntryFault::Newer)?),
            2 => code = Some(small(r.uint()?)?),
            3 => condition = Some(small(r.uint()?)?),
            _ => {
                r.item()?;
            }
        }
    }
    match (scheme, kind, code) {
        (Some(scheme), Some(kind), Some(code)) => Ok(Category {
            scheme,
            kind,
            code,
            condition,
        }),
        _ => Err(EntryFault::Form),
    }
}

/// Writes the server's scopes, ascending.
pub fn encode_scopes(scopes: &[Scope]) -> Vec<u8> {
    let mut w = Writer::default();
    w.array(scopes.len());
    for (kind, id) in scopes.iter().map(Scope::parts) {
        w.array(2).uint(kind).uint(id);
    }
    w.finish()
}

/// Reads scopes; kinds that this program does not know are left out.
pub fn decode_scopes(bytes: &[u8]) -> Result<Vec<Scope>> {
    check(bytes)?;
    let mut r = Reader::new(bytes);
    let mut scopes = Vec::new();
    for _ in 0..r.array()? {
        let parts = r.array()?;
        let (kind, id) = (r.uint()?, r.uint()?);
        for _ in 2..parts {
            r.item()?;
        }
        scopes.extend(Scope::from_parts(kind, id));
    }
    Ok(scopes)
}

/// Writes a text.
pub fn encode_text(text: &str) -> Vec<u8> {
    let mut w = Writer::default();
    w.text(text);
    w.finish()
}

/// Reads a text.
pub fn decode_text(bytes: &[u8]) -> Result<String> {
    check(bytes)?;
    Ok(Reader::new(bytes).text()?.to_owned())
}

/// Writes a number.
pub fn encode_uint(value: u64) -> Vec<u8> {
    let mut w = Writer::default();
    w.uint(value);
    w.finish()
}

/// Reads a number.
pub fn decode_uint(bytes: &[u8]) -> Result<u64> {
    check(bytes)?;
    Reader::new(bytes).uint()
}

fn check(bytes: &[u8]) -> Result<()> {
    if bytes.len() > limits::REGISTER_BYTES_MAX {
        return Err(Fault::Unexpected);
    }
    cbor::check(bytes, limits::CBOR_DEPTH_MAX)
}

fn within(value: i64, bound: i64) -> Result<i64> {
    if (-bound..=bound).contains(&value) {
        Ok(value)
    } else {
        Err(Fault::Unexpected)
    }
}

fn small(value: u64) -> Result<u64> {
    if value < limits::CODE_MAX {
        Ok(value)
    } else {
        Err(Fault::Unexpected)
    }
}

fn bounded_text(words: &str) -> Result<String> {
    if (1..=limits::CASE_WORDS_MAX).contains(&words.chars().count()) {
        Ok(words.to_owned())
    } else {
        Err(Fault::Unexpected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        let point = Point {
            lon_e7: 1_132_900_000,
            lat_e7: 222_000_000,
            datum: Datum::Wgs84,
            accuracy_m: Some(12),
        };
        Place {
            village: VillageCode::new(440_403_100_200).expect("twelve digits"),
            point: Some(point),
            words: Some("桥头东侧".into()),
        }
    }

    #[test]
    fn values_come_back() {
        let category = Category {
            scheme: 476_785,
            kind: CategoryKind::Matter,
            code: 6_010,
            condition: Some(2),
        };
        for value in [
            FieldValue::Place(place()),
            FieldValue::Category(category),
            FieldValue::Words("路边暴露垃圾".into()),
        ] {
            assert_eq!(
                FieldValue::decode(value.field(), &value.encode()),
                Ok(value)
            );
        }
        let scopes = [
            Scope::Village(place().village),
            Scope::Person(crate::domain::id::PersonId([9; 8])),
        ];
        assert_eq!(decode_scopes(&encode_scopes(&scopes)), Ok(scopes.to_vec()));
    }

    #[test]
    fn a_datum_or_kind_that_is_not_known_is_newer() {
        let mut place = Writer::default();
        place.map(4).uint(0).uint(440_403_100_200);
        place.uint(1).int(5).uint(2).int(5).uint(3).uint(4);
        let mut category = Writer::default();
        category
            .map(3)
            .uint(0)
            .uint(1)
            .uint(1)
            .uint(3)
            .uint(2)
            .uint(6_010);
        for (field, bytes) in [
            (Field::Place, place.finish()),
            (Field::Category, category.finish()),
        ] {
            assert_eq!(FieldValue::decode(field, &bytes), Err(EntryFault::Newer));
        }
    }

    #[test]
    fn a_position_without_a_datum_is_refused() {
        let mut w = Writer::default();
        w.map(3)
            .uint(0)
            .uint(440_403_100_200)
            .uint(1)
            .int(5)
            .uint(2)
            .int(5);
        assert_eq!(
            FieldValue::decode(Field::Place, &w.finish()),
            Err(EntryFault::Form)
        );
    }

    #[test]
    fn empty_words_and_words_out_of_bounds_are_refused() {
        for words in [String::new(), "字".repeat(limits::CASE_WORDS_MAX + 1)] {
            assert_eq!(
                FieldValue::decode(Field::Words, &encode_text(&words)),
                Err(EntryFault::Form)
            );
        }
    }
}
