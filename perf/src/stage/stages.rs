//! The stages, in the order of a packet's way, and behind them what a change of the configuration takes.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use arrayvec::ArrayVec;
use vswitch::classify::{Compiled, Keys, Verdict};
use vswitch::datapath::run_burst;
use vswitch::dpdk::eal::Eal;
use vswitch::dpdk::mbuf::{self, Mbuf};
use vswitch::dpdk::ring;
use vswitch::mirror::cut::CopyLimit;
use vswitch::packet::headers::{Headers, Kind, parse};
use vswitch::packet::{BURST, Burst};
use vswitch::wire::vxlan::{Endpoints, OUTER, OuterTemplate};
use vswitch::wire::{IpMtu, Mac, hash};

use super::BURST_SIZE;
use super::bench::{Bench, StageOptions};
use super::compile::compiling;
use super::contest::key;
use super::frames::{Bufs, Frames, Warmth};
use super::null::NullEnv;
use super::rules::{Set, generate};
use super::trace::{self, Trace};
use super::world::{Mirrored, World};
use crate::report::Point;

/// Bursts of keys that the classify stage goes round in.
const KEY_BURSTS: usize = 64;

/// Measures every stage in bursts of 32. `stop` is asked between samples: when it says so, what was measured so far is
/// returned. The first point is the cost of reading the counter, which is subtracted from the others.
///
/// # Errors
/// One sentence, such as no memory for the pool.
pub fn stages(
    eal: &'static Eal,
    options: &StageOptions,
    stop: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Point>, String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Pools and rings keep their names as long as the process lives.
    let name = format!("stage-{}", NEXT.fetch_add(1, Relaxed));
    let mut bench = Bench::new(options, stop, progress);
    let mut frames = Frames::new(eal, &name, options.cold_frames)?;
    let world = World::new(Mirrored::NoSession)?;
    parsing(&mut bench, &world, &mut frames)?;
    let headers = some_headers(&world)?;
    gathering(&mut bench, &headers)?;
    classifying(&mut bench)?;
    heads(&mut bench, &headers)?;
    encapsulating(&mut bench, &world, &mut frames)?;
    buffers(&mut bench, eal, &name, &frames)?;
    whole(&mut bench, &mut frames)?;
    compiling(&mut bench)?;
    Ok(bench.points)
}

/// Sizes and warmths of a stage that looks at frames.
fn variants(options: &StageOptions) -> Vec<(usize, Warmth)> {
    options.sizes.iter().flat_map(|size| [(*size, Warmth::Warm), (*size, Warmth::Cold)]).collect()
}

fn labels(size: usize, warmth: Warmth) -> Vec<(&'static str, String)> {
    vec![("size", size.to_string()), ("cache", warmth.name().to_owned())]
}

fn some_headers(world: &World) -> Result<[Headers; BURST_SIZE], String> {
    let mut all = [Headers::default(); BURST_SIZE];
    for (n, headers) in all.iter_mut().enumerate() {
        parse(&world.frame(n, 64), headers).map_err(|reason| format!("a frame of ours is refused: {reason}"))?;
    }
    Ok(all)
}

fn parsing(bench: &mut Bench<'_>, world: &World, frames: &mut Frames) -> Result<(), String> {
    for (size, warmth) in variants(bench.options) {
        frames.empty();
        let mut state = (&mut *frames, Bufs::new(), [Headers::default(); BURST_SIZE], 0u64);
        bench.stage(
            "parse",
            &labels(size, warmth),
            &mut state,
            |(frames, bufs, ..)| frames.next(world, warmth, size, bufs),
            |(_, bufs, headers, sound)| {
                for (buf, headers) in bufs.iter().flatten().zip(headers.iter_mut()) {
                    *sound += u64::from(parse(buf.head(), headers) == Ok(Kind::Ipv4));
                }
                black_box(headers);
            },
            |(.., sound), bursts| all_of("parsed", *sound, bursts),
        )?;
    }
    Ok(())
}

fn all_of(what: &str, count: u64, bursts: u64) -> Result<(), String> {
    let expected = bursts * BURST_SIZE as u64;
    if count == expected { Ok(()) } else { Err(format!("{count} of {expected} packets were {what}")) }
}

/// Keys as the mirror stage makes them.
fn gathering(bench: &mut Bench<'_>, headers: &[Headers; BURST_SIZE]) -> Result<(), String> {
    bench.stage(
        "gather keys",
        &[],
        &mut 0,
        |_| Ok(()),
        |gathered| {
            let mut keys = Keys::default();
            black_box(headers).iter().for_each(|headers| keys.push(key(headers)));
            *gathered += black_box(&keys).len() as u64;
        },
        |gathered, bursts| all_of("gathered", *gathered, bursts),
    )
}

fn classifying(bench: &mut Bench<'_>) -> Result<(), String> {
    for count in [20, 60] {
        let rules = generate(Set::MirrorLike, count, 1);
        let compiled = Compiled::new(&rules).map_err(|e| e.to_string())?;
        for kind in [Trace::Hits, Trace::Misses] {
            let keys = trace::keys(&rules, kind, KEY_BURSTS * BURST_SIZE, 1)?;
            let batches: Vec<Keys> = keys
                .chunks(BURST_SIZE)
                .map(|some| {
                    let mut batch = Keys::default();
                    some.iter().for_each(|key| batch.push(*key));
                    batch
                })
                .collect();
            let labels = [("rules", count.to_string()), ("trace", kind.name().to_owned())];
            let mut state = (batches.iter().cycle(), &batches[0], [Verdict::None; BURST]);
            bench.stage(
                "classify",
                &labels,
                &mut state,
                |(all, batch, _)| {
                    *batch = all.next().ok_or("no keys")?;
                    // A key is hot in the datapath: it was gathered just before.
                    black_box((*batch).clone());
                    Ok(())
                },
                |(_, batch, verdicts)| {
                    compiled.classify(batch, verdicts);
                    black_box(verdicts);
                },
                |(_, _, verdicts), _| {
                    let hits = verdicts[..BURST_SIZE].iter().filter(|v| **v != Verdict::None).count();
                    let expected = if kind == Trace::Hits { BURST_SIZE } else { 0 };
                    if hits == expected { Ok(()) } else { Err(format!("{hits} hits instead of {expected}")) }
                },
            )?;
        }
    }
    Ok(())
}

/// Lengths and headers of copies.
fn heads(bench: &mut Bench<'_>, headers: &[Headers; BURST_SIZE]) -> Result<(), String> {
    let limit = CopyLimit::new(1500, IpMtu(1500));
    bench.stage(
        "cut",
        &[],
        &mut [0u16; BURST_SIZE],
        |_| Ok(()),
        |kept| {
            for (kept, headers) in kept.iter_mut().zip(black_box(headers)) {
                *kept = black_box(limit.keep(headers.ip.total)).bytes;
            }
        },
        |kept, _| if *kept == [50; BURST_SIZE] { Ok(()) } else { Err(format!("{kept:?} bytes kept of 50")) },
    )?;
    let template = template();
    bench.stage(
        "flow hash and outer headers",
        &[],
        &mut [[0u8; OUTER]; BURST_SIZE],
        |_| Ok(()),
        |outer| {
            for (outer, headers) in outer.iter_mut().zip(black_box(headers)) {
                *outer = template.fill(headers.frame_len(), hash::source_port(headers.flow_hash(&[])));
            }
            black_box(outer);
        },
        |outer, _| {
            let ports = outer.iter().filter(|o| o[34] >= 0xc0 && o[36..38] == 4789u16.to_be_bytes()).count();
            all_of("given headers", ports as u64, 1)
        },
    )
}

fn template() -> OuterTemplate {
    let ends = Endpoints {
        source_mac: Mac([2, 0, 0, 0, 0, 1]),
        destination_mac: Mac([2, 0, 0, 0, 0, 2]),
        source_ip: 0x0a00_010a,
        destination_ip: 0x0a00_011e,
    };
    OuterTemplate::new(&ends, 7)
}

/// Both ways to make a copy. Freeing it is not included.
fn encapsulating(bench: &mut Bench<'_>, world: &World, frames: &mut Frames) -> Result<(), String> {
    let outer = template().fill(64, 50_000);
    for (size, warmth) in variants(bench.options) {
        for flat in [true, false] {
            let name = if flat { "encapsulate, flat copy" } else { "encapsulate, clone" };
            frames.empty();
            let mut state = (&mut *frames, Bufs::new(), ArrayVec::<Option<Mbuf>, BURST>::new(), 0u64);
            bench.stage(
                name,
                &labels(size, warmth),
                &mut state,
                |(frames, bufs, copies, made)| {
                    *made += copies.iter().flatten().filter(|c| c.len() == size + OUTER).count() as u64;
                    copies.clear();
                    frames.next(world, warmth, size, bufs)
                },
                |(frames, bufs, copies, _)| {
                    for buf in bufs.iter().flatten() {
                        let copy = if flat {
                            mbuf::flat_copy(buf, size, &outer, &frames.pool)
                        } else {
                            mbuf::clone_body(buf, size, &frames.pool)
                                .and_then(|body| mbuf::headed(body, &outer, &frames.pool))
                        };
                        copies.push(copy.ok());
                    }
                },
                // The last burst's copies were not counted yet.
                |(.., made), bursts| all_of("copied", made + BURST_SIZE as u64, bursts),
            )?;
        }
    }
    Ok(())
}

/// The ring to another worker, from the same thread: no line moves between CPUs. And a pool's cache.
fn buffers(bench: &mut Bench<'_>, eal: &'static Eal, name: &str, frames: &Frames) -> Result<(), String> {
    let (tx, rx) = ring::pair(eal, name, 512).map_err(|e| format!("no memory for a ring: {e}"))?;
    let mut batch = ArrayVec::<Mbuf, BURST>::new();
    for _ in 0..BURST_SIZE {
        batch.push(frames.pool.alloc().map_err(|e| e.to_string())?);
    }
    bench.stage(
        "ring, enqueue and dequeue",
        &[],
        &mut (tx, rx, batch, Bufs::new()),
        |(.., batch, bufs)| {
            batch.extend(bufs.drain(..).flatten());
            Ok(())
        },
        |(tx, rx, batch, bufs)| {
            tx.send(batch);
            rx.receive(bufs);
        },
        |(.., bufs), _| all_of("received", bufs.len() as u64, 1),
    )?;
    bench.stage(
        "buffer, alloc and free",
        &[],
        &mut (Bufs::new(), 0u64),
        |_| Ok(()),
        |(bufs, had)| {
            for _ in 0..BURST_SIZE {
                bufs.push(frames.pool.alloc().ok());
            }
            *had += bufs.iter().flatten().count() as u64;
            mbuf::free_bulk(bufs);
        },
        |(_, had), bursts| all_of("had", *had, bursts),
    )
}

/// The whole way of a burst, guests' rings excepted.
fn whole(bench: &mut Bench<'_>, frames: &mut Frames) -> Result<(), String> {
    for mirrored in Mirrored::ALL {
        let world = World::new(mirrored)?;
        for (size, warmth) in variants(bench.options) {
            frames.empty();
            let mut labels = labels(size, warmth);
            labels.push(("mirror", mirrored.name().to_owned()));
            let mut state = (&mut *frames, Burst::<Mbuf>::default(), (0u64, 0u64));
            bench.stage(
                "run_burst",
                &labels,
                &mut state,
                |(frames, burst, _)| frames.next(&world, warmth, size, &mut burst.bufs),
                |(frames, burst, counts)| {
                    let mut env = NullEnv::new(&frames.pool);
                    run_burst(&mut env, &world.snapshot, &world.source, burst);
                    *counts = (counts.0 + env.delivered, counts.1 + env.copies);
                },
                |(.., counts), bursts| {
                    let copies = if mirrored == Mirrored::All { bursts * BURST_SIZE as u64 } else { 0 };
                    all_of("delivered", counts.0.saturating_sub(counts.1), bursts)?;
                    if counts.1 == copies { Ok(()) } else { Err(format!("{} copies instead of {copies}", counts.1)) }
                },
            )?;
        }
    }
    Ok(())
}
