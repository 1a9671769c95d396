//! Feeds, played from their first row: that they tell each document as it is, each change in the write in which it came, and sum up right.

use std::collections::{BTreeSet, HashMap};

use patrol_core::domain::id::DocumentId;
use patrol_core::sync::seal::Digest;

use super::Checking;
use crate::store::Result;
use crate::store::whole::{Member, WholeScope};
use crate::store::{FeedEvent, FeedRow};

/// Marks a change that a feed has told in the write in which it came.
const TOLD: u64 = 1 << 63;

/// In which write each change of each document came: eight bytes a change.
#[derive(Default)]
pub(super) struct Writes {
    /// Ascending.
    documents: Vec<DocumentId>,
    /// Where the changes of each begin.
    begins: Vec<usize>,
    commits: Vec<u64>,
    unreadable: BTreeSet<usize>,
}

impl Writes {
    /// Adds a document, after those with lower ids. None: it cannot be read.
    pub(super) fn add(&mut self, id: DocumentId, commits: Option<Vec<u64>>) {
        if commits.is_none() {
            self.unreadable.insert(self.documents.len());
        }
        self.documents.push(id);
        self.begins.push(self.commits.len());
        self.commits.extend(commits.into_iter().flatten());
    }

    pub(super) fn documents(&self) -> &[DocumentId] {
        &self.documents
    }

    fn place(&self, id: DocumentId) -> Option<usize> {
        self.documents.binary_search(&id).ok()
    }

    fn id(&self, place: usize) -> DocumentId {
        self.documents
            .get(place)
            .copied()
            .unwrap_or(DocumentId([0; 16]))
    }

    fn range(&self, place: usize) -> std::ops::Range<usize> {
        let end = self.begins.get(place + 1).copied();
        let begin = self
            .begins
            .get(place)
            .copied()
            .unwrap_or(self.commits.len());
        begin..end.unwrap_or(self.commits.len())
    }

    /// How many changes a document has.
    fn len(&self, place: usize) -> Option<u64> {
        (!self.unreadable.contains(&place)).then(|| self.range(place).len() as u64)
    }

    /// Notes that a change was told in a write. False: it came in another, or is not there.
    fn tell(&mut self, place: usize, ordinal: u64, commit: u64) -> bool {
        if self.unreadable.contains(&place) {
            return true;
        }
        let range = self.range(place);
        let ordinal = usize::try_from(ordinal).unwrap_or(usize::MAX);
        let change = self
            .commits
            .get_mut(range)
            .and_then(|own| own.get_mut(ordinal));
        match change {
            Some(change) if *change & !TOLD == commit => {
                *change |= TOLD;
                true
            }
            _ => false,
        }
    }

    /// Of a document the changes that were the last of their write, where no feed has told them.
    fn untold(&self, place: usize) -> Vec<usize> {
        let own = self.commits.get(self.range(place)).unwrap_or_default();
        let is_untold = |at: &usize| {
            let commit = |at: usize| own.get(at).map(|commit| commit & !TOLD);
            let is_last = commit(*at) != commit(*at + 1);
            is_last && own.get(*at).is_some_and(|commit| commit & TOLD == 0)
        };
        (0..own.len()).filter(is_untold).collect()
    }
}

/// What a feed has told so far.
#[derive(Default)]
struct Played {
    /// Of each document that is in it how many changes, and by which row it joined.
    documents: HashMap<usize, (u64, u64)>,
    seq: u64,
    commit: u64,
    is_broken: bool,
}

impl Checking<'_> {
    /// Plays all feeds, and returns the last write that told any.
    pub(super) fn feeds(&mut self) -> Result<u64> {
        let mut last = 0;
        for scope in std::mem::take(&mut self.scopes) {
            self.report.scopes += 1;
            let mut played = self.play(&scope)?;
            last = last.max(played.commit);
            if !played.is_broken && played.seq != scope.head {
                self.find(format!(
                    "scopes: `head` of {:?} is {} and its feed ends at {}",
                    scope.scope, scope.head, played.seq
                ));
            }
            self.members(&scope, &mut played)?;
        }
        for place in 0..self.writes.documents().len() {
            let id = self.writes.id(place);
            for ordinal in self.writes.untold(place) {
                self.find(format!("changes: `commit_no` of change {ordinal} of document {id} is a write that told it to no feed"));
            }
        }
        Ok(last)
    }

    fn play(&mut self, scope: &WholeScope) -> Result<Played> {
        let snapshot = self.snapshot;
        let mut played = Played::default();
        snapshot.whole_feed(scope.number, &mut |row| {
            match row {
                Ok(_) if played.is_broken => {}
                Ok(row) => self.play_row(scope, &mut played, &row),
                Err(unread) => {
                    self.find(format!("feed: of {:?}, {unread}", scope.scope));
                    played.is_broken = true;
                }
            }
            Ok(())
        })?;
        if played.seq == 0 && !played.is_broken {
            self.find(format!("scopes: nothing was ever in {:?}", scope.scope));
        }
        Ok(played)
    }

    fn play_row(&mut self, scope: &WholeScope, played: &mut Played, row: &FeedRow) {
        let Some(place) = self.writes.place(row.document) else {
            return;
        };
        let documents = &mut played.documents;
        let (follows, told) = match row.event {
            FeedEvent::Join(ordinal) => {
                let was = documents.insert(place, (ordinal + 1, row.seq));
                (was.is_none(), Some(ordinal))
            }
            FeedEvent::Change(ordinal) => match documents.get_mut(&place) {
                Some((told, _)) if *told == ordinal => {
                    *told += 1;
                    (true, Some(ordinal))
                }
                _ => (false, None),
            },
            FeedEvent::Leave => (documents.remove(&place).is_some(), None),
        };
        if !follows || row.seq != played.seq + 1 || row.commit < played.commit {
            self.find(format!(
                "feed: of {:?}, row {} does not follow",
                scope.scope, row.seq
            ));
            played.is_broken = true;
        }
        if let Some(ordinal) = told
            && !self.writes.tell(place, ordinal, row.commit)
        {
            self.find(format!(
                "feed: of {:?}, row {}: change {ordinal} of document {} did not come in write {}",
                scope.scope, row.seq, row.document, row.commit
            ));
        }
        (played.seq, played.commit) = (row.seq, played.commit.max(row.commit));
    }

    fn members(&mut self, scope: &WholeScope, played: &mut Played) -> Result<()> {
        let snapshot = self.snapshot;
        let mut sum = Digest::default();
        snapshot.all_members(scope.number, &mut |row| {
            match row {
                Err(unread) => self.find(format!("members: of {:?}, {unread}", scope.scope)),
                Ok(member) => {
                    if member.joined > 0 {
                        sum = sum.with(member.digest);
                    }
                    if !played.is_broken {
                        self.member(scope, played, member);
                    }
                }
            }
            Ok(())
        })?;
        if scope.digest != sum {
            self.find(format!(
                "scopes: `digest` of {:?} is not the sum over its members",
                scope.scope
            ));
        }
        if played.is_broken {
            return Ok(());
        }
        let mut left: Vec<usize> = played.documents.keys().copied().collect();
        left.sort_unstable();
        for place in left {
            let id = self.writes.id(place);
            self.find(format!(
                "members: document {id} is in the feed of {:?} and no member",
                scope.scope
            ));
        }
        Ok(())
    }

    fn member(&mut self, scope: &WholeScope, played: &mut Played, member: Member) {
        let Some(place) = self.writes.place(member.document) else {
            return;
        };
        let (id, of) = (member.document, scope.scope);
        let (told, joined) = played.documents.remove(&place).unwrap_or_default();
        if joined != member.joined {
            self.find(format!(
                "members: `joined` of document {id} in {of:?} is {} and by the feed {joined}",
                member.joined
            ));
        } else if joined > 0 && self.writes.len(place).is_some_and(|len| len != told) {
            self.find(format!(
                "feed: of {of:?}, {told} changes of document {id} are told, and not all"
            ));
        }
    }
}
