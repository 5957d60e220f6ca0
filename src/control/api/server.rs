//! The server: HTTP/1.1 over TCP or TLS, from connections to whole requests, each answered on a thread that may block.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{error, info};

use super::answer::Answer;
use super::connections::{Connections, Seat};
use super::gate::{Gate, SystemClock};
use super::listener::ApiListener;
use super::nonces::Nonces;
use super::throttle::Throttle;
use super::{Actions, ApiError, ApiMetrics};

/// Bytes of a request's body.
const BODY: usize = 1 << 20;
/// Bytes of a head, at which the connection ends. What is smaller but too large is refused in words.
const HEAD: usize = 2 * super::request::MAX_HEAD;
/// Requests that are done at a time; others wait their turn.
const WORKERS: usize = 8;

/// How long others may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a TLS handshake.
    pub(super) handshake: Duration,
    /// For a request's head, also between requests of a connection.
    pub(super) head: Duration,
    /// For a request's body.
    pub(super) body: Duration,
    /// For requests under way at the end.
    pub(super) end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Patience { handshake: ten, head: ten, body: ten, end: Duration::from_secs(5) }
    }
}

/// Serves until `stop` says true; then requests under way are answered, for at most five seconds.
pub async fn serve(
    mut listener: ApiListener,
    actions: Arc<dyn Actions>,
    metrics: Arc<ApiMetrics>,
    mut stop: watch::Receiver<bool>,
) {
    let (start, address, tls) = (listener.start, listener.address(), listener.tls.clone());
    let requests = listener.api.requests_per_minute;
    let gate = Gate {
        actions,
        metrics,
        region: listener.region.clone(),
        nonces: Nonces::new(start, requests),
        throttle: Throttle::new(requests),
        clock: Box::new(SystemClock(Instant::now())),
    };
    let connections = usize::try_from(listener.api.connections).unwrap_or(usize::MAX);
    let opened = tokio::select! {
        opened = listener.open() => opened,
        _ = stop.wait_for(|stopped| *stopped) => return,
    };
    match (opened, listener.into_open()) {
        (Ok(()), Some(listener)) => {
            info!(%address, tls = tls.is_some(), "tenant API");
            accept(listener, tls, Arc::new(Server::new(gate, Patience::default())), connections, stop).await;
        }
        (opened, _) => error!("{}: there is no tenant API", opened.err().unwrap_or_default()),
    }
}

/// What all connections share.
pub(super) struct Server {
    gate: Arc<Gate>,
    workers: Arc<Semaphore>,
    patience: Patience,
}

impl Server {
    pub(super) fn new(gate: Gate, patience: Patience) -> Self {
        Server { gate: Arc::new(gate), workers: Arc::new(Semaphore::new(WORKERS)), patience }
    }
}

pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    server: Arc<Server>,
    connections: usize,
    mut stop: watch::Receiver<bool>,
) {
    let connections = Connections::new(connections);
    let mut tasks = JoinSet::new();
    loop {
        let stream = tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => break,
            Some(_) = tasks.join_next() => continue,
            stream = listener.accept() => stream,
        };
        let Ok((stream, _)) = stream else {
            // Out of descriptors, most likely: others will close.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        // Where all are busy, a caller is hung up on, so that it cannot wait for ever.
        if let Some(seat) = connections.enter() {
            tasks.spawn(connection(stream, tls.clone(), server.clone(), seat, stop.clone()));
        }
    }
    drop(listener);
    connections.evict_waiting();
    let _ = timeout(server.patience.end, async { while tasks.join_next().await.is_some() {} }).await;
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    server: Arc<Server>,
    seat: Arc<Seat>,
    stop: watch::Receiver<bool>,
) {
    let Some(tls) = tls else {
        return requests(stream, server, seat, stop).await;
    };
    let stream = tokio::select! {
        stream = timeout(server.patience.handshake, tls.accept(stream)) => stream,
        () = seat.evicted() => return,
    };
    if let Ok(Ok(stream)) = stream {
        requests(stream, server, seat, stop).await;
    }
}

async fn requests<S>(stream: S, server: Arc<Server>, seat: Arc<Seat>, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(server.patience.head).max_buf_size(HEAD);
    let service = service_fn(|request| respond(request, server.clone(), seat.clone()));
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), service));
    let stopped = async {
        let _ = stop.wait_for(|stopped| *stopped).await;
    };
    tokio::select! {
        _ = serving.as_mut() => return,
        () = seat.evicted() => return,
        () = stopped => serving.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = serving => {}
        () = seat.evicted() => {}
    }
}

async fn respond(
    request: Request<Incoming>,
    server: Arc<Server>,
    seat: Arc<Seat>,
) -> std::io::Result<Response<Full<Bytes>>> {
    let gate = server.gate.clone();
    let (parts, body) = request.into_parts();
    let body = match read(body, server.patience.body).await {
        Ok(body) => body,
        Err(error) => return Ok(response(Answer { close: true, ..gate.unreadable(&error) })),
    };
    let evicted = || std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    let _busy = seat.begin().ok_or_else(evicted)?;
    let turn = server.workers.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let answer = tokio::task::spawn_blocking(move || {
        // Held by the work, not by whoever waits for it and may hang up.
        let _turn = turn;
        gate.answer(&Request::from_parts(parts, body))
    });
    let answer = answer.await.unwrap_or_else(|e| {
        error!("a request was not answered: {e}");
        server.gate.unreadable(&ApiError::new(500, "InternalError", "An internal error; the log has it."))
    });
    Ok(response(answer))
}

async fn read(body: Incoming, patience: Duration) -> Result<Bytes, ApiError> {
    let too_large = || {
        let text = format!("The body is too large; at most {BODY} bytes are allowed.");
        ApiError::new(413, "RequestBodyTooLarge", text)
    };
    if body.size_hint().lower() > BODY as u64 {
        return Err(too_large());
    }
    match timeout(patience, Limited::new(body, BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(e)) if e.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::new(400, "IncompleteBody", "The body did not come whole.")),
        Err(_) => {
            let text = format!("The body did not come within {} seconds.", patience.as_secs());
            Err(ApiError::new(408, "RequestTimeout", text))
        }
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    // Exactly this text: one SDK compares the whole header.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"));
    if let Ok(id) = HeaderValue::from_str(&answer.request_id) {
        headers.insert("x-acs-request-id", id);
    }
    if let Some(seconds) = answer.retry_after {
        headers.insert("x-acs-retry-after", seconds.into());
    }
    if answer.close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
