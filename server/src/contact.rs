//! What a hello says of its device: that it is there, what is amiss on it, and, of a revoked one, that it has handed in everything.
//!
//! What is lost is `holes`' business. An idle round writes nothing durable here.

use patrol_core::domain::limits;
use patrol_core::sync::wire::{DIGEST, Hello, Notice, Status};

use crate::app::App;
use crate::store::{Commit, Device, Result};

/// Notes what a hello says, before anything else of its request is looked at.
pub fn note(app: &App, device: &Device, hello: &Hello) -> Result<()> {
    let now = app.environment.now();
    // Silence after something was amiss is news too.
    let has_news = !hello.status.is_empty() || device.status.tells_of_trouble();
    let was_seen_long_ago = device
        .seen_at
        .is_none_or(|seen| now.ms_since(seen) >= limits::CONTACT_NOTE_MS);
    // The last contact is noted to the minute.
    if has_news || was_seen_long_ago {
        ask_for_logs(app, device, &hello.status)?;
        app.store.note_contact(device.id, now, &hello.status)?;
    }
    let is_last = device.revoked_at.is_some() && !device.revoked_empty;
    // One that was held up on its way does not speak for what has come since; nor does one for what a lost server had.
    let speaks_for_now = hello.epoch == app.identity.epoch && hello.last_n >= device.n_max;
    if is_last && hello.outbox_empty && speaks_for_now {
        app.store.note_emptied(device.id)?;
    }
    Ok(())
}

/// Sums that a listing has not mended are for a person to look at: the phone is asked for its logs, once each time that it says so
/// anew. Asked before that is noted: a server that dies between the two asks twice, not never.
fn ask_for_logs(app: &App, device: &Device, status: &Status) -> Result<()> {
    let says = |status: &Status| status.last_error.as_deref() == Some(DIGEST);
    if !says(status) || says(&device.status) {
        return Ok(());
    }
    let id = device.id;
    tracing::error!(device = %id, "device {id}: its sums stay wrong after a listing");
    app.store.commit(&Commit {
        notices: vec![(id, Notice::SendLogs)],
        ..Commit::default()
    })?;
    Ok(())
}
