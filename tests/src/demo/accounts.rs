//! Accounts for everybody who works in a browser, and the names under which they sign in.

use std::sync::Arc;

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Directory, Person};
use patrol_server::auth;

use crate::served::Served;

/// The name under which a person signs in: the role of his last post in Latin letters, and the number of the label.
pub fn login_of(person: &Person) -> String {
    let role = person
        .posts
        .last()
        .map_or("person", |post| post.role.word());
    let number: String = person.name.chars().filter(char::is_ascii_digit).collect();
    format!("{role}{number}")
}

/// An account for everybody who works in a browser. Hashing takes its time and memory on purpose: all cores help, no more.
pub async fn make(served: &Served, directory: &Directory, password: &str) -> std::io::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut making = tokio::task::JoinSet::new();
    let is_at_a_desk =
        |person: &&Person| person.posts.iter().all(|post| post.role != Role::Inspector);
    for person in directory.people.iter().filter(is_at_a_desk) {
        if making.len() >= cores {
            made(making.join_next().await)?;
        }
        let (app, id) = (Arc::clone(&served.app), person.id);
        let (login, password) = (login_of(person), password.to_owned());
        making.spawn_blocking(move || auth::put_account(&app, id, &login, &password).map(drop));
    }
    while !making.is_empty() {
        made(making.join_next().await)?;
    }
    Ok(())
}

type Made = Result<Result<(), patrol_server::store::StoreError>, tokio::task::JoinError>;

fn made(result: Option<Made>) -> std::io::Result<()> {
    match result {
        Some(Ok(Err(error))) => Err(std::io::Error::other(error.to_string())),
        Some(Err(error)) => Err(std::io::Error::other(error)),
        Some(Ok(Ok(()))) | None => Ok(()),
    }
}
