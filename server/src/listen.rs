//! Connections: takes them in, bounds how many there are and how long each may keep still, and lets them end when the server stops.
//!
//! What is asked on them is `api`'s. A connection that keeps still too long is closed, whether it owes the rest of a request or does
//! not take its response.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use patrol_core::domain::limits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use crate::api::{self, Settings};
use crate::app::App;

/// Serves on a listener until `stop`; then takes no more connections and returns when the open requests have been answered.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    settings: Settings,
    stop: impl Future<Output = ()>,
) {
    let router = api::router(Arc::clone(&app), settings);
    serve_routes(listener, app, router, settings.stall, stop).await;
}

/// Serves some routes, as [`serve`] does all of them.
pub async fn serve_routes(
    listener: TcpListener,
    app: Arc<App>,
    router: Router,
    stall: Duration,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    let open = GracefulShutdown::new();
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
                let connection = open.watch(connection(socket, router.clone(), stall));
                let counted = app.metrics.open_connection();
                tokio::spawn(async move {
                    // How a connection ended is its client's business: whatever was committed is.
                    drop(connection.await);
                    drop((place, counted));
                });
            }
            // Such as no free handle. Others may end meanwhile.
            Err(error) => {
                tracing::error!(%error, "a connection could not be taken in: {error}");
                let pause = Duration::from_millis(limits::ACCEPT_PAUSE_MS);
                if tokio::time::timeout(pause, &mut stop).await.is_ok() {
                    break;
                }
            }
        }
    }
    drop(listener);
    open.shutdown().await;
}

type Connection = http1::Connection<
    TokioIo<std::pin::Pin<Box<TimeoutStream<TcpStream>>>>,
    TowerToHyperService<Router>,
>;

fn connection(socket: TcpStream, router: Router, stall: Duration) -> Connection {
    // A response is written whole: there is nothing to wait for.
    drop(socket.set_nodelay(true));
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(stall));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(stall)
        .serve_connection(
            TokioIo::new(Box::pin(socket)),
            TowerToHyperService::new(router),
        )
}
