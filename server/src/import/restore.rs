//! A version of the directory that was in force comes back, as a preview like any other.
//!
//! What leaves have decided since stays; `leaves` says what that is.

use patrol_core::domain::directory::Directory;
use patrol_core::sync::directory as codec;

use super::leaves::decided_since;
use super::{Preview, begun, take_in, today};
use crate::app::App;
use crate::directory;
use crate::store::{Result, StoreError};

/// What would be with the version of a number in force again. None: there was none of that number.
pub fn preview(app: &App, no: u64) -> Result<Option<Preview>> {
    let mut preview = begun(app)?;
    let (base, _) = preview.base;
    let Some(old) = read(app, no)?.filter(|_| no <= base) else {
        return Ok(None);
    };
    let known = app.known();
    let stays = decided_since(app, no, base)?;
    let today = today(app.environment.now());
    let laid = directory::back_over((no, old), &known.directory, &stays, today);
    take_in(
        app,
        laid,
        (today, &format!("directory {no}").into()),
        &mut preview,
    )?;
    Ok(Some(preview))
}

pub(super) fn read(app: &App, no: u64) -> Result<Option<Directory>> {
    let Some(bytes) = app.store.directory_of(no)? else {
        return Ok(None);
    };
    let directory = codec::decode(&bytes);
    let directory = directory
        .map_err(|fault| StoreError::Broken(format!("directory {no} cannot be read: {fault:?}")))?;
    Ok(Some(directory))
}
