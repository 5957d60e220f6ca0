//! `/metrics`, `/healthz` and `/readyz` on a listener of their own.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::text;
use crate::control::http::{self, Answer, Call};
use crate::control::operations::Operations;

/// Binds the listener.
///
/// # Errors
/// One plain sentence.
pub async fn bind(address: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|e| match e.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("metrics.listen = {address}: the port is taken by another process")
        }
        _ => format!("metrics.listen = {address}: {e}"),
    })
}

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, operations: Arc<dyn Operations>, stop: watch::Receiver<bool>) {
    http::serve(listener, move |call| answer(&*operations, &call), stop).await;
}

fn answer(operations: &dyn Operations, call: &Call) -> Answer {
    if call.method != Method::GET {
        return Answer::text(StatusCode::METHOD_NOT_ALLOWED, "only GET is allowed\n");
    }
    match &*call.path {
        "/metrics" => match text::render(&operations.scrape()) {
            Ok(body) => {
                Answer { status: StatusCode::OK, content_type: "text/plain; version=0.0.4; charset=utf-8", body }
            }
            Err(e) => Answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{e}\n")),
        },
        "/healthz" => Answer::text(StatusCode::OK, "ok\n"),
        "/readyz" => match operations.ready() {
            Ok(()) => Answer::text(StatusCode::OK, "ready\n"),
            Err(why) => Answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        _ => Answer::text(StatusCode::NOT_FOUND, "here are /metrics, /healthz and /readyz\n"),
    }
}
