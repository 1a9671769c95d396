//! Connections: takes them in, shakes hands by TLS where there is a certificate, bounds how many there are and how long each may keep
//! still, and lets them end when the server stops.
//!
//! What is asked on them is `api`'s. A connection that keeps still too long is closed, whether it owes the rest of a request or does
//! not take its response.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use patrol_core::domain::limits;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

use crate::api::{self, Settings};
use crate::app::App;
use crate::metrics::Owed;
use crate::tls::Certificates;

/// Where connections come in.
#[derive(Debug)]
pub struct Port {
    /// The socket.
    pub listener: TcpListener,
    /// What to show; none: in the clear.
    pub certificates: Option<Arc<Certificates>>,
}

impl From<TcpListener> for Port {
    fn from(listener: TcpListener) -> Self {
        Self {
            listener,
            certificates: None,
        }
    }
}

/// Serves on a port until `stop`; then takes no more connections and returns when the open requests have been answered.
pub async fn serve(
    port: impl Into<Port>,
    app: Arc<App>,
    settings: Settings,
    stop: impl Future<Output = ()>,
) {
    let stall = settings.stall;
    let router = api::router(Arc::clone(&app), settings);
    serve_routes(port, app, router, stall, stop).await;
}

/// Serves some routes, as [`serve`] does all of them.
pub async fn serve_routes(
    port: impl Into<Port>,
    app: Arc<App>,
    router: Router,
    stall: Duration,
    stop: impl Future<Output = ()>,
) {
    let Port {
        listener,
        certificates,
    } = port.into();
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    let open = GracefulShutdown::new();
    let (stopping, going_on) = watch::channel(());
    let mut stop = std::pin::pin!(stop);
    loop {
        let taken = async {
            // Those beyond the places wait in the system's queue.
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            taken = taken => taken,
            () = &mut stop => break,
        };
        match accepted {
            Ok((socket, _)) => {
                let (watcher, router) = (open.watcher(), router.clone());
                let mut going_on = going_on.clone();
                let acceptor = certificates
                    .as_ref()
                    .map(|certificates| certificates.acceptor());
                let (app, counted) = (Arc::clone(&app), app.metrics.open_connection());
                tokio::spawn(async move {
                    // How a connection ended is its client's business: whatever was committed is.
                    let socket = bounded(socket, stall);
                    let owed = match acceptor {
                        None => owed(watcher.watch(connection(socket, router, stall)).await),
                        Some(acceptor) => {
                            let shaken = tokio::select! {
                                shaken = timeout(stall, acceptor.accept(socket)) => shaken,
                                // Who has not shaken hands has asked for nothing.
                                _ = going_on.changed() => return,
                            };
                            match shaken {
                                Ok(Ok(stream)) => {
                                    owed(watcher.watch(connection(stream, router, stall)).await)
                                }
                                Ok(Err(_)) => None,
                                Err(_) => Some(Owed::Handshake),
                            }
                        }
                    };
                    if let Some(owed) = owed {
                        app.metrics.count_stalled(owed);
                    }
                    drop((place, counted));
                });
            }
            // Such as no free handle. Others may end meanwhile.
            Err(error) => {
                tracing::error!(%error, "a connection could not be taken in: {error}");
                let pause = Duration::from_millis(limits::ACCEPT_PAUSE_MS);
                if timeout(pause, &mut stop).await.is_ok() {
                    break;
                }
            }
        }
    }
    drop((listener, stopping));
    open.shutdown().await;
}

type Bounded = Pin<Box<TimeoutStream<TcpStream>>>;

/// A socket that is given up when nobody takes what is written to it.
fn bounded(socket: TcpStream, stall: Duration) -> Bounded {
    // A response is written whole: there is nothing to wait for.
    drop(socket.set_nodelay(true));
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(stall));
    Box::pin(socket)
}

fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    router: Router,
    stall: Duration,
) -> http1::Connection<TokioIo<S>, TowerToHyperService<Router>> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(stall)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}

/// What the client owed when its connection was given up; none, if it ended otherwise.
fn owed(ended: Result<(), hyper::Error>) -> Option<Owed> {
    let error = ended.err()?;
    if error.is_timeout() {
        return Some(Owed::Head);
    }
    let source = std::error::Error::source(&error)?.downcast_ref::<std::io::Error>()?;
    (source.kind() == ErrorKind::TimedOut).then_some(Owed::Taking)
}
