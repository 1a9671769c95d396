//! The folder of the settings: reads it at the start, and puts it in force where it holds something else than at an earlier start.
//!
//! While a directory is in force, no folder keeps the server from starting: what does not fit is named in the log and passed over.

use std::path::Path;

use patrol_core::domain::directory::Directory;
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::directory as codec;
use sha2::{Digest as _, Sha256};

use super::{Faults, one};
use crate::app::App;
use crate::config::Config;
use crate::directory::leaves::Basis;
use crate::directory::{self, Table};
use crate::import;
use crate::people::{self, MergeFault};
use crate::sheet::ImportFault;
use crate::store::reference::MadeBy;
use crate::store::{Folder, StoreError};

/// What became of a folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Put {
    /// It is in force, or was passed over.
    Done,
    /// Another program has put something in force meanwhile.
    Outrun,
}

/// Puts the directory of the settings in force, if they name one.
pub(super) fn put_directory(app: &App, config: &Config) -> Result<(), Faults> {
    let Some(path) = &config.directory else {
        return Ok(());
    };
    for _ in 0..limits::DIRECTORY_TRIES {
        match put(app, path, config)? {
            Put::Done => return Ok(()),
            Put::Outrun => app.refresh_directory().map_err(one)?,
        }
    }
    Err(one(StoreError::Stale))
}

/// Lays the directory of a folder over what is known to be in force.
fn put(app: &App, path: &Path, config: &Config) -> Result<Put, Faults> {
    let (now, known) = (app.environment.now(), app.known());
    let mut loaded = match read(path, config, (now, &known.basis)) {
        Ok(loaded) => loaded,
        Err(faults) => return pass_over(known.no, path, faults),
    };
    let folder = noted_of(&loaded);
    let noted = app.store.folder().map_err(one)?;
    if noted.is_some_and(|noted| noted.places == folder.places) {
        // What has been imported since stays.
        let people = std::mem::take(&mut loaded.people);
        loaded = Directory {
            people,
            ..known.directory.clone()
        };
    }
    let (basis, warnings) = match people::merge(app, &mut loaded) {
        Ok(merged) => merged,
        Err(MergeFault::Store(error)) => return Err(one(error)),
        Err(MergeFault::LocksOut) => {
            let file = path.join("people.csv");
            let words = format!(
                "{}: no administrator in it can sign in, though one can now: give his row the id that person list shows",
                file.display()
            );
            return pass_over(known.no, path, vec![words]);
        }
    };
    if loaded != known.directory || basis != known.basis {
        let mut unsound = with_said(&loaded, &basis).check(now);
        // What is so already is not the folder's fault.
        let were = with_said(&known.directory, &known.basis).check(now);
        unsound.retain(|fault| !were.contains(fault));
        if !unsound.is_empty() {
            // The log has no names of people.
            let nameless = Directory {
                people: Vec::new(),
                ..loaded.clone()
            };
            let words = |fault: &_| {
                let fault = directory::in_words(*fault, &nameless, now);
                format!("{}: {fault}", path.display())
            };
            return pass_over(known.no, path, unsound.iter().map(words).collect());
        }
        let (both, place) = ((&known.directory, &loaded), path.display().to_string());
        let in_use = import::villages_in_use(app, both, &place.into()).map_err(one)?;
        if !in_use.is_empty() {
            let words = in_use.iter().map(ToString::to_string);
            return pass_over(known.no, path, words.collect());
        }
        let base = (known.no, None);
        let no = match app.replace_directory(base, (&loaded, &basis), MadeBy::Other) {
            Err(StoreError::Stale) => return Ok(Put::Outrun),
            replaced => replaced.map_err(one)?,
        };
        if known.no > 0 {
            say_what_is_lost(path, (known.no, &known.directory), (no, &loaded));
        }
    }
    for words in warnings {
        tracing::warn!("{words}");
    }
    // A folder without people says nothing of those that an earlier one had.
    let people = folder.people.or(noted.and_then(|noted| noted.people));
    let noted = app.store.put_folder(Folder { people, ..folder });
    noted.map(|()| Put::Done).map_err(one)
}

/// A directory with what rows of files name, though it is not in force: who takes over may be named later.
fn with_said(directory: &Directory, basis: &Basis) -> Directory {
    Directory {
        people: basis.with_said(),
        ..directory.clone()
    }
}

/// What a folder holds, with made-up people where they are wanted.
fn read(
    path: &Path,
    config: &Config,
    (now, basis): (Timestamp, &Basis),
) -> Result<Directory, Faults> {
    if !path.is_dir() {
        return Err(vec![format!(
            "--directory {} is not a folder",
            path.display()
        )]);
    }
    for file in directory::unread(path) {
        let folder = path.display();
        tracing::warn!(
            "{folder}/{file} is not read: docs/tables.md says what the tables of a folder are called"
        );
    }
    let named = |fault: &ImportFault| path.join(fault.to_string()).display().to_string();
    let mut loaded = directory::load(path, now, basis)
        .map_err(|faults| faults.iter().map(named).collect::<Faults>())?;
    if config.synthetic_people {
        if !loaded.people.is_empty() {
            let folder = path.display();
            return Err(vec![format!(
                "--synthetic-people: {folder} has people of its own"
            )]);
        }
        tracing::warn!("made-up people are in the directory: for trials, never for work");
        loaded.people = directory::synthetic_people(&loaded, directory::SYNTHETIC_SINCE);
    }
    Ok(loaded)
}

/// Names what is wrong, and goes on with the directory in force; without one there is nothing to go on with.
fn pass_over(no: u64, path: &Path, faults: Faults) -> Result<Put, Faults> {
    if no == 0 {
        return Err(faults);
    }
    // Phones are not to wait for a file to be mended.
    for fault in faults {
        tracing::error!("{fault}");
    }
    let folder = path.display();
    tracing::error!("nothing of {folder} was put in force; what was in force stays");
    Ok(Put::Done)
}

/// Says which rows of places, units and categories the folder dropped or changed: imports may have brought them. Of people, others speak.
fn say_what_is_lost(path: &Path, before: (u64, &Directory), after: (u64, &Directory)) {
    let lost: Vec<String> = import::lost(before.1, after.1)
        .into_iter()
        .filter(|(table, count)| *table != Table::People && *count > 0)
        .map(|(table, count)| format!("{count} of {}", table.word()))
        .collect();
    if !lost.is_empty() {
        let (folder, old, new, lost) = (path.display(), before.0, after.0, lost.join(", "));
        tracing::warn!(
            "{folder} is in force as directory {new}; rows of {old} that it dropped or changed: {lost}; if an import brought them, import again"
        );
    }
}

/// By what it is known whether a folder holds what it held before.
fn noted_of(loaded: &Directory) -> Folder {
    let people = (!loaded.people.is_empty()).then(|| people::hash_of(&loaded.people));
    let places = Directory {
        people: Vec::new(),
        ..loaded.clone()
    };
    Folder {
        places: Sha256::digest(codec::encode(&places)).into(),
        people,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use clap::Parser;
    use patrol_core::domain::directory::Person;
    use patrol_core::domain::id::PersonId;

    use super::*;
    use crate::app::draw_identity;
    use crate::host::SystemEnvironment;
    use crate::store::Store;
    use crate::store::faulty::FaultyStore;
    use crate::store::memory::MemoryStore;

    #[derive(Parser)]
    struct Serve {
        #[command(flatten)]
        config: Config,
    }

    /// A folder with the files of Zhuhai, which goes with it.
    struct Trial(PathBuf);

    impl Drop for Trial {
        fn drop(&mut self) {
            let _gone = std::fs::remove_dir_all(&self.0);
        }
    }

    impl Trial {
        fn new() -> Self {
            let name = format!("xuncun-folder-{}", std::process::id());
            let own = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&own).expect("a folder");
            let zhuhai = concat!(env!("CARGO_MANIFEST_DIR"), "/data/zhuhai");
            for table in std::fs::read_dir(zhuhai).expect("the folder is read") {
                let table = table.expect("a file");
                std::fs::copy(table.path(), own.join(table.file_name())).expect("a copy");
            }
            Self(own)
        }
    }

    #[test]
    fn a_folder_is_laid_over_what_another_program_puts_in_force_meanwhile() {
        let folder = Trial::new();
        let path = folder.0.display().to_string();
        let words = ["serve", "--directory", &path, "--synthetic-people"];
        let Serve { config } = Serve::parse_from(words);
        let inner = MemoryStore::new(draw_identity(&SystemEnvironment));
        let store = Arc::new(FaultyStore::new(inner));
        let [app, other] = [(); 2].map(|()| {
            let store: Arc<dyn Store> = Arc::<FaultyStore<MemoryStore>>::clone(&store);
            let app = App::open(store, Arc::new(SystemEnvironment));
            app.expect("a model opens")
        });
        put_directory(&app, &config).expect("it is in force");
        let villages = folder.0.join("villages.csv");
        let text = std::fs::read_to_string(&villages).expect("a file");
        let text = text.replace("桂山村委会", "桂山新村委会");
        std::fs::write(&villages, text).expect("a file");
        let added = Person {
            id: PersonId([0xff; 8]),
            name: "张伟".to_owned(),
            posts: Vec::new(),
        };
        let meanwhile = added.clone();
        store.before_commit(Box::new(move || {
            let added = other.change_people::<_, StoreError>(MadeBy::Other, |_, basis| {
                basis.said.push(meanwhile.clone());
                Ok(())
            });
            added.expect("he is added");
        }));
        put_directory(&app, &config).expect("it is in force");
        let known = app.known();
        assert_eq!((known.no, known.directory.people.last()), (3, Some(&added)));
        let mut villages = known.directory.villages.iter();
        assert!(villages.any(|village| village.name == "桂山新村"));
    }
}
