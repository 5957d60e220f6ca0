//! A minimal C loop over the vhost PMD (`perf/peers/cloop.c`): forwards, and clones every packet where one asks for it.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::vswitch::wire::Mac;
use ::vswitch::wire::vxlan::{Endpoints, OUTER, OuterTemplate};

use super::running::{Folder, Running, run};
use super::{Contender, Counted, Job, testpmd};
use crate::sys::process::Leash;

const SOURCE: &str = include_str!("../../peers/cloop.c");
const NO_COMPILER: &str = "there is no cc to compile the C loop: install Debian's package gcc";
const NO_PKG_CONFIG: &str = "there is no pkg-config to compile the C loop: install Debian's package pkg-config";
/// How long the compiler may take on a busy machine.
const COMPILING: Duration = Duration::from_secs(120);
/// Bytes of an ordinary buffer and of one for jumbo frames.
const BUFFERS: [u16; 2] = [2048, 9728];
/// Counters in the program's file.
const COUNTERS: usize = 7;

/// The C loop.
#[derive(Debug, Default)]
pub struct Cloop {
    // In this order: the process ends before its folder goes.
    running: Option<Running>,
    folder: Option<Folder>,
    mirrors: bool,
}

impl Cloop {
    /// It is compiled at its first start in this process, for this machine's CPU.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Contender for Cloop {
    fn name(&self) -> String {
        "cloop".to_owned()
    }

    fn ports(&self, job: &Job) -> Vec<usize> {
        job.busy_ports()
    }

    fn start(&mut self, job: &Job, patience: Duration) -> Result<(), String> {
        if job.worker_cpus.len() != 1 {
            return Err("the C loop has one worker: leave it out of points with more".to_owned());
        }
        if let Some(mirror) = &job.mirror {
            mirror.must_be_alone("the C loop")?;
        }
        let folder = Folder::new(&job.dir, "cloop")?;
        let program = program(&folder)?;
        let buffer = BUFFERS[usize::from(job.longest_frame() > BUFFERS[0])];
        let mut command = Command::new(format!("/proc/{}/fd/{}", std::process::id(), program.as_raw_fd()));
        command.args(testpmd::eal(job, &job.busy_ports(), "vsc")?).arg("--");
        command.arg(folder.join("counters")).arg(buffer.to_string());
        if let Some(mirror) = &job.mirror {
            command.arg(template(job)?).arg(mirror.longest_copy(job).to_string());
        }
        let leash = Leash { cpus: job.cpus(), own_network: false };
        let mut running = Running::start("cloop", command, &folder, &leash, "the C loop's program is gone")?;
        running.wait_until(Instant::now() + patience, "get ready", |r| r.log().contains("cloop: ready"))?;
        *self = Cloop { running: Some(running), folder: Some(folder), mirrors: job.mirror.is_some() };
        Ok(())
    }

    fn counted(&mut self) -> Result<Counted, String> {
        let (Some(running), Some(folder)) = (&mut self.running, &self.folder) else {
            return Err("the C loop was not started".to_owned());
        };
        running.must_run()?;
        let bytes = std::fs::read(folder.join("counters")).map_err(|e| format!("the C loop's counters: {e}"))?;
        let mut words = bytes.chunks_exact(8).map(|c| c.iter().rev().fold(0u64, |sum, b| sum << 8 | u64::from(*b)));
        let mut next = || words.next().unwrap_or(0);
        let [_, dropped, copies, copies_dropped, no_buffer, busy, idle]: [u64; COUNTERS] =
            std::array::from_fn(|_| next());
        let named = |list: &[(&str, u64)]| {
            list.iter().filter(|(_, n)| *n > 0).map(|(name, n)| ((*name).to_owned(), *n)).collect()
        };
        Ok(Counted {
            copies: self.mirrors.then_some(copies),
            skipped: named(&[("target_full", copies_dropped), ("no_buffer", no_buffer)]),
            dropped: named(&[("ring_full", dropped)]),
            cycles: Some((busy, idle)),
        })
    }

    fn stop(&mut self) {
        *self = Cloop::default();
    }
}

/// The outer headers of all copies but for length, checksum and source port, as hexadecimal digits.
fn template(job: &Job) -> Result<String, String> {
    let mirror = job.mirror.as_ref().ok_or("nothing is mirrored")?;
    let source = job.ports.first().ok_or("a run needs ports")?;
    let target = job.ports.get(mirror.target).ok_or_else(|| format!("the run has no port {}", mirror.target))?;
    let ends = Endpoints {
        source_mac: Mac(source.mac),
        destination_mac: Mac(target.mac),
        source_ip: source.ip.to_bits(),
        destination_ip: target.ip.to_bits(),
    };
    let mut bytes = OuterTemplate::new(&ends, mirror.vni).fill(0, 0);
    // The program fills these in and sums up the rest: total length, checksum, UDP length.
    for at in [16, 17, 24, 25, 38, 39] {
        bytes[at] = 0;
    }
    debug_assert_eq!(bytes.len(), OUTER);
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// The compiled program, once a process: an open file without a name, so that nothing has to be cleaned away.
fn program(folder: &Folder) -> Result<Arc<File>, String> {
    static PROGRAM: Mutex<Option<Arc<File>>> = Mutex::new(None);
    let mut program = PROGRAM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = &*program {
        return Ok(file.clone());
    }
    let source = folder.write("cloop.c", SOURCE)?;
    let output = folder.join("cloop");
    let mut compiler = Command::new("cc");
    compiler.args(["-O3", "-march=native", "-Wall", "-Wextra"]).args(flags("--cflags")?);
    compiler.arg(&source).arg("-o").arg(&output).args(flags("--libs")?);
    run(compiler, None, COMPILING, &Leash::default(), NO_COMPILER)?;
    let file = File::open(&output).map_err(|e| format!("{}: {e}", output.display()))?;
    let file = Arc::new(file);
    *program = Some(file.clone());
    Ok(file)
}

/// What the compiler needs to know of DPDK.
fn flags(what: &str) -> Result<Vec<String>, String> {
    let mut command = Command::new("pkg-config");
    command.args([what, "libdpdk"]);
    let flags = run(command, None, COMPILING, &Leash::default(), NO_PKG_CONFIG).map_err(|e| {
        if e == NO_PKG_CONFIG { e } else { "there is no libdpdk: install Debian's package libdpdk-dev".to_owned() }
    })?;
    Ok(flags.split_whitespace().map(str::to_owned).collect())
}
