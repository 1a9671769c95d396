//! The office's server: everything that phones bring is admitted here, numbered, and handed on to those whose it is.
//!
//! * [`intake`] takes in what devices made, [`round`] is one round of a device without a socket;
//! * [`store`] is the contract of the database and its backends.

pub mod app;
pub mod calendar;
pub mod directory;
pub mod grow;
pub mod intake;
pub mod office;
pub mod page;
pub mod review;
pub mod round;
pub mod store;
