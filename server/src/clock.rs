//! The server's own clock, held against what the database knows. A clock can only be seen to be behind; nothing is decided by it.

use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;

use crate::app::App;
use crate::store::Result;

/// The time of a frame that has been received and is still to come by the clock: the clock was set back, or was ahead when it came.
pub fn received_ahead(app: &App) -> Result<Option<Timestamp>> {
    let bound = app.environment.now().plus_ms(limits::CLOCK_BACK_MS);
    let newest = app.store.newest_receipt()?;
    Ok(newest.filter(|newest| *newest > bound))
}
