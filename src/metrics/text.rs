//! Prometheus text.

use prometheus::proto::MetricFamily;
use prometheus::{Encoder, GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use super::counters::{EniBlock, RowBlock};
use super::scrape::Scrape;
use crate::mirror::overload;
use crate::packet::reason::Class;
use crate::packet::{Direction, Reason, Stage};

type Result<T> = std::result::Result<T, prometheus::Error>;

/// The packet side's metrics as text, format 0.0.4.
///
/// # Errors
/// The encoder's; none is known to occur.
pub fn render(scrape: &Scrape) -> Result<String> {
    render_with(scrape, Vec::new())
}

/// The same with more behind it.
///
/// # Errors
/// The encoder's; none is known to occur.
pub fn render_with(scrape: &Scrape, more: Vec<MetricFamily>) -> Result<String> {
    let page = Page(Registry::new());
    page.enis(scrape)?;
    page.drops(scrape)?;
    page.sources(scrape)?;
    page.rows(scrape)?;
    page.workers(scrape)?;
    let mut text = Vec::new();
    let mut families = page.0.gather();
    families.extend(more.into_iter().filter(|family| !family.get_metric().is_empty()));
    TextEncoder::new().encode(&families, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A metric of an ENI: name, help, what a block says.
type EniMetric = (&'static str, &'static str, fn(&EniBlock) -> u64);

const ENI: [EniMetric; 10] = [
    ("vswitch_eni_rx_packets_total", "Frames taken from the guest.", |b| b.rx_packets.get()),
    ("vswitch_eni_rx_bytes_total", "Bytes of frames taken from the guest.", |b| b.rx_bytes.get()),
    ("vswitch_eni_tx_packets_total", "Frames that the guest's ring took, copies included.", |b| b.tx_packets.get()),
    ("vswitch_eni_tx_bytes_total", "Bytes of frames that the guest's ring took.", |b| b.tx_bytes.get()),
    ("vswitch_eni_tx_copies_total", "Mirror copies that the guest's ring took.", |b| b.tx_copies.get()),
    ("vswitch_eni_generated_packets_total", "Frames that the switch made for the guest.", |b| b.generated.get()),
    ("vswitch_eni_ring_rejected_total", "Ring entries that the vhost library refused.", |b| b.ring_rejected.get()),
    ("vswitch_eni_ring_stuck_total", "Times a queue had entries that could not be taken.", |b| b.ring_stuck.get()),
    ("vswitch_eni_fragment_evictions_total", "First fragments forgotten too early, for want of room.", |b| {
        b.fragment_evictions.get()
    }),
    ("vswitch_eni_crossed_total", "Frames sent to other workers.", |b| b.crossed_out.get() + b.copies_out.get()),
];

/// What a block of a session and source says of a direction.
type RowValue = fn(&RowBlock, usize) -> u64;

/// A metric of a session and source by direction.
type RowMetric = (&'static str, &'static str, RowValue);

const ROW: [RowMetric; 4] = [
    ("vswitch_mirror_matched_total", "Packets that an accept rule matched.", |b, d| b.matched[d].get()),
    ("vswitch_mirror_packets_total", "Copies that the target took.", |b, d| b.sent[d].get()),
    ("vswitch_mirror_bytes_total", "Bytes of copies, encapsulation included.", |b, d| b.bytes[d].get()),
    ("vswitch_mirror_inner_bytes_total", "Bytes kept of the mirrored IPv4 packets.", |b, d| b.inner_bytes[d].get()),
];

/// A metric of a mirror source by direction.
type SourceMetric = (&'static str, &'static str, fn(&EniBlock, usize) -> u64);

const SOURCE: [SourceMetric; 3] = [
    ("vswitch_mirror_seen_total", "Packets that the mirror stage looked at.", |b, d| b.seen[d].get()),
    ("vswitch_mirror_unmatched_total", "Packets that no rule matched.", |b, d| b.unmatched[d].get()),
    ("vswitch_mirror_refused_total", "Packets that a drop rule ended.", |b, d| b.refused[d].get()),
];

struct Page(Registry);

impl Page {
    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
        let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn enis(&self, scrape: &Scrape) -> Result<()> {
        for (name, help, read) in ENI {
            let counter = self.counter(name, help, &["eni"])?;
            for eni in &scrape.enis {
                counter.with_label_values(&[&*eni.id]).inc_by(eni.counters.sum(read));
            }
        }
        let up = IntGaugeVec::new(Opts::new("vswitch_eni_up", "1 while a guest is connected."), &["eni"])?;
        self.0.register(Box::new(up.clone()))?;
        for eni in &scrape.enis {
            up.with_label_values(&[&*eni.id]).set(i64::from(eni.up));
        }
        Ok(())
    }

    /// Every reason in each direction in which it can occur, so that alerts find a zero and not a gap.
    fn drops(&self, scrape: &Scrape) -> Result<()> {
        let drops = self.counter(
            "vswitch_eni_drops_total",
            "Service packets dropped, by direction, stage and reason.",
            &["eni", "direction", "stage", "reason"],
        )?;
        let consumed =
            self.counter("vswitch_eni_consumed_total", "Packets whose receiver was the switch.", &["eni", "reason"])?;
        for eni in &scrape.enis {
            for reason in Reason::ALL {
                if reason.is(|c| matches!(c, Class::Consumed)) {
                    let value = eni.counters.sum(|b| b.consumed.get(*reason));
                    consumed.with_label_values(&[&*eni.id, reason.label()]).inc_by(value);
                }
                let Some(stage) = reason.stage() else {
                    continue;
                };
                for direction in Direction::ALL {
                    let value = eni.counters.drops(direction, *reason);
                    if value > 0 || occurs(stage, direction) {
                        let labels = [&*eni.id, direction.label(), stage.label(), reason.label()];
                        drops.with_label_values(&labels).inc_by(value);
                    }
                }
            }
        }
        Ok(())
    }

    fn sources(&self, scrape: &Scrape) -> Result<()> {
        for (name, help, read) in SOURCE {
            let counter = self.counter(name, help, &["eni", "direction"])?;
            for eni in sources(scrape) {
                for d in Direction::ALL {
                    let value = eni.counters.sum(|b| read(b, d.index()));
                    counter.with_label_values(&[&*eni.id, d.label()]).inc_by(value);
                }
            }
        }
        let excluded = self.counter(
            "vswitch_mirror_excluded_total",
            "Packets of a source that are never mirrored.",
            &["eni", "direction", "reason"],
        )?;
        for eni in sources(scrape) {
            for reason in Reason::ALL.iter().filter(|r| r.is(|c| matches!(c, Class::Excluded))) {
                for d in Direction::ALL {
                    let value = eni.counters.sum(|b| b.excluded[d.index()].get(*reason));
                    excluded.with_label_values(&[&*eni.id, d.label(), reason.label()]).inc_by(value);
                }
            }
        }
        Ok(())
    }

    fn rows(&self, scrape: &Scrape) -> Result<()> {
        let labels = ["session", "eni", "direction"];
        for (name, help, read) in ROW {
            let counter = self.counter(name, help, &labels)?;
            for row in &scrape.rows {
                for d in Direction::ALL {
                    let value = row.counters.sum(|b| read(b, d.index()));
                    counter.with_label_values(&[&*row.session, &*row.eni, d.label()]).inc_by(value);
                }
            }
        }
        let help = "Matched packets without a copy, by reason.";
        let skips = self.counter("vswitch_mirror_skips_total", help, &["session", "eni", "direction", "reason"])?;
        let help = "Copies that the target took and that were shorter than their original, by what cut them.";
        let cut = self.counter("vswitch_mirror_cut_total", help, &["session", "eni", "direction", "cause"])?;
        for row in &scrape.rows {
            for d in Direction::ALL {
                let (session, eni, direction) = (&*row.session, &*row.eni, d.label());
                for reason in Reason::ALL.iter().filter(|r| r.is(|c| matches!(c, Class::Skip))) {
                    let value = row.counters.sum(|b| b.skips[d.index()].get(*reason));
                    skips.with_label_values(&[session, eni, direction, reason.label()]).inc_by(value);
                }
                let causes: [(&str, RowValue); 2] = [
                    ("packet_length", |b, d| b.cut_packet_length[d].get()),
                    ("path_mtu", |b, d| b.cut_path_mtu[d].get()),
                ];
                for (cause, read) in causes {
                    let value = row.counters.sum(|b| read(b, d.index()));
                    cut.with_label_values(&[session, eni, direction, cause]).inc_by(value);
                }
            }
        }
        Ok(())
    }

    fn workers(&self, scrape: &Scrape) -> Result<()> {
        let busy =
            self.counter("vswitch_worker_busy_cycles_total", "TSC cycles of turns with packets.", &["worker"])?;
        let idle = self.counter("vswitch_worker_idle_cycles_total", "TSC cycles of turns without.", &["worker"])?;
        let packets =
            self.counter("vswitch_worker_packets_total", "Packets taken from queues and rings.", &["worker"])?;
        let saturated = self.counter(
            "vswitch_worker_saturated_windows_total",
            "Milliseconds of saturation: over 95 % busy, with a backlog.",
            &["worker"],
        )?;
        let given_up = GaugeVec::new(
            Opts::new("vswitch_worker_overload_ratio", "Share of the copies given up, of senders over their share."),
            &["worker"],
        )?;
        self.0.register(Box::new(given_up.clone()))?;
        let version =
            IntGaugeVec::new(Opts::new("vswitch_worker_snapshot_version", "The snapshot in use."), &["worker"])?;
        self.0.register(Box::new(version.clone()))?;
        for (index, worker) in scrape.workers.iter().enumerate() {
            let label = index.to_string();
            busy.with_label_values(&[&label]).inc_by(worker.busy_cycles);
            idle.with_label_values(&[&label]).inc_by(worker.idle_cycles);
            packets.with_label_values(&[&label]).inc_by(worker.packets);
            saturated.with_label_values(&[&label]).inc_by(worker.saturated_windows);
            given_up.with_label_values(&[&label]).set(worker.given_up as f64 / f64::from(overload::STEPS));
            version.with_label_values(&[&label]).set(worker.snapshot_version.cast_signed());
        }
        let build = IntGaugeVec::new(Opts::new("vswitch_build_info", "Always 1."), &["version", "commit"])?;
        self.0.register(Box::new(build.clone()))?;
        build.with_label_values(&[crate::VERSION, crate::COMMIT]).set(1);
        Ok(())
    }
}

fn occurs(stage: Stage, direction: Direction) -> bool {
    match stage {
        Stage::Admit | Stage::Route | Stage::Ring => direction == Direction::Outbound,
        Stage::Secure | Stage::Police => true,
        Stage::Tx => direction == Direction::Inbound,
    }
}

/// ENIs that are a source of a session.
fn sources(scrape: &Scrape) -> impl Iterator<Item = &super::scrape::EniSample> {
    scrape.enis.iter().filter(|eni| scrape.rows.iter().any(|row| row.eni == eni.id))
}
