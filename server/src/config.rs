//! The server's settings: flags and environment, checked once.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use patrol_core::domain::limits;

/// How to serve.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Where to listen.
    #[arg(long, env = "XUNCUN_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The database file.
    #[arg(long, env = "XUNCUN_DATABASE", default_value = "xuncun.db")]
    pub database: PathBuf,
    /// Folder with the directory's CSV files; put in force at the start. Without people.csv, or with the one that was put in force last, the people
    /// in force stay.
    #[arg(long, env = "XUNCUN_DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// Puts made-up people into that directory, one for each place: for trials.
    #[arg(long, env = "XUNCUN_SYNTHETIC_PEOPLE")]
    pub synthetic_people: bool,
    /// Browsers reach this server in the clear: for tests and closed networks only.
    #[arg(long, env = "XUNCUN_PLAIN_COOKIES")]
    pub plain_cookies: bool,
    /// File with the chain of certificates (PEM), its own first: serves by TLS. Read again when it changes.
    #[arg(long, env = "XUNCUN_TLS_CERTIFICATE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// File with the certificate's key (PEM).
    #[arg(long, env = "XUNCUN_TLS_KEY", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Where to show metrics, at /metrics; nowhere, if nothing is said. Whoever reaches it reads them.
    #[arg(long, env = "XUNCUN_METRICS")]
    pub metrics: Option<SocketAddr>,
    /// How long open requests may go on when the server is told to stop, in milliseconds.
    #[arg(long, env = "XUNCUN_STOP_MS", default_value_t = limits::STOP_MS)]
    pub stop_ms: u64,
    /// How long a client may keep still before it is given up, in milliseconds.
    #[arg(long, env = "XUNCUN_STALL_MS", default_value_t = limits::STALL_MS)]
    pub stall_ms: u64,
}

impl Config {
    /// Checks what a flag alone cannot say. Returns all faults in words.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.database.is_dir() {
            faults.push(format!(
                "--database {} is a folder",
                self.database.display()
            ));
        }
        // Where there is a database, it may hold a directory that goes on without the folder.
        let folder = self.directory.as_ref().filter(|folder| !folder.is_dir());
        if let Some(folder) = folder.filter(|_| !self.database.is_file()) {
            faults.push(format!("--directory {} is not a folder", folder.display()));
        }
        if self.synthetic_people && self.directory.is_none() {
            faults.push("--synthetic-people needs --directory".to_owned());
        }
        if self.plain_cookies && self.tls_certificate.is_some() {
            faults.push("--plain-cookies is for servers without TLS".to_owned());
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::command::CommandLine;

    #[test]
    fn settings_are_checked_once_and_all_faults_named() {
        let faults = |args: &[&str]| {
            CommandLine::parse_from([&["patrol-server"], args].concat())
                .config
                .faults()
        };
        assert_eq!(
            faults(&["--database", "/", "--directory", "/no/such/folder"]).len(),
            2
        );
        assert_eq!(faults(&["--database", "/", "--synthetic-people"]).len(), 2);
        assert_eq!(faults(&[]), [] as [String; 0]);
    }
}
