//! Small HTTP servers on the control CPU: header timeouts, bounded bodies, bounded connections.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::api::connections::{Connections, Seat};

/// Longest time for a request's headers, and between requests of a connection.
const HEADERS: Duration = Duration::from_secs(10);
/// Connections at a time.
const CONNECTIONS: usize = 64;
/// A request, read whole.
#[derive(Debug)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// Path without the query.
    pub path: String,
    /// What stands behind its question mark.
    pub query: String,
    /// Body.
    pub body: Bytes,
}

/// What a call is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Content type.
    pub content_type: &'static str,
    /// Body.
    pub body: Bytes,
    /// Headers beside the content type.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// An answer to come.
pub type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl Answer {
    /// Any content.
    #[must_use]
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Answer { status, content_type, body: body.into(), headers: Vec::new() }
    }

    /// Plain text.
    #[must_use]
    pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Answer::new(status, "text/plain; charset=utf-8", body)
    }

    /// JSON.
    #[must_use]
    pub fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Answer::new(status, "application/json", format!("{body:#}\n"))
    }

    /// `{"errors": [...]}`.
    #[must_use]
    pub fn errors(status: StatusCode, errors: &[String]) -> Self {
        Answer::json(status, &serde_json::json!({ "errors": errors }))
    }
}

/// Something that accepts connections.
pub trait Accept {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next one.
    fn accept(&self) -> impl Future<Output = std::io::Result<Self::Stream>> + Send;
}

impl Accept for tokio::net::UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn accept(&self) -> std::io::Result<Self::Stream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

impl Accept for tokio::net::TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn accept(&self) -> std::io::Result<Self::Stream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// Something that answers calls.
type Service = dyn Fn(Call) -> Answering + Send + Sync;

/// Runs what may block on a thread where it may.
pub async fn on_a_thread(answer: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    let answer = tokio::task::spawn_blocking(answer).await;
    answer.unwrap_or_else(|e| Answer::errors(StatusCode::INTERNAL_SERVER_ERROR, &[e.to_string()]))
}

/// Serves until `stop` says true. A request's body has at most `largest_body` bytes.
pub async fn serve<L: Accept>(
    listener: L,
    largest_body: usize,
    answer: impl Fn(Call) -> Answering + Send + Sync + 'static,
    mut stop: watch::Receiver<bool>,
) {
    let answer: Arc<Service> = Arc::new(answer);
    let connections = Connections::new(CONNECTIONS);
    loop {
        let stream = tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => return,
            stream = listener.accept() => stream,
        };
        let Ok(stream) = stream else {
            // Out of descriptors, most likely: others will close.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Where all are busy, a caller is hung up on, so that it cannot wait for ever.
        let Some(seat) = connections.enter() else {
            continue;
        };
        let answer = answer.clone();
        tokio::spawn(async move {
            let ours = seat.clone();
            let service = service_fn(move |request| respond(request, largest_body, answer.clone(), ours.clone()));
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEADERS);
            tokio::select! {
                _ = builder.serve_connection(TokioIo::new(stream), service) => {}
                // Whoever does not read its answer makes room, too.
                () = seat.evicted() => {}
            }
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    largest_body: usize,
    answer: Arc<Service>,
    seat: Arc<Seat>,
) -> std::io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = tokio::time::timeout(HEADERS, Limited::new(body, largest_body).collect()).await;
    let evicted = || std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    let _busy = seat.begin().ok_or_else(evicted)?;
    let answer = match body {
        Ok(Ok(body)) => {
            let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
            answer(Call { method: parts.method, path, query, body: body.to_bytes() }).await
        }
        Ok(Err(_)) => {
            let sentence = format!("a body has at most {largest_body} bytes");
            Answer::errors(StatusCode::PAYLOAD_TOO_LARGE, &[sentence])
        }
        Err(_) => Answer::errors(StatusCode::REQUEST_TIMEOUT, &["the body did not come in time".to_owned()]),
    };
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    response.headers_mut().extend(answer.headers);
    Ok(response)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// More than the kernel keeps for a reader that does not read.
    const LARGE: usize = 32 << 20;

    async fn asked(address: std::net::SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        // Its answer has begun, so it is not being done any more.
        assert_eq!(stream.read_u8().await.unwrap(), b'H');
        stream
    }

    #[test]
    fn readers_that_do_not_read_keep_nobody_out() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (address, (_stop, stopped)) = (listener.local_addr().unwrap(), watch::channel(false));
            let large = Bytes::from(vec![0; LARGE]);
            let answer = move |_: Call| -> Answering {
                let large = large.clone();
                Box::pin(async move { Answer::new(StatusCode::OK, "text/plain", large) })
            };
            tokio::spawn(serve(listener, 0, answer, stopped));
            let mut slow = Vec::new();
            for _ in 0..CONNECTIONS {
                slow.push(asked(address).await);
            }
            let quick = async {
                let (mut stream, mut bytes) = (asked(address).await, vec![0; LARGE]);
                stream.read_exact(&mut bytes).await.unwrap();
            };
            tokio::time::timeout(Duration::from_secs(20), quick).await.unwrap();
        });
    }
}
