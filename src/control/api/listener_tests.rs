//! The listener: its address, its first second, its certificate.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use super::fuzz;
use super::twin::{Draft, Form};
use super::{ApiMetrics, bind, serve, stamp};
use crate::control::config::Config;

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vswitch-api-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn config() -> Config {
    let mut config = Config::default();
    config.region.id = "cn-hangzhou".to_owned();
    config.api.listen = "127.0.0.1:0".to_owned();
    config
}

fn now() -> i64 {
    UNIX_EPOCH.elapsed().unwrap().as_secs().try_into().unwrap()
}

/// A request stamped with the present second.
fn request() -> Vec<u8> {
    let stamp = stamp::text(now());
    Draft::new(Form::A, "GetTrafficMirrorServiceStatus", "n", &[]).stamped(&stamp).add("connection", "close").raw()
}

async fn run(config: &Config) -> (std::net::SocketAddr, i64, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let listener = bind(config).await.unwrap();
    let (address, start) = (listener.address(), listener.start);
    let (stop, stopped) = watch::channel(false);
    let gate = fuzz::gate().unwrap();
    let task = tokio::spawn(serve(listener, gate.actions, Arc::new(ApiMetrics::new().unwrap()), stopped));
    (address, start, stop, task)
}

/// Tries until the listener is open.
async fn connect(address: std::net::SocketAddr) -> TcpStream {
    loop {
        match TcpStream::connect(address).await {
            Ok(stream) => return stream,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn a_client_that_gets_through_is_fresh_enough() {
    let begin = SystemTime::now();
    let (address, start, stop, task) = run(&config()).await;
    let mut stream = connect(address).await;
    assert!(now() > start, "open only after the second of the start");
    assert!(begin.elapsed().unwrap().as_millis() < 20_000);
    stream.write_all(&request()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    let body: Value = serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert!(body["RequestId"].is_string());
    stop.send(true).unwrap();
    task.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn once_open_it_takes_connections() {
    let mut listener = bind(&config()).await.unwrap();
    assert!(TcpStream::connect(listener.address()).await.is_err(), "taken, not open");
    listener.open().await.unwrap();
    assert!(now() > listener.start);
    listener.open().await.unwrap();
    TcpStream::connect(listener.address()).await.unwrap();
}

#[tokio::test]
async fn a_stop_before_it_opens_is_a_stop() {
    let (_, _, stop, task) = run(&config()).await;
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_told_at_once() {
    let (address, _, stop, task) = run(&config()).await;
    drop(connect(address).await);
    let mut second = config();
    second.api.listen = address.to_string();
    let error = bind(&second).await.err().unwrap();
    assert_eq!(error, format!("api.listen = {address}: the port is taken by another process"));
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[tokio::test]
async fn tls_with_a_certificate_and_nothing_else() {
    let folder = Folder::new("tls");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut config = config();
    config.api.tls_certificate = folder.file("cert.pem", &made.cert.pem());
    config.api.tls_key = folder.file("key.pem", &made.signing_key.serialize_pem());
    let (address, _, stop, task) = run(&config).await;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    let mut stream = connector.connect(name, connect(address).await).await.unwrap();
    stream.write_all(&request()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    let mut plain = connect(address).await;
    plain.write_all(&request()).await.unwrap();
    let mut text = Vec::new();
    let _ = plain.read_to_end(&mut text).await;
    assert!(!text.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&text));
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[tokio::test]
async fn certificates_that_are_none() {
    let folder = Folder::new("pem");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.file("c", &made.cert.pem()), folder.file("k", &made.signing_key.serialize_pem()));
    let other_key = folder.file("o", &other.signing_key.serialize_pem());
    let (empty, missing) = (folder.file("e", ""), folder.0.join("missing"));
    for (certificate, key, named) in [
        (&missing, &key, "api.tls_certificate"),
        (&empty, &key, "api.tls_certificate"),
        (&key, &key, "api.tls_certificate"),
        (&certificate, &missing, "api.tls_key"),
        (&certificate, &empty, "api.tls_key"),
        (&certificate, &certificate, "api.tls_key"),
        (&certificate, &other_key, "api.tls_key"),
    ] {
        let mut config = config();
        (config.api.tls_certificate, config.api.tls_key) = (certificate.clone(), key.clone());
        let error = bind(&config).await.err().unwrap();
        assert!(error.contains(named) && names_a_file(&error, certificate, key), "{error}");
        let secret = made.signing_key.serialize_pem();
        assert!(secret.lines().skip(1).all(|line| !error.contains(line)), "{error}");
    }
}

fn names_a_file(error: &str, certificate: &Path, key: &Path) -> bool {
    [certificate, key].iter().any(|path| error.contains(&path.display().to_string()))
}
