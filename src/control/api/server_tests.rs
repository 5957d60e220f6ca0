//! The server on real sockets: what it reads, what it does not wait for, and how it ends.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::fuzz;
use super::gate::Gate;
use super::server::{Patience, Server, accept};
use super::twin::{Draft, Form};
use super::{Actions, ApiError, Call, Credential};

/// Longer than anything here takes, even on a machine that others use.
const LONG: Duration = Duration::from_secs(30);

/// Waits where it is told to, and counts.
struct Slow {
    started: Notify,
    go: Semaphore,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Actions for Slow {
    fn credential(&self, access_key_id: &str) -> Option<Credential> {
        (access_key_id == "testak").then(|| Credential { account: "one".into(), secret: "testsk".into() })
    }

    fn perform(&self, call: &Call) -> Result<Value, ApiError> {
        match call.params.get("Do") {
            Some("panic") => panic!("as asked"),
            Some("wait") => {
                let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(running, Ordering::SeqCst);
                self.started.notify_one();
                tokio::runtime::Handle::current().block_on(self.go.acquire()).unwrap().forget();
                self.running.fetch_sub(1, Ordering::SeqCst);
            }
            _ => {}
        }
        Ok(json!({ "Given": call.params.iter().count() }))
    }
}

pub(super) struct Api {
    address: SocketAddr,
    actions: Arc<Slow>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Api {
    pub(super) async fn start(connections: usize, patience: Patience, tls: Option<TlsAcceptor>) -> Self {
        let none = AtomicUsize::new(0);
        let actions = Slow { started: Notify::new(), go: Semaphore::new(0), running: none, most: AtomicUsize::new(0) };
        let actions = Arc::new(actions);
        let gate = Gate { actions: actions.clone(), ..fuzz::gate().unwrap() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let server = Arc::new(Server::new(gate, patience));
        let task = tokio::spawn(accept(listener, tls, server, connections, stopped));
        Api { address, actions, stop, task }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(super) async fn stop(self) {
        // An error says that it has ended already.
        let _ = self.stop.send(true);
        timeout(LONG, self.task).await.unwrap().unwrap();
    }
}

pub(super) fn patient() -> Patience {
    Patience { handshake: LONG, head: LONG, body: LONG, end: LONG }
}

fn request(nonce: &str, what: &str) -> Vec<u8> {
    Draft::new(Form::C, "ListTrafficMirrorSessions", nonce, &[("Do", what)]).raw()
}

/// The next answer on a connection: status, head and body. None where the connection ends.
async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> Option<(u16, String, String)> {
    let mut data = Vec::new();
    let mut byte = [0];
    let read = async {
        while !data.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                return None;
            }
            data.push(byte[0]);
        }
        let head = String::from_utf8(data).unwrap().to_lowercase();
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        Some((head[9..12].parse().unwrap(), head, String::from_utf8(body).unwrap()))
    };
    timeout(LONG, read).await.expect("an answer or the end of the connection")
}

pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    raw: &[u8],
) -> Option<(u16, String, String)> {
    // What is refused early may be hung up on before it is sent whole.
    let _ = stream.write_all(raw).await;
    let answer = answer(stream).await?;
    let body: Value = serde_json::from_str(&answer.2).unwrap();
    let id = body["RequestId"].as_str().unwrap().to_lowercase();
    assert!(answer.1.contains("content-type: application/json;charset=utf-8\r\n"), "{}", answer.1);
    assert!(answer.1.contains(&format!("x-acs-request-id: {id}\r\n")), "{}", answer.1);
    Some(answer)
}

#[tokio::test]
async fn requests_of_a_connection_are_answered_in_turn() {
    let api = Api::start(4, patient(), None).await;
    let mut stream = api.connect().await;
    assert_eq!(ask(&mut stream, &request("1", "x")).await.unwrap().0, 200);
    let (status, _, body) = ask(&mut stream, &request("1", "x")).await.unwrap();
    assert!(status == 400 && body.contains("SignatureNonceUsed"), "{body}");
    let (status, _, body) = ask(&mut stream, &request("2", "panic")).await.unwrap();
    assert!(status == 500 && body.contains("InternalError"), "{body}");
    assert_eq!(ask(&mut stream, &request("3", "x")).await.unwrap().0, 200);
    api.stop().await;
}

#[tokio::test]
async fn a_query_of_forty_kilobytes_is_read() {
    let api = Api::start(4, patient(), None).await;
    let names: Vec<String> = (0..1000).map(|n| format!("IngressRules.{n}.DestinationCidrBlock")).collect();
    let params: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "10")).collect();
    for form in [Form::A, Form::B] {
        let raw = Draft::new(form, "ListTrafficMirrorSessions", &format!("{form:?}"), &params).raw();
        assert!(raw.len() > 40_000, "{}", raw.len());
        let (status, _, body) = ask(&mut api.connect().await, &raw).await.unwrap();
        assert!(status == 200 && body.contains("1000"), "{body}");
    }
    api.stop().await;
}

#[tokio::test]
async fn too_much_is_refused_and_never_a_server_error() {
    let api = Api::start(4, patient(), None).await;
    let head = "POST /?Action=TagResources HTTP/1.1\r\nHost: h\r\n";
    let declared = format!("{head}Content-Length: 1048577\r\n\r\n");
    let (status, head_of_answer, body) = ask(&mut api.connect().await, declared.as_bytes()).await.unwrap();
    assert!(status == 413 && body.contains("RequestBodyTooLarge") && body.contains("1048576 bytes"), "{body}");
    assert!(head_of_answer.contains("connection: close"), "{head_of_answer}");
    let bad_chunk = format!("{head}Transfer-Encoding: chunked\r\n\r\nnone\r\n");
    let (status, _, body) = ask(&mut api.connect().await, bad_chunk.as_bytes()).await.unwrap();
    assert!(status == 400 && body.contains("IncompleteBody"), "{body}");
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}");
    assert_eq!(ask(&mut api.connect().await, chunked.as_bytes()).await.unwrap().0, 413);
    let wide = format!("{head}X: {}\r\n\r\n", "x".repeat(70 << 10));
    let (status, _, body) = ask(&mut api.connect().await, wide.as_bytes()).await.unwrap();
    assert!(status == 431 && body.contains("65536 bytes"), "{body}");
    for size in [66 << 10, 1 << 20] {
        let long = format!("GET /?A={} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(size));
        let mut stream = api.connect().await;
        let _ = stream.write_all(long.as_bytes()).await;
        let status = answer(&mut stream).await.map(|a| a.0);
        assert!(matches!(status, None | Some(400..500)), "{status:?}");
    }
    for junk in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nA\r\n\r\n"] {
        let mut stream = api.connect().await;
        stream.write_all(junk.as_bytes()).await.unwrap();
        let status = answer(&mut stream).await.map(|a| a.0);
        assert!(matches!(status, None | Some(400..500)), "{junk:?}: {status:?}");
    }
    assert_eq!(ask(&mut api.connect().await, &request("1", "x")).await.unwrap().0, 200);
    api.stop().await;
}

#[tokio::test]
async fn nobody_is_waited_for_longer_than_patience() {
    let short = Duration::from_millis(200);
    let api = Api::start(4, Patience { head: short, body: short, ..patient() }, None).await;
    let mut silent = api.connect().await;
    assert!(answer(&mut silent).await.is_none_or(|a| a.0 == 408), "a head that does not come");
    let mut half = api.connect().await;
    half.write_all(b"POST / HTTP/1.1\r\nHost:").await.unwrap();
    assert!(answer(&mut half).await.is_none_or(|a| a.0 == 408), "half a head");
    let mut body = api.connect().await;
    let (status, _, text) = ask(&mut body, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx").await.unwrap();
    assert!(status == 408 && text.contains("RequestTimeout"), "{text}");
    assert!(answer(&mut body).await.is_none(), "half a body");
    let mut idle = api.connect().await;
    assert_eq!(ask(&mut idle, &request("1", "x")).await.unwrap().0, 200);
    assert!(answer(&mut idle).await.is_none_or(|a| a.0 == 408), "nothing after a request");
    api.stop().await;
}

#[tokio::test]
async fn slow_clients_make_room() {
    let api = Api::start(4, patient(), None).await;
    let mut slow = Vec::new();
    for n in 0..40 {
        let mut stream = api.connect().await;
        let part: &[u8] = if n % 2 == 0 { b"POST /" } else { b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1" };
        stream.write_all(part).await.unwrap();
        slow.push(stream);
        if n % 10 == 9 {
            let served = ask(&mut api.connect().await, &request(&n.to_string(), "x")).await;
            assert_eq!(served.unwrap().0, 200, "with {n} slow ones");
        }
    }
    assert!(answer(&mut slow[0]).await.is_none(), "the first has lost its seat");
    api.stop().await;
}

#[tokio::test]
async fn the_busy_are_answered_and_others_hung_up_on() {
    let api = Api::start(1, patient(), None).await;
    let mut busy = api.connect().await;
    busy.write_all(&request("1", "wait")).await.unwrap();
    api.actions.started.notified().await;
    assert!(ask(&mut api.connect().await, &request("2", "x")).await.is_none());
    api.actions.go.add_permits(1);
    assert_eq!(answer(&mut busy).await.unwrap().0, 200);
    assert_eq!(ask(&mut api.connect().await, &request("3", "x")).await.unwrap().0, 200);
    api.stop().await;
}

#[tokio::test]
async fn only_so_many_are_done_at_a_time() {
    let api = Api::start(64, patient(), None).await;
    let mut streams = Vec::new();
    for n in 0..20 {
        let mut stream = api.connect().await;
        stream.write_all(&request(&n.to_string(), "wait")).await.unwrap();
        streams.push(stream);
    }
    api.actions.started.notified().await;
    api.actions.go.add_permits(20);
    for stream in &mut streams {
        assert_eq!(answer(stream).await.unwrap().0, 200);
    }
    assert!((1..=8).contains(&api.actions.most.load(Ordering::SeqCst)));
    api.stop().await;
}

#[tokio::test]
async fn the_end_waits_for_what_is_under_way_only() {
    let api = Api::start(4, patient(), None).await;
    let (mut idle, mut half, mut busy) = (api.connect().await, api.connect().await, api.connect().await);
    half.write_all(b"POST / HTTP/1.1\r\nHo").await.unwrap();
    assert_eq!(ask(&mut idle, &request("1", "x")).await.unwrap().0, 200);
    busy.write_all(&request("2", "wait")).await.unwrap();
    api.actions.started.notified().await;
    api.stop.send(true).unwrap();
    assert!(answer(&mut idle).await.is_none() && answer(&mut half).await.is_none());
    assert!(!api.task.is_finished());
    api.actions.go.add_permits(1);
    assert_eq!(answer(&mut busy).await.unwrap().0, 200);
    api.stop().await;
}
