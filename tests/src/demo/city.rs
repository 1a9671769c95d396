//! The city of a run: the server on a real port, the bad network before it, the directory that the administrator changes, the log.
//!
//! People act on it from many tasks at once; it decides nothing.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Beat, BeatId, Directory, Person, Post, PostAt};
use patrol_core::domain::id::{DeviceId, PersonId};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::DAY_MS;
use patrol_server::directory::{synthetic_people, zhuhai};
use reqwest::Method;
use serde_json::{Value, json};

use super::accounts::{self, login_of};
use super::desk::{Answer, Desk};
use super::log::{Counters, Log};
use super::people;
use super::plan::Plan;
use crate::bench::client::PATIENCE;
use crate::clock::{Clock, Machine};
use crate::proxy::{FAIR, Proxy};
use crate::served::{Folder, Served};

/// The city.
pub struct City {
    /// What the run is made of.
    pub plan: Plan,
    /// The time that everybody would read from a good clock.
    pub clock: Clock,
    /// The server.
    pub served: Served,
    /// The network between phones, village halls and the server.
    pub proxy: Proxy,
    /// What people were told is recorded.
    pub log: Log,
    /// What happened besides.
    pub counters: Counters,
    /// Everybody's password in this run.
    pub password: String,
    folder: Folder,
    files: AtomicU64,
    minute: AtomicU64,
    directory: Mutex<Directory>,
    stories: Mutex<Vec<String>>,
    direct: reqwest::Client,
    through_proxy: reqwest::Client,
    administrator: tokio::sync::Mutex<Desk>,
}

impl std::fmt::Debug for City {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("City")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl City {
    /// Starts the server and the network before it, in fair weather, and makes everybody's account.
    pub async fn start(plan: Plan, clock: Clock) -> std::io::Result<Self> {
        let machine = Arc::new(Machine::new(&clock, plan.seed));
        let mut directory = zhuhai();
        let since = clock.now().plus_ms(-30 * DAY_MS);
        directory.people = synthetic_people(&directory, since);
        people::keep_cast(&mut directory, &plan);
        let served = Served::start(&directory, machine).await?;
        let anywhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let proxy = Proxy::start(anywhere, served.address, plan.seed, FAIR).await?;
        let password = format!("xuncun-{:04}", plan.seed % 10_000);
        accounts::make(&served, &directory, &password).await?;
        let client = || {
            let built = reqwest::Client::builder().timeout(PATIENCE).build();
            built.map_err(|error| std::io::Error::other(error.to_string()))
        };
        // Installs the cryptography that every client needs.
        drop(patrol_core::sync::http::Http::new());
        let (direct, through_proxy) = (client()?, client()?);
        let chief = directory
            .people
            .iter()
            .find(|person| {
                person
                    .posts
                    .iter()
                    .any(|post| post.role == Role::Administrator)
            })
            .ok_or_else(|| std::io::Error::other("nobody administers"))?;
        let account = (chief.id, login_of(chief));
        let account = (account.0, account.1.as_str(), password.as_str());
        let administrator = Desk::new(&direct, &served.url, account, plan.seed);
        Ok(Self {
            plan,
            clock,
            log: Log::default(),
            counters: Counters::default(),
            folder: Folder::new("demo")?,
            files: AtomicU64::new(0),
            minute: AtomicU64::new(0),
            directory: Mutex::new(directory),
            stories: Mutex::new(Vec::new()),
            administrator: tokio::sync::Mutex::new(administrator),
            served,
            proxy,
            password,
            direct,
            through_proxy,
        })
    }

    /// The minute since the run began.
    pub fn minute(&self) -> u64 {
        self.minute.load(Ordering::Relaxed)
    }

    /// A minute passes.
    pub fn next_minute(&self) {
        self.minute.fetch_add(1, Ordering::Relaxed);
    }

    /// The day since the run began, from 0.
    pub fn day(&self) -> u64 {
        self.minute() / self.plan.day_minutes
    }

    /// The minute at which today began.
    pub fn morning(&self) -> u64 {
        self.day() * self.plan.day_minutes
    }

    /// A number of a run's own for a person or a thing, from which its dice follow.
    pub fn seed_for(&self, what: u64) -> u64 {
        self.plan.seed.wrapping_mul(1_000_003).wrapping_add(what)
    }

    /// A new file for a phone, and its number.
    pub fn new_file(&self) -> (u64, PathBuf) {
        let number = self.files.fetch_add(1, Ordering::Relaxed) + 1;
        (number, self.folder.file(&format!("phone{number:03}.db")))
    }

    /// The directory as it is now.
    pub fn directory(&self) -> Directory {
        locked(&self.directory).clone()
    }

    /// The villages of a beat.
    pub fn villages_of(&self, beat: BeatId) -> Vec<VillageCode> {
        let directory = locked(&self.directory);
        let villages = directory
            .beat(beat)
            .map(|beat: &Beat| beat.villages.clone());
        villages
            .unwrap_or_default()
            .iter()
            .map(|row| row.village)
            .collect()
    }

    /// A person at a PC with a good line.
    pub fn desk(&self, person: &Person) -> Desk {
        self.desk_at(person, &self.direct, &self.served.url)
    }

    /// A person at a PC in a village hall.
    pub fn village_desk(&self, person: &Person) -> Desk {
        self.desk_at(person, &self.through_proxy, &self.proxy.url())
    }

    fn desk_at(&self, person: &Person, http: &reqwest::Client, url: &str) -> Desk {
        let seed = self.seed_for(u64::from_be_bytes(person.id.0));
        let login = login_of(person);
        Desk::new(
            http,
            url,
            (person.id, login.as_str(), self.password.as_str()),
            seed,
        )
    }

    /// A one-time code for a person's phone, from the administrator's page.
    pub async fn code_for(&self, person: PersonId) -> Option<String> {
        let body = json!({ "person": person.hex() });
        let mut administrator = self.administrator.lock().await;
        match administrator
            .call(Method::POST, "/v1/devices/codes", Some(&body))
            .await
        {
            Answer::Done(value) => value.get("code").and_then(Value::as_str).map(str::to_owned),
            _ => None,
        }
    }

    /// The administrator stops a phone.
    pub async fn revoke(&self, device: DeviceId) -> bool {
        let path = format!("/v1/devices/{}/revoke", device.hex());
        let mut administrator = self.administrator.lock().await;
        let answer = administrator
            .call(Method::POST, &path, Some(&json!({})))
            .await;
        matches!(answer, Answer::Done(_))
    }

    /// A person's posts end now, and a colleague stands in on his beat.
    pub fn end_posts(&self, person: PersonId, beat: BeatId, substitute: PersonId) {
        let now = self.clock.now();
        self.change_directory(|directory| {
            for other in &mut directory.people {
                if other.id == person {
                    let open = other.posts.iter_mut().filter(|post| post.until.is_none());
                    open.for_each(|post| post.until = Some(now));
                } else if other.id == substitute {
                    other.posts.push(Post {
                        role: Role::Inspector,
                        at: PostAt::Beat(beat),
                        from: now,
                        until: None,
                    });
                }
            }
        });
    }

    /// A person has his beat again, and nobody stands in any more.
    pub fn return_post(&self, person: PersonId, beat: BeatId) {
        let now = self.clock.now();
        self.change_directory(|directory| {
            for other in &mut directory.people {
                let open = other.posts.iter_mut();
                open.filter(|post| post.at == PostAt::Beat(beat) && post.until.is_none())
                    .for_each(|post| post.until = Some(now));
                if other.id == person {
                    other.posts.push(Post {
                        role: Role::Inspector,
                        at: PostAt::Beat(beat),
                        from: now,
                        until: None,
                    });
                }
            }
        });
    }

    fn change_directory(&self, change: impl FnOnce(&mut Directory)) {
        let mut directory = locked(&self.directory);
        change(&mut directory);
        if let Err(error) = self.served.app.put_directory(&directory) {
            self.counters
                .note_disagreement(format!("directory: {error}"));
        }
    }

    /// Something worth telling has happened.
    pub fn tell(&self, story: String) {
        locked(&self.stories).push(story);
    }

    /// What has happened since the last call.
    pub fn take_stories(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.stories))
    }
}
