//! How the phone stands, what the office tells it, and the directory's names.

use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::directory::{self, CategoryKey};
use patrol_core::domain::id::{DeviceId, DocumentId, DraftId, PersonId};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;
use patrol_core::replica;
use patrol_core::store::drafts;
use patrol_core::store::pieces::CarriedBundle;
use patrol_core::sync::wire;

use crate::plain::{TownRow, UnitRow, VillageRow};

/// How this phone stands.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct DeviceStatus {
    /// Whose enrolment it is.
    pub person: PersonId,
    /// By name.
    pub person_name: String,
    /// Changes that the server has not answered for.
    pub outbox: u64,
    /// Changes held for review.
    pub held: u64,
    /// Changes refused and not dismissed.
    pub refused: u64,
    /// End of the last complete round, by the server's clock.
    pub synced_at: Option<Timestamp>,
    /// Failed rounds in a row.
    pub failures: u32,
    /// Code of the last error.
    pub last_error: Option<String>,
    /// How many entries were made on this phone.
    pub entries_made: u64,
}

impl From<replica::DeviceStatus> for DeviceStatus {
    fn from(status: replica::DeviceStatus) -> Self {
        Self {
            person: status.person,
            person_name: status.person_name,
            outbox: status.outbox,
            held: status.held as u64,
            refused: status.refused as u64,
            synced_at: status.synced_at,
            failures: status.failures,
            last_error: status.last_error,
            entries_made: status.n,
        }
    }
}

/// What a person has begun to write.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct Draft {
    /// Names it.
    pub id: DraftId,
    /// The case that it is about; none: a new one.
    pub case_id: Option<DocumentId>,
    /// What the app kept.
    pub form: Vec<u8>,
    /// When it was last changed, by the phone's clock.
    pub changed_at: Timestamp,
}

impl From<drafts::Draft> for Draft {
    fn from(draft: drafts::Draft) -> Self {
        Self {
            id: draft.id,
            case_id: draft.document,
            form: draft.form,
            changed_at: draft.changed_at,
        }
    }
}

/// What was found in a damaged file.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct Salvaged {
    /// A rescue bundle of the work in it.
    pub bundle: Vec<u8>,
    /// How many deeds that holds.
    pub deeds: u64,
    /// How many drafts were found that were not here.
    pub drafts: u64,
    /// How many were left in the file, since nobody is enrolled here or somebody else: do not put it away before who wrote them is.
    pub drafts_left: u64,
    /// Whether everything that was looked for could be read: then no work is missing.
    pub is_whole: bool,
}

impl From<replica::Salvaged> for Salvaged {
    fn from(found: replica::Salvaged) -> Self {
        Self {
            bundle: found.bundle,
            deeds: found.changes,
            drafts: found.drafts,
            drafts_left: found.drafts_left,
            is_whole: found.is_whole,
        }
    }
}

/// Another phone's rescue bundle that this one carries, or has carried.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct Carried {
    /// Names it on this phone.
    pub id: i64,
    /// Whose work it is.
    pub device: DeviceId,
    /// When it was made, by that phone's clock.
    pub made_at: Timestamp,
    /// When it came here.
    pub taken_at: Timestamp,
    /// How many of its pieces were whole.
    pub pieces: u64,
    /// How many were not: fetch the file again.
    pub damaged: u64,
    /// Pieces that the server has not taken yet; 0 when all is handed in.
    pub waiting: u64,
    /// Why some will never be taken; they are kept until the bundle is given up.
    pub refused: Option<String>,
}

impl From<CarriedBundle> for Carried {
    fn from(bundle: CarriedBundle) -> Self {
        Self {
            id: bundle.id,
            device: bundle.device,
            made_at: bundle.made_at,
            taken_at: bundle.taken_at,
            pieces: bundle.pieces,
            damaged: bundle.damaged,
            waiting: bundle.waiting,
            refused: bundle.refused.map(|(_, code)| code),
        }
    }
}

/// What the office tells this phone.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Enum)]
pub enum NoticeKind {
    /// Work is missing there; what this phone has of it goes with the next sync.
    Resend,
    /// This phone is a copy, or was restored: enrol again, in a new file.
    ReEnrol,
    /// Send the logs.
    SendLogs,
    /// A change that was held is settled.
    Outcome {
        /// Of which document.
        case_id: DocumentId,
        /// Refused, and why; none: released.
        refusal: Option<Refusal>,
    },
    /// A message for the person.
    Message {
        /// The message.
        words: String,
    },
    /// Something that a newer program understands.
    Unknown,
}

/// A notice that the person has not seen.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct Notice {
    /// Names it, for `mark_notice_seen`.
    pub number: u64,
    /// What it says.
    pub kind: NoticeKind,
}

pub(crate) fn notice((number, notice): (u64, wire::Notice)) -> Notice {
    let kind = match notice {
        wire::Notice::Resend(_) => NoticeKind::Resend,
        wire::Notice::ReEnrol => NoticeKind::ReEnrol,
        wire::Notice::SendLogs => NoticeKind::SendLogs,
        wire::Notice::Outcome {
            document, refusal, ..
        } => NoticeKind::Outcome {
            case_id: document,
            refusal,
        },
        wire::Notice::Message(words) => NoticeKind::Message { words },
        wire::Notice::Unknown => NoticeKind::Unknown,
    };
    Notice { number, kind }
}

/// A category and its name.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct CategoryRow {
    /// Names it in rows of lists, such as `476785-2-06010`.
    pub id: String,
    /// The category, for reports.
    pub category: Category,
    /// Its name.
    pub name: String,
}

/// Towns, villages, units and categories, as the office last sent them.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Record)]
pub struct Directory {
    /// Towns and streets, by code.
    pub towns: Vec<TownRow>,
    /// The villages, by code.
    pub villages: Vec<VillageRow>,
    /// The villages in which the person of this enrolment works today.
    pub my_villages: Vec<VillageCode>,
    /// The bodies that fix, by number.
    pub units: Vec<UnitRow>,
    /// The categories.
    pub categories: Vec<CategoryRow>,
}

pub(crate) fn directory(
    directory: &directory::Directory,
    my_villages: Vec<VillageCode>,
) -> Directory {
    Directory {
        towns: directory.towns.clone(),
        villages: directory.villages.clone(),
        my_villages,
        units: directory.units.clone(),
        categories: directory.categories.iter().filter_map(category).collect(),
    }
}

fn category(row: &directory::CategoryRow) -> Option<CategoryRow> {
    let CategoryKey { scheme, kind, code } = row.key;
    let category = Category {
        scheme,
        kind: CategoryKind::from_code(kind)?,
        code,
        condition: None,
    };
    Some(CategoryRow {
        id: category.name(),
        category,
        name: row.name.clone(),
    })
}
