//! Becoming known to a server: by a one-time code, or, to one that was restored, by a certificate.
//!
//! What a round brings is `sync`'s.

use super::Replica;
use super::sync::{offline, whole};
use crate::domain::id::{Actor, DeviceId, Epoch, PersonId, ServerId};
use crate::domain::limits;
use crate::error::{Error, Result};
use crate::store::enrolment::{self, Enrolment};
use crate::sync::seal;
use crate::sync::transport::{Method, Request, Transport};

impl Replica {
    /// Enrols this phone with a one-time code. The file must be empty.
    pub async fn enrol(
        &self,
        transport: &dyn Transport,
        server_url: &str,
        code: &str,
    ) -> Result<()> {
        let _turn = self.turn().await?;
        // Before anything is asked of the server: a code can be used only once.
        if self.store.read(enrolment::enrolment)?.is_some() {
            return Err(Error::AlreadyEnrolled);
        }
        let seed: [u8; 32] = self.random();
        let body = format!(
            "{{\"code\":{},\"public_key\":\"{}\"}}",
            json_text(code),
            hex(&seal::public_key(&seed))
        );
        let request = Request {
            method: Method::Post,
            server_url: server_url.trim_end_matches('/').to_owned(),
            path: "/v1/devices/enrol".into(),
            token: None,
            content_type: "application/json",
            body: body.into_bytes(),
        };
        let mut response = transport.send(request).await.map_err(offline)?;
        let status = response.status();
        let answer = whole(response.as_mut(), limits::JSON_BYTES_MAX).await?;
        match status {
            200 if response.content_type() == "application/json" => {}
            400 | 403 | 404 | 410 => return Err(Error::BadCode),
            _ => {
                return Err(Error::Offline {
                    retry_after_ms: response.retry_after_ms(),
                });
            }
        }
        let enrolment = read_enrolment(&answer, server_url, seed, self.random())
            .ok_or(Error::Disagreement("enrolment"))?;
        self.store
            .write(|transaction| enrolment::put(transaction, &enrolment))?;
        self.fetch_directory(transport).await
    }

    /// Asks a server that does not know this phone to take it back. Returns whether it has.
    pub(super) async fn ask_back(&self, transport: &dyn Transport) -> Result<bool> {
        let enrolment = self.store.read(enrolment::enrolled)?;
        let body = serde_json::json!({
            "device": enrolment.device.hex(),
            "person": enrolment.person.hex(),
            "public_key": hex(&seal::public_key(&enrolment.seed)),
            "certificate": hex(&enrolment.certificate),
            "token": enrolment.token,
        });
        let request = Request {
            method: Method::Post,
            server_url: enrolment.server_url,
            path: "/v1/devices/return".into(),
            token: None,
            content_type: "application/json",
            body: body.to_string().into_bytes(),
        };
        let response = transport.send(request).await.map_err(offline)?;
        Ok(response.status() == 200 && response.content_type() == "application/json")
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex<const N: usize>(value: &serde_json::Value) -> Option<[u8; N]> {
    let text = value
        .as_str()
        .filter(|text| text.len() == 2 * N && text.is_ascii())?;
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn read_enrolment(
    answer: &[u8],
    server_url: &str,
    seed: [u8; 32],
    suffix: [u8; 8],
) -> Option<Enrolment> {
    let json: serde_json::Value = serde_json::from_slice(answer).ok()?;
    let device = DeviceId(unhex(json.get("device")?)?);
    Some(Enrolment {
        server_url: server_url.trim_end_matches('/').to_owned(),
        server: ServerId(unhex(json.get("server")?)?),
        epoch: Epoch(unhex(json.get("epoch")?)?),
        device,
        person: PersonId(unhex(json.get("person")?)?),
        person_name: json.get("person_name")?.as_str()?.to_owned(),
        token: json.get("token")?.as_str()?.to_owned(),
        seed,
        rescue_key: unhex(json.get("rescue_key")?)?,
        certificate: unhex(json.get("certificate")?)?,
        actor: Actor::new(device, suffix),
    })
}
