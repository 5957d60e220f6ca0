//! Programs that a contender runs: started with a log of their own, ended and waited for.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::sys::process::{self, Leash};

/// How long a program may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How often something is looked at that will come.
const LOOK: Duration = Duration::from_millis(20);
/// Lines of a log that an error quotes.
const QUOTED: usize = 6;

/// A name that no other contender of this machine has: for DPDK's run-time files.
pub(super) fn unique(stem: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{stem}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A folder that goes with its owner.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// `name` in `parent`, empty.
    pub(super) fn new(parent: &Path, name: &str) -> Result<Self, String> {
        let path = parent.join(name);
        let made = fs::create_dir_all(parent).and_then(|()| fs::create_dir(&path));
        made.map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Folder(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.join(name);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program under way; dropping it ends it.
#[derive(Debug)]
pub(super) struct Running {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts `command` with its output in `NAME.log` of `folder`. `missing` says what to do where there is no such
    /// program.
    pub(super) fn start(
        name: &'static str,
        mut command: Command,
        folder: &Folder,
        leash: &Leash,
        missing: &str,
    ) -> Result<Self, String> {
        let log = folder.join(&format!("{name}.log"));
        let out = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let both = out.try_clone().map_err(|e| format!("{}: {e}", log.display()))?;
        process::leash(&mut command, leash);
        // EAL puts its run-time files there; for root it would be a folder of the whole machine.
        command.env("RUNTIME_DIRECTORY", folder.path());
        let child = command.stdin(Stdio::null()).stdout(out).stderr(both).spawn();
        let child = child.map_err(|e| not_started(name, &e, missing))?;
        Ok(Running { name, child, log })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote so far.
    pub(super) fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// An error when it has ended, with its last words.
    pub(super) fn must_run(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} ended ({status}): {}", self.name, last_words(&self.log()))),
            Err(e) => Err(format!("{}: {e}", self.name)),
        }
    }

    /// Waits until `ready` says so, while the program runs.
    pub(super) fn wait_until(
        &mut self,
        deadline: Instant,
        what: &str,
        mut ready: impl FnMut(&Running) -> bool,
    ) -> Result<(), String> {
        while !ready(self) {
            self.must_run()?;
            if Instant::now() >= deadline {
                let said = last_words(&self.log());
                return Err(format!("{} does not {what} in time; the last that it said: {said}", self.name));
            }
            std::thread::sleep(LOOK);
        }
        self.must_run()
    }

    /// Asks it to end, then makes it.
    pub(super) fn stop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _ = process::signal(&self.child, libc::SIGTERM);
        let deadline = Instant::now() + GRACE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn not_started(name: &str, error: &std::io::Error, missing: &str) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => missing.to_owned(),
        std::io::ErrorKind::PermissionDenied => format!("{name} needs root"),
        _ => format!("{name}: {error}"),
    }
}

/// The end of a text in one line, such as a log's.
pub(super) fn last_words(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    if lines.is_empty() {
        return "nothing".to_owned();
    }
    lines[lines.len().saturating_sub(QUOTED)..].join(" | ")
}

/// Runs a short command to its end, at most `patience`, on the CPUs of `leash`; what it printed.
pub(super) fn run(
    mut command: Command,
    input: Option<&str>,
    patience: Duration,
    leash: &Leash,
    missing: &str,
) -> Result<String, String> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    process::leash(&mut command, leash);
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|e| not_started(&name, &e, missing))?;
    let feeder = child.stdin.take().zip(input.map(str::to_owned)).map(|(mut pipe, text)| {
        std::thread::spawn(move || {
            let _ = pipe.write_all(text.as_bytes());
        })
    });
    let output = finish(child, Instant::now() + patience).map_err(|e| format!("{name}: {e}"))?;
    if let Some(feeder) = feeder {
        let _ = feeder.join();
    }
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    Err(format!("{name} failed ({}): {}", output.status, last_words(&said)))
}

fn finish(mut child: Child, deadline: Instant) -> Result<Output, String> {
    let drain = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.read_to_end(&mut bytes);
            }
            bytes
        })
    };
    let out = drain(child.stdout.take().map(|p| Box::new(p) as _));
    let err = drain(child.stderr.take().map(|p| Box::new(p) as _));
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK / 4),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err("no end in time".to_owned());
            }
            Err(e) => return Err(e.to_string()),
        }
    };
    Ok(Output { status, stdout: out.join().unwrap_or_default(), stderr: err.join().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    #[test]
    fn a_command_s_words_come_back() {
        let (second, leash) = (Duration::from_secs(5), Leash::default());
        assert_eq!(run(shell("cat"), Some("x\n"), second, &leash, ""), Ok("x\n".to_owned()));
        let failed = run(shell("echo why >&2; exit 3"), None, second, &leash, "").unwrap_err();
        assert!(failed.starts_with("sh failed") && failed.ends_with("why"), "{failed}");
        let missing = run(Command::new("vswitch-no-such-program"), None, second, &leash, "install it");
        assert_eq!(missing, Err("install it".to_owned()));
        let slow = run(shell("sleep 9"), None, Duration::from_millis(50), &leash, "").unwrap_err();
        assert!(slow.contains("in time"), "{slow}");
    }

    #[test]
    fn a_program_is_ended_and_its_folder_goes() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::new(parent.path(), "x").unwrap();
        assert!(Folder::new(parent.path(), "x").is_err(), "two owners");
        let leash = Leash { cpus: vec![0], ..Leash::default() };
        let mut sleeper = Running::start("sh", shell("echo hi; exec sleep 60"), &folder, &leash, "").unwrap();
        sleeper.wait_until(Instant::now() + GRACE, "speak", |r| r.log().contains("hi")).unwrap();
        let pid = sleeper.pid();
        drop(sleeper);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        let mut short = Running::start("sh", shell("echo no >&2; exit 1"), &folder, &leash, "").unwrap();
        let ended = short.wait_until(Instant::now() + GRACE, "live", |_| false).unwrap_err();
        assert!(ended.contains("sh ended") && ended.ends_with("no"), "{ended}");
        drop(folder);
        assert!(!parent.path().join("x").exists());
    }
}
