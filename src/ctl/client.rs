//! Requests over the operations socket.

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AsHeaderName, HeaderMap};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;

/// Longest wait for an answer; a reload waits for the workers.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer to show.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// The daemon is not there.
    #[error(
        "{socket}: the daemon is not reached: {why}\n\
         start it (vswitch run), name its socket with --socket, or let `vswitchctl doctor` look for the cause"
    )]
    NotReached {
        /// The socket.
        socket: String,
        /// The reason.
        why: String,
    },
    /// The daemon said no.
    #[error("{}", refusal(errors, code.as_deref()))]
    Refused {
        /// What is wrong, a sentence each.
        errors: Vec<String>,
        /// What programs decide by.
        code: Option<String>,
    },
    /// What was asked cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// The answer could not be shown.
    #[error("{}", crate::terminal::cannot(.0))]
    Output(#[from] std::io::Error),
}

impl CtlError {
    /// A refusal of our own.
    #[must_use]
    pub fn refused(why: impl Into<String>) -> Self {
        CtlError::Refused { errors: vec![why.into()], code: None }
    }

    /// The exit code that belongs to it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            CtlError::Refused { .. } | CtlError::Output(_) => 1,
            CtlError::Usage(_) => 2,
            CtlError::NotReached { .. } => 3,
        }
    }

    /// For programs: `{"errors": [...], "code": ...}`.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            CtlError::Refused { errors, code } => json!({ "errors": errors, "code": code }),
            other => json!({ "errors": other.to_string().lines().collect::<Value>(), "code": null }),
        }
    }
}

fn refusal(errors: &[String], code: Option<&str>) -> String {
    let advice = code.and_then(advice).map(str::to_owned);
    let code = code.map(|code| format!("code {code}"));
    errors.iter().cloned().chain(code).chain(advice).collect::<Vec<_>>().join("\n")
}

/// What to do about a code, where its message cannot know this program.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code.split('.').next()? {
        "IncorrectStatus" => "the object is still being changed: try again in a moment",
        "QuotaExceeded" => "`vswitchctl quota --account ID` shows the limits and what is used",
        "ResourceNotFound" => "`vswitchctl filter list` and `vswitchctl session list` show what the account has",
        "Throttling" => "the account's requests of this minute are used up: try again in a minute",
        _ => return None,
    })
}

/// An answer, whatever it says.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Reply {
    /// A header, if it is there and a text.
    #[must_use]
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body; a refusal as an error.
    ///
    /// # Errors
    /// [`CtlError::Refused`].
    pub fn accepted(self) -> Result<Bytes, CtlError> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let value: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let mut errors: Vec<String> =
            value["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        if errors.is_empty() {
            errors.push(format!("the daemon answers {} and gives no reason", self.status));
        }
        Err(CtlError::Refused { errors, code: value["code"].as_str().map(str::to_owned) })
    }
}

/// The daemon behind a socket.
#[derive(Clone, Copy, Debug)]
pub struct Daemon<'a> {
    /// The socket.
    pub socket: &'a Path,
    /// Longest wait for an answer.
    pub patience: Duration,
}

impl Daemon<'_> {
    /// What there is at a path.
    ///
    /// # Errors
    /// [`CtlError`].
    pub fn get(self, path: &str) -> Result<Value, CtlError> {
        self.ask(Method::GET, path, None)
    }

    /// JSON for JSON.
    ///
    /// # Errors
    /// [`CtlError`].
    pub fn ask(self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CtlError> {
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.json(&self.bytes(method, path, body.into())?)
    }

    /// The JSON of an answer's body; of an empty one, null.
    ///
    /// # Errors
    /// Who does not speak JSON is not the daemon: [`CtlError::NotReached`].
    pub fn json(self, body: &[u8]) -> Result<Value, CtlError> {
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(body).map_err(|e| self.not_reached(format!("the answer is not JSON: {e}")))
    }

    /// Bytes for bytes.
    ///
    /// # Errors
    /// [`CtlError`].
    pub fn bytes(self, method: Method, path: &str, body: Bytes) -> Result<Bytes, CtlError> {
        self.reply(method, path, body)?.accepted()
    }

    /// Whatever the daemon answers.
    ///
    /// # Errors
    /// [`CtlError::NotReached`].
    pub fn reply(self, method: Method, path: &str, body: Bytes) -> Result<Reply, CtlError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| self.not_reached(e.to_string()))?;
        let exchange = exchange(self.socket, method, path, body);
        let reply = runtime.block_on(async { tokio::time::timeout(self.patience, exchange).await });
        let silent = |_| self.not_reached(format!("no answer in {} s", self.patience.as_secs()));
        reply.map_err(silent)?.map_err(|why| self.not_reached(why))
    }

    fn not_reached(self, why: String) -> CtlError {
        CtlError::NotReached { socket: self.socket.display().to_string(), why }
    }
}

async fn exchange(socket: &Path, method: Method, path: &str, body: Bytes) -> Result<Reply, String> {
    let stream = UnixStream::connect(socket).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "vswitch")
        .body(Full::new(body))
        .map_err(|e| e.to_string())?;
    let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
    Ok(Reply { status: parts.status, headers: parts.headers, body })
}
