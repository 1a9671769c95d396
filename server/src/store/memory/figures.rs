//! What the model tells of itself as a whole. It has no disk, so nothing keeps it from being written.

use patrol_core::domain::time::Timestamp;

use super::MemoryStore;
use crate::store::{Figures, Measured, Result};

impl Measured for MemoryStore {
    fn figures(&self) -> Result<Figures> {
        let state = self.present();
        let devices = state.devices.values();
        let revoked = devices.filter(|device| device.revoked_at.is_some()).count();
        Ok(Figures {
            held: state.held_rows().len() as u64,
            devices: (state.devices.len() - revoked) as u64,
            devices_revoked: revoked as u64,
            backup_at: state.backup_at,
            ..Figures::default()
        })
    }

    fn note_backup(&self, now: Timestamp) -> Result<()> {
        self.write(|state| {
            state.backup_at = Some(now);
            Ok(())
        })
    }

    fn stands(&self) -> Result<()> {
        Ok(())
    }

    fn look_through(&self) -> Result<()> {
        Ok(())
    }

    fn newest_receipt(&self) -> Result<Option<Timestamp>> {
        Ok(self.present().receipts.iter().max().copied())
    }

    fn retire_up_to(&self, asked: Timestamp, step_ms: i64) -> Result<Timestamp> {
        self.write(|state| {
            let before = state.retired_up_to.unwrap_or(asked);
            let moved = before.max(asked.min(before.plus_ms(step_ms)));
            state.retired_up_to = Some(moved);
            Ok(moved.min(asked))
        })
    }
}
