//! `dpdk-testpmd` in io mode over two vhost ports: it looks at no packet, and mirrors none.

use std::fmt::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use super::running::{Folder, Running, unique};
use super::{Contender, Counted, Job};
use crate::sys::process::Leash;

const MISSING: &str = "there is no dpdk-testpmd: install Debian's package dpdk";
/// Places of its rings beside the guest's.
const RING: u16 = 1024;
/// Frames up to this one fit an ordinary buffer.
const ORDINARY: u16 = 2048;
/// Bytes of a buffer for larger ones.
const JUMBO: u16 = 9856;

/// Debian's testpmd.
#[derive(Debug, Default)]
pub struct Testpmd {
    // In this order: the process ends before its folder goes.
    running: Option<Running>,
    _folder: Option<Folder>,
}

impl Testpmd {
    /// Its ring modes are the generator's: split or packed, as the generator negotiates.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Two vhost ports (and more) and one lcore a worker, for EAL.
pub(super) fn eal(job: &Job, ports: &[usize], prefix: &str) -> Result<Vec<String>, String> {
    let mut lcores = format!("0@{}", job.control_cpu);
    for (index, cpu) in job.worker_cpus.iter().enumerate() {
        let _ = write!(lcores, ",{}@{cpu}", index + 1);
    }
    let mut args = vec![
        format!("--lcores={lcores}"),
        "--no-pci".to_owned(),
        "--in-memory".to_owned(),
        "--no-telemetry".to_owned(),
        format!("--file-prefix={}", unique(prefix)),
        "-m".to_owned(),
        job.memory_mb.to_string(),
    ];
    for (index, port) in ports.iter().enumerate() {
        let port = job.ports.get(*port).ok_or_else(|| format!("the run has no port {port}"))?;
        args.push(format!("--vdev=net_vhost{index},iface={},client=1,queues=1", port.socket.display()));
    }
    Ok(args)
}

impl Contender for Testpmd {
    fn name(&self) -> String {
        "testpmd".to_owned()
    }

    fn ports(&self, job: &Job) -> Vec<usize> {
        job.busy_ports()
    }

    fn start(&mut self, job: &Job, patience: Duration) -> Result<(), String> {
        if job.mirror.is_some() {
            return Err("testpmd does not mirror: compare it at points without a session".to_owned());
        }
        let folder = Folder::new(&job.dir, "testpmd")?;
        // It says that it forwards on a buffered standard output.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "dpdk-testpmd"]).args(eal(job, &[0, 1], "vst")?).arg("--");
        command.arg(format!("--nb-cores={}", job.worker_cpus.len()));
        command.args([format!("--txd={RING}"), format!("--rxd={RING}")]);
        // Ports have no link before the generator's side is up: it must not be waited for.
        command.args(["--forward-mode=io", "--no-flush-rx", "--disable-link-check", "--auto-start"]);
        command.args(["--stats-period=3600"]);
        if job.longest_frame() > ORDINARY {
            command.arg(format!("--mbuf-size={JUMBO}"));
        }
        if u64::from(job.memory_mb) < 512 || job.longest_frame() > ORDINARY {
            // Its own choice is for 32 ports.
            command.arg("--total-num-mbufs=16384");
        }
        let leash = Leash { cpus: job.cpus(), own_network: false };
        let mut running = Running::start("dpdk-testpmd", command, &folder, &leash, MISSING)?;
        let forwards = |r: &Running| r.log().contains("packet forwarding - ports=");
        let started = running.wait_until(Instant::now() + patience, "forward", forwards);
        started.map_err(|e| if e.contains("failed to run command") { MISSING.to_owned() } else { e })?;
        *self = Testpmd { running: Some(running), _folder: Some(folder) };
        Ok(())
    }

    fn counted(&mut self) -> Result<Counted, String> {
        self.running.as_mut().ok_or("testpmd was not started")?.must_run()?;
        Ok(Counted::default())
    }

    fn stop(&mut self) {
        *self = Testpmd::default();
    }
}
