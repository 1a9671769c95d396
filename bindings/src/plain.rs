//! What crosses the border as it stands inside: ids and numbers under their names, closed sets as enums, and those values
//! of core that are plain already.
//!
//! Each is written down once more here, because that is how uniffi learns of it; the compiler compares.

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::case::{Anomaly, Assignment, Category, CategoryKind, Conflict, Track};
use patrol_core::domain::component::{Component, ComponentCode, NamedBody, Position};
use patrol_core::domain::directory::{self, UnitKind};
use patrol_core::domain::entry::{AssignmentId, CheckBy, Field, Part, Proposal, Proposed, Verdict};
use patrol_core::domain::id::{DeviceId, DocumentId, DraftId, EntryId, PersonId, UnitId};
use patrol_core::domain::place::{Datum, Place, Point, VillageCode};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::stage::{Stage, Standing};
use patrol_core::domain::time::Timestamp;
use patrol_core::replica::SyncState;
use patrol_core::store::boxes::BoxState;

use crate::error::PatrolError;

/// Reads what an app passed, or says which kind of thing it is not.
fn read<T>(value: Option<T>, what: &str) -> uniffi::Result<T> {
    value.ok_or_else(|| PatrolError::invalid(what).into())
}

macro_rules! hex_ids {
    ($($(#[$doc:meta])* $id:ident = $what:literal),* $(,)?) => {
        $(uniffi::custom_type!($(#[$doc])* $id, String, {
            remote,
            lower: |id| id.hex(),
            try_lift: |text| read($id::from_hex(&text), $what),
        });)*
    };
}

hex_ids! {
    /// A case or a tally: 32 hexadecimal digits.
    DocumentId = "document_id",
    /// One line of a log: 32 hexadecimal digits.
    EntryId = "entry_id",
    /// A draft: 32 hexadecimal digits.
    DraftId = "draft_id",
    /// A phone's enrolment: 16 hexadecimal digits.
    DeviceId = "device_id",
    /// A person: 16 hexadecimal digits.
    PersonId = "person_id",
}

uniffi::custom_type!(
    /// A body that fixes: its number or code. 0 is the city.
    UnitId, u64, {
    remote,
    lower: |id| id.0,
    try_lift: |number| Ok(UnitId(number)),
});
uniffi::custom_type!(
    /// A village's 12-digit code.
    VillageCode, u64, {
    remote,
    lower: |code| code.number(),
    try_lift: |number| read(VillageCode::new(number), "village"),
});
uniffi::custom_type!(
    /// A component's code, of 16 or 17 digits.
    ComponentCode, u64, {
    remote,
    lower: |code| code.number(),
    try_lift: |number| read(ComponentCode::new(number), "component"),
});
uniffi::custom_type!(
    /// Milliseconds since 1970 UTC.
    Timestamp, i64, {
    remote,
    lower: |time| time.0,
    try_lift: |ms| Ok(Timestamp(ms)),
});
uniffi::custom_type!(
    /// What a person does, as a word: `report`, `note`, `resolve`, `post_check`, …
    Action, String, {
    remote,
    lower: |action| action.word().to_owned(),
    try_lift: |word| read(Action::from_word(&word), "action"),
});
uniffi::custom_type!(
    /// Where a case stands, as a word: `reported`, `dispatched`, `closed`, …
    Stage, String, {
    remote,
    lower: |stage| stage.word().to_owned(),
    try_lift: |word| read(Stage::from_word(&word), "stage"),
});
uniffi::custom_type!(
    /// Why the rules say no, as a word: `not_permitted`, `wrong_stage`, …
    Refusal, String, {
    remote,
    lower: |refusal| refusal.code().to_owned(),
    try_lift: |code| read(Refusal::from_code(&code), "refusal"),
});

/// How safe something is.
#[uniffi::remote(Enum)]
pub enum SyncState {
    /// Durable on this phone.
    SavedHere,
    /// The server has it.
    Received,
    /// The server has it, and a person there will look.
    Held,
    /// It is part of the record.
    Applied,
    /// The server will not take it; it is kept here with the reason.
    Refused,
}

/// Where something in a box stands.
#[uniffi::remote(Enum)]
pub enum BoxState {
    /// A person in the office will look.
    Held,
    /// The office has released it; it comes with the next sync.
    Released,
    /// It will never be admitted.
    Refused,
}

/// Component (部件) or matter (事项, 事件).
#[uniffi::remote(Enum)]
pub enum CategoryKind {
    /// 部件.
    Component,
    /// 事项.
    Matter,
}

/// What a matter is.
#[uniffi::remote(Record)]
pub struct Category {
    /// Which edition of which standard, such as 476785.
    pub scheme: u64,
    /// Component or matter.
    pub kind: CategoryKind,
    /// The five-digit code within the scheme.
    pub code: u64,
    /// The filing condition.
    #[uniffi(default)]
    pub condition: Option<u64>,
}

/// In which datum a position was measured.
#[uniffi::remote(Enum)]
pub enum Datum {
    /// WGS-84, as receivers give it.
    Wgs84,
    /// CGCS2000, the national datum.
    Cgcs2000,
    /// GCJ-02, as some maps give it; kept as reported.
    Gcj02,
}

/// A measured position.
#[uniffi::remote(Record)]
pub struct Point {
    /// Longitude in 10⁻⁷ degrees.
    pub lon_e7: i64,
    /// Latitude in 10⁻⁷ degrees.
    pub lat_e7: i64,
    /// In which datum.
    pub datum: Datum,
    /// How far it may be off, in metres.
    #[uniffi(default)]
    pub accuracy_m: Option<u64>,
}

/// Where a matter is: always a village, and what else is known.
#[uniffi::remote(Record)]
pub struct Place {
    /// The village.
    pub village: VillageCode,
    /// The measured position.
    #[uniffi(default)]
    pub point: Option<Point>,
    /// In words, for those who go there.
    #[uniffi(default)]
    pub words: Option<String>,
}

/// A register's value.
#[uniffi::remote(Enum)]
pub enum FieldValue {
    /// Where it is.
    Place(Place),
    /// What it is.
    Category(Category),
    /// The matter in words.
    Words(String),
}

/// The result of a check on the spot.
#[uniffi::remote(Enum)]
pub enum Verdict {
    /// It is so.
    Passed,
    /// It is not so.
    Failed,
    /// It could not be checked.
    Unchecked,
}

/// Whether a unit leads (主办) or assists (协办).
#[uniffi::remote(Enum)]
pub enum Part {
    /// Leads; the case awaits closing when all that lead are done.
    Main,
    /// Assists.
    Assisting,
}

/// Whose check a dispatch asks for.
#[uniffi::remote(Enum)]
pub enum CheckBy {
    /// The inspector or the cadre.
    Either,
    /// The inspector.
    Inspector,
    /// The cadre.
    Cadre,
}

/// What a proposal says of a component.
#[uniffi::remote(Enum)]
pub enum Proposed {
    /// It is there and not in the register.
    New,
    /// It is somewhere else.
    Moved,
    /// It is broken.
    Broken,
    /// It is gone.
    Gone,
}

/// A proposal to change the register of components.
#[uniffi::remote(Record)]
pub struct Proposal {
    /// What is so.
    pub proposed: Proposed,
    /// The component's code, of 16 or 17 digits; none for one that is new.
    pub component: Option<u64>,
}

/// A register of a document.
#[uniffi::remote(Enum)]
pub enum Field {
    /// Where it is.
    Place,
    /// What it is.
    Category,
    /// The matter in words.
    Words,
}

/// What kind of body a unit is.
#[uniffi::remote(Enum)]
pub enum UnitKind {
    /// A department of the city or a district.
    Department,
    /// An enterprise that runs a part of the city.
    Enterprise,
    /// A town or street.
    Town,
    /// A village.
    Village,
}

/// One unit's share of a dispatched case by name: the dispatch that opened it, and the unit.
#[uniffi::remote(Record)]
pub struct AssignmentId {
    /// The dispatch.
    pub dispatch: EntryId,
    /// The unit.
    pub unit: UnitId,
}

/// A stage, and whether a failed check put it there.
#[uniffi::remote(Record)]
pub struct Standing {
    /// The stage.
    pub stage: Stage,
    /// Put back to work by a failed check (返工).
    pub rework: bool,
}

/// One unit's share of a dispatched case.
#[uniffi::remote(Record)]
pub struct Assignment {
    /// Its name, for deeds upon it.
    pub id: AssignmentId,
    /// Whether the unit leads or assists.
    pub part: Part,
    /// Whose check is asked for.
    pub check_by: CheckBy,
    /// Where it stands.
    pub standing: Standing,
    /// The latest results: what a check judges. Two when two people gave one each at once.
    pub results: Vec<EntryId>,
}

/// What a conflict is about.
#[uniffi::remote(Enum)]
pub enum Track {
    /// The case as a whole.
    Case,
    /// One assignment.
    Assignment(AssignmentId),
}

/// Concurrent entries that give different answers, until a `reconcile` chooses one.
#[uniffi::remote(Record)]
pub struct Conflict {
    /// What it is about.
    pub track: Track,
    /// The entries that were concurrent.
    pub entries: Vec<EntryId>,
    /// Which may be chosen; the one whose stage is shown comes first.
    pub candidates: Vec<EntryId>,
}

/// An entry that is kept but does not fit.
#[uniffi::remote(Record)]
pub struct Anomaly {
    /// The entry.
    pub entry: EntryId,
    /// Why it does not fit.
    pub reason: Refusal,
}

/// A town or street.
pub type TownRow = directory::Town;
/// A village.
pub type VillageRow = directory::Village;
/// A body that fixes.
pub type UnitRow = directory::Unit;

/// A town or street: the first nine digits of its villages' codes.
#[uniffi::remote(Record)]
pub struct TownRow {
    /// The 9-digit code.
    pub code: u64,
    /// Its name.
    pub name: String,
}

/// A village.
#[uniffi::remote(Record)]
pub struct VillageRow {
    /// Its code.
    pub code: VillageCode,
    /// Its name.
    pub name: String,
    /// A point within it.
    pub point: Option<Point>,
    /// When it ended; open when absent.
    pub until: Option<Timestamp>,
}

/// A body that fixes.
#[uniffi::remote(Record)]
pub struct UnitRow {
    /// Its number or code.
    pub id: UnitId,
    /// What kind of body it is.
    pub kind: UnitKind,
    /// Its name.
    pub name: String,
}

/// A position in WGS-84.
#[uniffi::remote(Record)]
pub struct Position {
    /// Longitude in 10⁻⁷ degrees.
    pub lon_e7: i64,
    /// Latitude in 10⁻⁷ degrees.
    pub lat_e7: i64,
}

/// A body that a component names. Either may be empty where it is optional.
#[uniffi::remote(Record)]
pub struct NamedBody {
    /// Its unified social credit code.
    pub code: String,
    /// Its name.
    pub name: String,
}

/// A component with the 18 fields of GB/T 47678.5 and its position. Texts that are absent are empty; days are numbers YYYYMMDD.
#[uniffi::remote(Record)]
pub struct Component {
    /// 管理部件标识码.
    pub code: ComponentCode,
    /// 管理部件名称.
    pub name: String,
    /// 主管部门.
    pub authority: NamedBody,
    /// 权属单位.
    pub owner: NamedBody,
    /// 养护单位.
    pub keeper: NamedBody,
    /// 所在单元网格标识码.
    pub unit_grid: String,
    /// 管理部件状态: 完好, 破损, 丢失, 废弃, 移除 or another.
    pub state: String,
    /// 初始日期.
    pub first_on: u32,
    /// 变更日期; none before the first change.
    pub changed_on: Option<u32>,
    /// 数据来源.
    pub source: String,
    /// 备注.
    pub remarks: String,
    /// 所在街道代码.
    pub town_code: String,
    /// 所在街道名称.
    pub town_name: String,
    /// 所在社区（村）代码.
    pub village: VillageCode,
    /// 所在社区（村）名称.
    pub village_name: String,
    /// Where it stands.
    pub position: Position,
}
