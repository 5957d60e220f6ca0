//! The address of the API: taken at once, opened when requests can be told from those of a former process.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;

use super::tls;
use crate::control::config::{ApiConfig, Config};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// The address, taken, and later open.
pub struct ApiListener {
    socket: Socket,
    address: SocketAddr,
    /// The second in which the address was taken: nobody else has had it since.
    pub(super) start: i64,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) region: String,
    pub(super) api: ApiConfig,
}

enum Socket {
    Taken(TcpSocket),
    Open(TcpListener),
    Failed,
}

/// Takes the address of `api.listen` and reads the certificate, so that what is wrong with them shows at the start.
///
/// # Errors
/// One plain sentence.
pub async fn bind(config: &Config) -> Result<ApiListener, String> {
    let listen = &config.api.listen;
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AddrInUse => format!("api.listen = {listen}: the port is taken by another process"),
        _ => format!("api.listen = {listen}: {e}"),
    };
    let address: SocketAddr = listen.parse().map_err(|e| format!("api.listen = {listen}: {e}"))?;
    let (certificate, key) = (&config.api.tls_certificate, &config.api.tls_key);
    let tls = if certificate.as_os_str().is_empty() { None } else { Some(tls::acceptor(certificate, key)?) };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    // Connections of a former process may still be closing; a listener would not let us have its port.
    socket.set_reuseaddr(true).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    let start = i64::try_from(since_1970().as_secs()).unwrap_or(i64::MAX);
    let socket = Socket::Taken(socket);
    Ok(ApiListener { socket, address, start, tls, region: config.region.id.clone(), api: config.api.clone() })
}

impl ApiListener {
    /// Where it listens; with port 0 in the configuration, the one that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens it, in a second that began after the address was taken, so within one: requests stamped until then, which a
    /// former process may have done, are refused, and no client that gets through has to stamp so early. Once it is open
    /// nothing happens.
    ///
    /// # Errors
    /// One plain sentence.
    pub async fn open(&mut self) -> Result<(), String> {
        let next = Duration::from_secs(self.start.unsigned_abs() + 1);
        // A clock that is set back meanwhile shall not keep us waiting.
        for _ in 0..4 {
            let left = next.saturating_sub(since_1970());
            if left.is_zero() || matches!(self.socket, Socket::Open(_)) {
                break;
            }
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
        let failed = |e: std::io::Error| format!("api.listen = {}: {e}", self.address);
        self.socket = match std::mem::replace(&mut self.socket, Socket::Failed) {
            Socket::Taken(socket) => Socket::Open(socket.listen(BACKLOG).map_err(failed)?),
            other => other,
        };
        Ok(())
    }

    /// What accepts connections, once it is open.
    pub(super) fn into_open(self) -> Option<TcpListener> {
        if let Socket::Open(listener) = self.socket { Some(listener) } else { None }
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
