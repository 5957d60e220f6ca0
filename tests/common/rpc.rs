//! A client of the tenant API: HTTP/1.1 with keep-alive, parameters in the query, signed with HMAC-SHA1 as the older SDKs
//! do it. Written without the switch's own code.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sha1::Sha1;

/// All but what RFC 3986 leaves unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Parameters of an action.
pub type Params = Vec<(String, String)>;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
}

/// A connection.
pub struct Rpc {
    stream: BufReader<TcpStream>,
    key: (String, String),
}

impl Rpc {
    /// Connects; `key` is an AccessKey's id and secret.
    pub fn connect(address: SocketAddr, key: (&str, &str)) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Rpc { stream: BufReader::new(stream), key: (key.0.to_owned(), key.1.to_owned()) })
    }

    /// Calls an action in the region `local`. An I/O error means that nobody knows whether it was done.
    pub fn call(&mut self, action: &str, params: &[(String, String)]) -> io::Result<Result<Value, Refusal>> {
        let query = self.signed(action, params);
        let request = format!("POST /?{query} HTTP/1.1\r\nhost: vswitch\r\ncontent-length: 0\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (status, body) = self.answer()?;
        if status == 200 {
            return Ok(Ok(body));
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Ok(Err(Refusal { status, code: text("Code"), message: text("Message") }))
    }

    fn signed(&self, action: &str, params: &[(String, String)]) -> String {
        static NONCE: AtomicU64 = AtomicU64::new(0);
        let nonce = format!("{}-{}", std::process::id(), NONCE.fetch_add(1, Ordering::Relaxed));
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let fixed = [
            ("AccessKeyId", self.key.0.as_str()),
            ("Action", action),
            ("Format", "JSON"),
            ("RegionId", "local"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", &nonce),
            ("SignatureVersion", "1.0"),
            ("Timestamp", &now),
            ("Version", "2016-04-28"),
        ];
        let given = params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: BTreeMap<&str, &str> = fixed.into_iter().chain(given).collect();
        let pairs: Vec<String> =
            all.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let query = pairs.join("&");
        let mac = Hmac::<Sha1>::new_from_slice(format!("{}&", self.key.1).as_bytes()).unwrap();
        let mac = mac.chain_update(format!("POST&%2F&{}", encoded(&query))).finalize();
        format!("{query}&Signature={}", encoded(&STANDARD.encode(mac.into_bytes())))
    }

    fn answer(&mut self) -> io::Result<(u16, Value)> {
        let (mut status, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if status.is_none() {
                status = line.split(' ').nth(1).and_then(|s| s.parse().ok());
            } else if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status.unwrap(), serde_json::from_slice(&body).unwrap()))
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}
