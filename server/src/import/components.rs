//! Reads components row by row, as the standard has their 18 fields, so that a million of them takes the room of their codes.
//!
//! It keeps nothing: whoever weighs or keeps components draws them from here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use patrol_core::domain::component::{
    Component, ComponentCode, GONE, NamedBody, Position, is_check_right,
};
use patrol_core::domain::limits;
use patrol_core::domain::place::{Point, VillageCode};

use sha2::{Digest as _, Sha256};

use super::places::Places;
use crate::calendar::day_number;
use crate::directory::fields::{self, bounded, number};
use crate::sheet::{Columns, Faults, ImportFault, Line, Reason, Rows, Sheet};
use crate::store::reference::ComponentRow;
use crate::store::{Result, StoreError};

pub(super) const COLUMNS: Columns = Columns {
    required: &[
        "code",
        "name",
        "authority_code",
        "authority_name",
        "unit_grid",
        "state",
        "first_on",
    ],
    optional: &[
        "owner_code",
        "owner_name",
        "keeper_code",
        "keeper_name",
        "changed_on",
        "source",
        "remarks",
        "town_code",
        "town_name",
        "village_code",
        "village_name",
        "lon_cgcs2000",
        "lat_cgcs2000",
        "lon_wgs84",
        "lat_wgs84",
    ],
};

/// What becomes of a row with a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFault {
    /// It is noted and left out.
    Pass,
    /// Reading ends with `Stale`, and so it does behind other rows than those of this digest: they have been read before, and shown.
    Stop(Digest),
}

/// Names rows in their order.
pub type Digest = [u8; 32];

/// The components of a file that can be read.
pub struct Reading<'v> {
    sheet: Sheet,
    villages: &'v BTreeSet<VillageCode>,
    on_fault: OnFault,
    /// The columns of the position that the file has.
    lon_lat: [&'static str; 2],
    /// What has been read.
    read: Sha256,
    codes: HashSet<u64>,
    bytes: BTreeMap<VillageCode, usize>,
    /// By which it is told what stands too far away; nobody is told anything where there are none.
    pub(super) places: Option<Places<'v>>,
    /// What is wrong so far.
    pub faults: Faults,
    /// What is strange so far.
    pub warnings: Faults,
}

impl<'v> Reading<'v> {
    /// Reads the column names of a file whose components stand in these villages.
    pub(super) fn new(
        file: Arc<str>,
        rows: Rows,
        villages: &'v BTreeSet<VillageCode>,
        on_fault: OnFault,
    ) -> Self {
        let mut faults = Faults::default();
        let mut sheet = Sheet::new(file, rows, &COLUMNS, &mut faults);
        let lon_lat = if sheet.has("lon_wgs84") && !sheet.has("lon_cgcs2000") {
            ["lon_wgs84", "lat_wgs84"]
        } else {
            ["lon_cgcs2000", "lat_cgcs2000"]
        };
        for column in lon_lat {
            sheet.must_have(column, &mut faults);
        }
        Self {
            sheet,
            villages,
            on_fault,
            lon_lat,
            read: Sha256::new(),
            codes: HashSet::new(),
            bytes: BTreeMap::new(),
            places: None,
            faults,
            warnings: Faults::default(),
        }
    }

    /// Names the rows that have been read.
    pub(super) fn digest(&self) -> Digest {
        self.read.clone().finalize().into()
    }

    /// Whether a row has been of this village.
    pub(super) fn names(&self, village: VillageCode) -> bool {
        self.bytes.contains_key(&village)
    }

    /// The fault of a file that has had no row.
    pub(super) fn without_rows(&self) -> Option<ImportFault> {
        self.sheet.without_rows()
    }

    /// Counts what stands in a village already and stays.
    pub(super) fn count_kept(&mut self, village: VillageCode, bytes: usize) {
        *self.bytes.entry(village).or_default() += bytes;
    }

    /// Warns of a component that stands too far away, and of one that goes on where its village ends.
    fn judge_place(&mut self, line: &Line, row: &ComponentRow) -> Result<()> {
        let Some(places) = &mut self.places else {
            return Ok(());
        };
        let far = places.far(row)?;
        let goes_on = !GONE.contains(&line.field("state"));
        if let Some(ending) = goes_on.then(|| places.ending(row)).flatten() {
            let warning = line.fault("unit_grid", Reason::VillageEnds);
            self.warnings.push(warning.with(ending));
        }
        if let Some(far) = far {
            let column = fields::POINT.iter().find(|column| line.has(column));
            let warning = line.fault(column.unwrap_or(&"code"), Reason::FarAway);
            self.warnings.push(warning.with(far));
        }
        Ok(())
    }

    /// A row's component, unless there is a fault.
    fn row(&mut self, line: &Line) -> Option<ComponentRow> {
        let before = self.faults.total;
        let (code, component) = self.component(line);
        let is_new = code.map(|code| self.codes.insert(code.number()));
        if is_new == Some(false) {
            self.faults.push(line.fault("code", Reason::Duplicate));
        }
        let row = component.map(|component| ComponentRow::from(&component));
        let is_village_full = row.as_ref().is_some_and(|row| self.fills(row));
        let is_one_too_many =
            is_new == Some(true) && self.codes.len() == limits::COMPONENTS_MAX + 1;
        if is_village_full || is_one_too_many {
            self.faults.push(line.fault("code", Reason::TooLarge));
        }
        row.filter(|_| self.faults.total == before)
    }

    /// Counts what a row takes of its village's room; says whether it is the first for which there is none.
    fn fills(&mut self, row: &ComponentRow) -> bool {
        let bytes = self.bytes.entry(row.village).or_default();
        let had_room = *bytes <= limits::COMPONENTS_BYTES_MAX;
        *bytes += row.bytes.len();
        // Once for each village, and with room for what stands before its rows.
        had_room && *bytes + 32 > limits::COMPONENTS_BYTES_MAX
    }

    /// A row's code and its component, as far as they can be read. Every field is looked at, whichever is wrong.
    fn component(&mut self, line: &Line) -> (Option<ComponentCode>, Option<Component>) {
        let faults = &mut self.faults;
        let position = position(line, self.lon_lat, faults);
        let code = line.read("code", Reason::NotACode, ComponentCode::parse, faults);
        let first_on = line.read("first_on", Reason::NotADay, day, faults);
        let changed_on = line.read_optional("changed_on", Reason::NotADay, day, faults);
        let village = village(line, self.villages, faults);
        let authority = body(line, ["authority_code", "authority_name"], faults);
        must(
            line,
            &["name", "authority_code", "authority_name", "state"],
            faults,
        );
        let owner = body(line, ["owner_code", "owner_name"], faults);
        let keeper = body(line, ["keeper_code", "keeper_name"], faults);
        let mut text = |column, most| bounded(line, column, most, faults);
        let name = text("name", limits::COMPONENT_NAME_CHARS_MAX);
        let state = text("state", limits::COMPONENT_STATE_CHARS_MAX);
        let source = text("source", limits::COMPONENT_NAME_CHARS_MAX);
        let remarks = text("remarks", limits::COMPONENT_REMARKS_CHARS_MAX);
        let [town_name, village_name] = ["town_name", "village_name"]
            .map(|column| text(column, limits::COMPONENT_PLACE_CHARS_MAX));
        let town = line.read_optional("town_code", Reason::NotACode, number, faults);
        for column in ["authority_code", "owner_code", "keeper_code"] {
            if is_check_right(line.field(column)) == Some(false) {
                self.warnings
                    .push(line.fault(column, Reason::CheckCharacter));
            }
        }
        let changed = changed_on.unwrap_or_default();
        let town = town.ok().flatten();
        contradictions(line, (code, village, town), (first_on, changed), faults);
        let (Some(known), Some(village), Some(position), Some(first_on), Ok(changed_on)) =
            (code, village, position, first_on, changed_on)
        else {
            return (code, None);
        };
        let component = Component {
            code: known,
            name,
            authority,
            owner,
            keeper,
            unit_grid: line.text("unit_grid"),
            state,
            first_on,
            changed_on,
            source,
            remarks,
            town_code: line.text("town_code"),
            town_name,
            village,
            village_name,
            position,
        };
        (code, Some(component))
    }
}

impl Iterator for Reading<'_> {
    type Item = Result<ComponentRow>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let shown = match self.on_fault {
                OnFault::Stop(_) if !self.faults.is_empty() => return Some(Err(StoreError::Stale)),
                OnFault::Stop(shown) => Some(shown),
                OnFault::Pass => None,
            };
            let Some(line) = self.sheet.next() else {
                let is_other = shown.is_some_and(|shown| shown != self.digest());
                return is_other.then_some(Err(StoreError::Stale));
            };
            match line {
                Err(fault) => self.faults.push(fault),
                Ok(line) => {
                    if let Some(row) = self.row(&line) {
                        if let Err(error) = self.judge_place(&line, &row) {
                            return Some(Err(error));
                        }
                        self.read.update(row.bytes.len().to_le_bytes());
                        self.read.update(&row.bytes);
                        return Some(Ok(row));
                    }
                }
            }
        }
    }
}

/// Where a component stands. One datum is enough; the two that there may be are one to less than a metre.
fn position(line: &Line, lon_lat: [&'static str; 2], faults: &mut Faults) -> Option<Position> {
    let before = faults.total;
    let point = fields::point(line, faults);
    let is_told = fields::POINT.iter().any(|column| line.is_spoilt(column));
    if point.is_none() && faults.total == before && !is_told {
        for column in lon_lat {
            faults.push(line.fault(column, Reason::NotACoordinate));
        }
    }
    let Point { lon_e7, lat_e7, .. } = point?;
    Some(Position { lon_e7, lat_e7 })
}

/// The village of a component: its unit grid lies in it. One that the directory does not have is told, and compared with what else the row
/// says all the same.
fn village(
    line: &Line,
    villages: &BTreeSet<VillageCode>,
    faults: &mut Faults,
) -> Option<VillageCode> {
    let of_grid = |text: &str| {
        let (village, serial) = text.split_at_checked(12)?;
        let is_serial = serial.len() == 3 && number(serial).is_some_and(|serial| serial > 0);
        is_serial.then(|| VillageCode::parse(village))?
    };
    let village = line.read("unit_grid", Reason::NotACode, of_grid, faults);
    let stated = line.read_optional("village_code", Reason::NotACode, VillageCode::parse, faults);
    let (village, stated) = (village?, stated.ok().flatten());
    if stated.is_some_and(|stated| stated != village) {
        faults.push(line.fault("village_code", Reason::Contradiction));
    }
    if !villages.contains(&village) {
        faults.push(line.fault("unit_grid", Reason::UnknownVillage));
    }
    Some(village)
}

/// What two fields say differently that can be read, both.
fn contradictions(
    line: &Line,
    (code, village, town): (Option<ComponentCode>, Option<VillageCode>, Option<u64>),
    (first_on, changed_on): (Option<u32>, Option<u32>),
    faults: &mut Faults,
) {
    let mut examine = |column, differs: Option<bool>| {
        if differs == Some(true) {
            faults.push(line.fault(column, Reason::Contradiction));
        }
    };
    let districts = code.zip(village);
    examine(
        "code",
        districts.map(|(code, village)| code.district() != village.district()),
    );
    let days = changed_on.zip(first_on);
    examine("changed_on", days.map(|(changed, first)| changed < first));
    let towns = town.zip(village);
    examine(
        "town_code",
        towns.map(|(town, village)| town != village.town()),
    );
}

/// A body: its code, if there is one, has 18 signs of those that such codes have.
fn body(line: &Line, [code, name]: [&'static str; 2], faults: &mut Faults) -> NamedBody {
    let is_code = |text: &str| is_check_right(text).map(|_| text.to_owned());
    let code = line.read_optional(code, Reason::NotACode, is_code, faults);
    NamedBody {
        code: code.ok().flatten().unwrap_or_default(),
        name: bounded(line, name, limits::NAME_CHARS_MAX, faults),
    }
}

fn must(line: &Line, columns: &[&str], faults: &mut Faults) {
    for column in columns {
        if line.field(column).is_empty() && !line.is_spoilt(column) {
            faults.push(line.fault(column, Reason::Empty));
        }
    }
}

/// Reads a day as eight digits, as the standard has it, or as tables of the directory have theirs.
fn day(text: &str) -> Option<u32> {
    let (year, rest) = text.split_at_checked(4).unwrap_or_default();
    let (month, day) = rest.split_at_checked(2).unwrap_or_default();
    let is_number = text.len() == 8 && number(text).is_some();
    let spelt = is_number.then(|| format!("{year}-{month}-{day}"));
    fields::day(spelt.as_deref().unwrap_or(text)).map(day_number)
}
