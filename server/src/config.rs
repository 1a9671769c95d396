//! The server's settings: flags and environment, checked once.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::Uri;
use clap::Args;
use clap::builder::BoolishValueParser;
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
    #[arg(long, env = "XUNCUN_SYNTHETIC_PEOPLE", value_parser = BoolishValueParser::new())]
    pub synthetic_people: bool,
    /// Browsers reach this server in the clear: for tests and closed networks only.
    #[arg(long, env = "XUNCUN_PLAIN_COOKIES", value_parser = BoolishValueParser::new())]
    pub plain_cookies: bool,
    /// The address at which phones reach the server, for the codes of new phones; if nothing is said, the one under which the browser that
    /// asks for a code reaches it.
    #[arg(long, env = "XUNCUN_URL", value_parser = address)]
    pub url: Option<String>,
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

/// Reads an address that phones can call, with what follows the host where the server is not at its root.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let is_address = text.parse().is_ok_and(|uri: Uri| {
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        // Nothing but a host, and a port where there is a colon.
        let is_host = uri.authority().is_some_and(|authority| {
            let rest = authority.as_str().strip_prefix(authority.host());
            !authority.host().is_empty() && (rest == Some("") || authority.port_u16().is_some())
        });
        is_web && is_host && uri.query().is_none()
    });
    if !is_address || text.contains(['&', '#', '@']) {
        return Err("not an address as https://host:port".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::address;
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

    #[test]
    fn phones_are_given_an_address_of_the_web_and_nothing_else() {
        let root = Ok("https://xuncun.example".to_owned());
        assert_eq!(address("https://xuncun.example/"), root);
        let within = "http://10.0.0.7:8080/xuncun";
        assert_eq!(address(within), Ok(within.to_owned()));
        for wrong in [
            "",
            "xuncun.example",
            "ftp://xuncun.example",
            "javascript:alert(1)",
            "https://",
            "https://:80",
            "https://xuncun.example:",
            "https://xuncun.example:80800",
            "https://a:b@xuncun.example",
            "https://xuncun.example/?a=1",
            "https://xuncun.example/&code=1",
            "https://xuncun.example/#top",
            "https://xuncun example",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
