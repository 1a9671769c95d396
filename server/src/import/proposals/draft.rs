//! What proposals make of components: rows as they would be, field by field.
//!
//! What a proposal of a new component does not say is taken from its neighbours. Nothing is judged here but contradictions: the rows are read
//! as a file's are.

use std::collections::BTreeMap;

use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::component::near::metres;
use patrol_core::domain::component::{Component, Position};
use patrol_core::domain::entry::Proposed;
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::place::{Datum, Place, VillageCode};

use super::survey::Survey;
use super::{Preview, fault};
use crate::app::App;
use crate::components;
use crate::sheet::Reason;
use crate::store::Result;

/// A component as it would be.
pub(super) struct Draft {
    /// The last of the proposals that say so, counted from 1.
    pub(super) line: usize,
    pub(super) surveys: Vec<DocumentId>,
    /// How many photos they name.
    pub(super) photos: usize,
    pub(super) was: Option<Component>,
    pub(super) cells: Cells,
    /// What proposals have said of it so far.
    pub(super) said: Cells,
}

impl Draft {
    /// A field, with what the administrator says of it: of a new component he knows better than its neighbours, of one that is there
    /// he says what is missing.
    pub(super) fn cell(&self, column: &str, says: Option<&String>) -> String {
        let known = self.said.get(column).or(self.cells.get(column));
        let known = known.filter(|known| !known.is_empty());
        let first = match &self.was {
            None => says.or(known),
            Some(_) => known.or(says),
        };
        first.cloned().unwrap_or_default()
    }
}

/// The fields of a row, by their columns.
pub(super) type Cells = BTreeMap<&'static str, String>;

/// Turns proposals into drafts, one after the other.
pub(super) struct Drafting<'a> {
    pub(super) app: &'a App,
    pub(super) preview: &'a mut Preview,
    pub(super) drafts: Vec<Draft>,
    /// The last serial of each division and class that a new component has got here.
    pub(super) handed_out: BTreeMap<u64, u64>,
}

impl Drafting<'_> {
    pub(super) fn take_in(&mut self, line: usize, survey: &Survey) -> Result<()> {
        let position = survey.place.as_ref().and_then(position);
        let proposed = survey.proposal.proposed;
        if proposed == Proposed::New {
            return self.draft_new(line, survey, position);
        }
        let Some(mut draft) = self.draft_of(survey.proposal.component)? else {
            let unknown = fault(Some(line), "code", Reason::UnknownComponent);
            self.preview.faults.push(unknown);
            return Ok(());
        };
        let state = |state: &str| Cells::from([("state", state.to_owned())]);
        let said = match proposed {
            Proposed::New | Proposed::Broken => state("破损"),
            Proposed::Gone => state("丢失"),
            Proposed::Moved => self.moved(&draft, survey, position)?,
        };
        self.compare_days(line, &draft, survey);
        draft.line = line;
        draft.surveys.push(survey.id);
        draft.photos += survey.photos;
        for (column, value) in said {
            let before = draft.said.insert(column, value.clone());
            if before.is_some_and(|before| before != value) {
                let contradiction = fault(Some(line), column, Reason::Contradiction);
                self.preview.faults.push(contradiction);
            }
        }
        draft.said.insert("changed_on", survey.day.to_string());
        self.drafts.push(draft);
        Ok(())
    }

    /// Warns where the register has changed since the proposal was received.
    fn compare_days(&mut self, line: usize, draft: &Draft, survey: &Survey) {
        let Some(was) = &draft.was else {
            return;
        };
        let changed_on = was.changed_on.unwrap_or(was.first_on);
        if survey.day < changed_on {
            let [seen, changed] = [survey.day, changed_on].map(spelt);
            let warning = fault(Some(line), "changed_on", Reason::OlderThanRegister);
            let warning = warning.with(format!("{}, {seen}, {changed}", was.code));
            self.preview.warnings.push(warning);
        }
    }

    /// The draft of a component that is there, which earlier proposals may have made.
    fn draft_of(&mut self, code: Option<u64>) -> Result<Option<Draft>> {
        let number = |draft: &Draft| draft.was.as_ref().map(|was| was.code.number());
        if let Some(at) = self.drafts.iter().position(|draft| number(draft) == code) {
            return Ok(Some(self.drafts.remove(at)));
        }
        let Some(was) = components::by_code(self.app, code.unwrap_or_default())? else {
            return Ok(None);
        };
        Ok(Some(Draft {
            line: 0,
            surveys: Vec::new(),
            photos: 0,
            cells: cells(&was),
            was: Some(was),
            said: Cells::new(),
        }))
    }

    /// Where it stands now. In another village, what depends on that is as at the nearest component there.
    fn moved(
        &mut self,
        draft: &Draft,
        survey: &Survey,
        position: Option<Position>,
    ) -> Result<Cells> {
        let mut said = coordinates(position);
        let before = draft.was.as_ref().map(|was| was.village);
        let village = survey.place.as_ref().map(|place| place.village);
        if let Some(village) = village.filter(|village| before != Some(*village)) {
            let there = components::of_village(self.app, village)?;
            said.extend(self.whereabouts(village, nearest(&there, position, |_| true)));
        }
        Ok(said)
    }

    fn whereabouts(&mut self, village: VillageCode, neighbour: Option<&Component>) -> Cells {
        if neighbour.is_some() && !self.preview.notes.contains(&"taken_from_neighbours") {
            self.preview.notes.push("taken_from_neighbours");
        }
        let of_neighbour = neighbour.map(cells).unwrap_or_default();
        let columns = ["unit_grid", "town_code", "town_name", "village_name"];
        let taken = columns.map(|column| {
            (
                column,
                of_neighbour.get(column).cloned().unwrap_or_default(),
            )
        });
        let mut cells = Cells::from(taken);
        cells.insert("village_code", village.to_string());
        cells
    }

    fn draft_new(
        &mut self,
        line: usize,
        survey: &Survey,
        position: Option<Position>,
    ) -> Result<()> {
        let mut new = Cells::new();
        if let Some(village) = survey.place.as_ref().map(|place| place.village) {
            let there = components::of_village(self.app, village)?;
            let class = survey.category.map(|category| category.code);
            let is_alike = |component: &Component| Some(component.code.class()) == class;
            if let Some(alike) = nearest(&there, position, is_alike) {
                let taken = [
                    "name",
                    "authority_code",
                    "authority_name",
                    "owner_code",
                    "owner_name",
                    "keeper_code",
                    "keeper_name",
                ];
                let of_it = cells(alike);
                new.extend(
                    of_it
                        .into_iter()
                        .filter(|(column, _)| taken.contains(column)),
                );
            }
            new.extend(self.whereabouts(village, nearest(&there, position, |_| true)));
            if let Some(category) = survey.category {
                new.extend(self.name_of(category).map(|name| ("name", name)));
                let code = match survey.proposal.component {
                    None => self.free_code(village, category)?,
                    // It stands on the thing itself.
                    stated => stated,
                };
                new.extend(code.map(|code| ("code", code.to_string())));
            }
        }
        new.extend(coordinates(position));
        new.insert("state", "完好".to_owned());
        new.insert("first_on", survey.day.to_string());
        self.drafts.push(Draft {
            line,
            surveys: vec![survey.id],
            photos: survey.photos,
            was: None,
            cells: new,
            said: Cells::new(),
        });
        Ok(())
    }

    /// What the directory calls the class.
    fn name_of(&self, category: Category) -> Option<String> {
        let known = self.app.known();
        let mut rows = known.directory.categories.iter();
        let row = rows.find(|row| {
            let key = row.key;
            (key.scheme, key.kind, key.code)
                == (category.scheme, category.kind.code(), category.code)
        });
        row.map(|row| row.name.clone())
    }

    /// The code behind the last one of its division and class that any component has or had.
    fn free_code(&mut self, village: VillageCode, category: Category) -> Result<Option<u64>> {
        const SERIALS: u64 = 1_000_000;
        // A class has 5 digits since GB/T 47678.5, 4 before.
        let classes = if category.scheme == 476_785 {
            100_000
        } else {
            10_000
        };
        if category.kind != CategoryKind::Component || category.code >= classes {
            return Ok(None);
        }
        let prefix = village.district() * classes + category.code;
        let (first, last) = (prefix * SERIALS, prefix * SERIALS + SERIALS - 1);
        let taken = self.app.store.last_component(first, last)?.unwrap_or(first);
        let taken = taken.max(self.handed_out.get(&prefix).copied().unwrap_or(first));
        self.handed_out.insert(prefix, taken + 1);
        Ok((taken < last).then_some(taken + 1))
    }
}

/// The nearest of those that are meant; the first of them, where nobody knows from where.
fn nearest(
    of: &[Component],
    position: Option<Position>,
    is_meant: impl Fn(&Component) -> bool,
) -> Option<&Component> {
    let distance = |component: &Component| {
        position.map_or(0.0, |position| metres(position, component.position))
    };
    let meant = of.iter().filter(|component| is_meant(component));
    meant.min_by(|one, other| distance(one).total_cmp(&distance(other)))
}

/// A position that components can have: nobody here converts GCJ-02.
fn position(place: &Place) -> Option<Position> {
    let point = place.point.filter(|point| point.datum != Datum::Gcj02)?;
    Some(Position {
        lon_e7: point.lon_e7,
        lat_e7: point.lat_e7,
    })
}

/// A day as people write it.
fn spelt(day: u32) -> String {
    let (year, month, day) = (day / 10_000, day / 100 % 100, day % 100);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The fields of a position; without one they are empty, which is a fault.
fn coordinates(position: Option<Position>) -> Cells {
    let of =
        |degrees_e7: fn(Position) -> i64| position.map(degrees_e7).map(degrees).unwrap_or_default();
    Cells::from([
        ("lon_cgcs2000", of(|position| position.lon_e7)),
        ("lat_cgcs2000", of(|position| position.lat_e7)),
    ])
}

pub(in crate::import) fn degrees(degrees_e7: i64) -> String {
    const ONE: u64 = 10_000_000;
    let (sign, digits) = (
        if degrees_e7 < 0 { "-" } else { "" },
        degrees_e7.unsigned_abs(),
    );
    format!("{sign}{}.{:07}", digits / ONE, digits % ONE)
}

/// A component as a row of a file has it.
fn cells(component: &Component) -> Cells {
    let mut cells = coordinates(Some(component.position));
    cells.extend([
        ("code", component.code.to_string()),
        ("name", component.name.clone()),
        ("authority_code", component.authority.code.clone()),
        ("authority_name", component.authority.name.clone()),
        ("owner_code", component.owner.code.clone()),
        ("owner_name", component.owner.name.clone()),
        ("keeper_code", component.keeper.code.clone()),
        ("keeper_name", component.keeper.name.clone()),
        ("unit_grid", component.unit_grid.clone()),
        ("state", component.state.clone()),
        ("first_on", component.first_on.to_string()),
        (
            "changed_on",
            component
                .changed_on
                .map(|day| day.to_string())
                .unwrap_or_default(),
        ),
        ("source", component.source.clone()),
        ("remarks", component.remarks.clone()),
        ("town_code", component.town_code.clone()),
        ("town_name", component.town_name.clone()),
        ("village_code", component.village.to_string()),
        ("village_name", component.village_name.clone()),
    ]);
    cells
}
