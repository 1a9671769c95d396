//! The certificate that the server shows, read from files and read again when they change.
//!
//! It obtains none and renews none. What cannot be used is said, and what was in force stays, also past its end: that is said once a day.
//! One that is over, or has not begun, does not take the place of one that is good.

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
    /// The last day on which it was said that a certificate ends soon, has ended or has not begun, and when that one ends.
    said: Mutex<Option<(i64, Timestamp)>>,
}

/// A certificate in force.
struct Current {
    config: Arc<ServerConfig>,
    /// When it begins, or the last of those that vouch for it.
    from: Timestamp,
    /// When it ends, or the first of those that vouch for it.
    until: Timestamp,
}

impl Current {
    /// Why phones and browsers refuse it at that time.
    fn is_refused(&self, now: Timestamp) -> Option<Fault> {
        if self.until <= now {
            return Some(format!("it has ended at {}", rfc3339(self.until)));
        }
        (self.from > now).then(|| format!("it begins at {}", rfc3339(self.from)))
    }
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
            said: Mutex::default(),
        })
    }

    /// Reads the files again and puts them in force. Returns whether it did; a fault that stays is told once, or as often as somebody
    /// asks.
    pub fn look_again(&self, look: Look, now: Timestamp) -> Result<bool, Fault> {
        let stamps = stamps(&self.certificate, &self.key);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if look == Look::IfChanged && stamps == seen.stamps && seen.fault.is_none() {
            return Ok(false);
        }
        seen.stamps = stamps;
        match self.better(now) {
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

    /// What the files hold, unless that is refused where what is in force is not.
    fn better(&self, now: Timestamp) -> Result<Current, Fault> {
        let new = read(&self.certificate, &self.key)?;
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        match new.is_refused(now) {
            Some(fault) if current.is_refused(now).is_none() => {
                Err(format!("{}: {fault}", self.certificate.display()))
            }
            _ => Ok(new),
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

    /// That it ends within two weeks, has ended, or has not begun: once a day of each.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let (from, until) = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            (current.from, current.until)
        };
        let day = now.0.div_euclid(DAY_MS);
        let is_early = from > now;
        if until.0 - now.0 > limits::CERTIFICATE_WARNING_MS && !is_early {
            return None;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.replace((day, until)) == Some((day, until)) {
            return None;
        }
        if is_early {
            let from = rfc3339(from);
            return Some(format!(
                "the certificate begins at {from}: phones and browsers refuse it until then"
            ));
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
    let (mut from, mut until) = (i64::MIN / 1_000, i64::MAX / 1_000);
    for link in &chain {
        let parsed = x509_parser::parse_x509_certificate(link);
        let (_, parsed) = parsed.map_err(|error| named(certificate, &error))?;
        from = from.max(parsed.validity().not_before.timestamp());
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
        from: Timestamp(from * 1_000),
        until: Timestamp(until * 1_000),
    })
}
