//! What the server counts while it works, and what a scrape shows of it.
//!
//! Labels are words of this program only: no name, no id, no address. It is counted once a request or a frame, never once a change.

use std::borrow::Cow;
use std::sync::OnceLock;

use patrol_core::domain::time::Timestamp;
use patrol_core::sync::wire::{Fate, Fates, kind};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::app::App;
use crate::store::Result;

type Word = Cow<'static, str>;
type Labels<const N: usize> = [(&'static str, Word); N];

/// What is counted.
#[derive(Debug)]
pub struct Metrics {
    requests: Family<Labels<3>, Counter>,
    errors: Family<Labels<1>, Counter>,
    stalled: Family<Labels<1>, Counter>,
    seconds: Family<Labels<1>, Histogram>,
    frames: Family<Labels<2>, Counter>,
    fates: Family<Labels<1>, Counter>,
    refusals: Family<Labels<1>, Counter>,
    unread: Family<Labels<1>, Counter>,
    sync_bytes: Family<Labels<1>, Counter>,
    connections: Gauge,
    /// Nothing where the server shows none.
    certificate_until: OnceLock<Gauge>,
}

/// Which way something went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// From a phone.
    Up,
    /// To a phone.
    Down,
}

impl Way {
    fn label(self) -> (&'static str, Word) {
        let word = match self {
            Self::Up => "up",
            Self::Down => "down",
        };
        ("way", word.into())
    }
}

/// What a client owed that was given up because it kept still. One that owed the rest of a body is answered, and so is an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owed {
    /// The handshake of TLS.
    Handshake,
    /// The head of a request, or the next request.
    Head,
    /// To take its answer.
    Taking,
}

impl Owed {
    fn word(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Head => "head",
            Self::Taking => "taking",
        }
    }
}

/// A connection that is open, until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Seconds: what a lookup takes, a push, a password, a stalled line.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            errors: Family::default(),
            stalled: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            frames: Family::default(),
            fates: Family::default(),
            refusals: Family::default(),
            unread: Family::default(),
            sync_bytes: Family::default(),
            connections: Gauge::default(),
            certificate_until: OnceLock::new(),
        }
    }
}

impl Metrics {
    /// Counts a request, and what became of it: a status, or a word.
    pub(crate) fn count_request(
        &self,
        method: &'static str,
        route: &str,
        status: &str,
        seconds: f64,
    ) {
        let route = Word::Owned(route.to_owned());
        let labels = [
            ("method", method.into()),
            ("route", route.clone()),
            ("status", status.to_owned().into()),
        ];
        self.requests.get_or_create(&labels).inc();
        self.seconds
            .get_or_create(&[("route", route)])
            .observe(seconds);
    }

    /// Notes when the certificate in force ends.
    pub(crate) fn note_certificate(&self, until: Timestamp) {
        let gauge = self.certificate_until.get_or_init(Gauge::default);
        gauge.set(until.0 / 1_000);
    }

    /// Counts a request that was answered by an error.
    pub(crate) fn count_error(&self, code: &'static str) {
        self.errors.get_or_create(&[("code", code.into())]).inc();
    }

    /// Counts a connection that was given up.
    pub(crate) fn count_stalled(&self, owed: Owed) {
        let owed = [("owed", owed.word().into())];
        self.stalled.get_or_create(&owed).inc();
    }

    /// Counts a frame.
    pub(crate) fn count_frame(&self, way: Way, kind: u8) {
        let labels = [way.label(), ("kind", kind_word(kind).into())];
        self.frames.get_or_create(&labels).inc();
    }

    /// Counts what became of a frame.
    pub(crate) fn count_fates(&self, fates: &Fates) {
        let fates = match &fates.outcome {
            Ok(fates) => fates,
            Err(unread) => {
                let code = [("code", unread.word().into())];
                self.unread.get_or_create(&code).inc();
                return;
            }
        };
        let mut counts = [0; FATES.len()];
        for fate in fates {
            if let Some(count) = counts.get_mut(place_of(fate)) {
                *count += 1;
            }
            if let Fate::Refused(refusal) = fate {
                let code = [("code", refusal.code().into())];
                self.refusals.get_or_create(&code).inc();
            }
        }
        for (word, count) in FATES
            .into_iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
        {
            let fate = [("fate", word.into())];
            self.fates.get_or_create(&fate).inc_by(count);
        }
    }

    /// Counts bytes of rounds as they travel.
    pub(crate) fn count_bytes(&self, way: Way, bytes: usize) {
        self.sync_bytes
            .get_or_create(&[way.label()])
            .inc_by(bytes as u64);
    }

    /// Counts a connection until what it returns is dropped.
    pub(crate) fn open_connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "requests",
            "Requests answered, or cut before they were",
            self.requests.clone(),
        );
        registry.register(
            "request_seconds",
            "From a request's head to its answer's",
            self.seconds.clone(),
        );
        registry.register(
            "errors",
            "Requests answered by an error, by its code",
            self.errors.clone(),
        );
        registry.register(
            "stalled",
            "Connections given up because the client kept still, by what it owed",
            self.stalled.clone(),
        );
        registry.register("sync_frames", "Frames of rounds", self.frames.clone());
        registry.register("fates", "What became of pushed changes", self.fates.clone());
        registry.register(
            "refusals",
            "Why changes were refused",
            self.refusals.clone(),
        );
        registry.register(
            "unread",
            "Why push frames were not read",
            self.unread.clone(),
        );
        registry.register(
            "sync_bytes",
            "Bytes of rounds, compressed",
            self.sync_bytes.clone(),
        );
        registry.register(
            "connections",
            "Connections that are open, the scrape's own among them",
            self.connections.clone(),
        );
        if let Some(until) = self.certificate_until.get() {
            registry.register(
                "certificate_until_timestamp_seconds",
                "When the certificate in force ends",
                until.clone(),
            );
        }
    }
}

const FATES: [&str; 6] = ["ok", "dup", "missing", "later", "review", "refused"];

fn place_of(fate: &Fate) -> usize {
    match fate {
        Fate::Ok => 0,
        Fate::Dup => 1,
        Fate::Missing(_) => 2,
        Fate::Later(_) => 3,
        Fate::Review => 4,
        Fate::Refused(_) => 5,
    }
}

fn kind_word(kind: u8) -> &'static str {
    match kind {
        kind::HELLO => "hello",
        kind::PUSH => "push",
        kind::RELIC => "relic",
        kind::BLOB => "blob",
        kind::BUNDLE => "bundle",
        kind::WELCOME => "welcome",
        kind::FATES => "fates",
        kind::SCOPES => "scopes",
        kind::PAGE => "page",
        kind::DONE => "done",
        _ => "other",
    }
}

/// What a scrape shows, as text of Prometheus: what was counted, and how things stand.
pub fn scrape(app: &App) -> Result<String> {
    let figures = app.store.figures()?;
    let mut registry = Registry::with_prefix("xuncun");
    app.metrics.register(&mut registry);
    let mut show = |name: &str, help: &str, value: u64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    show(
        "works",
        "Pieces of requests' work, done or waiting",
        app.works() as u64,
    );
    show("boxes_held", "Changes held for review", figures.held);
    show(
        "devices",
        "Phones enrolled and not revoked",
        figures.devices,
    );
    show("devices_revoked", "Phones revoked", figures.devices_revoked);
    show(
        "database_bytes",
        "The database file",
        figures.database_bytes,
    );
    show(
        "log_bytes",
        "The database's write-ahead log",
        figures.log_bytes,
    );
    // 0 where there is none, so that who watches its age is told.
    let backup_at = figures.backup_at.map_or(0, |at| at.0.max(0));
    show(
        "last_backup_timestamp_seconds",
        "When the last backup was taken",
        backup_at.cast_unsigned() / 1_000,
    );
    let build = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("server", app.identity.server.hex()),
        ("epoch", app.identity.epoch.hex()),
    ];
    registry.register(
        "build",
        "Which program this is, and whose database",
        Info::new(build),
    );
    let mut text = String::new();
    encode(&mut text, &registry)
        .map_err(|error| crate::store::StoreError::Broken(error.to_string()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use patrol_core::domain::refusal::Refusal;
    use patrol_core::sync::wire::{Later, Unread};

    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_shown_where_there_is_one() {
        let shown = |metrics: &Metrics| {
            let (mut registry, mut text) = (Registry::default(), String::new());
            metrics.register(&mut registry);
            encode(&mut text, &registry).expect("text");
            text
        };
        let metrics = Metrics::default();
        assert!(!shown(&metrics).contains("certificate"));
        metrics.note_certificate(Timestamp(1_797_724_800_000));
        assert!(shown(&metrics).contains("certificate_until_timestamp_seconds 1797724800"));
    }

    #[test]
    fn fates_are_counted_by_kind_refusals_by_code_and_what_was_not_read_too() {
        let metrics = Metrics::default();
        let refused = || Fate::Refused(Refusal::ALL[0]);
        let fates = vec![
            Fate::Ok,
            Fate::Ok,
            Fate::Later(Later::Newer),
            refused(),
            refused(),
        ];
        let outcomes = [Ok(fates), Ok(vec![Fate::Ok]), Err(Unread::TooMuch)];
        for (frame, outcome) in (0..).zip(outcomes) {
            metrics.count_fates(&Fates { frame, outcome });
        }
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("text");
        let refusals = format!("refusals_total{{code=\"{}\"}} 2", Refusal::ALL[0].code());
        for line in [
            "fates_total{fate=\"ok\"} 3",
            "fates_total{fate=\"later\"} 1",
            "fates_total{fate=\"refused\"} 2",
            &refusals,
            "unread_total{code=\"too_much\"} 1",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        assert!(!text.contains("fate=\"dup\""), "{text}");
    }
}
