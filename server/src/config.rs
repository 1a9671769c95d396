//! The server's settings: flags and environment, checked once.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// 巡村 Xuncun's server.
#[derive(Parser, Clone, PartialEq, Eq, Debug)]
#[command(version, about = "巡村 Xuncun: the office's server")]
pub struct Config {
    /// Where to listen.
    #[arg(long, env = "XUNCUN_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The database file.
    #[arg(long, env = "XUNCUN_DATABASE", default_value = "xuncun.db")]
    pub database: PathBuf,
    /// Folder with the directory's CSV files; put in force at the start.
    #[arg(long, env = "XUNCUN_DIRECTORY")]
    pub directory: Option<PathBuf>,
    /// Browsers reach this server in the clear: for tests and closed networks only.
    #[arg(long, env = "XUNCUN_PLAIN_COOKIES")]
    pub plain_cookies: bool,
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
        if let Some(folder) = self.directory.as_ref().filter(|folder| !folder.is_dir()) {
            faults.push(format!("--directory {} is not a folder", folder.display()));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_once_and_all_faults_named() {
        let config = Config::parse_from([
            "patrol-server",
            "--database",
            "/",
            "--directory",
            "/no/such/folder",
        ]);
        assert_eq!(config.faults().len(), 2);
        assert_eq!(config.listen.port(), 8080);
    }
}
