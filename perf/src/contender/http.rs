//! One request over a socket, as far as a switch's pages need it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longest wait for a page of metrics.
const PAGE: Duration = Duration::from_secs(10);
/// Longest wait for a change; the switch waits for its workers.
const CHANGE: Duration = Duration::from_secs(120);

/// The page at `path` of 127.0.0.1:`port`.
pub(super) fn get(port: u16, path: &str) -> Result<String, String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(PAGE)).map_err(|e| e.to_string())?;
    exchange(stream, "GET", path)
}

/// Posts nothing to `path` of the server behind a Unix socket.
pub(super) fn post(socket: &Path, path: &str) -> Result<String, String> {
    let stream = UnixStream::connect(socket).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(CHANGE)).map_err(|e| e.to_string())?;
    exchange(stream, "POST", path)
}

fn exchange<S: Read + Write>(mut stream: S, method: &str, path: &str) -> Result<String, String> {
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: vswitch\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
    stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status == "200" { Ok(body.to_owned()) } else { Err(format!("{status}: {}", body.trim())) }
}
