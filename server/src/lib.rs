//! The office's server: everything that phones bring is admitted here, numbered, and handed on to those whose it is.
//!
//! * [`intake`] takes in what devices made, [`round`] is one round of a device without a socket;
//! * [`store`] is the contract of the database and its backends.

pub mod api;
pub mod app;
pub mod auth;
pub mod bundle;
pub mod calendar;
pub mod check;
pub mod clock;
pub mod command;
pub mod components;
pub mod config;
pub mod contact;
pub mod devices;
pub mod directory;
pub mod error;
pub mod grow;
pub mod holes;
pub mod host;
pub mod import;
pub mod intake;
pub mod listen;
pub mod metrics;
pub mod office;
pub mod page;
pub mod people;
pub mod relic;
pub mod retire;
pub mod review;
pub mod round;
pub mod setup;
pub mod share;
pub mod sheet;
pub mod store;
pub mod tls;
pub mod tries;
pub mod villages;
