//! A daemon of the test's own making on a Unix socket, and `vswitchctl` that asks it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

pub const VSWITCHCTL: &str = env!("CARGO_BIN_EXE_vswitchctl");

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vswitch-ctl-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The JSON that was sent; nothing is null.
    pub fn json(&self) -> Value {
        if self.body.is_empty() { Value::Null } else { serde_json::from_slice(&self.body).unwrap() }
    }
}

/// What the fake answers.
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    /// A header line.
    pub header: String,
}

impl Reply {
    pub fn bytes(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Reply { status, body: body.into(), header: String::new() }
    }

    pub fn json(status: u16, value: &Value) -> Self {
        Reply::bytes(status, value.to_string())
    }

    pub fn with(self, name: &str, value: impl std::fmt::Display) -> Self {
        Reply { header: format!("{name}: {value}\r\n"), ..self }
    }
}

type Answer = dyn Fn(&Seen) -> Reply + Send;

pub struct Fake {
    pub folder: Folder,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    pub fn start(answer: impl Fn(&Seen) -> Reply + Send + 'static) -> Self {
        let folder = Folder::new();
        let listener = UnixListener::bind(folder.0.join("ops.sock")).unwrap();
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, told) = (seen.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                serve(&stream.unwrap(), &answer, &log);
            }
        });
        Fake { folder, seen, stop, thread: Some(thread) }
    }

    /// The same answer, with status 200, to everything.
    pub fn always(value: Value) -> Self {
        Fake::start(move |_| Reply::json(200, &value))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(VSWITCHCTL);
        command.arg("--socket").arg(self.folder.0.join("ops.sock")).args(arguments);
        command
    }

    pub fn ctl(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// With something on standard input.
    pub fn ctl_reading(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(arguments);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What a command prints, which must go well.
    pub fn says(&self, arguments: &[&str]) -> String {
        let output = self.ctl(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The JSON of a command, which must go well.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.says(&[&["--json"], arguments].concat())).unwrap()
    }

    /// The requests since the last time.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = UnixStream::connect(self.folder.0.join("ops.sock"));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One request of one connection; whoever only looks whether somebody listens sends none.
fn serve(stream: &UnixStream, answer: &Answer, log: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap_or(0);
        line.trim_end().to_owned()
    };
    let first = line();
    let [method, path, _] = first.split(' ').collect::<Vec<_>>()[..] else { return };
    let mut length = 0;
    loop {
        let header = line().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let seen = Seen { method: method.to_owned(), path: path.to_owned(), body };
    log.lock().unwrap().push(seen.clone());
    let Reply { status, body, header } = answer(&seen);
    let head = format!("HTTP/1.1 {status} -\r\n{header}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let mut out = stream;
    // Whoever asked may be gone.
    let _ = out.write_all(head.as_bytes()).and_then(|()| out.write_all(&body));
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
