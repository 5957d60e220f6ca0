//! `/metrics`, `/healthz`, `/readyz` and `/version` on a listener of their own.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use prometheus::proto::MetricFamily;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::text;
use crate::control::http::{self, Answer, Answering, Call};
use crate::control::operations::Operations;
use crate::control::version::version;

/// Bytes of a request's body: nothing here takes one.
const LARGEST_BODY: usize = 1024;

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

/// What stands on the page beside the packet side's metrics.
pub type More = Arc<dyn Fn() -> Vec<MetricFamily> + Send + Sync>;

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, operations: Arc<dyn Operations>, more: More, stop: watch::Receiver<bool>) {
    let answer = move |call: Call| -> Answering {
        let (operations, more) = (operations.clone(), more.clone());
        Box::pin(http::on_a_thread(move || answer(&*operations, &more, &call)))
    };
    http::serve(listener, LARGEST_BODY, answer, stop).await;
}

fn answer(operations: &dyn Operations, more: &More, call: &Call) -> Answer {
    if call.method != Method::GET {
        return Answer::text(StatusCode::METHOD_NOT_ALLOWED, "only GET is allowed\n");
    }
    match &*call.path {
        "/metrics" => match text::render_with(&operations.scrape(), more()) {
            Ok(body) => Answer::new(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", body),
            Err(e) => Answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{e}\n")),
        },
        "/version" => Answer::json(StatusCode::OK, &version()),
        "/healthz" => Answer::text(StatusCode::OK, "ok\n"),
        "/readyz" => match operations.ready() {
            Ok(()) => Answer::text(StatusCode::OK, "ready\n"),
            Err(why) => Answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        _ => Answer::text(StatusCode::NOT_FOUND, "here are /metrics, /healthz, /readyz and /version\n"),
    }
}
