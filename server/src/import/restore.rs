//! A version of the directory that was in force comes back, as a preview like any other.
//!
//! Leaves stay as they were entered: what comes back is what files had said.

use patrol_core::domain::directory::Directory;

use super::{Preview, begun, take_in, today};
use crate::app::{App, unpack};
use crate::directory;
use crate::directory::leaves::Basis;
use crate::store::{Result, StoreError};

/// What would be with the version of a number in force again. None: there was none of that number.
pub fn preview(app: &App, no: u64) -> Result<Option<Preview>> {
    let mut preview = begun(app)?;
    let (base, _) = preview.base;
    let Some((directory, old)) = read(app, no)?.filter(|_| no <= base) else {
        return Ok(None);
    };
    let known = app.known();
    let mut basis = known.basis.clone();
    basis.know(&old);
    let old = Directory {
        people: old.said,
        ..directory
    };
    let today = today(app.environment.now());
    let laid = directory::back_over((no, old), (&known.directory, &basis), today);
    take_in(
        app,
        laid,
        (today, &format!("directory {no}").into()),
        &mut preview,
    )?;
    Ok(Some(preview))
}

/// A version of the directory, and from what it follows which people are in it.
pub(super) fn read(app: &App, no: u64) -> Result<Option<(Directory, Basis)>> {
    let Some(kept) = app.store.directory_of(no)? else {
        return Ok(None);
    };
    let unreadable =
        |column| StoreError::Broken(format!("`{column}` of directory {no} cannot be read"));
    unpack(&kept).map(Some).map_err(unreadable)
}
