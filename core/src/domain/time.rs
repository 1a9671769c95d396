//! Points in time. Clocks are read by the shells and passed in.

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This time and so many milliseconds.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this time; negative when `earlier` is later.
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A day in milliseconds.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// When an entry was made, by the device's own reckoning. It never decides an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct At {
    /// The device's wall clock.
    pub wall: Timestamp,
    /// The estimate from the last contact with the server and the monotonic clock since.
    pub anchored: Option<Timestamp>,
    /// How far the estimate may be off, in milliseconds.
    pub error_ms: Option<u64>,
    /// Names the boot during which the monotonic clock ran.
    pub boot: Option<u64>,
}

impl At {
    /// A time known from a wall clock alone.
    pub fn wall(wall: Timestamp) -> Self {
        Self {
            wall,
            ..Self::default()
        }
    }

    /// The estimate where there is one, else the wall clock.
    pub fn best(&self) -> Timestamp {
        self.anchored.unwrap_or(self.wall)
    }
}
