//! Who calls: devices by token, people by the cookie of a browser session. Secrets are stored hashed.
//!
//! What a caller may do is not decided here.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use patrol_core::domain::id::PersonId;
use patrol_core::domain::limits;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::api::{CookieKind, Host};
use crate::app::App;
use crate::error::ApiError;
use crate::share::Place;
use crate::store::{Account, Device, StoreError};

/// The hash under which a secret is stored.
pub fn hash_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A fresh secret of 256 bits.
pub fn draw_secret(app: &App) -> String {
    URL_SAFE_NO_PAD.encode(app.random::<32>())
}

/// A one-time code that a person can type: 50 bits, without letters that look alike.
pub fn draw_code(app: &App) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let letters = app
        .random::<10>()
        .map(|byte| char::from(LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'A')));
    let text: String = letters.iter().collect();
    let (head, tail) = text.split_at(5);
    format!("{head}-{tail}")
}

/// A code as it was drawn, however it was typed: small letters, another hyphen or none, spaces.
pub fn typed_code(text: &str) -> String {
    let signs = text.chars().filter(char::is_ascii_alphanumeric);
    let text = signs.collect::<String>().to_ascii_uppercase();
    match text.split_at_checked(5) {
        Some((head, tail)) => format!("{head}-{tail}"),
        None => text,
    }
}

/// Whether a person may sign in under that name.
pub fn is_login(login: &str) -> bool {
    (1..=limits::LOGIN_CHARS_MAX).contains(&login.chars().count())
        && !login
            .chars()
            .any(|char| char.is_whitespace() || char.is_control())
}

/// Whether a password is long enough, and short enough to be hashed.
pub fn is_password(password: &str) -> bool {
    password.chars().count() >= limits::PASSWORD_CHARS_MIN
        && password.len() <= limits::PASSWORD_BYTES_MAX
}

/// Asks of a login that it can be one.
pub(crate) fn check_login(login: &str) -> Result<(), ApiError> {
    is_login(login)
        .then_some(())
        .ok_or(ApiError::BadRequest("login"))
}

/// Asks of a new password that it can be one.
pub(crate) fn check_new_password(password: &str) -> Result<(), ApiError> {
    is_password(password)
        .then_some(())
        .ok_or(ApiError::BadRequest("password"))
}

/// A person's account with a new password. Takes a tenth of a second on purpose.
pub fn make_account(
    app: &App,
    person: PersonId,
    login: &str,
    password: &str,
) -> Result<Account, StoreError> {
    let broken =
        |error: String| StoreError::Broken(format!("a password could not be hashed: {error}"));
    let salt =
        SaltString::encode_b64(&app.random::<16>()).map_err(|error| broken(error.to_string()))?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(|error| broken(error.to_string()))?;
    Ok(Account {
        person,
        login: login.to_owned(),
        password_hash: hash.to_string(),
    })
}

/// Makes or replaces a person's account, and signs him out everywhere. As slow as [`make_account`]. Returns the login that he had, if another
/// takes its place.
pub fn put_account(
    app: &App,
    person: PersonId,
    login: &str,
    password: &str,
) -> Result<Option<String>, StoreError> {
    let before = app.store.account_of(person)?;
    let account = make_account(app, person, login, password)?;
    app.store.put_account(&account)?;
    let replaced = before.map(|account| account.login);
    Ok(replaced.filter(|replaced| replaced != login))
}

/// Stands in for the hash of an unknown login, so that it takes as long.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whether the directory knows a person who holds a post today: only such a one signs in, and stays so.
pub fn has_post(app: &App, person: PersonId) -> bool {
    let (known, now) = (app.known(), app.environment.now());
    let found = known.directory.person(person);
    found.is_some_and(|person| person.posts.iter().any(|post| post.is_in_force_at(now)))
}

/// The account of a login and a password, if its person holds a post. Takes as long for an unknown login.
pub fn check_password(
    app: &App,
    login: &str,
    password: &str,
) -> Result<Option<Account>, StoreError> {
    if login.len() > limits::LOGIN_BYTES_MAX || password.len() > limits::PASSWORD_BYTES_MAX {
        return Ok(None);
    }
    let account = app.store.account(login)?;
    let stored = account
        .as_ref()
        .map_or(NOBODY, |account| account.password_hash.as_str());
    let is_right = PasswordHash::new(stored).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    });
    let account = account.filter(|_| is_right);
    Ok(account.filter(|account| has_post(app, account.person)))
}

/// The device that calls. Revoked ones too: they may hand in what they have.
#[derive(Debug)]
pub struct CallingDevice {
    /// Which it is.
    pub device: Device,
    /// Its place among what it asks for at once.
    pub place: Place,
}

impl FromRequestParts<Host> for CallingDevice {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, host: &Host) -> Result<Self, ApiError> {
        let authorization = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = authorization
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(ApiError::Unauthorized)?;
        let hash = hash_of(token);
        let device = host
            .blocking(move |app| app.store.device_of_token(hash))
            .await??;
        let device = device.ok_or(ApiError::Unauthorized)?;
        let place = host.shares.enter(device.id, Instant::now())?;
        Ok(Self { device, place })
    }
}

/// The person who is signed in. Anything but reading needs an `Origin` that is this server's.
#[derive(Clone, Copy, Debug)]
pub struct Caller(pub PersonId);

impl FromRequestParts<Host> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, host: &Host) -> Result<Self, ApiError> {
        if parts.method != Method::GET && !is_same_origin(parts) {
            return Err(ApiError::Forbidden("foreign_origin"));
        }
        let token = session_token(parts, host.cookies()).ok_or(ApiError::Unauthorized)?;
        let hash = hash_of(&token);
        let found = host
            .blocking(move |app| {
                let now = app.environment.now();
                let session = app.store.session(hash)?;
                let person = session
                    .filter(|session| now < session.until)
                    .map(|session| session.person);
                Ok::<_, StoreError>(person.filter(|person| has_post(app, *person)))
            })
            .await??;
        found.map(Self).ok_or(ApiError::Unauthorized)
    }
}

/// The token of the session cookie. One of another kind is not looked at: where pages come by TLS no other page can have set it.
pub fn session_token(parts: &Parts, kind: CookieKind) -> Option<String> {
    let cookies = parts
        .headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == kind.name())
        .map(|(_, token)| token.to_owned())
}

/// Whether the request comes from a page of this server.
pub fn is_same_origin(parts: &Parts) -> bool {
    let text = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value: &axum::http::HeaderValue| value.to_str().ok())
    };
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else {
        return false;
    };
    origin
        .split_once("://")
        .is_some_and(|(scheme, origin_host)| {
            matches!(scheme, "http" | "https") && origin_host == host
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_login_costs_as_much_as_a_known_one() {
        let nobody = PasswordHash::new(NOBODY).expect("a hash that can be checked");
        let salt = SaltString::encode_b64(&[7; 16]).expect("a salt");
        let made = Argon2::default().hash_password(b"eight signs", &salt);
        let made = made.expect("a hash").to_string();
        let made = PasswordHash::new(&made).expect("our own");
        assert_eq!(nobody.algorithm, made.algorithm);
        assert_eq!(nobody.algorithm.as_str(), "argon2id");
        assert_eq!(
            (nobody.version, &nobody.params),
            (made.version, &made.params)
        );
        let lens = |hash: &PasswordHash<'_>| {
            let (salt, output) = (hash.salt.expect("a salt"), hash.hash.expect("an output"));
            (salt.len(), output.len())
        };
        assert_eq!(lens(&nobody), lens(&made));
    }
}
