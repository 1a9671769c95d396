//! The server's own program, started on loopback and killed by its id.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running server.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Where it listens.
    pub url: String,
    /// What it logged before it listened.
    pub log: String,
    /// Where it shows its metrics, if it was told to.
    pub metrics: Option<SocketAddr>,
}

impl Program {
    /// The program that was built beside the one that runs.
    ///
    /// # Panics
    /// If it was not: `cargo build -p patrol-server` builds it.
    pub fn path() -> PathBuf {
        let own = std::env::current_exe().expect("a program has a file");
        let found = own.ancestors().skip(1).take(2).find_map(|folder| {
            let path = folder.join("patrol-server");
            path.is_file().then_some(path)
        });
        found.expect("the server is built in the same profile: cargo build -p patrol-server")
    }

    /// Starts it on a database, with a directory of made-up people, and waits until it listens. Port 0: a free one.
    ///
    /// # Errors
    /// What it said instead.
    pub fn start(database: &Path, port: u16, more: &[&str]) -> Result<Self, String> {
        let path = Self::path();
        let path = path.to_str().ok_or("a name in UTF-8")?;
        Self::start_by(&[path], database, port, more)
    }

    /// Starts it on a free port, and waits until it logs these words once it listens.
    ///
    /// # Errors
    /// What it said instead.
    pub fn start_until(database: &Path, words: &str) -> Result<Self, String> {
        let path = Self::path();
        let path = path.to_str().ok_or("a name in UTF-8")?;
        Self::started(&[path], (database, 0, &[]), Some(words))
    }

    /// The same by other words than the program's own name, such as a shell that becomes it.
    ///
    /// # Errors
    /// What it said instead.
    pub fn start_by(
        words: &[&str],
        database: &Path,
        port: u16,
        more: &[&str],
    ) -> Result<Self, String> {
        Self::started(words, (database, port, more), None)
    }

    fn started(
        words: &[&str],
        (database, port, more): (&Path, u16, &[&str]),
        until: Option<&str>,
    ) -> Result<Self, String> {
        let zhuhai = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/data/zhuhai");
        let (first, rest) = words.split_first().ok_or("what is to be started")?;
        let mut child = Command::new(first)
            .args(rest)
            .args(["serve", "--synthetic-people", "--plain-cookies"])
            .args(["--directory", zhuhai, "--listen"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("--database")
            .arg(database)
            .args(more)
            .env("RUST_LOG", "info")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let stderr = child.stderr.take().expect("its output");
        let mut lines = BufReader::new(stderr).lines();
        let mut said = Vec::new();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let address = line
                .rsplit_once("listening on ")
                .map(|(_, rest)| rest.trim().to_owned());
            said.push(line);
            address
        });
        let Some(address) = address else {
            drop(child.wait());
            return Err(said.join("\n"));
        };
        if let Some(words) = until {
            let mut lines = lines.by_ref().map_while(Result::ok);
            if !lines.any(|line| line.contains(words)) {
                return Err(format!("it ended and never said: {words}"));
            }
        }
        // Nobody reads on; a full pipe must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        let metrics = said.iter().find_map(|line| line.rsplit_once("metrics on "));
        Ok(Self {
            child,
            url: format!("http://{}", plain(&address)),
            metrics: metrics.and_then(|(_, address)| plain(address).parse().ok()),
            log: said.join("\n"),
        })
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        let port = self.url.rsplit_once(':').map(|(_, port)| port.parse());
        port.and_then(Result::ok).expect("an address with a port")
    }

    /// The socket on which it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port()))
    }

    /// Its process, for reading how much memory it takes.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it (−9) and waits until it is dead.
    pub fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is dead");
    }

    /// Runs an errand of it and returns what it says.
    ///
    /// # Errors
    /// What it said instead.
    pub fn errand(words: &[&str]) -> Result<String, String> {
        let output = Command::new(Self::path())
            .args(words)
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// A one-time code for a phone of a person.
    ///
    /// # Errors
    /// Why there is none.
    pub fn code(database: &Path, name: &str) -> Result<String, String> {
        let database = database.to_str().ok_or("a name in UTF-8")?;
        let said = Self::errand(&["device", "code", "--name", name, "--database", database])?;
        let json: serde_json::Value =
            serde_json::from_str(&said).map_err(|error| error.to_string())?;
        Ok(json["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// The address at the beginning of a piece of the log.
fn plain(address: &str) -> String {
    let word = address.split_whitespace().next().unwrap_or_default();
    word.chars()
        .filter(|char| char.is_ascii_digit() || matches!(char, '.' | ':'))
        .collect()
}

impl Drop for Program {
    fn drop(&mut self) {
        // Already dead where it was killed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
