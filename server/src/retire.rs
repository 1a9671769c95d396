//! What ended long ago leaves the feeds, so that phones do not carry it for ever (`protocol.md`, *What the server keeps*).
//!
//! Rights, lists and the record stay as they are. When it is asked is the shell's business.

use patrol_core::domain::limits;
use patrol_core::domain::time::{DAY_MS, Timestamp};

use crate::app::App;
use crate::store::Result;

/// Takes cases that ended long enough before `now` out of the feeds of their scopes, some at a time so that nobody waits long for the
/// writer. The age moves on by small steps, and one step is all that a clock that jumps years ahead takes out of the feeds at a time. Returns
/// how many.
pub fn retire_ended(app: &App, now: Timestamp) -> Result<usize> {
    let asked = now.plus_ms(-limits::CLOSED_FEED_DAYS * DAY_MS);
    let ended_before = app.store.retire_up_to(asked, limits::RETIRE_STEP_MS)?;
    let mut retired = 0;
    loop {
        let some = app.store.retire(ended_before, limits::RETIRE_ROWS)?;
        retired += some;
        if some < limits::RETIRE_ROWS {
            return Ok(retired);
        }
    }
}
