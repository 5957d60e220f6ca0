//! The inside of a trial: a switch whose workers turn their guests.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};
use vswitch::control::compile::compile;
use vswitch::control::config::Config;
use vswitch::control::fabric::Fabric;
use vswitch::control::model::Model;
use vswitch::control::registry::Registry;
use vswitch::control::switch::Switch;
use vswitch::dpdk::eal::{Eal, EalSettings};
use vswitch::worker::fabric::LiveFabric;

use super::outside::{Answer, Question, Set};
use crate::contender::{Job, vswitch_files};
use crate::generator::{Course, Engine, Outcome, Pace, PolledPort};
use crate::measure::{Mirroring, no_memory};
use crate::sys::cpu::tsc;
use crate::sys::tsc::hertz;
use crate::traffic::Sampling;

/// Longest wait for a port to be served.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest time over what a run was to take.
const OVERTIME: Duration = Duration::from_secs(20);

/// Reads a question from standard input, tries it, and writes the answer to standard output.
///
/// # Errors
/// One sentence.
pub fn serve() -> Result<(), String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|e| e.to_string())?;
    let question: Question = serde_json::from_str(&text).map_err(|e| format!("the question: {e}"))?;
    let answer = answer(&question)?;
    let text = serde_json::to_string(&answer).map_err(|e| e.to_string())?;
    std::io::stdout().write_all(text.as_bytes()).map_err(|e| e.to_string())
}

/// What a worker's guests tell when their run is over.
struct Done {
    outcome: Outcome,
    guest_cycles: u64,
    ports: Vec<PolledPort>,
}

fn answer(question: &Question) -> Result<Answer, String> {
    let dir = question.dir.as_path();
    let (setup, sets) = (&question.setup, question.cpus.len());
    let of_set: Vec<_> = (0..sets).map(|set| setup.ports(dir, set)).collect();
    let job = Job {
        dir: dir.to_owned(),
        ports: of_set.concat(),
        mirror: setup.mirror(),
        worker_cpus: question.cpus.clone(),
        control_cpu: question.control_cpu,
        memory_mb: question.memory_mb,
    };
    let mut guests = Vec::new();
    for ports in &of_set {
        let listening = setup.port_setups(ports, question.hugepages).into_iter().map(PolledPort::listen);
        guests
            .push(listening.collect::<Result<Vec<_>, _>>().map_err(|e| no_memory(&e.to_string(), question.hugepages))?);
    }
    let (asides, lines): (Vec<_>, Vec<_>) = (0..sets).map(|_| aside(Pace::of(question))).unzip();
    let switch = switch(&job, sets, asides)?;
    let mut started = Vec::new();
    for (set, mut ports) in guests.into_iter().enumerate() {
        let sampling = if question.verify_all { Sampling::All } else { Sampling::OneIn64 };
        let plan = setup.plan(set, sampling, 0, true)?;
        for port in &mut ports {
            port.connect(plan.streams[0].pattern(), PATIENCE).map_err(|e| format!("the switch does not serve: {e}"))?;
        }
        started.push(Engine::new(ports, plan)?);
    }
    let before = busy(&switch);
    for (engine, line) in started.into_iter().zip(&lines) {
        line.engine.send(engine).map_err(|_| "a worker ended".to_owned())?;
    }
    let patience = Duration::from_secs_f64(question.warmup_seconds + question.seconds) + OVERTIME;
    let mut done = Vec::new();
    for line in &lines {
        done.push(line.done.recv_timeout(patience).map_err(|_| "a worker's guests did not come to an end".to_owned())?);
    }
    let answer =
        figures(&done, &before, &busy(&switch), setup.mirroring, setup.target == crate::generator::Target::Fast);
    // Ports hang up first: the switch may then go.
    drop(done.into_iter().map(|d| d.ports).collect::<Vec<_>>());
    switch.stop();
    Ok(answer)
}

impl Pace {
    fn of(question: &Question) -> Pace {
        Pace {
            warmup: Duration::from_secs_f64(question.warmup_seconds),
            measure: Duration::from_secs_f64(question.seconds),
            rate: None,
        }
    }
}

/// The other end of a worker's guests.
struct Line {
    engine: Sender<Engine>,
    done: Receiver<Done>,
}

/// What a worker does between turns: nothing, until an engine comes; then a turn of it, until its run is over.
fn aside(pace: Pace) -> (Box<dyn FnMut() + Send>, Line) {
    let (engine, engines) = channel::<Engine>();
    let (tell, done) = channel();
    let mut running: Option<(Engine, Course)> = None;
    let hz = hertz();
    let cycles = Arc::new(AtomicU64::new(0));
    let work = move || {
        let Some((engine, course)) = &mut running else {
            if let Ok(mut engine) = engines.try_recv() {
                let course = Course::new(&pace, hz, &mut engine);
                running = Some((engine, course));
            }
            return;
        };
        let began = tsc();
        let more = course.step(engine, 1);
        cycles.fetch_add(tsc().wrapping_sub(began), Ordering::Relaxed);
        if !more && let Some((engine, course)) = running.take() {
            let outcome = course.outcome(&engine);
            let guest_cycles = cycles.load(Ordering::Relaxed);
            // Whoever waits may have gone.
            let _ = tell.send(Done { outcome, guest_cycles, ports: engine.into_ports() });
        }
    };
    (Box::new(work), Line { engine, done })
}

/// A switch in this process, with what `job` describes applied.
fn switch(job: &Job, sets: usize, asides: Vec<Box<dyn FnMut() + Send>>) -> Result<Switch, String> {
    let prefix = format!("vsi{}", std::process::id());
    let text = vswitch_files::configuration(job, &job.dir, &prefix, 0)?;
    let file = job.dir.join("vswitch.toml");
    std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    let config = Config::load(&file, std::iter::empty()).map_err(|problems| sentence(&problems))?;
    let eal = Eal::init(&EalSettings {
        file_prefix: prefix,
        memory_mb: job.memory_mb,
        hugepages: true,
        control_cpu: job.control_cpu,
    })
    .map_err(|e| e.to_string())?;
    let mut registry = Registry::new(job.worker_cpus.len());
    let empty = compile(&Model::default(), &mut registry, config.ports.credit).map_err(|e| e.to_string())?;
    let fabric = LiveFabric::start_beside(eal, &config, &job.worker_cpus, empty, asides)?;
    let fabric: Box<dyn Fabric> = Box::new(fabric);
    let (inventory, mirror) = objects(job, sets)?;
    let model = vswitch::control::model_from_json(("inventory", &inventory), ("mirror", &mirror), &config)
        .map_err(|problems| sentence(&problems))?;
    let switch = Switch::new(config, fabric);
    switch.apply(model).map_err(|e| e.join("; "))?;
    Ok(switch)
}

fn sentence<T: ToString>(problems: &[T]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The files of a switch with one set of ports, widened to several: each set is an instance, so that it has a worker,
/// and the measured sessions are there once for each.
fn objects(job: &Job, sets: usize) -> Result<(String, String), String> {
    let (mut inventory, mut mirror) = (vswitch_files::inventory(job)?, vswitch_files::mirror(job, None)?);
    let each = job.ports.len() / sets;
    if let Some(enis) = inventory["NetworkInterfaces"].as_array_mut() {
        for (index, eni) in enis.iter_mut().enumerate() {
            eni["InstanceId"] = json!(format!("i-{}", index / each));
        }
    }
    let target = job.mirror.as_ref().map_or(0, |m| m.target);
    if let Some(sessions) = mirror["TrafficMirrorSessions"].as_array_mut() {
        let measured: Vec<Value> =
            sessions.iter().filter(|s| s["TrafficMirrorSourceIds"] == json!(["eni-0"])).cloned().collect();
        for set in 1..sets {
            for session in &measured {
                let mut twin = session.clone();
                twin["TrafficMirrorSessionId"] = json!(format!("set{set}-{}", session["TrafficMirrorSessionId"]));
                twin["TrafficMirrorSessionId"] =
                    json!(twin["TrafficMirrorSessionId"].to_string().replace(['"', '\\'], ""));
                twin["TrafficMirrorSourceIds"] = json!([format!("eni-{}", set * each)]);
                twin["TrafficMirrorTargetId"] = json!(format!("eni-{}", set * each + target));
                twin["Priority"] = json!(sessions.len() + 1);
                sessions.push(twin);
            }
        }
    }
    Ok((inventory.to_string(), mirror.to_string()))
}

/// Busy cycles of each worker.
fn busy(switch: &Switch) -> Vec<u64> {
    switch.worker_views().iter().map(|w| w.busy_cycles).collect()
}

fn figures(done: &[Done], before: &[u64], after: &[u64], mirroring: Mirroring, fast: bool) -> Answer {
    let mut answer = Answer::default();
    for (set, d) in done.iter().enumerate() {
        let o = &d.outcome;
        let busy = after.get(set).zip(before.get(set)).map_or(0, |(a, b)| a - b);
        let packets = o.total.arrived.max(1) as f64;
        answer.hz = o.hz;
        answer.sets.push(Set {
            service_mpps: o.service_mpps(),
            copies_mpps: o.copies_mpps(),
            switch_cycles: busy as f64 / packets,
            guest_cycles: d.guest_cycles as f64 / packets,
            full_share: o.full_share(),
            verified: o.service.verified + o.copies.verified,
        });
        let (wrong, faults) = &o.wrong;
        answer.wrong.extend(wrong.iter().cloned());
        let mut claim = |holds: bool, text: String| {
            if !holds {
                answer.wrong.push(format!("worker {set}: {text}"));
            }
        };
        claim(*faults == 0, format!("{faults} faults"));
        claim(o.total.arrived > 0, "no frame arrived".to_owned());
        claim(o.service.twice + o.service.late == 0, "service frames twice or late".to_owned());
        claim(o.copies.twice + o.copies.late == 0, "copies twice or late".to_owned());
        claim(o.total.copies <= o.total.matching, format!("{} copies of {}", o.total.copies, o.total.matching));
        claim(
            mirroring == Mirroring::None || !fast || o.total.copies > 0 || o.total.matching == 0,
            "no copy arrived".to_owned(),
        );
    }
    answer
}
