//! The real way to the server: one HTTP request, one response, no policy.
//!
//! A connection without a byte for [`limits::STALL_MS`] counts as dead; there is no limit on the whole, because a slow line that moves is a good line.

use std::time::Duration;

use super::transport::{Method, Request, Response, Transport, Unreachable, Waiting};
use crate::domain::limits;

/// HTTP by reqwest, TLS by rustls with ring.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
}

impl Http {
    /// Makes a client. Fails only where the platform offers no TLS roots.
    pub fn new() -> Result<Self, Unreachable> {
        // Another part of the program may have installed it already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let stall = Duration::from_millis(limits::STALL_MS);
        let client = reqwest::Client::builder()
            .connect_timeout(stall)
            .read_timeout(stall)
            .build()
            .map_err(|_| Unreachable)?;
        Ok(Self { client })
    }

    async fn request(&self, request: Request) -> Result<Box<dyn Response>, Unreachable> {
        let url = format!("{}{}", request.server_url, request.path);
        let builder = match request.method {
            Method::Get => self.client.get(url),
            Method::Post => self
                .client
                .post(url)
                .header("content-type", request.content_type)
                .body(request.body),
        };
        let builder = match request.token {
            Some(token) => builder.bearer_auth(token),
            None => builder,
        };
        let response = builder.send().await.map_err(|_| Unreachable)?;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let content_type = header("content-type")
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        let retry_after_ms = header("retry-after")
            .parse::<u64>()
            .ok()
            .map(|seconds| seconds.saturating_mul(1_000));
        Ok(Box::new(HttpResponse {
            response,
            content_type,
            retry_after_ms,
        }))
    }
}

impl Transport for Http {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        Box::pin(self.request(request))
    }
}

struct HttpResponse {
    response: reqwest::Response,
    content_type: String,
    retry_after_ms: Option<u64>,
}

impl Response for HttpResponse {
    fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    fn content_type(&self) -> &str {
        &self.content_type
    }

    fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after_ms
    }

    fn piece(&mut self) -> Waiting<'_, Result<Option<Vec<u8>>, Unreachable>> {
        Box::pin(async {
            self.response
                .chunk()
                .await
                .map(|piece| piece.map(|bytes| bytes.to_vec()))
                .map_err(|_| Unreachable)
        })
    }
}
