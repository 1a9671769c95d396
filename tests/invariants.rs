//! The invariants of `protocol.md`, each tried on random histories or on every case there is. The table there names these tests.

mod crash;
mod fates;
mod held;
mod leak;
mod resume;
mod sums;
