//! Where things are: villages, towns and districts by their statistical codes, points with their datum, scopes.
//!
//! It does not convert between datums; that happens at the border where a map is drawn.

use super::id::{PersonId, UnitId};

/// A village by its 12-digit statistical code: district (6), town (3), village (3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VillageCode(u64);

impl VillageCode {
    /// Accepts a number of 12 digits.
    pub fn new(code: u64) -> Option<Self> {
        (100_000_000_000..1_000_000_000_000)
            .contains(&code)
            .then_some(Self(code))
    }

    /// Reads 12 decimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse().ok().and_then(Self::new))?
    }

    /// The code as a number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The 9-digit code of the town.
    pub fn town(self) -> u64 {
        self.0 / 1_000
    }

    /// The 6-digit code of the district.
    pub fn district(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The village as a body that fixes.
    pub fn unit(self) -> UnitId {
        UnitId(self.0)
    }
}

impl std::fmt::Display for VillageCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// In which datum a position was measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Datum {
    /// WGS-84, as receivers give it.
    Wgs84,
    /// CGCS2000, the national datum.
    Cgcs2000,
    /// GCJ-02, as some maps give it; kept as reported.
    Gcj02,
}

impl Datum {
    /// The code in a document.
    pub fn code(self) -> u64 {
        match self {
            Self::Wgs84 => 1,
            Self::Cgcs2000 => 2,
            Self::Gcj02 => 3,
        }
    }

    /// The datum of a code.
    pub fn from_code(code: u64) -> Option<Self> {
        [Self::Wgs84, Self::Cgcs2000, Self::Gcj02]
            .into_iter()
            .find(|datum| datum.code() == code)
    }
}

/// A measured position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Point {
    /// Longitude in 10⁻⁷ degrees.
    pub lon_e7: i64,
    /// Latitude in 10⁻⁷ degrees.
    pub lat_e7: i64,
    /// In which datum.
    pub datum: Datum,
    /// How far it may be off, in metres.
    pub accuracy_m: Option<u64>,
}

/// Where a matter is: always a village, and what else is known. One register.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The village.
    pub village: VillageCode,
    /// The measured position.
    pub point: Option<Point>,
    /// In words, for those who go there.
    pub words: Option<String>,
}

impl Place {
    /// A place of which only the village is known.
    pub fn village(village: VillageCode) -> Self {
        Self {
            village,
            point: None,
            words: None,
        }
    }
}

/// What a phone catches up on: a set of documents that only the server decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Everything in a village.
    Village(VillageCode),
    /// Everything a unit is responsible for.
    Unit(UnitId),
    /// What a person has reported.
    Person(PersonId),
}

impl Scope {
    /// The body that this scope belongs to, for scopes that belong to one.
    pub fn unit(&self) -> Option<UnitId> {
        match self {
            Self::Village(village) => Some(village.unit()),
            Self::Unit(unit) => Some(*unit),
            Self::Person(_) => None,
        }
    }

    /// The kind and the id, as they stand in documents, on the wire and in tables.
    pub fn parts(&self) -> (u64, u64) {
        match self {
            Self::Village(village) => (1, village.number()),
            Self::Unit(unit) => (2, unit.0),
            Self::Person(person) => (3, u64::from_be_bytes(person.0)),
        }
    }

    /// The scope of a kind and an id.
    pub fn from_parts(kind: u64, id: u64) -> Option<Self> {
        match kind {
            1 => VillageCode::new(id).map(Self::Village),
            2 => Some(Self::Unit(UnitId(id))),
            3 => Some(Self::Person(PersonId(id.to_be_bytes()))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_village_code_has_twelve_digits_and_names_its_town_and_district() {
        let village = VillageCode::parse("440403100200").expect("twelve digits");
        assert_eq!((village.town(), village.district()), (440_403_100, 440_403));
        for wrong in [
            "",
            "44040310020",
            "4404031002000",
            "+40403100200",
            "44040310020x",
            "040403100200",
        ] {
            assert_eq!(VillageCode::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn scopes_come_back_from_their_parts() {
        let village = VillageCode::parse("440403100200").expect("twelve digits");
        for scope in [
            Scope::Village(village),
            Scope::Unit(UnitId(17)),
            Scope::Person(PersonId([7; 8])),
        ] {
            let (kind, id) = scope.parts();
            assert_eq!(Scope::from_parts(kind, id), Some(scope));
        }
        assert_eq!(Scope::from_parts(9, 1), None);
    }
}
