//! The switch itself.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::running::{Folder, Running, unique};
use super::{Contender, Counted, Job, http, vswitch_files};
use crate::sys::process::Leash;

/// Names the program, where it does not lie beside this one.
const PROGRAM: &str = "VSWITCH_BIN";

/// `vswitch` as a process of its own.
#[derive(Debug, Default)]
pub struct Vswitch {
    // In this order: the process ends before its folder goes.
    running: Option<Running>,
    folder: Option<Folder>,
    job: Option<Job>,
    metrics: u16,
}

impl Vswitch {
    /// The program `VSWITCH_BIN`, or else `vswitch` beside the running executable.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Rewrites the mirror file with one more rule that matches nothing of the generator's, another one for another
    /// `variation`, and lets the switch read it. Returns how long the switch took until all its workers had taken it.
    ///
    /// # Errors
    /// One sentence.
    pub fn reload(&mut self, variation: u32) -> Result<Duration, String> {
        let (Some(job), Some(folder)) = (&self.job, &self.folder) else {
            return Err("vswitch was not started".to_owned());
        };
        folder.write("mirror.json", &vswitch_files::mirror(job, Some(variation))?.to_string())?;
        let began = Instant::now();
        http::post(&folder.join("ops.sock"), "/v1/reload").map_err(|e| format!("vswitch does not reload: {e}"))?;
        Ok(began.elapsed())
    }

    /// Its page of metrics.
    ///
    /// # Errors
    /// One sentence.
    pub fn page(&self) -> Result<String, String> {
        http::get(self.metrics, "/metrics").map_err(|e| format!("vswitch's metrics: {e}"))
    }
}

impl Contender for Vswitch {
    fn name(&self) -> String {
        "vswitch".to_owned()
    }

    fn start(&mut self, job: &Job, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        let program = program()?;
        let folder = Folder::new(&job.dir, "vswitch")?;
        let metrics = free_port()?;
        let configuration = vswitch_files::configuration(job, folder.path(), &unique("vsp"), metrics)?;
        let configuration = folder.write("vswitch.toml", &configuration)?;
        folder.write("inventory.json", &vswitch_files::inventory(job)?.to_string())?;
        folder.write("mirror.json", &vswitch_files::mirror(job, None)?.to_string())?;
        let mut command = Command::new(&program);
        command.args(["run", "--config"]).arg(configuration);
        // The caller's environment may not change what is measured.
        for (key, _) in std::env::vars_os().filter(|(k, _)| k.to_string_lossy().starts_with("VSWITCH__")) {
            command.env_remove(key);
        }
        let leash = Leash { cpus: job.cpus(), own_network: false };
        let mut running = Running::start("vswitch", command, &folder, &leash, &missing(&program))?;
        running.wait_until(deadline, "get ready", |_| http::get(metrics, "/readyz").is_ok())?;
        *self = Vswitch { running: Some(running), folder: Some(folder), job: Some(job.clone()), metrics };
        Ok(())
    }

    fn counted(&mut self) -> Result<Counted, String> {
        self.running.as_mut().ok_or("vswitch was not started")?.must_run()?;
        Ok(read(&self.page()?))
    }

    fn reload(&mut self, variation: u32) -> Result<Duration, String> {
        Vswitch::reload(self, variation)
    }

    fn stop(&mut self) {
        *self = Vswitch::default();
    }
}

fn program() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os(PROGRAM) {
        let named = PathBuf::from(named);
        return if named.is_file() { Ok(named) } else { Err(missing(&named)) };
    }
    let own = std::env::current_exe().map_err(|e| format!("this program's own path: {e}"))?;
    let beside = own.parent().unwrap_or(Path::new("."));
    // Tests lie one folder deeper.
    let found =
        [beside, beside.parent().unwrap_or(beside)].map(|d| d.join("vswitch")).into_iter().find(|p| p.is_file());
    found.ok_or_else(|| missing(&beside.join("vswitch")))
}

fn missing(program: &Path) -> String {
    format!("there is no {}: build it (cargo build --release), or name it in {PROGRAM}", program.display())
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr());
    listener.map(|a| a.port()).map_err(|e| format!("no free port for vswitch's metrics: {e}"))
}

/// What a page says, summed over ENIs, sessions and workers.
fn read(page: &str) -> Counted {
    let mut sums: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for line in page.lines().filter(|l| !l.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let reason = labels.split_once("reason=\"").and_then(|(_, r)| r.split('"').next()).unwrap_or_default();
        *sums.entry((name, reason)).or_default() += value.parse::<u64>().unwrap_or(0);
    }
    let sum = |name: &str| sums.get(&(name, "")).copied();
    let by_reason = |name: &str| -> Vec<(String, u64)> {
        let of_name = sums.iter().filter(|((n, _), value)| *n == name && **value > 0);
        of_name.map(|((_, reason), value)| ((*reason).to_owned(), *value)).collect()
    };
    Counted {
        copies: sum("vswitch_mirror_packets_total"),
        skipped: by_reason("vswitch_mirror_skips_total"),
        dropped: by_reason("vswitch_eni_drops_total"),
        cycles: sum("vswitch_worker_busy_cycles_total").zip(sum("vswitch_worker_idle_cycles_total")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_summed() {
        let page = "# HELP x y\n\
            vswitch_mirror_packets_total{direction=\"inbound\",eni=\"eni-0\",session=\"s-0\"} 3\n\
            vswitch_mirror_packets_total{direction=\"outbound\",eni=\"eni-0\",session=\"s-0\"} 4\n\
            vswitch_mirror_skips_total{direction=\"outbound\",eni=\"eni-0\",reason=\"target_full\",session=\"s-0\"} 5\n\
            vswitch_mirror_skips_total{direction=\"outbound\",eni=\"eni-0\",reason=\"no_buffer\",session=\"s-0\"} 0\n\
            vswitch_eni_drops_total{direction=\"inbound\",eni=\"eni-1\",reason=\"ring_full\",stage=\"tx\"} 6\n\
            vswitch_worker_busy_cycles_total{worker=\"0\"} 100\n\
            vswitch_worker_idle_cycles_total{worker=\"0\"} 50\n";
        let counted = read(page);
        assert_eq!((counted.copies, counted.cycles), (Some(7), Some((100, 50))));
        assert_eq!(counted.skipped, [("target_full".to_owned(), 5)]);
        assert_eq!(counted.dropped, [("ring_full".to_owned(), 6)]);
        assert_eq!(read(""), Counted::default());
    }
}
