//! The phone's core for other languages: one object, [`Patrol`], over `patrol_core::replica`, by uniffi.
//!
//! A method is one call of the replica, with values copied and ids read on the way. There is no rule here, no SQL, and no
//! type of Automerge.
//!
//! Ids are strings of hexadecimal digits, times are milliseconds since 1970 UTC, places and units are their official
//! numbers. **Sets that grow with the standard are words** (actions, stages, refusals): a phone must show what a newer
//! office writes, and an app's translations are keyed by word anyway. **Sets that an app branches on are enums.**
//!
//! Calls block on the disk for milliseconds and belong off an app's main thread; only `enrol`, `sync` and
//! `refresh_components` wait for a network, and they are asynchronous. Whatever goes wrong inside becomes an exception.

pub mod components;
pub mod deed;
pub mod device;
pub mod error;
pub mod host;
pub mod network;
pub mod observer;
pub mod plain;
pub mod views;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::{Action, DocumentKind};
use patrol_core::domain::case::Category;
use patrol_core::domain::id::{DocumentId, DraftId, EntryId};
use patrol_core::domain::limits;
use patrol_core::domain::place::{Place, VillageCode};
use patrol_core::replica::{Cancel, Deed, Replica};
use patrol_core::store::documents::ListRow;
use patrol_core::sync::http::Http;

use deed::{Body, Count};
use device::{Carried, DeviceStatus, Directory, Draft, Notice, Salvaged};
use error::PatrolError;
use host::Host;
use observer::{Observer, Watch};
use views::{BoxedEntry, CaseRow, CaseView, Offer, Recorded};

#[cfg(not(panic = "unwind"))]
compile_error!("a panic must become an exception; an abort would take the app down");

uniffi::setup_scaffolding!("patrol");

/// One enrolment on this phone: its file, and all that a person does and sees there. Two people on one phone are two files.
#[derive(uniffi::Object)]
pub struct Patrol {
    /// None after `shutdown`.
    live: Mutex<Option<Arc<Live>>>,
}

/// What lives until `shutdown`.
pub(crate) struct Live {
    replica: Replica,
    rescued: Mutex<Option<String>>,
    http: OnceLock<Http>,
    shut: Cancel,
}

impl Live {
    fn told(&self) -> MutexGuard<'_, Option<String>> {
        self.rescued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[uniffi::export]
impl Patrol {
    /// Opens a file, or makes it. A damaged file is moved aside and kept, see `rescued`. Without a host the program's own
    /// clocks are used, which name no boot: then the time of entries rests on the wall clock until the first contact.
    #[uniffi::constructor(default(host))]
    pub fn open(path: String, host: Option<Arc<dyn Host>>) -> Result<Self, PatrolError> {
        let environment = Arc::new(host::Machine::new(host));
        let (replica, rescued) = Replica::open(Path::new(&path), environment)?;
        Ok(Self {
            live: Mutex::new(Some(Arc::new(Live {
                replica,
                rescued: Mutex::new(rescued.map(|path| path.to_string_lossy().into_owned())),
                http: OnceLock::new(),
                shut: Cancel::default(),
            }))),
        })
    }

    /// Where a damaged file was moved when this one was opened, now or earlier: enrol again, see `salvage`, `carry` what that finds, and
    /// `put_away` the file. Until then each opening tells of it.
    pub fn rescued(&self) -> Result<Option<String>, PatrolError> {
        Ok(self.live()?.told().clone())
    }

    /// How this phone stands. `NotEnrolled` in a new file.
    pub fn status(&self) -> Result<DeviceStatus, PatrolError> {
        Ok(self.live()?.replica.status()?.into())
    }

    /// Villages, units and categories.
    pub fn directory(&self) -> Result<Directory, PatrolError> {
        let replica = &self.live()?.replica;
        Ok(device::directory(
            &*replica.directory()?,
            replica.villages()?,
        ))
    }

    /// Reports a matter (上报): opens a case. Saved when it returns, and the draft that it was is gone.
    #[uniffi::method(default(draft))]
    pub fn report(
        &self,
        place: Place,
        category: Category,
        words: String,
        draft: Option<DraftId>,
    ) -> Result<Recorded, PatrolError> {
        self.begin(&Deed {
            draft,
            fields: vec![
                FieldValue::Place(place),
                FieldValue::Category(category),
                FieldValue::Words(words),
            ],
            ..Deed::new(Action::Report, Body::default().into())
        })
    }

    /// Does something to a case or a tally that is here: `note`, `amend`, `resolve`, `send_back`, `post_check`, `reconcile`,
    /// `withdraw`, … Returns the entry. Saved when it returns.
    #[uniffi::method(default(body), default(fields), default(draft))]
    pub fn act(
        &self,
        case_id: DocumentId,
        action: Action,
        body: Body,
        fields: Vec<FieldValue>,
        draft: Option<DraftId>,
    ) -> Result<EntryId, PatrolError> {
        let deed = Deed {
            fields,
            draft,
            ..Deed::new(action, body.into())
        };
        Ok(self.live()?.replica.act(case_id, &deed)?)
    }

    /// Begins a tally in a village with a first count: what needs no case. Saved when it returns.
    pub fn begin_tally(&self, village: VillageCode, count: Count) -> Result<Recorded, PatrolError> {
        self.begin(&Deed {
            fields: vec![FieldValue::Place(Place::village(village))],
            ..Deed::new(Action::Count, counted(count).into())
        })
    }

    /// Counts in a tally. Returns the entry. Saved when it returns.
    pub fn count(&self, tally_id: DocumentId, count: Count) -> Result<EntryId, PatrolError> {
        self.act(tally_id, Action::Count, counted(count), Vec::new(), None)
    }

    /// The sums of a tally.
    pub fn tally(&self, tally_id: DocumentId) -> Result<Vec<Count>, PatrolError> {
        let sums = self.live()?.replica.tally(tally_id)?.into_iter();
        Ok(sums
            .map(|(what, how_many)| Count { what, how_many })
            .collect())
    }

    /// A page of cases, the last changed first: at most `limit` (and never more than 200), after `skip` others.
    pub fn cases(&self, skip: u32, limit: u32) -> Result<Vec<CaseRow>, PatrolError> {
        self.rows(DocumentKind::Case, skip, limit)
    }

    /// A page of tallies, the last changed first.
    pub fn tallies(&self, skip: u32, limit: u32) -> Result<Vec<CaseRow>, PatrolError> {
        self.rows(DocumentKind::Tally, skip, limit)
    }

    /// A page of cases that contain all that was typed, in their words, number, place, village or category: the last changed first.
    pub fn search(
        &self,
        typed: String,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<CaseRow>, PatrolError> {
        let live = self.live()?;
        let limit = (limit as usize).min(limits::LIST_ROWS_MAX);
        let kind = DocumentKind::Case.word();
        let rows = live.replica.search(kind, &typed, skip as usize, limit)?;
        shown(&live.replica, rows)
    }

    /// Keeps what a person has written so far, on every change: a new draft, or in place of the one of that id. Saved when it returns.
    #[uniffi::method(default(id), default(case_id))]
    pub fn keep_draft(
        &self,
        form: Vec<u8>,
        id: Option<DraftId>,
        case_id: Option<DocumentId>,
    ) -> Result<DraftId, PatrolError> {
        Ok(self.live()?.replica.keep_draft(id, case_id, &form)?)
    }

    /// All drafts, the last changed first.
    pub fn drafts(&self) -> Result<Vec<Draft>, PatrolError> {
        let drafts = self.live()?.replica.drafts()?;
        Ok(drafts.into_iter().map(Draft::from).collect())
    }

    /// The person does not want a draft any more.
    pub fn discard_draft(&self, id: DraftId) -> Result<(), PatrolError> {
        Ok(self.live()?.replica.discard_draft(id)?)
    }

    /// Everything of this phone's work that is not known to be part of the record, as a file that only the server can read: for any
    /// other phone, or the office, to hand in. Nothing here changes.
    pub fn rescue_bundle(&self) -> Result<Vec<u8>, PatrolError> {
        Ok(self.live()?.replica.rescue_bundle()?)
    }

    /// What can still be read of a damaged file that was moved aside: a rescue bundle of the work in it, to `carry` once this phone is
    /// enrolled again, or for another phone or the office; its drafts are put here where the same person is enrolled. The file stays as it is.
    pub fn salvage(&self, path: String) -> Result<Salvaged, PatrolError> {
        Ok(self.live()?.replica.salvage(Path::new(&path))?.into())
    }

    /// What was in a damaged file is carried or handed over: `rescued` tells of it no more. The file stays, under another name.
    pub fn put_away(&self, path: String) -> Result<(), PatrolError> {
        let live = self.live()?;
        live.replica.put_away(Path::new(&path))?;
        let mut rescued = live.told();
        *rescued = rescued.take().filter(|told| *told != path);
        Ok(())
    }

    /// Takes another phone's rescue bundle along; `sync` hands it in. The same file a second time changes nothing.
    pub fn carry(&self, file: Vec<u8>) -> Result<Carried, PatrolError> {
        Ok(self.live()?.replica.carry(&file)?.into())
    }

    /// The rescue bundles that this phone carries or has carried, the last taken first.
    pub fn carried(&self) -> Result<Vec<Carried>, PatrolError> {
        let carried = self.live()?.replica.carried()?;
        Ok(carried.into_iter().map(Carried::from).collect())
    }

    /// Gives up a bundle that this phone carries: what of it was not handed in is gone from here.
    pub fn discard_carried(&self, id: i64) -> Result<(), PatrolError> {
        Ok(self.live()?.replica.discard_carried(id)?)
    }

    /// One case, whole.
    pub fn case_view(&self, case_id: DocumentId) -> Result<CaseView, PatrolError> {
        let replica = &self.live()?.replica;
        Ok(views::case(replica.case(case_id)?, &*replica.directory()?))
    }

    /// What the person may do with a case now: a button for each, and no other.
    pub fn offers(&self, case_id: DocumentId) -> Result<Vec<Offer>, PatrolError> {
        let view = self.live()?.replica.case(case_id)?;
        Ok(view.offers.into_iter().map(views::offer).collect())
    }

    /// What is refused or held, newest first, with the reasons.
    pub fn boxed(&self) -> Result<Vec<BoxedEntry>, PatrolError> {
        let boxed = self.live()?.replica.boxed()?;
        Ok(boxed.into_iter().map(views::boxed).collect())
    }

    /// The person has dealt with something that was refused. It stays in the file. What is held waits for the office: `NotFound`.
    pub fn dismiss(&self, id: i64) -> Result<(), PatrolError> {
        Ok(self.live()?.replica.dismiss(id)?)
    }

    /// Notices that the person has not seen.
    pub fn notices(&self) -> Result<Vec<Notice>, PatrolError> {
        let notices = self.live()?.replica.notices()?;
        Ok(notices.into_iter().map(device::notice).collect())
    }

    /// The person has seen a notice.
    pub fn mark_notice_seen(&self, number: u64) -> Result<(), PatrolError> {
        Ok(self.live()?.replica.mark_notice_seen(number)?)
    }

    /// Milliseconds to wait before the next `sync`, after what happened in the last ones.
    #[uniffi::method(default(retry_after_ms))]
    pub fn next_round_in_ms(&self, retry_after_ms: Option<u64>) -> Result<u64, PatrolError> {
        Ok(self.live()?.replica.next_round_in_ms(retry_after_ms)?)
    }

    /// Registers an observer for as long as the handle is kept.
    pub fn watch(&self, observer: Arc<dyn Observer>) -> Result<Watch, PatrolError> {
        Ok(Watch::new(&self.live()?, observer))
    }

    /// Ends everything: observers hear nothing more, `enrol` and `sync` end, the file is closed when the last call under way
    /// returns. Every later call is `ShutDown`. An app calls it before it exits.
    pub fn shutdown(&self) {
        let live = self
            .live
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(live) = live {
            live.replica.unwatch_all();
            live.shut.cancel();
        }
    }
}

impl Patrol {
    fn live(&self) -> Result<Arc<Live>, PatrolError> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.clone().ok_or(PatrolError::ShutDown)
    }

    fn begin(&self, deed: &Deed) -> Result<Recorded, PatrolError> {
        let (id, entry) = self.live()?.replica.begin(deed)?;
        Ok(Recorded { id, entry })
    }

    fn rows(&self, kind: DocumentKind, skip: u32, limit: u32) -> Result<Vec<CaseRow>, PatrolError> {
        let live = self.live()?;
        let limit = (limit as usize).min(limits::LIST_ROWS_MAX);
        let rows = live.replica.list(kind.word(), skip as usize, limit)?;
        shown(&live.replica, rows)
    }
}

/// Rows as lists show them, with how safe each is.
fn shown(replica: &Replica, rows: Vec<ListRow>) -> Result<Vec<CaseRow>, PatrolError> {
    let documents: Vec<DocumentId> = rows.iter().map(|row| row.id).collect();
    let states = replica.safety(&documents)?;
    Ok(rows
        .into_iter()
        .zip(states)
        .map(|(row, state)| views::row(row, state))
        .collect())
}

fn counted(count: Count) -> Body {
    Body {
        count: Some(count),
        ..Body::default()
    }
}
