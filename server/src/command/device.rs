//! Errands about phones: a one-time code, the list, revocation.
//!
//! A running server sees what they do with its next request: codes and devices are read each time.

use std::net::IpAddr;

use axum::http::Uri;
use clap::Subcommand;
use patrol_core::domain::id::DeviceId;
use serde_json::{Value, json};

use super::{Database, Faults, Who};
use crate::config::address;
use crate::devices;
use crate::store::StoreError;

/// An errand about phones.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum DeviceErrand {
    /// Draws a one-time code for a person's phone, good for a day.
    Code {
        /// Where.
        #[command(flatten)]
        database: Database,
        /// Whose.
        #[command(flatten)]
        who: Who,
        /// The address at which phones reach the server.
        #[arg(long, env = "XUNCUN_URL", default_value = "http://127.0.0.1:8080", value_parser = address)]
        url: String,
    },
    /// Lists every phone, one JSON line each.
    List {
        /// Where.
        #[command(flatten)]
        database: Database,
    },
    /// Stops a phone's feed; what it wrote is still collected, for review.
    Revoke {
        /// Where.
        #[command(flatten)]
        database: Database,
        /// The device's id, 16 hexadecimal digits.
        #[arg(long, value_parser = device_id)]
        device: DeviceId,
    },
}

fn device_id(text: &str) -> Result<DeviceId, String> {
    DeviceId::from_hex(text).ok_or_else(|| "not 16 hexadecimal digits".to_owned())
}

/// Whether whoever calls an address calls himself, so that no phone reaches the server there.
fn leads_to_oneself(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    let is_own = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    let last = host.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|ip: IpAddr| is_own(ip.to_canonical()))
}

pub(super) fn run(errand: &DeviceErrand) -> Result<Vec<Value>, Faults> {
    let failed = |error: StoreError| vec![error.to_string()];
    match errand {
        DeviceErrand::Code { database, who, url } => {
            let app = database.open()?;
            let person = who.find(&app)?;
            let code = devices::issue_code(&app, person, url)
                .map_err(failed)?
                .ok_or_else(|| vec!["the person has left the directory".to_owned()])?;
            tracing::info!(%person, "a one-time code for {person} was drawn by command");
            if leads_to_oneself(url) {
                tracing::warn!(
                    "a phone that calls {url} calls itself: draw a code with the server's address (--url or XUNCUN_URL)"
                );
            }
            if !code.has_post {
                tracing::warn!(%person, "{person} holds no post today: the phone gets nothing, and what it hands in goes to review");
            }
            Ok(vec![json!(code)])
        }
        DeviceErrand::List { database } => {
            let rows = database.read(|app| devices::list(app).map_err(failed))?;
            Ok(rows.iter().map(|row| json!(row)).collect())
        }
        DeviceErrand::Revoke { database, device } => {
            if devices::revoke(&database.open()?, *device).map_err(failed)? {
                tracing::info!(%device, "device {device} was revoked by command");
                Ok(vec![json!({ "device": device.hex() })])
            } else {
                Err(vec![format!("there is no device {device}")])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_machine_itself_is_no_phones() {
        for own in [
            "http://127.0.0.1:8080",
            "https://localhost",
            "http://LOCALHOST.:8080/xuncun",
            "http://server.localhost",
            "http://127.8.8.8",
            "http://0.0.0.0:8080",
            "http://[::1]:8080",
            "http://[::]",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(address(own).is_ok() && leads_to_oneself(own), "{own}");
        }
        for other in [
            "https://xuncun.example",
            "http://10.0.0.7:8080",
            "http://localhost.example",
            "http://[fd00::1]:8080",
            "http://1.2.3.4/127.0.0.1",
        ] {
            assert!(
                address(other).is_ok() && !leads_to_oneself(other),
                "{other}"
            );
        }
    }
}
