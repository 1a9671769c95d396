//! The real server on a real port with its real database, for stories, the demo and benchmarks.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use patrol_core::domain::directory::Directory;
use patrol_core::domain::id::PersonId;
use patrol_server::api::{CookieKind, Settings};
use patrol_server::app::{App, Environment, draw_identity};
use patrol_server::auth;
use patrol_server::listen;
use patrol_server::store::sqlite::SqliteStore;
use tokio::sync::oneshot;

/// A folder that goes when it is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder for temporary files, named so that no other test has it.
    pub fn new(name: &str) -> std::io::Result<Self> {
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).map_err(|_| std::io::Error::other("no randomness"))?;
        let path =
            std::env::temp_dir().join(format!("xuncun-{name}-{:016x}", u64::from_be_bytes(random)));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A server that is being served.
#[derive(Debug)]
pub struct Served {
    /// The server itself.
    pub app: Arc<App>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its address for clients.
    pub url: String,
    stop: Option<oneshot::Sender<()>>,
    _folder: Folder,
}

impl Served {
    /// Serves a directory from a new database on a free port of this machine. Must be called within a runtime.
    pub async fn start(
        directory: &Directory,
        environment: Arc<dyn Environment>,
    ) -> std::io::Result<Self> {
        let folder = Folder::new("server")?;
        let broken =
            |error: patrol_server::store::StoreError| std::io::Error::other(error.to_string());
        let store = SqliteStore::open(folder.file("server.db"), || {
            draw_identity(environment.as_ref())
        })
        .map_err(broken)?;
        let app = Arc::new(App::open(Arc::new(store), Arc::clone(&environment)).map_err(broken)?);
        app.put_directory(directory).map_err(broken)?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let settings = Settings::new(CookieKind::Plain);
        tokio::spawn(listen::serve(listener, Arc::clone(&app), settings, async {
            _ = stopped.await;
        }));
        Ok(Self {
            app,
            address,
            url: format!("http://{address}"),
            stop: Some(stop),
            _folder: folder,
        })
    }

    /// A one-time code for a person's phone, as the administrator would issue it.
    pub fn enrol_code(&self, person: PersonId) -> String {
        let code = auth::draw_code(&self.app);
        let until = self.app.environment.now().plus_ms(60_000);
        self.app
            .store
            .put_enrol_code(auth::hash_of(&code), person, until)
            .expect("the code is kept");
        code
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            _ = stop.send(());
        }
    }
}
