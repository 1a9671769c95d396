//! The phone's file: that it opens as it should, refuses what it does not know, keeps what is damaged, and that a deed is
//! recorded whole or not at all, whoever else writes and whatever the disk does.

#![cfg(feature = "device")]

#[path = "store/components.rs"]
mod components;
#[path = "store/disk.rs"]
mod disk;
#[path = "store/drafts.rs"]
mod drafts;
#[path = "store/opening.rs"]
mod opening;
#[path = "store/phone.rs"]
mod phone;
#[path = "store/recording.rs"]
mod recording;
#[path = "store/search.rs"]
mod search;
