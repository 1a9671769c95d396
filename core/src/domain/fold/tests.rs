//! The fold's rules, one by one.
