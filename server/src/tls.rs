//! The certificate that the server shows, read from files and read again when they change.
//!
//! It obtains none and renews none. What cannot be used is said, and what was in force stays, also past its end: that is said once a day.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use patrol_core::domain::limits;
use patrol_core::domain::time::{DAY_MS, Timestamp};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::calendar::rfc3339;

/// Why files cannot be used, in words.
pub type Fault = String;

/// By what it is known that each file is as it was: when it was changed last, its length, and which file it is.
type Stamps = [Option<(SystemTime, u64, (i64, i64, u64))>; 2];

/// What was found when the files were last read.
struct Seen {
    stamps: Stamps,
    /// Why they could not be used then.
    fault: Option<Fault>,
}

/// When files are read again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// If they have changed, or could not be used when they were last read.
    IfChanged,
    /// In any case.
    Anyway,
}

/// A certificate in force, and where a newer one would stand.
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    seen: Mutex<Seen>,
    current: RwLock<Current>,
    /// The last day on which it was said that the certificate ends soon, or has ended.
    said_on: Mutex<Option<i64>>,
}

/// A certificate in force.
struct Current {
    config: Arc<ServerConfig>,
    /// When it ends, or the first of those that vouch for it.
    until: Timestamp,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl Certificates {
    /// Reads a chain of certificates and its key, both PEM.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, Fault> {
        // Before they are read: what changes meanwhile is seen the next time.
        let stamps = stamps(certificate, key);
        let current = read(certificate, key)?;
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            seen: Mutex::new(Seen {
                stamps,
                fault: None,
            }),
            current: RwLock::new(current),
            said_on: Mutex::default(),
        })
    }

    /// Reads the files again and puts them in force. Returns whether it did; a fault that stays is told once, or as often as somebody
    /// asks.
    pub fn look_again(&self, look: Look) -> Result<bool, Fault> {
        let stamps = stamps(&self.certificate, &self.key);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if look == Look::IfChanged && stamps == seen.stamps && seen.fault.is_none() {
            return Ok(false);
        }
        seen.stamps = stamps;
        match read(&self.certificate, &self.key) {
            Ok(new) => {
                seen.fault = None;
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
                Ok(true)
            }
            Err(fault) => {
                let before = seen.fault.replace(fault.clone());
                let is_told = look == Look::IfChanged && before.as_ref() == Some(&fault);
                if is_told { Ok(false) } else { Err(fault) }
            }
        }
    }

    /// What shakes hands with the certificate in force.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.config))
    }

    /// When the certificate in force ends.
    pub fn until(&self) -> Timestamp {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.until
    }

    /// That it ends within two weeks, or has ended: once a day.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let until = self.until();
        let day = now.0.div_euclid(DAY_MS);
        if until.0 - now.0 > limits::CERTIFICATE_WARNING_MS {
            return None;
        }
        let mut said_on = self.said_on.lock().unwrap_or_else(PoisonError::into_inner);
        if said_on.replace(day) == Some(day) {
            return None;
        }
        let ends = if until <= now { "has ended" } else { "ends" };
        Some(format!(
            "the certificate {ends} at {}: phones and browsers refuse it from then on",
            rfc3339(until)
        ))
    }
}

fn stamps(certificate: &Path, key: &Path) -> Stamps {
    [certificate, key].map(|path| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.modified().ok()?, file.len(), which(&file)))
    })
}

/// What a copy that keeps times and length does not keep.
#[cfg(unix)]
fn which(file: &Metadata) -> (i64, i64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (file.ctime(), file.ctime_nsec(), file.ino())
}

#[cfg(not(unix))]
fn which(_: &Metadata) -> (i64, i64, u64) {
    (0, 0, 0)
}

const NO_CERTIFICATE: &str =
    "there is no certificate in it: what begins with -----BEGIN CERTIFICATE----- is read";

const NO_KEY: &str = "there is no key in it that can be read: what begins with -----BEGIN PRIVATE KEY----- is, with no password";

fn read(certificate: &Path, key: &Path) -> Result<Current, Fault> {
    let named = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| named(certificate, &error))?;
    if chain.is_empty() {
        return Err(named(certificate, &NO_CERTIFICATE));
    }
    let mut until = i64::MAX / 1_000;
    for link in &chain {
        let parsed = x509_parser::parse_x509_certificate(link);
        let (_, parsed) = parsed.map_err(|error| named(certificate, &error))?;
        until = until.min(parsed.validity().not_after.timestamp());
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
        pem::Error::NoItemsFound => named(key, &NO_KEY),
        error => named(key, &error),
    })?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, secret));
    let mut config = config.map_err(|error| named(certificate, &error))?;
    // What connections speak here.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Current {
        config: Arc::new(config),
        until: Timestamp(until * 1_000),
    })
}
