//! TLS: what is served by it, a certificate that changes, and hands that are never shaken.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use patrol_core::domain::time::{DAY_MS, Timestamp};
use patrol_server::app::Environment as _;
use patrol_server::host::SystemEnvironment;
use patrol_server::tls::{Certificates, Look};
use serde_json::json;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::program::{Folder, Running, errand};

/// A certificate in files of a test.
struct Files {
    certificate: String,
    key: String,
}

impl Files {
    fn new(folder: &Folder) -> Self {
        let file = |name| folder.file(name).display().to_string();
        Self {
            certificate: file("certificate.pem"),
            key: file("key.pem"),
        }
    }

    /// Writes a certificate that holds from one year to another.
    fn make(&self, (from, until): (i32, i32)) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned()];
        let mut wanted = rcgen::CertificateParams::new(names).expect("a name");
        wanted.not_before = rcgen::date_time_ymd(from, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(until, 1, 1);
        let made = wanted.self_signed(&key).expect("a certificate");
        std::fs::write(&self.certificate, made.pem()).expect("it is written");
        std::fs::write(&self.key, key.serialize_pem()).expect("it is written");
    }

    /// Writes a new certificate: what trusts it.
    fn renew(&self) -> CertificateDer<'static> {
        let names = vec!["localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        std::fs::write(&self.certificate, made.cert.pem()).expect("it is written");
        std::fs::write(&self.key, made.signing_key.serialize_pem()).expect("it is written");
        made.cert.der().clone()
    }
}

fn now() -> Timestamp {
    SystemEnvironment.now()
}

fn serve(folder: &Folder, files: &Files, more: &[&str]) -> Running {
    let database = folder.database();
    let args = [
        "--database",
        &database,
        "--tls-certificate",
        &files.certificate,
    ];
    Running::start(&[&args[..], &["--tls-key", &files.key], more].concat())
}

/// Sends a request by TLS, trusting one certificate, and reads the whole answer.
fn ask(
    server: SocketAddr,
    trusted: &CertificateDer<'static>,
    request: &str,
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let socket = TcpStream::connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut stream = StreamOwned::new(client, socket);
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

fn is_well(server: SocketAddr, trusted: &CertificateDer<'static>) -> bool {
    ask(server, trusted, HEALTH).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

#[test]
fn pages_are_served_by_tls_and_cookies_are_for_it_alone() {
    let folder = Folder::new("tls");
    let files = Files::new(&folder);
    let trusted = files.renew();
    let server = serve(&folder, &files, &[]);
    assert!(is_well(server.address, &trusted));
    let words = [
        "person",
        "administrator",
        "--name",
        "李强",
        "--login",
        "first",
    ];
    let database = folder.database();
    let made = errand(
        &[&words[..], &["--database", &database]].concat(),
        "eight signs",
    );
    assert!(made.ok, "{}", made.log);
    drop(server);
    let server = serve(&folder, &files, &[]);
    let body = json!({ "login": "first", "password": "eight signs" }).to_string();
    let sign_in = format!(
        "POST /v1/session HTTP/1.1\r\nhost: localhost\r\norigin: https://localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = ask(server.address, &trusted, &sign_in).expect("an answer");
    assert!(
        answer.contains("200 OK") && answer.contains("; Secure"),
        "{answer}"
    );
    // Who speaks in the clear is not understood.
    let mut plain = TcpStream::connect(server.address).expect("the server listens");
    plain.write_all(HEALTH.as_bytes()).expect("it takes bytes");
    let mut answer = Vec::new();
    drop(plain.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn the_end_of_a_certificate_is_said_once_a_day_from_two_weeks_before() {
    let folder = Folder::new("tls_ends");
    let files = Files::new(&folder);
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut wanted = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    wanted.not_after = rcgen::date_time_ymd(2026, 12, 20);
    let made = wanted.self_signed(&key).expect("a certificate");
    std::fs::write(&files.certificate, made.pem()).expect("it is written");
    std::fs::write(&files.key, key.serialize_pem()).expect("it is written");
    let [certificate, key] = [&files.certificate, &files.key].map(Path::new);
    let certificates = Certificates::open(certificate, key).expect("they fit");
    let day = |number: i64| Timestamp(certificates.until().0 + number * DAY_MS);
    assert_eq!(certificates.until(), Timestamp(1_797_724_800_000));
    assert_eq!(certificates.warning(day(-15)), None);
    let soon = certificates.warning(day(-14)).expect("it is said");
    assert!(soon.contains("ends at 2026-12-20"), "{soon}");
    assert_eq!(certificates.warning(day(-14)), None);
    let over = certificates.warning(day(1)).expect("it is said again");
    assert!(over.contains("has ended at 2026-12-20"), "{over}");
}

#[test]
fn that_a_certificate_has_not_begun_is_said_once_a_day() {
    let folder = Folder::new("tls_begins");
    let files = Files::new(&folder);
    files.make((2030, 2040));
    let [certificate, key] = [&files.certificate, &files.key].map(Path::new);
    let certificates = Certificates::open(certificate, key).expect("they fit");
    let before = Timestamp(certificates.until().0 - 3_660 * DAY_MS);
    let early = certificates.warning(before).expect("it is said");
    assert!(early.contains("begins at 2030-01-01"), "{early}");
    assert_eq!(certificates.warning(before), None);
    let begun = Timestamp(before.0 + 30 * DAY_MS);
    assert_eq!(certificates.warning(begun), None);
}

#[test]
fn a_server_whose_certificate_has_ended_says_so_and_shows_when() {
    let folder = Folder::new("tls_ended");
    let files = Files::new(&folder);
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut wanted = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    wanted.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let made = wanted.self_signed(&key).expect("a certificate");
    std::fs::write(&files.certificate, made.pem()).expect("it is written");
    std::fs::write(&files.key, key.serialize_pem()).expect("it is written");
    let mut server = serve(&folder, &files, &["--metrics", "127.0.0.1:0"]);
    server.wait_for("the certificate has ended at 2020-01-01");
}

#[test]
fn a_new_certificate_comes_into_force_and_a_bad_one_does_not() {
    let folder = Folder::new("tls_renewed");
    let files = Files::new(&folder);
    let first = files.renew();
    let mut server = serve(&folder, &files, &[]);
    let second = files.renew();
    server.signal("HUP");
    server.wait_for("the certificate was read again and is in force");
    assert!(is_well(server.address, &second) && !is_well(server.address, &first));
    // A certificate without its key, then no certificate at all.
    let key = std::fs::read(&files.key).expect("a key");
    files.renew();
    std::fs::write(&files.key, key).expect("it is written");
    for text in [None, Some("no certificate"), Some("")] {
        if let Some(text) = text {
            std::fs::write(&files.certificate, text).expect("it is written");
        }
        server.signal("HUP");
        server.wait_for("the old one stays");
        assert!(is_well(server.address, &second), "{text:?}");
    }
    let third = files.renew();
    server.signal("HUP");
    server.wait_for("the certificate was read again and is in force");
    assert!(is_well(server.address, &third));
}

#[test]
fn a_file_without_a_certificate_or_without_a_key_is_named_in_words() {
    let folder = Folder::new("tls_without");
    let files = Files::new(&folder);
    files.renew();
    let [certificate, key] =
        [&files.certificate, &files.key].map(|file| std::fs::read(file).expect("it is read"));
    let told = |certificate: &[u8], key: &[u8]| {
        std::fs::write(&files.certificate, certificate).expect("it is written");
        std::fs::write(&files.key, key).expect("it is written");
        let opened = Certificates::open(files.certificate.as_ref(), files.key.as_ref());
        opened.map(drop).err()
    };
    assert_eq!(told(&certificate, &key), None);
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for other in [
        &b""[..],
        b"no PEM",
        b"\x30\x82\x01\xff\n",
        locked.as_bytes(),
    ] {
        let fault = told(other, &key).expect("there is no certificate");
        let start = format!("{}: there is no certificate in it", files.certificate);
        assert!(fault.starts_with(&start), "{fault}");
        let fault = told(&certificate, other).expect("there is no key");
        let start = format!("{}: there is no key in it", files.key);
        assert!(fault.starts_with(&start), "{fault}");
    }
    // One in the place of the other.
    let fault = told(&key, &certificate).expect("they are exchanged");
    assert!(fault.contains("there is no certificate in it"), "{fault}");
    let fault = told(&certificate, &certificate).expect("there is no key");
    assert!(fault.contains("there is no key in it"), "{fault}");
}

#[test]
fn files_are_read_again_when_they_have_changed_or_were_no_good_or_somebody_asks() {
    let folder = Folder::new("tls_files");
    let files = Files::new(&folder);
    let open = || Certificates::open(files.certificate.as_ref(), files.key.as_ref());
    assert!(open().is_err_and(|fault| fault.contains("certificate.pem")));
    files.renew();
    let certificates = open().expect("a certificate and its key");
    let look = |how| certificates.look_again(how, now());
    assert_eq!(look(Look::IfChanged), Ok(false));
    files.renew();
    assert_eq!(
        [(); 2].map(|()| look(Look::IfChanged)),
        [Ok(true), Ok(false)]
    );
    assert_eq!(look(Look::Anyway), Ok(true));
    let key = std::fs::read(&files.key).expect("a key");
    std::fs::remove_file(&files.key).expect("it goes");
    assert!(look(Look::IfChanged).is_err());
    assert_eq!(look(Look::IfChanged), Ok(false), "it is told once");
    assert!(look(Look::Anyway).is_err(), "who asks is told");
    std::fs::write(&files.key, key).expect("it is there again");
    assert_eq!(look(Look::IfChanged), Ok(true));

    // Another file of the same length and time, as a copy that keeps times makes it.
    let file = std::fs::File::open(&files.key).expect("a key");
    let modified = file.metadata().and_then(|file| file.modified());
    let copy = format!("{}.copy", files.key);
    std::fs::copy(&files.key, &copy).expect("a copy");
    let options = std::fs::File::options().write(true).open(&copy);
    let dated = options.and_then(|file| file.set_modified(modified?));
    dated.expect("its time is set");
    std::fs::rename(&copy, &files.key).expect("it takes its place");
    assert_eq!(look(Look::IfChanged), Ok(true));
}

#[test]
fn a_certificate_that_phones_refuse_takes_no_good_ones_place() {
    let folder = Folder::new("tls_over");
    let files = Files::new(&folder);
    files.renew();
    let certificates = Certificates::open(files.certificate.as_ref(), files.key.as_ref());
    let certificates = certificates.expect("a certificate and its key");
    let good = certificates.until();
    for (from, until, why) in [(2020, 2025, "has ended"), (2100, 2110, "begins")] {
        files.make((from, until));
        let fault = certificates.look_again(Look::IfChanged, now());
        assert!(fault.is_err_and(|fault| fault.contains(why)));
        assert_eq!(certificates.until(), good);
    }
    // It is looked at again, and taken when its time has come.
    let later = Timestamp(now().0 + 75 * 366 * DAY_MS);
    assert_eq!(certificates.look_again(Look::IfChanged, later), Ok(true));
    // Of two that are over nobody is any the worse for the newer; each is said.
    let much_later = Timestamp(later.0 + 20 * 366 * DAY_MS);
    assert!(certificates.warning(much_later).is_some());
    assert_eq!(certificates.warning(much_later), None);
    files.make((2020, 2025));
    let taken = certificates.look_again(Look::IfChanged, much_later);
    assert_eq!(taken, Ok(true));
    assert!(certificates.warning(much_later).is_some());
}

#[test]
fn hands_that_are_never_shaken_are_let_go() {
    let folder = Folder::new("tls_still");
    let files = Files::new(&folder);
    let trusted = files.renew();
    let server = serve(&folder, &files, &["--stall-ms", "2000"]);
    // Nothing at all, and the beginning of a greeting.
    for bytes in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut socket = TcpStream::connect(server.address).expect("the server listens");
        let patience = Some(Duration::from_secs(60));
        socket
            .set_read_timeout(patience)
            .expect("a timeout can be set");
        socket.write_all(bytes).expect("the server takes bytes");
        let mut answer = Vec::new();
        let read = socket.read_to_end(&mut answer);
        assert!(read.is_ok() && answer.is_empty(), "{read:?} {answer:?}");
    }
    assert!(is_well(server.address, &trusted));
}

#[test]
fn hands_that_are_not_shaken_hold_up_no_stop() {
    let folder = Folder::new("tls_stop");
    let files = Files::new(&folder);
    let trusted = files.renew();
    let patient = ["--stall-ms", "60000", "--stop-ms", "5000"];
    let server = serve(&folder, &files, &patient);
    let silent = TcpStream::connect(server.address).expect("the server listens");
    // It is taken in once a later one is.
    assert!(is_well(server.address, &trusted));
    server.signal("TERM");
    let (status, log) = server.ended();
    assert!(status.success() && !log.contains("were cut"), "{log}");
    drop(silent);
}

#[test]
fn settings_of_tls_that_cannot_be_are_named() {
    let folder = Folder::new("tls_settings");
    let files = Files::new(&folder);
    let database = folder.database();
    let both = [
        "--tls-certificate",
        &files.certificate,
        "--tls-key",
        &files.key,
    ];
    let say = |more: &[&str]| errand(&[&["serve", "--database", &database], more].concat(), "");
    for (more, fault) in [
        (&both[..2], "--tls-key"),
        (&both[2..], "--tls-certificate"),
        (&both, "certificate.pem"),
        (
            &[&both[..], &["--plain-cookies"]].concat(),
            "--plain-cookies",
        ),
    ] {
        let said = say(more);
        assert!(
            !said.ok && said.log.contains(fault),
            "{more:?}: {}",
            said.log
        );
    }
    assert!(!Path::new(&database).exists());
}
