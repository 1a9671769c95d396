//! The model as it is kept, row by row. What it derives at each look, such as tags of components, it does not show.

use super::{
    BatchRow, BoxedChange, Device, DeviceId, DocumentId, EntryId, FeedRow, Result, State,
    StoredChange,
};
use crate::store::FateRow;
use crate::store::reference::{ComponentImport, KeptDirectory};
use crate::store::whole::{
    Counters, DocumentRow, Had, Member, NumberRow, Preparing, Row, VillageComponents, Visit, Whole,
    WholeComponent, WholeDocument, WholeScope,
};

impl Whole for State {
    fn counters(&self) -> Result<Row<Counters>> {
        Ok(Ok(Counters {
            commit: self.commits,
            device: self.device_number,
        }))
    }

    fn document_ids(&self, visit: Visit<'_, DocumentId>) -> Result<()> {
        self.documents.keys().try_for_each(|id| visit(Ok(*id)))
    }

    fn whole_document(&self, id: DocumentId) -> Result<WholeDocument> {
        let document = self.documents.get(&id).cloned().unwrap_or_default();
        let is_retired = document.joined.is_empty() && !document.scopes.is_empty();
        let joined = |scope| document.joined.get(scope).copied().unwrap_or(0);
        let scopes = document.scopes.iter();
        let mut members: Vec<(u64, u64)> = scopes
            .filter_map(|scope| Some((self.scopes.get(scope)?.number, joined(scope))))
            .collect();
        members.sort_unstable();
        let changes: Vec<(u64, StoredChange)> = (0..).zip(document.changes).collect();
        let found_by = document.summary.numbers.clone();
        Ok(WholeDocument {
            row: Ok(DocumentRow {
                len: changes.len() as u64,
                digest: document.digest,
                opened_by: document.opened_by,
                is_retired,
                summary: document.summary,
                found_by,
            }),
            changes: Ok(changes),
            members,
        })
    }

    fn all_numbers(&self, visit: Visit<'_, NumberRow>) -> Result<()> {
        let documents = self.documents.iter();
        let mut rows: Vec<NumberRow> = documents
            .flat_map(|(id, document)| {
                let shown = document.summary.number.as_ref();
                let row = move |number: &String| NumberRow {
                    number: number.clone(),
                    document: *id,
                    had: Some(if shown == Some(number) {
                        Had::Shown
                    } else {
                        Had::Other
                    }),
                };
                document.summary.numbers.iter().map(row)
            })
            .collect();
        rows.sort_by(|one, other| {
            (&one.number, one.document).cmp(&(&other.number, other.document))
        });
        rows.into_iter().try_for_each(|row| visit(Ok(row)))
    }

    fn all_scopes(&self, visit: Visit<'_, WholeScope>) -> Result<()> {
        let row = |(scope, row): (&_, &super::ScopeRow)| WholeScope {
            number: row.number,
            scope: *scope,
            head: row.head,
            digest: row.digest,
        };
        let mut rows: Vec<WholeScope> = self.scopes.iter().map(row).collect();
        rows.sort_by_key(|row| row.number);
        rows.into_iter().try_for_each(|row| visit(Ok(row)))
    }

    fn whole_feed(&self, number: u64, visit: Visit<'_, FeedRow>) -> Result<()> {
        let feed = self.feeds.get(&number);
        let mut rows = feed.into_iter().flat_map(|feed| &feed.rows);
        rows.try_for_each(|row| visit(Ok(*row)))
    }

    fn all_members(&self, number: u64, visit: Visit<'_, Member>) -> Result<()> {
        let scope = self.scopes.iter().find(|(_, row)| row.number == number);
        let Some((scope, _)) = scope else {
            return Ok(());
        };
        let documents = self.documents.iter();
        let mut members = documents.filter(|(_, document)| document.scopes.contains(scope));
        members.try_for_each(|(id, document)| {
            visit(Ok(Member {
                document: *id,
                joined: document.joined.get(scope).copied().unwrap_or(0),
                digest: document.digest,
            }))
        })
    }

    fn fate(&self, device: DeviceId, n: u64, entry: EntryId) -> Result<Option<String>> {
        Ok(self.fates.get(&(device, n, entry)).cloned())
    }

    fn all_fates(&self, visit: Visit<'_, FateRow>) -> Result<()> {
        self.fates
            .iter()
            .try_for_each(|((device, n, entry), fate)| {
                visit(Ok(FateRow {
                    device: *device,
                    n: *n,
                    entry: *entry,
                    fate: fate.clone(),
                }))
            })
    }

    fn all_boxed(&self, visit: Visit<'_, (u64, BoxedChange)>) -> Result<()> {
        let mut rows: Vec<&(u64, BoxedChange)> = self.boxed.values().collect();
        rows.sort_by_key(|(no, _)| *no);
        rows.into_iter().try_for_each(|row| visit(Ok(row.clone())))
    }

    fn all_batches(&self, visit: Visit<'_, (u64, BatchRow)>) -> Result<()> {
        let mut rows = (1..).zip(self.batches.values().flatten());
        rows.try_for_each(|(no, row)| visit(Ok((no, row.clone()))))
    }

    fn all_notices(&self, visit: Visit<'_, (DeviceId, u64)>) -> Result<()> {
        let of = |(device, notices): (&DeviceId, &super::Notices)| {
            let device = *device;
            let numbers: Vec<u64> = notices.waiting.keys().copied().collect();
            numbers.into_iter().map(move |number| (device, number))
        };
        self.notices
            .iter()
            .flat_map(of)
            .try_for_each(|row| visit(Ok(row)))
    }

    fn all_devices(&self, visit: Visit<'_, Device>) -> Result<()> {
        let mut devices = self.devices.keys().filter_map(|id| Self::device(self, *id));
        devices.try_for_each(|device| visit(Ok(device)))
    }

    fn all_directories(&self, visit: Visit<'_, (u64, KeptDirectory)>) -> Result<()> {
        let mut rows = self.directories.iter();
        rows.try_for_each(|(version, kept)| visit(Ok((version.no, kept.clone()))))
    }

    fn all_components(&self, _: Visit<'_, WholeComponent>) -> Result<()> {
        Ok(())
    }

    fn all_villages(&self, _: Visit<'_, VillageComponents>) -> Result<()> {
        Ok(())
    }

    fn all_imports(&self, _: Visit<'_, ComponentImport>) -> Result<()> {
        Ok(())
    }

    fn preparing(&self) -> Result<Option<Preparing>> {
        Ok(None)
    }

    fn disagreements(&self, _: &mut dyn FnMut(String)) -> Result<()> {
        Ok(())
    }
}
